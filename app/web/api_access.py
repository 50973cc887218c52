"""Who may call the API: whoever holds a token with the scope that a route names.

Tokens come in the header Authorization alone. Cookies are not read here, and no page reads a token,
so that neither way in opens the other's doors.
"""

from collections.abc import Generator
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.actions.manage_tokens import NoBearer, bearer_of
from app.db.session import Connection, Role
from app.domain.access import Account, AccountRole
from app.domain.errors import NotAllowed, SignInNeeded
from app.web.services import services_of
from app.web.turns import Turn, in_turn

PREFIX = "/api/"

_bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token of yours.")
_Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]


async def _holder(
    request: Request, sent: HTTPAuthorizationCredentials | None, scope: str
) -> Account:
    if sent is None:
        raise SignInNeeded("Send a token: Authorization: Bearer reread_...")
    services, token = services_of(request), sent.credentials

    def ask() -> Account | NoBearer:
        with services.database.begin(Role.ACCOUNT, actor=None) as connection:
            return bearer_of(
                connection,
                token=token,
                scope=scope,
                address=request.client.host if request.client else "unknown",
                now=services.clock(),
            )

    found = await in_turn(services, ask)
    if isinstance(found, NoBearer):
        request.state.account = found.owner  # whose request it is, for the log of refusals
        raise NotAllowed(found.sentence) if found.owner else SignInNeeded(found.sentence)
    request.state.account = found
    if found.role is not AccountRole.COORDINATOR:
        raise NotAllowed("The API is for the tokens of coordinators.")
    return found


async def token_reads(request: Request, sent: _Bearer) -> Account:
    """Permission: a token with the scope "read"."""
    return await _holder(request, sent, "read")


async def token_writes(request: Request, sent: _Bearer) -> Account:
    """Permission: a token with the scope "write"."""
    return await _holder(request, sent, "write")


async def bearer_may_write(request: Request) -> Account:
    """Ask for the same outside of a route's parameters, before its form is read."""
    return await token_writes(request, await _bearer(request))


async def token_exports(request: Request, sent: _Bearer) -> Account:
    """Permission: a token with the scope "export"."""
    return await _holder(request, sent, "export")


TokenReads = Annotated[Account, Depends(token_reads)]
TokenWrites = Annotated[Account, Depends(token_writes)]
TokenExports = Annotated[Account, Depends(token_exports)]


def _reading(request: Request, account: TokenReads, _turn: Turn) -> Generator[Connection]:
    with services_of(request).database.begin(Role.COORDINATOR, actor=account.id) as connection:
        yield connection


def _writing(request: Request, account: TokenWrites, _turn: Turn) -> Generator[Connection]:
    with services_of(request).database.begin(Role.COORDINATOR, actor=account.id) as connection:
        yield connection


def _exporting(request: Request, account: TokenExports, _turn: Turn) -> Generator[Connection]:
    with services_of(request).database.begin(Role.ANALYST, actor=account.id) as connection:
        yield connection


ReadingConnection = Annotated[Connection, Depends(_reading, scope="function")]
WritingConnection = Annotated[Connection, Depends(_writing, scope="function")]
ExportingConnection = Annotated[Connection, Depends(_exporting, scope="function")]
