"""Sign in, sign out, accept an invitation."""

from functools import partial
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import invite_people, manage_accounts
from app.actions.manage_accounts import CodeNeeded
from app.actions.passkeys import PasskeySite
from app.db.session import Role
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said
from app.web.access import AccountConnection, Anyone, Enrolling
from app.web.cookies import (
    client_address,
    drop_cookie,
    keep_session,
    keep_step,
    session_token,
    visitor_of,
)
from app.web.pages import ConfirmPage, InvitationPage, SignInPage
from app.web.rendering import render
from app.web.services import services_of
from app.web.waiting import in_turn

router = APIRouter()
# What was done on the page before -> what the door says of it.
DONE = {
    "new-password": said("Your password is set. Sign in with it."),
    "joined": said("You have joined the study. Sign in to go on."),
}


@router.get("/sign-in")
def show_sign_in(
    request: Request,
    _viewer: Anyone,
    next: str = "/",  # noqa: A002 - the address says next
    done: str = "",
) -> Response:
    """Show the form."""
    return render(door(request, next=local(next), notice=DONE.get(done)))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    _viewer: Anyone,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Open a session and go on to where the person wanted to go."""
    services = services_of(request)
    done = await in_turn(
        partial(
            manage_accounts.sign_in,
            services.database,
            email=email,
            password=password,
            visitor=visitor_of(request),
            now=services.clock(),
        )
    )
    if done is None:
        sentence = Sentence.at(said("E-mail and password do not fit together."), "password")
        page = door(request, email=email, next=local(next), problem=sentence)
        return render(page, status=422)
    if isinstance(done, CodeNeeded):
        response = RedirectResponse(f"/sign-in/code?next={quote(local(next))}", status_code=303)
        keep_step(request, response, done)
        return response
    response = RedirectResponse(local(next), status_code=303)
    keep_session(request, response, done)
    return response


@router.get("/confirm")
def show_confirm(viewer: Enrolling, next: str = "/") -> Response:  # noqa: A002
    """Ask for the password again, before an act that needs it."""
    return render(ConfirmPage(viewer=viewer, next=local(next)))


@router.post("/confirm")
def confirm(
    request: Request,
    viewer: Enrolling,
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Take the password and go on to the act."""
    if not password_fits(request, viewer, password):
        sentence = Sentence.at(said("This is not your password. Nothing was done."), "password")
        return render(ConfirmPage(viewer=viewer, next=local(next), problem=sentence), status=422)
    return RedirectResponse(local(next), status_code=303)


def password_fits(request: Request, viewer: Account, password: str) -> bool:
    """Check the password again; a wrong one is counted whatever else happens."""
    services = services_of(request)
    return manage_accounts.confirm_password(
        services.database,
        password=password,
        token=session_token(request),
        address=client_address(request),
        now=services.clock(),
        by=viewer,
    )


@router.post("/sign-out")
def sign_out(request: Request, viewer: Enrolling, connection: AccountConnection) -> Response:
    """End the session; the browser drops what it kept."""
    manage_accounts.sign_out(connection, token=session_token(request), by=viewer)
    response = RedirectResponse("/sign-in", status_code=303)
    drop_cookie(request, response)
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get("/invitations/{token}")
def show_invitation(
    request: Request, _viewer: Anyone, connection: AccountConnection, token: str
) -> Response:
    """Show what one is invited to; opening the link uses nothing up (mail scanners open links)."""
    found, known = invite_people.open_invitation(
        connection, token=token, now=services_of(request).clock()
    )
    return render(
        InvitationPage(
            token=token,
            study_title=found.study_title,
            email=found.email,
            part=found.role,
            known=known,
        )
    )


@router.post("/invitations/{token}")
def accept_invitation(
    request: Request,
    viewer: Anyone,
    token: str,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make the account, or join the study with the one there is."""
    services = services_of(request)
    now = services.clock()
    with services.database.begin(Role.ACCOUNT, actor=None) as connection:
        found, known = invite_people.open_invitation(connection, token=token, now=now)
    try:
        invite_people.accept_invitation(
            services.database,
            token=token,
            name=name,
            password=password,
            address=client_address(request),
            now=now,
        )
    except InvalidInput as refusal:
        page = InvitationPage(
            token=token,
            study_title=found.study_title,
            email=found.email,
            part=found.role,
            known=known,
            name=name,
            problem=refusal.sentence,
        )
        return render(page, status=422)
    # A reader first says who they are and whether they consent.
    after = f"/studies/{found.study_code}/start" if found.role is Part.READER else "/"
    if viewer is not None and viewer.email == found.email:
        return RedirectResponse(after, status_code=303)  # signed in already, as who was invited
    return RedirectResponse(f"/sign-in?next={after}&done=joined", status_code=303)


def door(
    request: Request,
    *,
    email: str = "",
    next: str = "/",  # noqa: A002
    notice: str | None = None,
    problem: str | None = None,
) -> SignInPage:
    """Return the page with every way in that this installation has."""
    services = services_of(request)
    button = None
    if services.provider is not None:
        button = services.provider.button or said("Sign in with your hospital account")
    return SignInPage(
        email=email,
        next=next,
        notice=notice,
        problem=problem,
        provider=button,
        passkeys=PasskeySite.of(services.settings.public_url) is not None,
    )


def local(address: str) -> str:
    """Keep only addresses of this site: one slash, no scheme, no host."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
