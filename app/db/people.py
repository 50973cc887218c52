"""Who has which part in a study, what readers say of themselves, and what they consented to."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.access import Part


@dataclass(frozen=True)
class ReaderRow:
    """A reader as the coordinator's list shows them; progress is counted from assignments."""

    reader_id: UUID
    name: str
    email: str
    simulated: bool
    enrolled_at: datetime
    active: bool  # the part has not been ended
    ended_reason: str | None
    years_experience: int | None
    specialty: str | None
    training: str | None
    consented_version: int | None
    consented_at: datetime | None
    order_sha256: str | None
    assigned: int
    seen_at: datetime | None


@dataclass(frozen=True)
class Profile:
    """What a reader says of themselves, for the baseline table."""

    years_experience: int
    specialty: str
    training: str
    given_at: datetime


@dataclass(frozen=True)
class ConsentText:
    """A version of what readers consent to."""

    id: UUID
    version: int
    text: str
    written_at: datetime
    accepted: int  # readers who accepted it, as far as one may know


@dataclass(frozen=True)
class Member:
    """Somebody who has a part in a study other than reading."""

    account_id: UUID
    name: str
    role: Part
    active: bool
    reason: str
    changed_at: datetime | None


@dataclass(frozen=True)
class WrittenLetter:
    """That a reader was reminded or written to; of the words the log keeps their digest alone."""

    reader_id: UUID
    kind: str  # reminder or message
    sent: bool  # else its text was given to be passed on
    text_sha256: str
    at: datetime


_READERS = """
    SELECT e.reader_id, a.name, a.email, a.simulated, e.enrolled_at,
           coalesce(m.active, true) AS active,
           CASE WHEN m.active IS FALSE THEN m.reason END AS ended_reason,
           p.years_experience, p.specialty, p.training,
           k.version AS consented_version, k.accepted_at AS consented_at,
           l.order_sha256,
           (SELECT count(*) FROM assignment s WHERE s.enrolment_id = e.id) AS assigned, t.seen_at
    FROM enrolment e JOIN account a ON a.id = e.reader_id
    LEFT JOIN allocation l ON l.enrolment_id = e.id
    LEFT JOIN LATERAL (SELECT active, reason FROM membership
        WHERE study_id = e.study_id AND account_id = e.reader_id AND role = 'reader'
        ORDER BY number DESC LIMIT 1) m ON true
    LEFT JOIN LATERAL (SELECT years_experience, specialty, training FROM reader_profile
        WHERE study_id = e.study_id AND reader_id = e.reader_id
        ORDER BY number DESC LIMIT 1) p ON true
    LEFT JOIN LATERAL (SELECT c.version, n.accepted_at FROM consent n
        JOIN consent_text c ON c.id = n.consent_text_id
        WHERE n.study_id = e.study_id AND n.reader_id = e.reader_id
        ORDER BY c.version DESC LIMIT 1) k ON true
    LEFT JOIN last_seen(e.study_id) t ON t.reader_id = e.reader_id
    WHERE e.study_id = %(study)s
"""


def readers_of(connection: Connection, study: UUID) -> list[ReaderRow]:
    """Return a study's readers, people before simulated ones."""
    return fetch_all(
        connection,
        ReaderRow,
        _READERS + "ORDER BY a.simulated, a.name, e.reader_id",
        {"study": study},
    )


def letters_written(connection: Connection, study: UUID) -> list[WrittenLetter]:
    """Return the letters that were written to a study's readers, the newest last."""
    return fetch_all(
        connection,
        WrittenLetter,
        "SELECT reader_id, kind, sent, text_sha256, at FROM letters_written(%s)",
        [study],
    )


def reader_of(connection: Connection, study: UUID, reader: UUID) -> ReaderRow | None:
    """Return one reader of a study."""
    return fetch_one(
        connection,
        ReaderRow,
        _READERS + "AND e.reader_id = %(reader)s",
        {"study": study, "reader": reader},
    )


def members_of(connection: Connection, study: UUID) -> list[Member]:
    """Return the study's coordinators, adjudicators and auditors."""
    return fetch_all(
        connection,
        Member,
        """SELECT a.id AS account_id, a.name, 'coordinator' AS role, true AS active,
               '' AS reason, NULL::timestamptz AS changed_at
           FROM coordinator c JOIN account a ON a.id = c.account_id WHERE c.study_id = %(study)s
           UNION ALL
           SELECT a.id, a.name, m.role, m.active, m.reason, m.changed_at FROM account a JOIN (
               SELECT DISTINCT ON (account_id, role) * FROM membership
               WHERE study_id = %(study)s AND role <> 'reader'
               ORDER BY account_id, role, number DESC) m ON m.account_id = a.id
           ORDER BY role DESC, name""",
        {"study": study},
    )


def part_held(connection: Connection, study: UUID, email: str) -> Part | None:
    """Return the part that this address has, or had, in the study; None where it has none."""
    found = fetch_value(
        connection,
        """SELECT held.part FROM account a JOIN (
               SELECT reader_id AS account_id, 'reader' AS part FROM enrolment
               WHERE study_id = %(study)s
               UNION SELECT account_id, 'coordinator' FROM coordinator WHERE study_id = %(study)s
               UNION SELECT account_id, role FROM membership WHERE study_id = %(study)s
           ) held ON held.account_id = a.id WHERE a.email = %(email)s""",
        {"study": study, "email": email},
    )
    return None if found is None else Part(found)


def insert_membership(
    connection: Connection,
    *,
    study: UUID,
    account: UUID,
    part: Part,
    active: bool,
    reason: str,
    changed_by: UUID,
) -> None:
    """Write down that a part begins or ends; the database refuses what must not be."""
    connection.execute(
        """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        [study, account, part, active, reason, changed_by],
    )


def insert_coordinator(connection: Connection, *, study: UUID, account: UUID) -> None:
    """Give a study a further coordinator."""
    connection.execute("INSERT INTO coordinator VALUES (%s, %s)", [study, account])


# ------------------------------------------------------------------ consent


_CONSENT_TEXTS = """
    SELECT t.id, t.version, t.text, t.written_at,
           (SELECT count(*) FROM consent n WHERE n.consent_text_id = t.id) AS accepted
    FROM consent_text t WHERE t.study_id = %s ORDER BY t.version DESC
"""


def consent_texts(connection: Connection, study: UUID) -> list[ConsentText]:
    """Return every version, the newest first; a reader's `accepted` counts their own only."""
    return fetch_all(connection, ConsentText, _CONSENT_TEXTS, [study])


def newest_consent_text(connection: Connection, study: UUID) -> ConsentText | None:
    """Return the version that holds, or None where the study has no consent text."""
    return fetch_one(connection, ConsentText, _CONSENT_TEXTS + "LIMIT 1", [study])


def insert_consent_text(connection: Connection, *, study: UUID, text: str, by: UUID) -> None:
    """Store a further version; the database numbers it."""
    connection.execute(
        "INSERT INTO consent_text (study_id, text, written_by) VALUES (%s, %s, %s)",
        [study, text, by],
    )


def insert_consent(connection: Connection, *, study: UUID, text: UUID) -> None:
    """Record that the actor accepts a version; nothing happens when they already have."""
    connection.execute(
        """INSERT INTO consent (study_id, reader_id, consent_text_id) VALUES (%s, actor(), %s)
           ON CONFLICT (consent_text_id, reader_id) DO NOTHING""",
        [study, text],
    )


def consent_is_due(connection: Connection, study: UUID) -> bool:
    """Say whether the actor has yet to accept the version that holds."""
    due: bool | None = fetch_value(
        connection,
        """SELECT NOT EXISTS (SELECT FROM consent WHERE consent_text_id = t.id
                              AND reader_id = actor())
           FROM consent_text t WHERE t.study_id = %s ORDER BY t.version DESC LIMIT 1""",
        [study],
    )
    return bool(due)


def has_ever_consented(connection: Connection, study: UUID) -> bool:
    """Say whether the actor has accepted any version."""
    return fetch_value(
        connection,
        "SELECT EXISTS (SELECT FROM consent WHERE study_id = %s AND reader_id = actor())",
        [study],
    )


def insert_profile(
    connection: Connection, *, study: UUID, years: int, specialty: str, training: str
) -> None:
    """Record what the actor says of themselves."""
    connection.execute(
        """INSERT INTO reader_profile (study_id, reader_id, years_experience, specialty, training)
           VALUES (%s, actor(), %s, %s, %s)""",
        [study, years, specialty, training],
    )


def own_profile(connection: Connection, study: UUID) -> Profile | None:
    """Return what the actor said of themselves last."""
    return fetch_one(
        connection,
        Profile,
        """SELECT years_experience, specialty, training, given_at FROM reader_profile
           WHERE study_id = %s AND reader_id = actor() ORDER BY number DESC LIMIT 1""",
        [study],
    )


def own_first_call_is_locked(connection: Connection, study: UUID) -> bool:
    """Say whether the actor has a reading in the study."""
    return fetch_value(
        connection,
        "SELECT EXISTS (SELECT FROM reading WHERE study_id = %s AND reader_id = actor())",
        [study],
    )
