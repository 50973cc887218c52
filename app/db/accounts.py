"""Accounts, sign-in sessions, failed sign-ins and invitations."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.access import Account, AccountRole, Part


@dataclass(frozen=True)
class Credentials:
    """What signing in needs to know of an account."""

    id: UUID
    email: str
    name: str
    role: AccountRole
    simulated: bool
    password_hash: str | None
    disabled: bool

    @property
    def account(self) -> Account:
        """Return the account without its secret."""
        return Account(self.id, self.email, self.name, self.role, self.simulated)


@dataclass(frozen=True)
class Session:
    """A sign-in session and whose it is."""

    account_id: UUID
    last_seen_at: datetime
    expires_at: datetime
    confirmed_at: datetime


@dataclass(frozen=True)
class Invitation:
    """An invitation as its link opens it."""

    id: UUID
    study_id: UUID
    study_code: str
    study_title: str
    email: str
    role: Part
    invited_by: UUID
    expires_at: datetime
    accepted_at: datetime | None

    def __post_init__(self) -> None:
        object.__setattr__(self, "role", Part(self.role))


def credentials_of(connection: Connection, email: str) -> Credentials | None:
    """Return the credentials of an e-mail address; case does not matter, of ASCII letters.

    Of others it would: the Kelvin sign is a "K" to lower() and another mailbox to a mail server.
    """
    return fetch_one(
        connection,
        Credentials,
        """SELECT id, email, name, role, simulated, password_hash,
               disabled_at IS NOT NULL AS disabled
           FROM account WHERE email = lower(%s::text COLLATE "C")""",
        [email],
    )


def account_by_id(connection: Connection, account: UUID) -> Account | None:
    """Return an account that is not disabled."""
    return fetch_one(
        connection,
        Account,
        """SELECT id, email, name, role, simulated FROM account
           WHERE id = %s AND disabled_at IS NULL""",
        [account],
    )


def coordinators(connection: Connection) -> list[Account]:
    """Return every coordinator account that is not disabled."""
    return fetch_all(
        connection,
        Account,
        """SELECT id, email, name, role, simulated FROM account
           WHERE role = 'coordinator' AND disabled_at IS NULL ORDER BY created_at""",
    )


@dataclass(frozen=True)
class AccountRow:
    """An account as the administrator's list shows it."""

    id: UUID
    email: str
    name: str
    role: AccountRole
    simulated: bool
    created_at: datetime
    disabled_at: datetime | None
    seen_at: datetime | None  # of the sessions that are still there


def all_accounts(connection: Connection) -> list[AccountRow]:
    """Return every account, people before simulated readers."""
    return fetch_all(
        connection,
        AccountRow,
        """SELECT a.id, a.email, a.name, a.role, a.simulated, a.created_at, a.disabled_at,
               (SELECT max(last_seen_at) FROM sign_in_session WHERE account_id = a.id) AS seen_at
           FROM account a ORDER BY a.simulated, a.role, a.name, a.id""",
    )


def set_disabled(connection: Connection, account: UUID, *, at: datetime | None) -> bool:
    """Disable an account from a time on, or enable it; False where there is no such account."""
    done = connection.execute(
        "UPDATE account SET disabled_at = %s WHERE id = %s AND NOT simulated", [at, account]
    )
    if at is not None:
        connection.execute("DELETE FROM sign_in_session WHERE account_id = %s", [account])
    return done.rowcount == 1


def insert_account(
    connection: Connection,
    *,
    email: str,
    name: str,
    role: AccountRole,
    password_hash: str | None,
    simulated: bool = False,
) -> UUID:
    """Store a new account and return its id."""
    return fetch_value(
        connection,
        """INSERT INTO account (email, name, role, password_hash, simulated)
           VALUES (lower(%s), %s, %s, %s, %s) RETURNING id""",
        [email, name, role, password_hash, simulated],
    )


def set_password_hash(connection: Connection, account: UUID, password_hash: str) -> None:
    """Replace the stored hash, after a change or a rehash."""
    connection.execute(
        "UPDATE account SET password_hash = %s WHERE id = %s", [password_hash, account]
    )


def insert_session(
    connection: Connection,
    *,
    token_sha256: bytes,
    account: UUID,
    now: datetime,
    expires: datetime,
    confirmed: datetime | None = None,
    address: str = "",
    browser: str = "",
) -> None:
    """Store a new sign-in session; `confirmed`: when the password was entered, if not just now."""
    connection.execute(
        """INSERT INTO sign_in_session (token_sha256, account_id, created_at, last_seen_at,
               expires_at, confirmed_at, address, browser)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [token_sha256, account, now, now, expires, confirmed or now, address, browser],
    )


def session_of(connection: Connection, token_sha256: bytes) -> Session | None:
    """Return the session of a token, ended or not."""
    return fetch_one(
        connection,
        Session,
        """SELECT account_id, last_seen_at, expires_at, confirmed_at
           FROM sign_in_session WHERE token_sha256 = %s""",
        [token_sha256],
    )


def touch_session(
    connection: Connection, token_sha256: bytes, *, now: datetime, confirmed: bool = False
) -> None:
    """Note that a session was used; `confirmed` when the password was entered again."""
    connection.execute(
        """UPDATE sign_in_session SET last_seen_at = %s,
               confirmed_at = CASE WHEN %s THEN %s ELSE confirmed_at END
           WHERE token_sha256 = %s""",
        [now, confirmed, now, token_sha256],
    )


def delete_session(connection: Connection, token_sha256: bytes) -> None:
    """End a session."""
    connection.execute("DELETE FROM sign_in_session WHERE token_sha256 = %s", [token_sha256])


def lock_guesses(connection: Connection, *, subject: bytes, address: str) -> None:
    """Let one guess at a subject, and one from an address, be counted at a time."""
    # Always the address first, so that two of them never wait for each other.
    connection.execute("SELECT pg_advisory_xact_lock(7004, hashtext(%s))", [address])
    connection.execute("SELECT pg_advisory_xact_lock(7005, hashtext(%s))", [subject.hex()])


def insert_failure(
    connection: Connection,
    *,
    email_sha256: bytes,
    address: str,
    now: datetime,
    pending: bool = False,
) -> int:
    """Count a guess, wrong or not checked yet, and return its number; forget those of yesterday."""
    connection.execute(
        "DELETE FROM sign_in_failure WHERE failed_at < %s", [now - timedelta(days=1)]
    )
    return fetch_value(
        connection,
        """INSERT INTO sign_in_failure (email_sha256, address, failed_at, pending)
           VALUES (%s, %s, %s, %s) RETURNING id""",
        [email_sha256, address, now, pending],
    )


@dataclass(frozen=True)
class Failures:
    """Guesses of the last while; those not yet checked count for their subject in full."""

    of_subject: int
    of_address: int
    unchecked_of_address: int


def failures_since(
    connection: Connection, *, email_sha256: bytes, address: str, since: datetime
) -> Failures:
    """Count the guesses since then: at a subject, and from a network address."""
    found = fetch_one(
        connection,
        Failures,
        """SELECT count(*) FILTER (WHERE email_sha256 = %s) AS of_subject,
               count(*) FILTER (WHERE address = %s AND NOT pending) AS of_address,
               count(*) FILTER (WHERE address = %s AND pending) AS unchecked_of_address
           FROM sign_in_failure WHERE failed_at > %s AND (email_sha256 = %s OR address = %s)""",
        [email_sha256, address, address, since, email_sha256, address],
    )
    return found or Failures(0, 0, 0)


def settle_failure(connection: Connection, number: int) -> None:
    """Say that a counted guess was checked and is wrong."""
    connection.execute("UPDATE sign_in_failure SET pending = false WHERE id = %s", [number])


def record_refusal(connection: Connection, *, method: str, route: str) -> None:
    """Write down that a request of the connection's actor was refused, once a minute at most."""
    connection.execute("SELECT record_refusal(%s, %s)", [method, route])


def record_event(
    connection: Connection, action: str, *, entity: str, details: dict[str, object]
) -> None:
    """Append an event to the installation's chain (sign-ins, failures, sign-outs)."""
    connection.execute("SELECT record_event(NULL, %s, %s, %s)", [action, entity, Jsonb(details)])


def forget_failures(connection: Connection, email_sha256: bytes, *, attempt: int) -> None:
    """Forget the wrong guesses at a subject, and the right one itself; others still run."""
    connection.execute(
        "DELETE FROM sign_in_failure WHERE email_sha256 = %s AND (id = %s OR NOT pending)",
        [email_sha256, attempt],
    )


def insert_invitation(
    connection: Connection,
    *,
    study: UUID,
    email: str,
    part: Part,
    token_sha256: bytes,
    invited_by: UUID,
    now: datetime,
    expires: datetime,
) -> None:
    """Store an invitation; the link's token itself is not kept."""
    connection.execute(
        """INSERT INTO invitation
               (study_id, email, role, token_sha256, invited_by, created_at, expires_at)
           VALUES (%s, lower(%s), %s, %s, %s, %s, %s)""",
        [study, email, part, token_sha256, invited_by, now, expires],
    )


def invitation_of(connection: Connection, token_sha256: bytes) -> Invitation | None:
    """Return the invitation of a link."""
    return fetch_one(
        connection,
        Invitation,
        """SELECT i.id, i.study_id, s.code AS study_code, s.title AS study_title, i.email, i.role,
               i.invited_by, i.expires_at, i.accepted_at
           FROM invitation i JOIN study s ON s.id = i.study_id WHERE i.token_sha256 = %s""",
        [token_sha256],
    )


def accept(connection: Connection, invitation: UUID, *, account: UUID, now: datetime) -> bool:
    """Mark an invitation as used; False when it was used already."""
    done = connection.execute(
        """UPDATE invitation SET accepted_by = %s, accepted_at = %s
           WHERE id = %s AND accepted_at IS NULL""",
        [account, now, invitation],
    )
    return done.rowcount == 1
