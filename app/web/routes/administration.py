"""The installation's accounts, for its administrators; nothing of any study."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import manage_accounts
from app.db import accounts
from app.web.access import AdministratorConnection, AdministratorOnly
from app.web.rendering import render
from app.web.services import services_of
from app.web.study_pages import AccountsPage

router = APIRouter()


@router.get("/accounts")
def show_accounts(viewer: AdministratorOnly, connection: AdministratorConnection) -> Response:
    """Show every account."""
    return render(AccountsPage(viewer=viewer, accounts=accounts.all_accounts(connection)))


@router.post("/accounts/{account}/disabled")
def set_disabled(
    request: Request,
    viewer: AdministratorOnly,
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
