"""One's own account: a new password, sessions and their end, a link when the password is lost."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from app.actions import guessing, passwords
from app.actions.guessing import digest
from app.actions.manage_accounts import IDLE, Visitor, note_device, password_is_right
from app.actions.write_messages import letter
from app.db import accounts, own_account, passkeys, second_factors
from app.db.own_account import OwnSession, PasswordReset
from app.db.session import Connection, Database, Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.sentences import said
from app.languages.catalogues import Language
from app.mail import Message

RESET = timedelta(hours=1)  # how long a link for a new password holds
ASKED_AT_ONCE = 3  # letters to one address in guessing.WINDOW, whoever asks


def own_sessions(
    connection: Connection, *, token: str, now: datetime, by: Account
) -> list[OwnSession]:
    """Return the sessions of a person that hold, the one with this token first."""
    return own_account.sessions_of(
        connection, by.id, token_sha256=digest(token), seen_after=now - IDLE, now=now
    )


def end_session(connection: Connection, *, session: UUID, by: Account) -> None:
    """End one of one's own sessions."""
    if not own_account.end_session(connection, session, account=by.id):
        raise NotFound("You have no such session; perhaps it has ended already.")
    accounts.record_event(connection, "sign_out.of_session", entity=str(by.id), details={})


def end_other_sessions(connection: Connection, *, token: str, by: Account) -> int:
    """End all of one's own sessions but the one with this token; returns how many."""
    ended = own_account.end_sessions(connection, by.id, but=digest(token))
    second_factors.end_pending(connection, by.id)
    accounts.record_event(
        connection, "sign_out.of_others", entity=str(by.id), details={"sessions": ended}
    )
    return ended


def change_password(
    database: Database,
    *,
    current: str,
    new: str,
    token: str,
    address: str,
    now: datetime,
    by: Account,
) -> None:
    """Replace one's password and end every other session; raises InvalidInput."""
    if not password_is_right(database, password=current, address=address, now=now, by=by):
        raise InvalidInput(
            "This is not your present password. Nothing was changed.", field="current"
        )
    if new == current:
        raise InvalidInput("The new password is the present one. Nothing was changed.", field="new")
    hashed = passwords.hash_new_password(new, email=by.email, field="new")
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        accounts.set_password_hash(connection, by.id, hashed)
        own_account.use_reset(connection, by.id, now=now)  # a link made before is of no use now
        end_other_sessions(connection, token=token, by=by)
        accounts.touch_session(connection, digest(token), now=now, confirmed=True)


def count_request(database: Database, *, email: str, address: str, now: datetime) -> None:
    """Count that somebody asked for a link, whoever it is for; raises TooManyAttempts."""
    attempt = guessing.begin_attempt(
        database,
        subject=digest(f"new password {email.strip().lower()}"),
        address=address,
        now=now,
        limit=ASKED_AT_ONCE,
    )
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        accounts.settle_failure(connection, attempt.id)


def make_reset_for(database: Database, *, email: str, now: datetime) -> str | None:
    """Make a link's token for an address that has an account; None where it has none."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        found = accounts.credentials_of(connection, email.strip().replace("\x00", ""))
        if found is None or found.disabled or found.simulated:
            return None
        return make_reset(connection, account=found.id, now=now, by=None)


def make_reset(connection: Connection, *, account: UUID, now: datetime, by: Account | None) -> str:
    """Store a link that sets a new password and return its token: this once, it is not kept."""
    token = secrets.token_urlsafe(32)
    own_account.insert_reset(
        connection,
        account=account,
        token_sha256=digest(token),
        made_by=by.id if by else None,
        now=now,
        expires=now + RESET,
    )
    return token


def reset_message(*, email: str, link: str, language: Language) -> Message:
    """Write the letter with the link."""
    return letter(
        email,
        said("A new password for reread"),
        said("Somebody, probably you, asked for a new password for this address at reread."),
        said("Open this link to choose one. It works once, for an hour:"),
        link,
        said("If it was not you, do nothing: your password stays as it is."),
        language=language,
    )


def open_reset(connection: Connection, *, token: str, now: datetime) -> PasswordReset:
    """Return what a link is for; opening it uses nothing up."""
    found = own_account.reset_of(connection, digest(token))
    if found is None or found.disabled:
        raise NotFound("This link is not known here. Ask for a new one.")
    if found.used_at is not None:
        raise Conflict("This link has been used. Sign in, or ask for a new one.")
    if now >= found.expires_at:
        raise Conflict("This link has expired: it holds for an hour. Ask for a new one.")
    return found


def set_password_by_link(
    database: Database, *, token: str, password: str, visitor: Visitor, now: datetime
) -> str:
    """Set the password of a link's account, end its sessions and passkeys; the device's token.

    The device is known from then on: guesses of others do not keep the owner from signing in.
    """
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        found = open_reset(connection, token=token, now=now)
    hashed = passwords.hash_new_password(password, email=found.email)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        if not own_account.use_reset(connection, found.account_id, now=now):
            raise Conflict("This link has been used. Sign in, or ask for a new one.")
        accounts.set_password_hash(connection, found.account_id, hashed)
        ended = own_account.end_sessions(connection, found.account_id)
        passkeys.remove_passkeys(connection, found.account_id)  # perhaps a thief's
        second_factors.end_pending(connection, found.account_id)
        accounts.record_event(
            connection,
            "sign_in.password_reset",
            entity=str(found.account_id),
            details={"address": visitor.address, "sessions": ended},
        )
        return note_device(connection, account=found.account_id, visitor=visitor, now=now)
