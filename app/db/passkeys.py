"""Passkeys: public keys of people's devices, and the challenges that are open."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value


@dataclass(frozen=True)
class Passkey:
    """A passkey as its owner's list shows it."""

    id: UUID
    credential_id: bytes
    name: str
    made_at: datetime
    used_at: datetime | None


@dataclass(frozen=True)
class StoredKey:
    """What checking a signature needs."""

    account_id: UUID
    public_key: bytes


def passkeys_of(connection: Connection, account: UUID) -> list[Passkey]:
    """Return an account's passkeys, oldest first."""
    return fetch_all(
        connection,
        Passkey,
        """SELECT id, credential_id, name, made_at, used_at FROM passkey
           WHERE account_id = %s ORDER BY made_at, id""",
        [account],
    )


def key_of(connection: Connection, credential_id: bytes) -> StoredKey | None:
    """Return the key of a credential."""
    return fetch_one(
        connection,
        StoredKey,
        "SELECT account_id, public_key FROM passkey WHERE credential_id = %s",
        [credential_id],
    )


def insert_passkey(
    connection: Connection,
    *,
    account: UUID,
    credential_id: bytes,
    public_key: bytes,
    sign_count: int,
    name: str,
    now: datetime,
) -> bool:
    """Store a passkey; False where the credential is known already."""
    done = connection.execute(
        """INSERT INTO passkey (account_id, credential_id, public_key, sign_count, name, made_at)
           VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING""",
        [account, credential_id, public_key, sign_count, name, now],
    )
    return done.rowcount == 1


def use_passkey(
    connection: Connection, credential_id: bytes, *, sign_count: int, now: datetime
) -> bool:
    """Note a use; False where the device's count did not grow, as that of a copied key may not.

    Devices that keep their keys in a cloud do not count: they say 0 each time.
    """
    done = connection.execute(
        """UPDATE passkey SET sign_count = %s, used_at = %s WHERE credential_id = %s
           AND (sign_count < %s OR sign_count = 0 AND %s = 0)""",
        [sign_count, now, credential_id, sign_count, sign_count],
    )
    return done.rowcount == 1


def remove_passkey(connection: Connection, passkey: UUID, *, account: UUID) -> bool:
    """Remove one of an account's passkeys; False where it has none of this id."""
    done = connection.execute(
        "DELETE FROM passkey WHERE id = %s AND account_id = %s", [passkey, account]
    )
    return done.rowcount == 1


def remove_passkeys(connection: Connection, account: UUID) -> None:
    """Remove all of an account's passkeys."""
    connection.execute("DELETE FROM passkey WHERE account_id = %s", [account])


def challenges_from(connection: Connection, network: str, *, now: datetime) -> int:
    """Forget the challenges that are too old, and count those that are open for a network.

    Whoever counts the same network's waits until this transaction ends.
    """
    connection.execute("SELECT pg_advisory_xact_lock(7007, hashtext(%s))", [network])
    connection.execute("DELETE FROM passkey_challenge WHERE expires_at <= %s", [now])
    return fetch_value(
        connection, "SELECT count(*) FROM passkey_challenge WHERE network = %s", [network]
    )


def put_challenge(
    connection: Connection,
    *,
    challenge_sha256: bytes,
    account: UUID | None,
    network: str,
    expires: datetime,
    at_most: int,
) -> None:
    """Store a challenge, of an account that adds a passkey or of nobody yet.

    Beyond `at_most` the oldest ones are forgotten.
    """
    connection.execute(
        """INSERT INTO passkey_challenge (challenge_sha256, account_id, network, expires_at)
           VALUES (%s, %s, %s, %s)""",
        [challenge_sha256, account, network, expires],
    )
    connection.execute(
        """DELETE FROM passkey_challenge WHERE challenge_sha256 IN
           (SELECT challenge_sha256 FROM passkey_challenge ORDER BY expires_at DESC OFFSET %s)""",
        [at_most],
    )


def take_challenge(
    connection: Connection, challenge_sha256: bytes, *, account: UUID | None, now: datetime
) -> bool:
    """Use a challenge up; False where it was used, has expired or was somebody else's."""
    return (
        fetch_value(
            connection,
            """DELETE FROM passkey_challenge WHERE challenge_sha256 = %s
               AND account_id IS NOT DISTINCT FROM %s RETURNING expires_at > %s""",
            [challenge_sha256, account, now],
        )
        is True
    )
