"""A lost password: ask for a link, open it, choose a new one."""

import logging
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.background import BackgroundTask
from starlette.responses import RedirectResponse, Response

from app.actions import manage_own_account
from app.actions.write_messages import deliver
from app.db import languages
from app.db.session import Role
from app.domain.errors import InvalidInput
from app.languages.catalogues import Language, language_named
from app.languages.current import current
from app.web.access import Anyone
from app.web.account_pages import LostPasswordPage, NewPasswordPage
from app.web.cookies import client_address, keep_device, site_address, visitor_of
from app.web.rendering import render
from app.web.services import Services, services_of

router = APIRouter()
log = logging.getLogger("reread")


@router.get("/lost-password")
def show_lost_password(request: Request, _viewer: Anyone) -> Response:
    """Show the form, or whom to ask where no mail is sent from here."""
    return render(LostPasswordPage(by_mail=services_of(request).settings.mail is not None))


@router.post("/lost-password")
def ask_for_link(request: Request, _viewer: Anyone, email: Annotated[str, Form()] = "") -> Response:
    """Answer the same to everybody; what depends on who exists happens after the answer."""
    services = services_of(request)
    if services.settings.mail is None:
        return render(LostPasswordPage(by_mail=False))
    now = services.clock()
    manage_own_account.count_request(
        services.database, email=email, address=client_address(request), now=now
    )
    response = render(LostPasswordPage(by_mail=True, asked=True))
    response.background = BackgroundTask(
        _send_link, services, email, site_address(request), current.get()
    )
    return response


def _send_link(services: Services, email: str, address: str, asked_in: Language) -> None:
    token = manage_own_account.make_reset_for(services.database, email=email, now=services.clock())
    if token is None:
        return
    with services.database.begin(Role.ACCOUNT, actor=None) as connection:
        chosen = language_named(languages.language_of_address(connection, email.strip()))
    letter = manage_own_account.reset_message(
        email=email.strip(),
        link=f"{address}/new-password/{token}",
        language=chosen or asked_in,
    )
    delivery = deliver(services.settings.mail, letter)
    if not delivery.sent:
        log.warning("A letter with a link for a new password was not sent: %s", delivery.sentence)


@router.get("/new-password/{reset}")
def show_new_password(request: Request, _viewer: Anyone, reset: str) -> Response:
    """Show the form; opening the link uses nothing up (mail scanners open links)."""
    services = services_of(request)
    with services.database.begin(Role.ACCOUNT, actor=None) as connection:
        found = manage_own_account.open_reset(connection, token=reset, now=services.clock())
    return render(NewPasswordPage(token=reset, email=found.email))


@router.post("/new-password/{reset}")
def set_password(
    request: Request, _viewer: Anyone, reset: str, password: Annotated[str, Form()] = ""
) -> Response:
    """Set the password, end all sessions, and go on to signing in with it."""
    services = services_of(request)
    now = services.clock()
    try:
        device = manage_own_account.set_password_by_link(
            services.database,
            token=reset,
            password=password,
            visitor=visitor_of(request),
            now=now,
        )
    except InvalidInput as refusal:
        with services.database.begin(Role.ACCOUNT, actor=None) as connection:
            found = manage_own_account.open_reset(connection, token=reset, now=now)
        page = NewPasswordPage(token=reset, email=found.email, problem=refusal.sentence)
        return render(page, status=refusal.status)
    response = RedirectResponse("/sign-in?done=new-password", status_code=303)
    keep_device(request, response, device)
    return response
