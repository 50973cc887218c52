"""One's own account: the password, and the sessions that are open."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import manage_own_account
from app.actions.passkeys import PasskeySite
from app.db.passkeys import passkeys_of
from app.db.second_factors import second_factor_of
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.domain.sentences import said
from app.web.access import SignedIn
from app.web.account_pages import AccountPage
from app.web.cookies import client_address, session_token
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter(prefix="/account")

DONE = {
    "password": said("Your password is changed. Everywhere else you are signed out."),
    "second-factor": said("Your second factor is removed."),
    "passkey": said("The passkey is added. From now on you may sign in with it."),
    "passkey-removed": said("The passkey is removed. Delete it on your device too."),
    "session": said("The session is ended."),
    "sessions": said("Everywhere else you are signed out."),
}


@router.get("")
def show_account(request: Request, viewer: SignedIn, done: str = "") -> Response:
    """Show what one can do with one's account."""
    return render(account_page(request, viewer, notice=DONE.get(done)))


@router.post("/password")
def change_password(
    request: Request,
    viewer: SignedIn,
    current: Annotated[str, Form()] = "",
    new: Annotated[str, Form()] = "",
) -> Response:
    """Take the present password and a new one; ends the other sessions."""
    services = services_of(request)
    try:
        manage_own_account.change_password(
            services.database,
            current=current,
            new=new,
            token=session_token(request),
            address=client_address(request),
            now=services.clock(),
            by=viewer,
        )
    except InvalidInput as refusal:
        return render(
            account_page(request, viewer, problem=refusal.sentence), status=refusal.status
        )
    return RedirectResponse("/account?done=password", status_code=303)


@router.post("/sessions/ended")
def end_other_sessions(request: Request, viewer: SignedIn) -> Response:
    """End every session but this one."""
    with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        manage_own_account.end_other_sessions(connection, token=session_token(request), by=viewer)
    return RedirectResponse("/account?done=sessions", status_code=303)


@router.post("/sessions/{session}/ended")
def end_session(request: Request, viewer: SignedIn, session: UUID) -> Response:
    """End one session."""
    with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        manage_own_account.end_session(connection, session=session, by=viewer)
    return RedirectResponse("/account?done=session", status_code=303)


def account_page(
    request: Request,
    viewer: Account,
    *,
    notice: str | None = None,
    problem: str | None = None,
    passkey_name: str = "",
) -> AccountPage:
    """Return the page of one's account; `passkey_name` is what was typed before a refusal."""
    services = services_of(request)
    with services.database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        sessions = manage_own_account.own_sessions(
            connection, token=session_token(request), now=services.clock(), by=viewer
        )
        factor = second_factor_of(connection, viewer.id)
        possible = PasskeySite.of(services.settings.public_url) is not None
        known = passkeys_of(connection, viewer.id) if possible else None
    return AccountPage(
        viewer=viewer,
        notice=notice,
        problem=problem,
        sessions=sessions,
        has_second_factor=factor is not None and factor.confirmed_at is not None,
        passkeys=known,
        passkey_name=passkey_name,
    )
