"""Accounts: add, sign in and out, confirm the password again, disable.

Times come as `now`, so that nothing here reads a clock. Tokens are 256 random bits; the database
keeps their SHA-256 only. Where a password is checked, the action gets the database instead of a
connection: the guess is counted and committed first, and no connection waits for a hash.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.actions import guessing, passwords
from app.actions.guessing import digest
from app.db import accounts, languages, own_account, second_factors
from app.db.session import Connection, Database, Role
from app.domain.access import Account, AccountRole
from app.domain.errors import Conflict, InvalidInput, NotFound, SignInNeeded
from app.domain.sentences import said

IDLE = timedelta(minutes=60)
ABSOLUTE = timedelta(hours=12)
CONFIRMED = timedelta(minutes=10)  # how long an entered password serves for grave acts
CODE = timedelta(minutes=5)  # how long a sign-in waits for its second factor
LONGEST_BROWSER = 400  # characters of what a browser calls itself
DEVICE = timedelta(days=365)  # how long a device is known after it was last used to sign in


@dataclass(frozen=True)
class Visitor:
    """Whence somebody comes: network address, browser, and the token of a known device."""

    address: str
    browser: str = ""
    device: str = ""


@dataclass(frozen=True)
class SignedIn:
    """A fresh sign-in: the tokens go into cookies and nowhere else."""

    account: Account
    token: str
    device: str
    language: str | None  # that the account chose for its pages


@dataclass(frozen=True)
class CodeNeeded:
    """The password was right and the second factor is still to come; opens nothing by itself."""

    token: str


def add_account(
    connection: Connection, *, email: str, name: str, role: AccountRole, password: str
) -> Account:
    """Store a new account; raises InvalidInput or Conflict with the sentence."""
    email, name = email.strip().lower(), name.strip()
    if not re.fullmatch(r"[^@\s\x00]+@[^@\s\x00]+", email):
        raise InvalidInput(said('"{email}" is not an e-mail address.', email=email), field="email")
    if not 1 <= len(name) <= 200 or "\x00" in name:  # noqa: PLR2004 - the column's bound
        raise InvalidInput("Give a name of 1 to 200 characters.", field="name")
    hashed = passwords.hash_new_password(password, email=email)
    if accounts.credentials_of(connection, email):
        raise Conflict(said("There is already an account for {email}.", email=email))
    account = accounts.insert_account(
        connection, email=email, name=name, role=role, password_hash=hashed
    )
    return Account(account, email, name, role, simulated=False)


def sign_in(
    database: Database, *, email: str, password: str, visitor: Visitor, now: datetime
) -> SignedIn | CodeNeeded | None:
    """Open a session; None (and a counted failure) when e-mail and password do not fit.

    Raises TooManyAttempts. A device that has signed in to the account before has an allowance of
    its own: nobody locks the owner out by guessing from elsewhere.
    """
    email = email.strip().replace("\x00", "")
    subject, address = guessing.stranger(email), visitor.address
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        device = digest(visitor.device)
        known = own_account.device_is_known(connection, device, email=email)
    if known is not None:
        subject, address = guessing.owner(f"device {device.hex()}", known), ""
    found = credentials_if_right(
        database, email=email, password=password, subject=subject, address=address, now=now
    )
    if found is None:
        return None
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        if passwords.needs_rehash(found.password_hash or ""):
            hashed = passwords.hash_password(password)
            accounts.set_password_hash(connection, found.id, hashed)
        return after_first_factor(connection, account=found.account, visitor=visitor, now=now)


def after_first_factor(
    connection: Connection,
    *,
    account: Account,
    visitor: Visitor,
    now: datetime,
    password_given: bool = True,
) -> SignedIn | CodeNeeded:
    """Ask for the code where the account has a second factor; open the session otherwise."""
    factor = second_factors.second_factor_of(connection, account.id)
    if factor is None or factor.confirmed_at is None:
        return open_session(
            connection, account=account, visitor=visitor, now=now, password_given=password_given
        )
    token = secrets.token_urlsafe(32)
    second_factors.put_pending(
        connection, token_sha256=digest(token), account=account.id, now=now, expires=now + CODE
    )
    return CodeNeeded(token)


def credentials_if_right(
    database: Database, *, email: str, password: str, subject: bytes, address: str, now: datetime
) -> accounts.Credentials | None:
    """Return an account's credentials where the password is its; None, and counted, otherwise.

    Nobody's and a disabled account's cost as much work. Raises TooManyAttempts.
    """
    attempt = guessing.begin_attempt(database, subject=subject, address=address, now=now)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        found = accounts.credentials_of(connection, email)
    stored = found.password_hash if found and not found.disabled else None
    right = passwords.fits(stored, password)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        if not right:
            guessing.count_as_wrong(connection, attempt, account=found.id if found else None)
            return None
        guessing.count_as_right(connection, attempt)
    return found


def open_session(
    connection: Connection,
    *,
    account: Account,
    visitor: Visitor,
    now: datetime,
    password_given: bool = True,
) -> SignedIn:
    """Open a session for whoever has shown that the account is theirs; the device is known then.

    Without `password_given` the password is still asked for before a grave act.
    """
    token = secrets.token_urlsafe(32)
    accounts.insert_session(
        connection,
        token_sha256=digest(token),
        account=account.id,
        now=now,
        expires=now + ABSOLUTE,
        confirmed=now if password_given else now - CONFIRMED,
        address=visitor.address,
        browser=visitor.browser[:LONGEST_BROWSER],
    )
    accounts.record_event(
        connection,
        "sign_in.succeeded",
        entity=str(account.id),
        details={"address": visitor.address},
    )
    device = note_device(connection, account=account.id, visitor=visitor, now=now)
    return SignedIn(account, token, device, languages.language_of(connection, account.id))


def note_device(connection: Connection, *, account: UUID, visitor: Visitor, now: datetime) -> str:
    """Remember the device and return its token: a new one each time, so that copies grow stale."""
    token = secrets.token_urlsafe(32)
    own_account.forget_devices(connection, account, seen_before=now - DEVICE)
    own_account.note_device(
        connection, old=digest(visitor.device), new=digest(token), account=account, now=now
    )
    return token


def identify(connection: Connection, *, token: str, now: datetime) -> Account:
    """Return whose session this is; raises SignInNeeded when it has ended."""
    session = accounts.session_of(connection, digest(token))
    if session is None or now >= session.expires_at or now >= session.last_seen_at + IDLE:
        raise SignInNeeded("You have been signed out. Sign in again; you will be where you were.")
    account = accounts.account_by_id(connection, session.account_id)
    if account is None:
        raise SignInNeeded("This account is disabled.")
    if now - session.last_seen_at > timedelta(minutes=1):  # spare a write at each request
        accounts.touch_session(connection, digest(token), now=now)
    return account


def sign_out(connection: Connection, *, token: str, by: Account) -> None:
    """End the session of this token."""
    accounts.delete_session(connection, digest(token))
    accounts.record_event(connection, "sign_out.done", entity=str(by.id), details={})


def confirm_password(
    database: Database, *, password: str, token: str, address: str, now: datetime, by: Account
) -> bool:
    """Check the password again before a grave act; False (and counted) when it does not fit."""
    if not password_is_right(database, password=password, address=address, now=now, by=by):
        return False
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        accounts.touch_session(connection, digest(token), now=now, confirmed=True)
    return True


def password_is_right(
    database: Database, *, password: str, address: str, now: datetime, by: Account
) -> bool:
    """Check the password of somebody who is signed in; False (and counted) when it does not fit.

    What strangers guess at the door does not use up this allowance.
    """
    subject = guessing.owner("signed in", by.id)
    found = credentials_if_right(
        database, email=by.email, password=password, subject=subject, address=address, now=now
    )
    return found is not None


def password_is_fresh(connection: Connection, *, token: str, now: datetime) -> bool:
    """Say whether this session's password was entered less than CONFIRMED ago."""
    session = accounts.session_of(connection, digest(token))
    return session is not None and now < session.confirmed_at + CONFIRMED


def set_disabled(
    connection: Connection, *, account: UUID, disabled: bool, now: datetime, by: Account
) -> None:
    """Disable an account, which ends its sessions at once, or enable it again."""
    del by  # the connection's own actor: the database refuses all but administrators
    if not accounts.set_disabled(connection, account, at=now if disabled else None):
        raise NotFound("There is no such account of a person.")
    if disabled:
        second_factors.end_pending(connection, account)
