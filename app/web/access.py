"""Who may call a route, and the connection it gets. A route without a permission is refused.

Every route has exactly one of `Anyone`, `Enrolling`, `SignedIn`, `ReaderOnly`, `CoordinatorOnly`
and `AdministratorOnly` among its parameters, or one of the API's (api_access.py); app/main.py does
not start otherwise. Which study a person may see is decided by the database (row-level security):
what is not theirs does not exist.
"""

from collections.abc import Generator
from hmac import compare_digest
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from app.actions.manage_accounts import identify, password_is_fresh
from app.db.second_factors import SecondFactor, second_factor_of
from app.db.session import Connection, Role
from app.domain.access import Account, AccountRole
from app.domain.errors import (
    NotAllowed,
    NotFound,
    PasswordNeeded,
    SecondFactorNeeded,
    SignInNeeded,
)
from app.domain.sentences import said
from app.web.api_access import token_exports, token_reads, token_writes
from app.web.cookies import session_token
from app.web.services import Services, services_of
from app.web.turns import Turn, in_turn


async def anyone(request: Request) -> Account | None:
    """Permission: nobody need be signed in; gives whoever is."""
    token = session_token(request)
    if not token:
        return None
    try:
        return await _owner_of(request, token)
    except SignInNeeded:
        return None


async def enrolling(request: Request) -> Account:
    """Permission: any account, also one that must yet set up its second factor."""
    token = session_token(request)
    if not token:
        raise SignInNeeded("Sign in first.")
    found = await _owner_of(request, token)
    request.state.account = found  # whose request it is, for the log of refusals
    return found


async def _owner_of(request: Request, token: str) -> Account:
    """Return whose session it is; raises SignInNeeded."""
    services = services_of(request)

    def ask() -> Account:
        with services.database.begin(Role.ACCOUNT, actor=None) as connection:
            return identify(connection, token=token, now=services.clock())

    return await in_turn(services, ask)


async def signed_in(request: Request) -> Account:
    """Permission: any account, with its second factor where this installation asks for one."""
    account = await enrolling(request)
    services = services_of(request)
    asked = services.settings.second_factor
    if asked == "everybody" or (
        asked == "all-but-readers" and account.role is not AccountRole.READER
    ):
        factor = await in_turn(services, lambda: _second_factor_of(services, account))
        if factor is None or factor.confirmed_at is None:
            raise SecondFactorNeeded("Set up your second factor first: /account/second-factor")
    return account


def _second_factor_of(services: Services, account: Account) -> SecondFactor | None:
    with services.database.begin(Role.ACCOUNT, actor=None) as connection:
        return second_factor_of(connection, account.id)


# Whom a page is for, and whose account one is signed in with.
_FOR = {
    AccountRole.READER: said("This page is for readers."),
    AccountRole.COORDINATOR: said("This page is for study coordinators."),
    AccountRole.ADMINISTRATOR: said("This page is for administrators of the installation."),
}
_WHOSE = {
    AccountRole.READER: said("a reader"),
    AccountRole.COORDINATOR: said("a coordinator"),
    AccountRole.MEMBER: said("an adjudicator or auditor"),
    AccountRole.ADMINISTRATOR: said("an administrator"),
}


def _refuse_others(account: Account, role: AccountRole) -> Account:
    """Return the account where it is of this role; raises NotAllowed."""
    if account.role is not role:
        raise NotAllowed(
            said(
                "{page} You are signed in with the account of {whose}; somebody with two tasks has "
                "two accounts, and never two parts in one study.",
                page=_FOR[role],
                whose=_WHOSE[account.role],
            )
        )
    return account


async def reader_only(request: Request) -> Account:
    """Permission: a reader."""
    return _refuse_others(await signed_in(request), AccountRole.READER)


async def coordinator_only(request: Request) -> Account:
    """Permission: a coordinator."""
    return _refuse_others(await signed_in(request), AccountRole.COORDINATOR)


async def administrator_only(request: Request) -> Account:
    """Permission: an administrator of the installation."""
    return _refuse_others(await signed_in(request), AccountRole.ADMINISTRATOR)


def holds_operators_token(request: Request) -> bool:
    """Say whether the request carries REREAD_METRICS_TOKEN, where there is one."""
    token = services_of(request).settings.metrics_token
    kind, _, sent = request.headers.get("authorization", "").partition(" ")
    return bool(token) and kind == "Bearer" and compare_digest(sent.encode(), token.encode())


def operator(request: Request) -> None:
    """Permission: the token of those who watch the server; absent where none is set."""
    if not services_of(request).settings.metrics_token:
        raise NotFound("There is no such page.")
    if not holds_operators_token(request):
        raise NotAllowed("This is for the operator's token.")


PERMISSIONS = (
    anyone,
    enrolling,
    signed_in,
    reader_only,
    coordinator_only,
    administrator_only,
    operator,
    token_reads,
    token_writes,
    token_exports,
)

Anyone = Annotated[Account | None, Depends(anyone)]
Enrolling = Annotated[Account, Depends(enrolling)]
SignedIn = Annotated[Account, Depends(signed_in)]
ReaderOnly = Annotated[Account, Depends(reader_only)]
CoordinatorOnly = Annotated[Account, Depends(coordinator_only)]
AdministratorOnly = Annotated[Account, Depends(administrator_only)]
Operator = Annotated[None, Depends(operator)]


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Return every route of the application; raises RuntimeError for anything that is not one.

    Only /static is served by something else: files anybody may have.
    """
    found = [context.original_route for context in iter_route_contexts(app.routes)]
    strange = [
        r for r in found if not isinstance(r, APIRoute) and getattr(r, "name", "") != "static"
    ]
    if strange:
        raise RuntimeError(f"These routes cannot declare a permission: {strange}")
    return [route for route in found if isinstance(route, APIRoute)]


def permission_of(route: APIRoute) -> str | None:
    """Return the name of the permission a route declares; None where it declares none."""
    found = {call.__name__ for call in PERMISSIONS if _uses(route.dependant, call)}
    return found.pop() if len(found) == 1 else None


def page_above(request: Request, account: Account) -> str | None:
    """Return the nearest page above a request's address that this account may open, but the first.

    Only the address is looked at: that a page may be opened does not say that its study exists.
    """
    open_to = {anyone.__name__, signed_in.__name__, f"{account.role}_only"}
    routes = routes_of(request.app)
    path = request.url.path.rstrip("/")
    while (path := path.rpartition("/")[0]) != "":
        for route in routes:
            # The address first: what a route permits is found out of few.
            if (
                route.path_regex.fullmatch(path)
                and "GET" in (route.methods or ())
                and permission_of(route) in open_to
            ):
                return path
    return None


def refuse_undeclared(app: FastAPI) -> None:
    """Raise RuntimeError naming the routes that declare no single permission."""
    undeclared = [route.path for route in routes_of(app) if permission_of(route) is None]
    if undeclared:
        raise RuntimeError(f"These routes declare no permission: {', '.join(undeclared)}")


def _uses(dependant: Dependant, call: object) -> bool:
    return dependant.call is call or any(_uses(inner, call) for inner in dependant.dependencies)


# One transaction a request. scope="function" commits before the answer is sent: without it
# FastAPI would answer first, and "saved" could be said of a commit that then fails.


def _connect(request: Request, role: Role, actor: UUID | None) -> Generator[Connection]:
    with services_of(request).database.begin(role, actor=actor) as connection:
        yield connection


def _as_account(request: Request, _turn: Turn) -> Generator[Connection]:
    yield from _connect(request, Role.ACCOUNT, None)


def _as_reader(request: Request, account: ReaderOnly, _turn: Turn) -> Generator[Connection]:
    yield from _connect(request, Role.READER, account.id)


def _as_coordinator(
    request: Request, account: CoordinatorOnly, _turn: Turn
) -> Generator[Connection]:
    yield from _connect(request, Role.COORDINATOR, account.id)


def _as_watcher(request: Request, account: CoordinatorOnly, _turn: Turn) -> Generator[Connection]:
    database = services_of(request).database
    with database.begin_reading(Role.COORDINATOR, actor=account.id) as connection:
        yield connection


def _as_analyst(request: Request, account: CoordinatorOnly, _turn: Turn) -> Generator[Connection]:
    yield from _connect(request, Role.ANALYST, account.id)


def _as_adjudicator(request: Request, account: SignedIn, _turn: Turn) -> Generator[Connection]:
    yield from _connect(request, Role.ADJUDICATOR, account.id)


def _as_administrator(
    request: Request, account: AdministratorOnly, _turn: Turn
) -> Generator[Connection]:
    yield from _connect(request, Role.ACCOUNT, account.id)


async def _password_is_fresh(request: Request) -> bool:
    """Say whether the password was entered a short while ago; the page asks for it otherwise."""
    services = services_of(request)

    def ask() -> bool:
        with services.database.begin(Role.ACCOUNT, actor=None) as connection:
            return password_is_fresh(connection, token=session_token(request), now=services.clock())

    return await in_turn(services, ask)


def _fresh_password(fresh: Annotated[bool, Depends(_password_is_fresh)]) -> None:
    """Refuse where the password was entered too long ago; a GET is asked for it and goes on."""
    if not fresh:
        raise PasswordNeeded("Enter your password again first. Nothing was done.")


PasswordIsFresh = Annotated[bool, Depends(_password_is_fresh)]
FreshPassword = Annotated[None, Depends(_fresh_password)]
AccountConnection = Annotated[Connection, Depends(_as_account, scope="function")]
ReaderConnection = Annotated[Connection, Depends(_as_reader, scope="function")]
CoordinatorConnection = Annotated[Connection, Depends(_as_coordinator, scope="function")]
# For pages that only watch: they may be some seconds behind, and cannot write.
WatchingConnection = Annotated[Connection, Depends(_as_watcher, scope="function")]
AnalystConnection = Annotated[Connection, Depends(_as_analyst, scope="function")]
# Of every account: which studies it adjudicates, the database knows; the rest is absent.
AdjudicatorConnection = Annotated[Connection, Depends(_as_adjudicator, scope="function")]
AdministratorConnection = Annotated[Connection, Depends(_as_administrator, scope="function")]
