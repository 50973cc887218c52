"""Guesses at passwords and codes: each is counted before it is checked.

Counted under a lock and committed before the hash is computed, so that many guesses sent at once,
to several processes, are as many as the same sent one after another. What is guarded is a subject:
an account as strangers see it, or an account on a device that has signed in to it before; strangers
do not use up what the owner has at their own device. Limits pass by themselves after WINDOW.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.db import accounts
from app.db.session import Connection, Database, Role
from app.domain.errors import TooManyAttempts
from app.domain.sentences import said

WINDOW = timedelta(minutes=15)
PER_SUBJECT = 10
PER_ADDRESS = 50
# Besides the wrong ones: a ward that signs in at the same moment through one address is no attack.
UNCHECKED_PER_ADDRESS = 100
# Sign-ins that were begun from one network address, and are not done: each is a row that is kept.
BEGUN_PER_ADDRESS = 100
BEGUN_AT_ALL = 10_000  # from everywhere; beyond them the oldest is forgotten
UNKNOWN = "unknown"  # whom the log names where an e-mail address has no account


@dataclass(frozen=True)
class Attempt:
    """A guess that is counted and not yet checked."""

    id: int
    subject: bytes
    address: str


def digest(secret: str) -> bytes:
    """Return the SHA-256 under which a token or an address is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def network_of(address: str) -> str:
    """Name the network that guesses from an address are counted under.

    An IPv6 address by its first 64 bits: whoever holds one of them holds all the others too.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))


def stranger(email: str) -> bytes:
    """Name an account (or none) as anybody can guess at it."""
    return digest(email.strip().lower())


def owner(what: str, account: UUID) -> bytes:
    """Name an account where whoever guesses has shown something already: a session, a device."""
    return digest(f"{what} {account}")


def begin_attempt(
    database: Database,
    *,
    subject: bytes,
    address: str,
    now: datetime,
    limit: int = PER_SUBJECT,
) -> Attempt:
    """Count a guess, in a transaction of its own; raises TooManyAttempts."""
    network = network_of(address)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        accounts.lock_guesses(connection, subject=subject, address=network)
        found = accounts.failures_since(
            connection, email_sha256=subject, address=network, since=now - WINDOW
        )
        of_address = found.of_address >= PER_ADDRESS or (
            found.of_address + found.unchecked_of_address >= PER_ADDRESS + UNCHECKED_PER_ADDRESS
        )
        if found.of_subject >= limit or (address and of_address):
            raise too_many()
        number = accounts.insert_failure(
            connection, email_sha256=subject, address=network, now=now, pending=True
        )
    return Attempt(number, subject, address)


def count_as_wrong(
    connection: Connection,
    attempt: Attempt,
    *,
    account: UUID | None,
    action: str = "sign_in.failed",
) -> None:
    """Say that a guess was wrong, and write it down under the account; nothing that was typed."""
    accounts.settle_failure(connection, attempt.id)
    accounts.record_event(
        connection,
        action,
        entity=str(account or UNKNOWN),
        details={"address": attempt.address},
    )


def count_as_right(connection: Connection, attempt: Attempt) -> None:
    """Forget the wrong guesses before a right one."""
    accounts.forget_failures(connection, attempt.subject, attempt=attempt.id)


def refuse_guessing_from(connection: Connection, *, address: str, now: datetime) -> None:
    """Raise TooManyAttempts where too much was guessed from a network address."""
    found = accounts.failures_since(
        connection, email_sha256=b"", address=network_of(address), since=now - WINDOW
    )
    if found.of_address >= PER_ADDRESS:
        raise too_many()


def count_refusal(
    database: Database,
    way: str,
    account: UUID | None,
    *,
    action: str,
    why: str,
    address: str,
    now: datetime,
) -> None:
    """Write down that a way in without a password was refused, and why.

    It counts like a wrong password from its network address, and against no account.
    """
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        accounts.insert_failure(
            connection, email_sha256=digest(way), address=network_of(address), now=now
        )
        accounts.record_event(
            connection,
            action,
            entity=str(account or UNKNOWN),
            details={"address": address, "why": why},
        )


def refuse_beginning(begun: int, *, wait: timedelta) -> None:
    """Raise TooManyAttempts where as many sign-ins are begun from one address as may be at once."""
    if begun >= BEGUN_PER_ADDRESS:
        minutes = int(wait.total_seconds()) // 60
        raise TooManyAttempts(
            said(
                "Too many sign-ins were begun from your network. Wait {minutes} minutes, or sign "
                "in with your password.",
                minutes=minutes,
            ),
            retry_after=int(wait.total_seconds()),
        )


def too_many() -> TooManyAttempts:
    """Return the refusal of a further guess."""
    return TooManyAttempts(
        "Too many wrong passwords or codes. Wait 15 minutes and try again.",
        retry_after=int(WINDOW.total_seconds()),
    )
