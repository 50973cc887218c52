"""Second factors, their recovery codes, and sign-ins that wait for a code."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_one, fetch_value


@dataclass(frozen=True)
class SecondFactor:
    """An account's authenticator app."""

    secret: str
    confirmed_at: datetime | None  # None: being set up


def second_factor_of(connection: Connection, account: UUID) -> SecondFactor | None:
    """Return an account's second factor, set up in full or not."""
    return fetch_one(
        connection,
        SecondFactor,
        "SELECT secret, confirmed_at FROM second_factor WHERE account_id = %s",
        [account],
    )


def put_secret(connection: Connection, account: UUID, *, secret: str, now: datetime) -> bool:
    """Store a secret to be confirmed; False where one was confirmed already."""
    done = connection.execute(
        """INSERT INTO second_factor (account_id, secret, made_at) VALUES (%s, %s, %s)
           ON CONFLICT (account_id) DO UPDATE SET secret = EXCLUDED.secret, last_step = 0,
               made_at = EXCLUDED.made_at WHERE second_factor.confirmed_at IS NULL""",
        [account, secret, now],
    )
    return done.rowcount == 1


def use_step(connection: Connection, account: UUID, step: int) -> bool:
    """Note that the code of a step was used; False where it, or a newer one, was used before."""
    done = connection.execute(
        "UPDATE second_factor SET last_step = %s WHERE account_id = %s AND last_step < %s",
        [step, account, step],
    )
    return done.rowcount == 1


def confirm(
    connection: Connection, account: UUID, *, recovery: Iterable[bytes], now: datetime
) -> None:
    """Ask for the second factor from now on, and store the digests of its recovery codes."""
    connection.execute(
        "UPDATE second_factor SET confirmed_at = %s WHERE account_id = %s AND confirmed_at IS NULL",
        [now, account],
    )
    for code in recovery:
        connection.execute(
            "INSERT INTO recovery_code (account_id, code_sha256) VALUES (%s, %s)", [account, code]
        )


def use_recovery_code(
    connection: Connection, account: UUID, code_sha256: bytes, *, now: datetime
) -> bool:
    """Use up a recovery code; False where the account has none like it left."""
    done = connection.execute(
        """UPDATE recovery_code SET used_at = %s
           WHERE account_id = %s AND code_sha256 = %s AND used_at IS NULL""",
        [now, account, code_sha256],
    )
    return done.rowcount == 1


def recovery_codes_left(connection: Connection, account: UUID) -> int:
    """Count the recovery codes that were not used."""
    return fetch_value(
        connection,
        "SELECT count(*) FROM recovery_code WHERE account_id = %s AND used_at IS NULL",
        [account],
    )


def remove(connection: Connection, account: UUID) -> bool:
    """Remove an account's second factor with its recovery codes; False where there was none."""
    done = connection.execute("DELETE FROM second_factor WHERE account_id = %s", [account])
    return done.rowcount == 1


def put_pending(
    connection: Connection, *, token_sha256: bytes, account: UUID, now: datetime, expires: datetime
) -> None:
    """Store a sign-in that waits for its code; forget those that waited too long."""
    connection.execute("DELETE FROM pending_sign_in WHERE expires_at < %s", [now])
    connection.execute(
        "INSERT INTO pending_sign_in (token_sha256, account_id, expires_at) VALUES (%s, %s, %s)",
        [token_sha256, account, expires],
    )


def pending_of(connection: Connection, token_sha256: bytes, *, now: datetime) -> UUID | None:
    """Return whose sign-in waits under a token, or None."""
    return fetch_value(
        connection,
        "SELECT account_id FROM pending_sign_in WHERE token_sha256 = %s AND expires_at > %s",
        [token_sha256, now],
    )


def end_pending(connection: Connection, account: UUID) -> None:
    """End every sign-in of an account that waits for a code."""
    connection.execute("DELETE FROM pending_sign_in WHERE account_id = %s", [account])
