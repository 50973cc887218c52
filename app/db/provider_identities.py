"""Whom an identity provider knows by which subject, and sign-ins that are under way there."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value


@dataclass(frozen=True)
class UnderWay:
    """A sign-in that was sent to the provider."""

    goes_to: str
    expires_at: datetime


def under_way_from(connection: Connection, network: str, *, now: datetime) -> int:
    """Forget sign-ins that never came back, and count those under way from a network.

    Whoever counts the same network's waits until this transaction ends.
    """
    connection.execute("SELECT pg_advisory_xact_lock(7006, hashtext(%s))", [network])
    connection.execute("DELETE FROM provider_sign_in WHERE expires_at <= %s", [now])
    return fetch_value(
        connection, "SELECT count(*) FROM provider_sign_in WHERE network = %s", [network]
    )


def put_under_way(
    connection: Connection,
    *,
    token_sha256: bytes,
    goes_to: str,
    network: str,
    expires: datetime,
    at_most: int,
) -> None:
    """Store a sign-in that goes to the provider; beyond `at_most` forget the oldest ones."""
    connection.execute(
        """INSERT INTO provider_sign_in (token_sha256, goes_to, network, expires_at)
           VALUES (%s, %s, %s, %s)""",
        [token_sha256, goes_to, network, expires],
    )
    connection.execute(
        """DELETE FROM provider_sign_in WHERE token_sha256 IN (
               SELECT token_sha256 FROM provider_sign_in ORDER BY expires_at DESC OFFSET %s)""",
        [at_most],
    )


def take_under_way(connection: Connection, token_sha256: bytes) -> UnderWay | None:
    """Take out a sign-in that comes back; None where it did before, or never went."""
    return fetch_one(
        connection,
        UnderWay,
        "DELETE FROM provider_sign_in WHERE token_sha256 = %s RETURNING goes_to, expires_at",
        [token_sha256],
    )


def account_of(connection: Connection, *, issuer: str, subject: str) -> UUID | None:
    """Return the account that is bound to a subject."""
    return fetch_value(
        connection,
        "SELECT account_id FROM provider_identity WHERE issuer = %s AND subject = %s",
        [issuer, subject],
    )


def bind(connection: Connection, account: UUID, *, issuer: str, subject: str) -> bool:
    """Bind an account to a subject; False where it is bound to another one of this provider."""
    done = connection.execute(
        """INSERT INTO provider_identity (issuer, subject, account_id) VALUES (%s, %s, %s)
           ON CONFLICT DO NOTHING""",
        [issuer, subject, account],
    )
    return done.rowcount == 1


def issuers_of(connection: Connection, account: UUID) -> list[str]:
    """Return the providers at which an account signs in."""
    found = fetch_all(
        connection,
        _Issuer,
        "SELECT issuer FROM provider_identity WHERE account_id = %s ORDER BY issuer",
        [account],
    )
    return [row.issuer for row in found]


@dataclass(frozen=True)
class _Issuer:
    issuer: str


def unbind(connection: Connection, account: UUID) -> bool:
    """Remove what binds an account to providers; False where nothing does."""
    done = connection.execute("DELETE FROM provider_identity WHERE account_id = %s", [account])
    return done.rowcount > 0
