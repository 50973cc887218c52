"""Accounts: add, sign in and out, confirm the password again, invite and accept.

Times come as `now`, so that nothing here reads a clock. Tokens are 256 random bits; the database
keeps their SHA-256 only.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from uuid import UUID

import argon2

from app.actions.draw_orders import enrol_reader
from app.db import accounts, people
from app.db.session import Connection
from app.domain.access import Account, AccountRole, Part, password_problem
from app.domain.errors import (
    Conflict,
    InvalidInput,
    NotAllowed,
    NotFound,
    SignInNeeded,
    TooManyAttempts,
)

IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
CONFIRMED = timedelta(minutes=10)  # how long an entered password serves for grave acts
INVITATION = timedelta(days=7)
FAILURE_WINDOW = timedelta(minutes=15)
FAILURES_PER_EMAIL = 10
FAILURES_PER_ADDRESS = 50

# argon2id with the library's defaults: 64 MiB, t=3, p=4.
_hasher = argon2.PasswordHasher()
# Each hash takes 64 MiB: a crowd at the door waits its turn instead of filling the memory.
_hashing = BoundedSemaphore(4)
# Verified against when there is no such account, so that both answers take as long.
_NOBODY = _hasher.hash(secrets.token_urlsafe(16))


@dataclass(frozen=True)
class SignedIn:
    """A fresh sign-in: the token goes into the cookie and nowhere else."""

    account: Account
    token: str


def add_account(
    connection: Connection, *, email: str, name: str, role: AccountRole, password: str
) -> Account:
    """Store a new account; raises InvalidInput or Conflict with the sentence."""
    email, name = email.strip().lower(), name.strip()
    if not re.fullmatch(r"[^@\s\x00]+@[^@\s\x00]+", email):
        raise InvalidInput(f'"{email}" is not an e-mail address.')
    if not 1 <= len(name) <= 200 or "\x00" in name:  # noqa: PLR2004 - the column's bound
        raise InvalidInput("Give a name of 1 to 200 characters.")
    problem = password_problem(password, email=email)
    if problem:
        raise InvalidInput(problem)
    if accounts.credentials_of(connection, email):
        raise Conflict(f"There is already an account for {email}.")
    account = accounts.insert_account(
        connection, email=email, name=name, role=role, password_hash=_hash(password)
    )
    return Account(account, email, name, role, simulated=False)


def sign_in(
    connection: Connection, *, email: str, password: str, address: str, now: datetime
) -> SignedIn | None:
    """Open a session; None (and a counted failure) when e-mail and password do not fit.

    Returns None instead of raising, so that the failure is committed. Raises TooManyAttempts.
    """
    email_digest = _digest(email.strip().lower())
    _refuse_guessing(connection, email_digest, address=address, now=now)
    found = accounts.credentials_of(connection, email.strip().replace("\x00", ""))
    stored = found.password_hash if found and not found.disabled else None
    if not _fits(stored or _NOBODY, password) or found is None or stored is None:
        _count_failure(connection, email_digest, address=address, now=now)
        return None
    if _hasher.check_needs_rehash(stored):
        accounts.set_password_hash(connection, found.id, _hash(password))
    accounts.forget_failures(connection, email_digest)
    token = secrets.token_urlsafe(32)
    accounts.insert_session(
        connection, token_sha256=_digest(token), account=found.id, now=now, expires=now + ABSOLUTE
    )
    accounts.record_event(
        connection, "sign_in.succeeded", entity=str(found.id), details={"address": address}
    )
    return SignedIn(found.account, token)


def identify(connection: Connection, *, token: str, now: datetime) -> Account:
    """Return whose session this is; raises SignInNeeded when it has ended."""
    digest = _digest(token)
    session = accounts.session_of(connection, digest)
    if session is None or now >= session.expires_at or now >= session.last_seen_at + IDLE:
        raise SignInNeeded("You have been signed out. Sign in again; you will be where you were.")
    account = accounts.account_by_id(connection, session.account_id)
    if account is None:
        raise SignInNeeded("This account is disabled.")
    if now - session.last_seen_at > timedelta(minutes=1):  # spare a write at each request
        accounts.touch_session(connection, digest, now=now)
    return account


def sign_out(connection: Connection, *, token: str, by: Account) -> None:
    """End the session of this token."""
    accounts.delete_session(connection, _digest(token))
    accounts.record_event(connection, "sign_out.done", entity=str(by.id), details={})


def confirm_password(
    connection: Connection, *, password: str, token: str, address: str, now: datetime, by: Account
) -> bool:
    """Check the password again before a grave act; False (and counted) when it does not fit."""
    email_digest = _digest(by.email)
    _refuse_guessing(connection, email_digest, address=address, now=now)
    found = accounts.credentials_of(connection, by.email)
    if found is None or found.password_hash is None or not _fits(found.password_hash, password):
        _count_failure(connection, email_digest, address=address, now=now)
        return False
    accounts.touch_session(connection, _digest(token), now=now, confirmed=True)
    return True


def password_is_fresh(connection: Connection, *, token: str, now: datetime) -> bool:
    """Say whether this session's password was entered less than CONFIRMED ago."""
    session = accounts.session_of(connection, _digest(token))
    return session is not None and now < session.confirmed_at + CONFIRMED


def invite(
    connection: Connection,
    *,
    study: UUID,
    email: str,
    now: datetime,
    by: Account,
    part: Part = Part.READER,
) -> str:
    """Store an invitation and return its token, which is shown once and not kept."""
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s\x00]+@[^@\s\x00]+", email):
        raise InvalidInput(f'"{email}" is not an e-mail address.')
    token = secrets.token_urlsafe(32)
    accounts.insert_invitation(
        connection,
        study=study,
        email=email,
        part=part,
        token_sha256=_digest(token),
        invited_by=by.id,
        now=now,
        expires=now + INVITATION,
    )
    return token


def open_invitation(
    connection: Connection, *, token: str, now: datetime
) -> tuple[accounts.Invitation, bool]:
    """Return the invitation of a link and whether its e-mail has an account; consumes nothing."""
    found = accounts.invitation_of(connection, _digest(token))
    if found is None:
        raise NotFound("This invitation does not exist. Ask the coordinator for a new link.")
    if found.accepted_at is not None:
        raise Conflict("This invitation has been used. Sign in with your password.")
    if now >= found.expires_at:
        raise Conflict("This invitation has expired. Ask the coordinator for a new link.")
    return found, accounts.credentials_of(connection, found.email) is not None


def accept_invitation(
    connection: Connection, *, token: str, name: str, password: str, address: str, now: datetime
) -> Account:
    """Make the account (or check the password of the one there is) and give it its part.

    A wrong password counts as a failed sign-in: whoever holds the link must not guess freely. The
    caller commits even though InvalidInput is raised.
    """
    found, known = open_invitation(connection, token=token, now=now)
    if known:
        digest = _digest(found.email)
        _refuse_guessing(connection, digest, address=address, now=now)
        try:
            person = _existing_account(connection, found, password)
        except InvalidInput:
            _count_failure(connection, digest, address=address, now=now)
            raise
    else:
        role = found.role.new_account
        person = add_account(connection, email=found.email, name=name, role=role, password=password)
    if not accounts.accept(connection, found.id, account=person.id, now=now):
        raise Conflict("This invitation has been used. Sign in with your password.")
    _give_part(connection, found, person)
    return person


def _give_part(connection: Connection, invitation: accounts.Invitation, person: Account) -> None:
    if invitation.role is Part.READER:
        enrol_reader(connection, study=invitation.study_id, reader=person.id)
    elif invitation.role is Part.COORDINATOR:
        people.insert_coordinator(connection, study=invitation.study_id, account=person.id)
    else:
        people.insert_membership(
            connection,
            study=invitation.study_id,
            account=person.id,
            part=invitation.role,
            active=True,
            reason="Accepted an invitation.",
            changed_by=invitation.invited_by,
        )


def _existing_account(
    connection: Connection, invitation: accounts.Invitation, password: str
) -> Account:
    found = accounts.credentials_of(connection, invitation.email)
    stored = found.password_hash if found and not found.disabled else None
    if found is None or stored is None or not _fits(stored, password):
        raise InvalidInput("This is not the password of your account.")
    if not invitation.role.suits(found.account.role):
        raise NotAllowed(
            f"The account of this address is a {found.account.role}'s. "
            f"To take part as {invitation.role} needs an account with another e-mail address."
        )
    return found.account


def set_disabled(
    connection: Connection, *, account: UUID, disabled: bool, now: datetime, by: Account
) -> None:
    """Disable an account, which ends its sessions at once, or enable it again."""
    del by  # the connection's own actor: the database refuses all but administrators
    if not accounts.set_disabled(connection, account, at=now if disabled else None):
        raise NotFound("There is no such account of a person.")


def refuse_guessing_from(connection: Connection, *, address: str, now: datetime) -> None:
    """Raise TooManyAttempts where too much was guessed from a network address."""
    _, of_address = accounts.failures_since(
        connection, email_sha256=b"", address=address, since=now - FAILURE_WINDOW
    )
    if of_address >= FAILURES_PER_ADDRESS:
        raise _too_many()


def _too_many() -> TooManyAttempts:
    return TooManyAttempts(
        "Too many wrong passwords. Wait 15 minutes and try again.",
        retry_after=int(FAILURE_WINDOW.total_seconds()),
    )


def _refuse_guessing(
    connection: Connection, email_digest: bytes, *, address: str, now: datetime
) -> None:
    of_email, of_address = accounts.failures_since(
        connection, email_sha256=email_digest, address=address, since=now - FAILURE_WINDOW
    )
    if of_email >= FAILURES_PER_EMAIL or of_address >= FAILURES_PER_ADDRESS:
        raise _too_many()


def _count_failure(
    connection: Connection, email_digest: bytes, *, address: str, now: datetime
) -> None:
    """Count a wrong password and write it down; the address typed is kept as a digest only."""
    accounts.insert_failure(connection, email_sha256=email_digest, address=address, now=now)
    accounts.record_event(
        connection, "sign_in.failed", entity=email_digest.hex(), details={"address": address}
    )


def _hash(password: str) -> str:
    with _hashing:
        return _hasher.hash(password)


def _fits(stored: str, password: str) -> bool:
    with _hashing:
        try:
            return _hasher.verify(stored, password)
        except argon2.exceptions.VerifyMismatchError:
            return False


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
