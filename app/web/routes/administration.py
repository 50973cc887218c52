"""The installation's accounts and its own log, for its administrators; nothing of any study."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import manage_accounts, manage_own_account, second_factor, sign_in_at_provider
from app.db import accounts, audit
from app.db.provider_identities import issuers_of
from app.db.second_factors import second_factor_of
from app.db.session import Connection
from app.domain.access import Account
from app.domain.audit_chain import event_to_json
from app.domain.errors import NotFound
from app.domain.sentences import said
from app.web.access import AdministratorConnection, AdministratorOnly, FreshPassword
from app.web.account_pages import HelpPage
from app.web.cookies import site_address
from app.web.rendering import render
from app.web.services import services_of
from app.web.study_pages import AccountsPage, InstallationLogPage

router = APIRouter()

A_PAGE = 100
NEWEST = 2**62


@router.get("/accounts")
def show_accounts(
    viewer: AdministratorOnly, _fresh: FreshPassword, connection: AdministratorConnection
) -> Response:
    """Show every account; here already the password is asked for, which its buttons need."""
    return render(AccountsPage(viewer=viewer, accounts=accounts.all_accounts(connection)))


@router.get("/accounts/{account}")
def show_help(
    viewer: AdministratorOnly,
    _fresh: FreshPassword,
    connection: AdministratorConnection,
    account: UUID,
) -> Response:
    """Show what can be done for somebody who cannot get in."""
    return render(_help_page(connection, viewer, account))


@router.post("/accounts/{account}/reset")
def make_reset(
    request: Request,
    viewer: AdministratorOnly,
    _fresh: FreshPassword,
    connection: AdministratorConnection,
    account: UUID,
) -> Response:
    """Make a link that sets a new password; shown once, for the administrator to pass on."""
    page = _help_page(connection, viewer, account)
    token = manage_own_account.make_reset(
        connection, account=page.account.id, now=services_of(request).clock(), by=viewer
    )
    link = f"{site_address(request)}/new-password/{token}"
    return render(replace(page, link=link))


@router.post("/accounts/{account}/second-factor/removed")
def remove_second_factor(
    viewer: AdministratorOnly,
    _fresh: FreshPassword,
    connection: AdministratorConnection,
    account: UUID,
) -> Response:
    """Remove somebody's lost second factor."""
    page = _help_page(connection, viewer, account)
    second_factor.remove_for(connection, account=page.account.id)
    notice = said("The second factor is removed: the password alone opens the account now.")
    return render(replace(page, has_second_factor=False, notice=notice))


@router.post("/accounts/{account}/provider/removed")
def unbind_from_provider(
    viewer: AdministratorOnly,
    _fresh: FreshPassword,
    connection: AdministratorConnection,
    account: UUID,
) -> Response:
    """Unbind somebody's account from the hospital's identity provider."""
    page = _help_page(connection, viewer, account)
    sign_in_at_provider.remove_for(connection, account=page.account.id)
    notice = said(
        "The account is unbound and signed out everywhere: the next sign-in at the hospital binds "
        "it anew."
    )
    return render(replace(page, issuers=[], notice=notice))


def _help_page(connection: Connection, viewer: Account, account: UUID) -> HelpPage:
    person = _person(connection, account)
    factor = second_factor_of(connection, person.id)
    has_one = factor is not None and factor.confirmed_at is not None
    return HelpPage(
        viewer=viewer,
        account=person,
        has_second_factor=has_one,
        issuers=issuers_of(connection, person.id),
    )


def _person(connection: Connection, account: UUID) -> accounts.AccountRow:
    """Return somebody's account; a program's and a disabled one's password is nobody's."""
    for found in accounts.all_accounts(connection):
        if found.id == account and not found.simulated and found.disabled_at is None:
            return found
    raise NotFound("There is no such account of a person, or it is disabled.")


@router.get("/log")
def show_log(
    viewer: AdministratorOnly,
    connection: AdministratorConnection,
    before: int = NEWEST,
    kind: str = "",
) -> Response:
    """Show a page of the installation's own log, newest first; the look is itself an event."""
    _note_look(connection, "log")
    events = audit.installation_events(
        connection, before=min(before, NEWEST), kind=kind, most=A_PAGE
    )
    older = events[-1].seq if len(events) == A_PAGE else None
    kinds = audit.installation_kinds(connection)
    return render(
        InstallationLogPage(viewer=viewer, events=events, kinds=kinds, kind=kind, older=older)
    )


@router.get("/log.jsonl")
def download_log(
    _viewer: AdministratorOnly, _fresh: FreshPassword, connection: AdministratorConnection
) -> Response:
    """Give the whole of it, one event a line, as a chain that can be checked."""
    _note_look(connection, "log.jsonl")
    lines = "".join(event_to_json(e) + "\n" for e in audit.installation_chain(connection))
    headers = {"Content-Disposition": 'attachment; filename="installation-log.jsonl"'}
    return Response(lines, media_type="application/jsonl", headers=headers)


def _note_look(connection: Connection, page: str) -> None:
    accounts.record_event(
        connection, "installation.viewed", entity="installation", details={"page": page}
    )


@router.post("/accounts/{account}/disabled")
def set_disabled(
    request: Request,
    viewer: AdministratorOnly,
    _fresh: FreshPassword,
    connection: AdministratorConnection,
    account: UUID,
    disabled: Annotated[Literal["yes", "no"], Form()] = "yes",
) -> Response:
    """Disable an account, which signs it out everywhere, or enable it again."""
    manage_accounts.set_disabled(
        connection,
        account=account,
        disabled=disabled == "yes",
        now=services_of(request).clock(),
        by=viewer,
    )
    return RedirectResponse("/accounts", status_code=303)
