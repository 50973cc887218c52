"""Tokens of the API: made once, shown once, kept as a digest, revoked at any time."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from app.actions.guessing import digest, network_of, refuse_guessing_from
from app.db import accounts, api_tokens
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput, NotFound
from app.domain.sentences import said

PREFIX = "reread_"  # so that a token is known as one where it must not be
# What a token may be for; a token has one or several of them.
SCOPES = {
    "read": said("see studies, cases, readers and their progress"),
    "write": said("make studies, import cases, invite"),
    "export": said("take readings, log and results of unblinded studies"),
}
DAYS = (30, 90, 365)
LONGEST_NAME = 100


def make_token(
    connection: Connection,
    *,
    name: str,
    scopes: Sequence[str],
    days: int,
    now: datetime,
    by: Account,
) -> str:
    """Store a token and return it: this once, it is not kept."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            said(
                "Name what the token is for, in 1 to {longest_name} characters.",
                longest_name=LONGEST_NAME,
            ),
            field="name",
        )
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or set(scopes) - set(SCOPES):
        raise InvalidInput("Choose what the token may do: one box or more.", field="scopes")
    if days not in DAYS:
        raise InvalidInput(
            said("A token holds for {names} days.", names=", ".join(map(str, DAYS))), field="days"
        )
    token = PREFIX + secrets.token_urlsafe(32)
    api_tokens.insert_token(
        connection,
        account=by.id,
        name=name,
        scopes=chosen,
        token_sha256=digest(token),
        now=now,
        expires=now + timedelta(days=days),
    )
    return token


@dataclass(frozen=True)
class NoBearer:
    """Why a token opens nothing; with its owner where it is only not for this."""

    sentence: str
    owner: Account | None = None


def bearer_of(
    connection: Connection, *, token: str, scope: str, address: str, now: datetime
) -> Account | NoBearer:
    """Return whose token this is, or why it opens nothing.

    A result instead of an exception, so that the failure is counted: the caller commits. A token
    nobody has counts like a wrong password from this network address; raises TooManyAttempts.
    """
    refuse_guessing_from(connection, address=address, now=now)
    found = api_tokens.token_by_digest(connection, digest(token))
    if found is None:
        accounts.insert_failure(
            connection, email_sha256=digest("api token"), address=network_of(address), now=now
        )
        return NoBearer(
            "This token is not known here. Send it as: Authorization: Bearer reread_..."
        )
    if found.revoked_at is not None:
        return NoBearer(f'The token "{found.name}" has been revoked.')
    if now >= found.expires_at:
        return NoBearer(f'The token "{found.name}" has expired. Make a new one.')
    account = accounts.account_by_id(connection, found.account_id)
    if account is None:
        return NoBearer("The account of this token is disabled.")
    if scope not in found.scopes:
        scopes = ", ".join(found.scopes)
        sentence = f'The token "{found.name}" is for: {scopes}. This needs: {scope}.'
        return NoBearer(sentence, account)
    if found.last_used_at is None or now - found.last_used_at > timedelta(minutes=1):
        api_tokens.touch_token(connection, found.id, now=now)
    return account


def revoke_token(connection: Connection, *, token: UUID, now: datetime, by: Account) -> None:
    """End one of one's own tokens."""
    if not api_tokens.revoke_token(connection, token, account=by.id, now=now):
        raise NotFound("You have no such token that still holds.")
