"""What people see and change of their own account: sessions, devices, links for a new password."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value


@dataclass(frozen=True)
class OwnSession:
    """A sign-in session as its owner's list shows it."""

    id: UUID
    address: str
    browser: str  # as it calls itself
    created_at: datetime
    last_seen_at: datetime
    current: bool


def sessions_of(
    connection: Connection,
    account: UUID,
    *,
    token_sha256: bytes,
    seen_after: datetime,
    now: datetime,
) -> list[OwnSession]:
    """Return an account's sessions that still hold; `token_sha256` tells the asker's own."""
    return fetch_all(
        connection,
        OwnSession,
        """SELECT id, address, browser, created_at, last_seen_at, token_sha256 = %s AS current
           FROM sign_in_session WHERE account_id = %s AND expires_at > %s AND last_seen_at > %s
           ORDER BY token_sha256 = %s DESC, last_seen_at DESC, id""",
        [token_sha256, account, now, seen_after, token_sha256],
    )


def end_session(connection: Connection, session: UUID, *, account: UUID) -> bool:
    """End one session of an account; False where it has none of this id."""
    done = connection.execute(
        "DELETE FROM sign_in_session WHERE id = %s AND account_id = %s", [session, account]
    )
    return done.rowcount == 1


def end_sessions(connection: Connection, account: UUID, *, but: bytes | None = None) -> int:
    """End an account's sessions, but for one token's, and return how many they were."""
    done = connection.execute(
        "DELETE FROM sign_in_session WHERE account_id = %s AND token_sha256 IS DISTINCT FROM %s",
        [account, but],
    )
    return done.rowcount


# ---------------------------------------------------------------- devices


def device_is_known(connection: Connection, token_sha256: bytes, *, email: str) -> UUID | None:
    """Return the account of an e-mail address that has signed in from this device, or None."""
    return fetch_value(
        connection,
        """SELECT a.id FROM known_device d JOIN account a ON a.id = d.account_id
           WHERE d.token_sha256 = %s AND a.email = lower(%s::text COLLATE "C")""",
        [token_sha256, email],
    )


def note_device(
    connection: Connection, *, old: bytes, new: bytes, account: UUID, now: datetime
) -> None:
    """Give a device its new token, for everybody who signs in from it, this account included."""
    connection.execute(
        "UPDATE known_device SET token_sha256 = %s WHERE token_sha256 = %s", [new, old]
    )
    connection.execute(
        """INSERT INTO known_device (token_sha256, account_id, seen_at) VALUES (%s, %s, %s)
           ON CONFLICT (token_sha256, account_id) DO UPDATE SET seen_at = EXCLUDED.seen_at""",
        [new, account, now],
    )


def forget_devices(connection: Connection, account: UUID, *, seen_before: datetime) -> None:
    """Forget the devices from which an account has not signed in since then."""
    connection.execute(
        "DELETE FROM known_device WHERE account_id = %s AND seen_at < %s", [account, seen_before]
    )


# ---------------------------------------------------------------- links for a new password


@dataclass(frozen=True)
class PasswordReset:
    """A link for a new password, as it is opened."""

    id: UUID
    account_id: UUID
    email: str
    disabled: bool
    expires_at: datetime
    used_at: datetime | None


def insert_reset(
    connection: Connection,
    *,
    account: UUID,
    token_sha256: bytes,
    made_by: UUID | None,
    now: datetime,
    expires: datetime,
) -> None:
    """Store a link's digest."""
    connection.execute(
        """INSERT INTO password_reset (account_id, token_sha256, made_by, created_at, expires_at)
           VALUES (%s, %s, %s, %s, %s)""",
        [account, token_sha256, made_by, now, expires],
    )


def reset_of(connection: Connection, token_sha256: bytes) -> PasswordReset | None:
    """Return the reset of a link, used or not."""
    return fetch_one(
        connection,
        PasswordReset,
        """SELECT r.id, r.account_id, a.email, a.disabled_at IS NOT NULL AS disabled, r.expires_at,
               r.used_at
           FROM password_reset r JOIN account a ON a.id = r.account_id
           WHERE r.token_sha256 = %s""",
        [token_sha256],
    )


def use_reset(connection: Connection, account: UUID, *, now: datetime) -> bool:
    """Use up every open link of an account; False where there is none left."""
    done = connection.execute(
        "UPDATE password_reset SET used_at = %s WHERE account_id = %s AND used_at IS NULL",
        [now, account],
    )
    return done.rowcount > 0
