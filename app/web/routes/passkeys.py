"""Passkeys: added and removed on one's account, and a way in at the door."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import passkeys
from app.actions.passkeys import PasskeySite
from app.db.session import Role
from app.domain.errors import InvalidInput, NotFound
from app.domain.sentences import said
from app.web.access import AccountConnection, Anyone, FreshPassword, SignedIn
from app.web.cookies import client_address, keep_session, visitor_of
from app.web.rendering import render
from app.web.routes.accounts import door, local
from app.web.routes.own_account import account_page
from app.web.services import services_of

router = APIRouter()


@router.post("/sign-in/passkey/challenge")
def begin_sign_in(request: Request, _viewer: Anyone, connection: AccountConnection) -> Response:
    """Give the browser what it asks the device."""
    options = passkeys.begin_sign_in(
        connection,
        _site(request),
        address=client_address(request),
        now=services_of(request).clock(),
    )
    return Response(options, media_type="application/json")


@router.post("/sign-in/passkey")
def sign_in(
    request: Request,
    _viewer: Anyone,
    answer: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Take the device's answer and open the session."""
    services = services_of(request)
    done = passkeys.sign_in(
        services.database,
        _site(request),
        answer=answer,
        visitor=visitor_of(request),
        now=services.clock(),
    )
    if done is None:
        sentence = said("This passkey was not accepted. Try again, or sign in with your password.")
        return render(door(request, next=local(next), problem=sentence), status=422)
    response = RedirectResponse(local(next), status_code=303)
    keep_session(request, response, done)
    return response


@router.post("/account/passkeys/challenge")
def begin_adding(request: Request, viewer: SignedIn, _fresh: FreshPassword) -> Response:
    """Give the browser what it asks the device for a new passkey."""
    services = services_of(request)
    site = _site(request)
    with services.database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        options = passkeys.begin_adding(
            connection, site, address=client_address(request), now=services.clock(), by=viewer
        )
    return Response(options, media_type="application/json")


@router.post("/account/passkeys")
def finish_adding(
    request: Request,
    viewer: SignedIn,
    _fresh: FreshPassword,
    answer: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
) -> Response:
    """Take the passkey that the device made."""
    services = services_of(request)
    try:
        passkeys.finish_adding(
            services.database,
            _site(request),
            answer=answer,
            name=name,
            now=services.clock(),
            by=viewer,
        )
    except InvalidInput as refusal:
        page = account_page(request, viewer, problem=refusal.sentence, passkey_name=name)
        return render(page, status=refusal.status)
    return RedirectResponse("/account?done=passkey", status_code=303)


@router.post("/account/passkeys/{passkey}/removed")
def remove(request: Request, viewer: SignedIn, _fresh: FreshPassword, passkey: UUID) -> Response:
    """Remove one."""
    with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        passkeys.remove(connection, passkey=passkey, by=viewer)
    return RedirectResponse("/account?done=passkey-removed", status_code=303)


def _site(request: Request) -> PasskeySite:
    site = PasskeySite.of(services_of(request).settings.public_url)
    if site is None:
        raise NotFound("There is no such page.")
    return site
