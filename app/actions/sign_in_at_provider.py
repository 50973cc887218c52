"""Signing in at a hospital's identity provider: for those who have an account here already.

An account is found by the provider's subject; the first time by an e-mail that the provider
vouches for, and it is bound to the subject then. The provider stands for the password alone: a
second factor is asked for all the same, and the password before a grave act.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.actions import guessing
from app.actions.guessing import digest
from app.actions.manage_accounts import CodeNeeded, SignedIn, Visitor, after_first_factor
from app.db import accounts, own_account, provider_identities
from app.db.session import Connection, Database, Role
from app.domain.access import Account
from app.domain.errors import NotAllowed, NotFound
from app.domain.sentences import said
from app.identity_provider import Identity, IdentityProvider, NotVouchedForError, Secrets

UNDER_WAY = timedelta(minutes=10)  # for a password and a code at the provider


@dataclass(frozen=True)
class Begun:
    """A sign-in that goes to the provider: the token goes into a cookie and nowhere else."""

    token: str
    address: str


@dataclass(frozen=True)
class Answer:
    """What the browser brought back from the provider."""

    state: str
    code: str
    issuer: str | None  # RFC 9207; not every provider sends it


def begin(
    database: Database,
    provider: IdentityProvider,
    *,
    goes_to: str,
    back: str,
    visitor: Visitor,
    now: datetime,
) -> Begun:
    """Note a sign-in and return where the browser goes; raises Unavailable and TooManyAttempts."""
    token = secrets.token_urlsafe(32)
    address = provider.address(Secrets.of(token), back=back, now=now)
    network = guessing.network_of(visitor.address)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        guessing.refuse_guessing_from(connection, address=visitor.address, now=now)
        begun = provider_identities.under_way_from(connection, network, now=now)
        guessing.refuse_beginning(begun, wait=UNDER_WAY)
        provider_identities.put_under_way(
            connection,
            token_sha256=digest(token),
            goes_to=goes_to,
            network=network,
            expires=now + UNDER_WAY,
            at_most=guessing.BEGUN_AT_ALL,
        )
    return Begun(token, address)


def finish(
    database: Database,
    provider: IdentityProvider,
    *,
    token: str,
    answer: Answer,
    back: str,
    visitor: Visitor,
    now: datetime,
) -> tuple[SignedIn | CodeNeeded, str]:
    """Take what came back, once, and open the session; with the page that was asked for.

    Raises NotAllowed with the sentence for the person; why, the log says.
    """
    used = Secrets.of(token)
    if not hmac.compare_digest(used.state.encode(), answer.state.encode("utf-8", "replace")):
        # Somebody else's sign-in, or one from another browser. The one under way is left alone.
        raise NotAllowed("This sign-in was not begun in this browser. Begin again here.")
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        guessing.refuse_guessing_from(connection, address=visitor.address, now=now)
        under_way = provider_identities.take_under_way(connection, digest(token))
    if under_way is None or now >= under_way.expires_at:
        raise NotAllowed("This sign-in took too long, or was used already. Begin again.")
    if not answer.code:
        raise NotAllowed("Your hospital did not sign you in.")
    try:
        identity = provider.identity(
            used, code=answer.code, issuer=answer.issuer, back=back, now=now
        )
    except NotVouchedForError as fault:
        _write_down(database, None, why=str(fault), visitor=visitor, now=now)
        raise NotAllowed("What your hospital sent cannot be trusted. Begin again.") from None
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        account = _account_of(connection, identity)
        if isinstance(account, Account):
            done = after_first_factor(
                connection, account=account, visitor=visitor, now=now, password_given=False
            )
            return done, under_way.goes_to
    _write_down(database, account.id, why=account.why, visitor=visitor, now=now)
    raise NotAllowed(account.sentence)


def remove_for(connection: Connection, *, account: UUID) -> None:
    """Unbind somebody whom the provider knows anew by another subject; the log says who did it.

    Whoever came in by the old one is signed out.
    """
    if not provider_identities.unbind(connection, account):
        raise NotFound("This account is bound to no identity provider.")
    own_account.end_sessions(connection, account)


@dataclass(frozen=True)
class _Refused:
    """Why nobody is signed in: for the log, and for the person."""

    why: str
    sentence: str
    id: UUID | None = None


_NOBODY = said(
    "There is no account for you here that can be used. You join a study by the link its "
    "coordinator sends you."
)


def _account_of(connection: Connection, identity: Identity) -> Account | _Refused:
    bound = provider_identities.account_of(
        connection, issuer=identity.issuer, subject=identity.subject
    )
    if bound is not None:
        account = accounts.account_by_id(connection, bound)
        return account or _Refused("the account is disabled", _NOBODY, bound)
    if identity.email is None:
        return _Refused(
            "the e-mail is not verified",
            said(
                "Your hospital does not vouch for your e-mail address, so your account here "
                "cannot be found. Sign in with your password."
            ),
        )
    found = accounts.credentials_of(connection, identity.email.strip().replace("\x00", ""))
    if found is None or found.simulated:
        return _Refused("no account", _NOBODY)
    if found.disabled:
        return _Refused("the account is disabled", _NOBODY, found.id)
    if not provider_identities.bind(
        connection, found.id, issuer=identity.issuer, subject=identity.subject
    ):
        return _Refused(
            "the account is bound to another subject",
            said(
                "The account of this e-mail address belongs to somebody whom your hospital knows "
                "otherwise. Ask the administrator."
            ),
            found.id,
        )
    return found.account


def _write_down(
    database: Database, account: UUID | None, *, why: str, visitor: Visitor, now: datetime
) -> None:
    guessing.count_refusal(
        database,
        "identity provider",
        account,
        action="sign_in.provider_refused",
        why=why,
        address=visitor.address,
        now=now,
    )
