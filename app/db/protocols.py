"""A study's settings, the versions of its protocol, and what a coordinator sets down beside it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.scores import Diagnosis
from app.domain.study_design import Management, StudyDesign


@dataclass(frozen=True)
class ProtocolVersion:
    """A version of a study's protocol: its whole content as canonical JSON, and why it is there."""

    number: int
    content: str
    content_sha256: str
    reason: str
    author_name: str | None  # None: written by a migration
    written_at: datetime
    changed: list[str]  # columns of the study that this version sets


@dataclass(frozen=True)
class Exclusion:
    """That a case was excluded, or that it was brought back."""

    case_code: str
    undone: bool  # brought back
    reason: str
    author_name: str
    made_at: datetime


@dataclass(frozen=True)
class WashoutOverride:
    """Another washout for one reader."""

    reader_id: UUID
    days: int
    reason: str
    author_name: str
    made_at: datetime


@dataclass(frozen=True)
class Correction:
    """That a reading was voided or corrected: what the coordinator may see of it."""

    reading_id: UUID
    reader_id: UUID
    case_code: str
    phase: str
    kind: str
    reason: str
    author_name: str
    made_at: datetime


def design_of(connection: Connection, study: UUID) -> StudyDesign | None:
    """Return a study's settings."""
    return fetch_one(
        connection,
        StudyDesign,
        """SELECT design, unaided_only_percent, washout_days, show_probability, show_label,
               show_overlay, show_performance, confidence_scale, ask_management, ask_comment,
               log_zoom, repeats, cases_per_sitting, analysed_readings
           FROM study WHERE id = %s""",
        [study],
    )


def set_design(connection: Connection, study: UUID, design: StudyDesign) -> None:
    """Store a draft's settings; the database refuses once the study is open."""
    connection.execute(
        """UPDATE study SET design = %(design)s, unaided_only_percent = %(unaided_only_percent)s,
               washout_days = %(washout_days)s, show_probability = %(show_probability)s,
               show_label = %(show_label)s, show_overlay = %(show_overlay)s,
               confidence_scale = %(confidence_scale)s,
               ask_management = %(ask_management)s, ask_comment = %(ask_comment)s,
               log_zoom = %(log_zoom)s, show_performance = %(show_performance)s,
               repeats = %(repeats)s, cases_per_sitting = %(cases_per_sitting)s,
               analysed_readings = %(analysed_readings)s
           WHERE id = %(study)s""",
        {**asdict(design), "study": study},
    )


def set_words(connection: Connection, study: UUID, *, title: str, instructions: str) -> None:
    """Store a draft's title and instructions; the database refuses once the study is open."""
    connection.execute(
        "UPDATE study SET title = %s, instructions = %s WHERE id = %s",
        [title, instructions, study],
    )


def insert_version(
    connection: Connection, study: UUID, *, changes: Mapping[str, object], reason: str
) -> None:
    """Amend an open study; the database writes number, content, digest, author and time."""
    connection.execute(
        "INSERT INTO protocol_version (study_id, changes, reason) VALUES (%s, %s, %s)",
        [study, Jsonb(dict(changes)), reason],
    )


def versions_of(connection: Connection, study: UUID) -> list[ProtocolVersion]:
    """Return the versions of a study's protocol, the newest first."""
    return fetch_all(
        connection,
        ProtocolVersion,
        """SELECT v.number, v.content, v.content_sha256, v.reason, a.name AS author_name,
               v.written_at,
               ARRAY(SELECT jsonb_object_keys(v.changes) AS name ORDER BY name) AS changed
           FROM protocol_version v LEFT JOIN account a ON a.id = v.author
           WHERE v.study_id = %s ORDER BY v.number DESC""",
        [study],
    )


def insert_exclusion(connection: Connection, study: UUID, *, case: UUID, reason: str) -> bool:
    """Exclude a case; False when it is excluded."""
    inserted = connection.execute(
        """INSERT INTO case_exclusion (case_id, study_id, reason)
           SELECT %(case)s, %(study)s, %(reason)s
           WHERE NOT EXISTS (SELECT FROM standing_exclusion WHERE case_id = %(case)s)""",
        {"case": case, "study": study, "reason": reason},
    )
    return inserted.rowcount == 1


def insert_readmission(connection: Connection, study: UUID, *, case: UUID, reason: str) -> bool:
    """Bring an excluded case back; False when it is not excluded."""
    inserted = connection.execute(
        """INSERT INTO case_readmission (exclusion_id, case_id, study_id, reason)
           SELECT id, case_id, study_id, %s FROM standing_exclusion
           WHERE case_id = %s AND study_id = %s ON CONFLICT (exclusion_id) DO NOTHING""",
        [reason, case, study],
    )
    return inserted.rowcount == 1


def case_by_code(connection: Connection, study: UUID, code: str) -> UUID | None:
    """Return the id of a study's case."""
    return fetch_value(
        connection, "SELECT id FROM study_case WHERE study_id = %s AND code = %s", [study, code]
    )


def exclusions_of(connection: Connection, study: UUID) -> list[Exclusion]:
    """Return which cases of a study were excluded or brought back, in time's order."""
    return fetch_all(
        connection,
        Exclusion,
        """SELECT c.code AS case_code, x.undone, x.reason, a.name AS author_name, x.made_at
           FROM (SELECT case_id, false AS undone, reason, author, made_at FROM case_exclusion
                 WHERE study_id = %(study)s
                 UNION ALL
                 SELECT case_id, true, reason, author, made_at FROM case_readmission
                 WHERE study_id = %(study)s) x
           JOIN study_case c ON c.id = x.case_id JOIN account a ON a.id = x.author
           ORDER BY x.made_at""",
        {"study": study},
    )


def insert_copy(connection: Connection, study: UUID, *, copy: UUID) -> None:
    """Write into the source's log that it was copied; the database says how many cases came."""
    connection.execute("INSERT INTO study_copy (study_id, copy_id) VALUES (%s, %s)", [study, copy])


def insert_override(
    connection: Connection, study: UUID, *, reader: UUID, days: int, reason: str
) -> bool:
    """Give a reader another washout; False when they are not enrolled."""
    inserted: UUID | None = fetch_value(
        connection,
        """INSERT INTO washout_override (enrolment_id, study_id, reader_id, days, reason)
           SELECT id, study_id, reader_id, %s, %s FROM enrolment
           WHERE study_id = %s AND reader_id = %s RETURNING id""",
        [days, reason, study, reader],
    )
    return inserted is not None


def overrides_of(connection: Connection, study: UUID) -> list[WashoutOverride]:
    """Return the washouts of single readers, in time's order; a reader's last one holds."""
    return fetch_all(
        connection,
        WashoutOverride,
        """SELECT w.reader_id, w.days, w.reason, a.name AS author_name, w.made_at
           FROM washout_override w JOIN account a ON a.id = w.author
           WHERE w.study_id = %s ORDER BY w.made_at, w.id""",
        [study],
    )


def insert_correction(
    connection: Connection,
    study: UUID,
    *,
    reading: UUID,
    call: Diagnosis | None,
    confidence: int | None,
    management: Management | None,
    reason: str,
) -> bool:
    """Void a reading (no call) or correct it; False when the study has no such reading."""
    inserted = connection.execute(
        """INSERT INTO reading_correction
               (reading_id, study_id, kind, call, confidence, management, reason)
           SELECT id, study_id, %s, %s, %s, %s, %s FROM reading WHERE id = %s AND study_id = %s""",
        [
            "void" if call is None else "correct",
            call,
            confidence,
            management,
            reason,
            reading,
            study,
        ],
    )
    return inserted.rowcount == 1


def corrections_of(connection: Connection, study: UUID) -> list[Correction]:
    """Return which readings were voided or corrected, in time's order; never a call."""
    return fetch_all(
        connection,
        Correction,
        """SELECT k.reading_id, r.reader_id, c.code AS case_code, r.phase, k.kind, k.reason,
               a.name AS author_name, k.made_at
           FROM reading_correction k JOIN reading r ON r.id = k.reading_id
           JOIN assignment s ON s.id = r.assignment_id JOIN study_case c ON c.id = s.case_id
           JOIN account a ON a.id = k.author
           WHERE k.study_id = %s ORDER BY k.made_at, k.id""",
        [study],
    )
