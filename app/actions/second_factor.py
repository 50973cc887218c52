"""The second factor: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

import hmac
import secrets
from datetime import datetime, timedelta
from uuid import UUID

import pyotp
from pyotp.totp import TOTP

from app.actions import guessing
from app.actions.guessing import digest
from app.actions.manage_accounts import SignedIn, Visitor, open_session, password_is_right
from app.db import accounts, second_factors
from app.db.session import Connection, Database, Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound, SignInNeeded

STEP = 30  # seconds that a code stands; one step earlier or later is taken too (clocks differ)
WRONG_CODES = 5  # in guessing.WINDOW: of 10^6 codes three fit
RECOVERY_CODES = 10


def begin(connection: Connection, *, now: datetime, by: Account) -> str:
    """Make a secret for one's app and return it; it is asked for once a code has shown it works."""
    secret = pyotp.random_base32()  # 160 bits
    if not second_factors.put_secret(connection, by.id, secret=secret, now=now):
        raise Conflict("You have a second factor already. Remove it before you set up another.")
    return secret


def address_of(secret: str, *, email: str) -> str:
    """Return the address that an authenticator app reads from the QR code."""
    return TOTP(secret).provisioning_uri(name=email, issuer_name="reread")


def finish(database: Database, *, code: str, address: str, now: datetime, by: Account) -> list[str]:
    """Take the first code of the app; returns the recovery codes, shown this once."""
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        factor = second_factors.second_factor_of(connection, by.id)
    if factor is None or factor.confirmed_at is not None:
        raise Conflict("There is nothing to confirm: begin by setting up your app.")
    if not _code_is_right(database, account=by.id, code=code, address=address, now=now):
        raise InvalidInput(
            "This code does not fit. Take the one that your app shows now.", field="code"
        )
    recovery = [secrets.token_hex(5) for _ in range(RECOVERY_CODES)]
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        second_factors.confirm(
            connection, by.id, recovery=[_recovery_digest(by.id, c) for c in recovery], now=now
        )
    return recovery


def finish_sign_in(
    database: Database, *, token: str, code: str, visitor: Visitor, now: datetime
) -> SignedIn | None:
    """Open the session of a sign-in that waits for its code; None (and counted) if it is wrong."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        account = second_factors.pending_of(connection, digest(token), now=now)
    if account is None:
        raise SignInNeeded("This took too long. Sign in again.")
    if not _code_is_right(database, account=account, code=code, address=visitor.address, now=now):
        return None
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        second_factors.end_pending(connection, account)
        person = accounts.account_by_id(connection, account)
        if person is None:
            raise SignInNeeded("This account is disabled.")
        return open_session(connection, account=person, visitor=visitor, now=now)


def remove(
    database: Database, *, password: str, code: str, address: str, now: datetime, by: Account
) -> None:
    """Remove one's own second factor; asks for password and code."""
    if not password_is_right(database, password=password, address=address, now=now, by=by):
        raise InvalidInput("This is not your password. Nothing was changed.", field="password")
    if not _code_is_right(database, account=by.id, code=code, address=address, now=now):
        raise InvalidInput("This code does not fit. Nothing was changed.", field="code")
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        second_factors.remove(connection, by.id)


def remove_for(connection: Connection, *, account: UUID) -> None:
    """Remove somebody's lost second factor; the log says who did it."""
    if not second_factors.remove(connection, account):
        raise NotFound("This account has no second factor.")
    second_factors.end_pending(connection, account)


def _code_is_right(
    database: Database, *, account: UUID, code: str, address: str, now: datetime
) -> bool:
    """Check a code of the app, or a recovery code, once; a wrong one is counted."""
    attempt = guessing.begin_attempt(
        database,
        subject=guessing.owner("code", account),
        address=address,
        now=now,
        limit=WRONG_CODES,
    )
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        factor = second_factors.second_factor_of(connection, account)
        typed = "".join(code.split()).lower()
        if factor is None or not _fits(connection, account, factor.secret, typed, now=now):
            guessing.count_as_wrong(
                connection, attempt, account=account, action="sign_in.code_failed"
            )
            return False
        guessing.count_as_right(connection, attempt)
    return True


def _fits(connection: Connection, account: UUID, secret: str, typed: str, *, now: datetime) -> bool:
    app = TOTP(secret, interval=STEP)
    for moment in (now - timedelta(seconds=STEP), now, now + timedelta(seconds=STEP)):
        expected = app.at(moment).encode()
        if hmac.compare_digest(expected, typed.encode("utf-8", "surrogatepass")):
            # At the same code sent twice at once, one of the two finds the step used.
            return second_factors.use_step(connection, account, int(moment.timestamp()) // STEP)
    if not second_factors.use_recovery_code(
        connection, account, _recovery_digest(account, typed.replace("-", "")), now=now
    ):
        return False
    accounts.record_event(connection, "sign_in.recovery_code_used", entity=str(account), details={})
    return True


def _recovery_digest(account: UUID, code: str) -> bytes:
    # The account stands in it: digests of equal codes differ. Forty random bits, five guesses.
    return digest(f"recovery code {account} {code}")
