"""Tokens of the API: whose, for what, until when, last used when."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one


@dataclass(frozen=True)
class ApiToken:
    """A token as its owner's list shows it; the token itself is not kept."""

    id: UUID
    account_id: UUID
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


_FOUND = """SELECT id, account_id, name, scopes, created_at, expires_at, last_used_at, revoked_at
            FROM api_token """


def tokens_of(connection: Connection, account: UUID) -> list[ApiToken]:
    """Return a person's tokens, newest first, those that ended included."""
    return fetch_all(
        connection,
        ApiToken,
        _FOUND + "WHERE account_id = %s ORDER BY created_at DESC, id",
        [account],
    )


def token_by_digest(connection: Connection, token_sha256: bytes) -> ApiToken | None:
    """Return a token, ended or not."""
    return fetch_one(connection, ApiToken, _FOUND + "WHERE token_sha256 = %s", [token_sha256])


def insert_token(
    connection: Connection,
    *,
    account: UUID,
    name: str,
    scopes: list[str],
    token_sha256: bytes,
    now: datetime,
    expires: datetime,
) -> None:
    """Store a token's digest."""
    connection.execute(
        """INSERT INTO api_token (account_id, name, scopes, token_sha256, created_at, expires_at)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        [account, name, scopes, token_sha256, now, expires],
    )


def touch_token(connection: Connection, token: UUID, *, now: datetime) -> None:
    """Note that a token was used."""
    connection.execute("UPDATE api_token SET last_used_at = %s WHERE id = %s", [now, token])


def revoke_token(connection: Connection, token: UUID, *, account: UUID, now: datetime) -> bool:
    """End a person's token; False where there is none of theirs that still holds."""
    done = connection.execute(
        """UPDATE api_token SET revoked_at = %s
           WHERE id = %s AND account_id = %s AND revoked_at IS NULL""",
        [now, token, account],
    )
    return done.rowcount == 1
