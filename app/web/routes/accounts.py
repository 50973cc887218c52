"""Sign in, sign out, accept an invitation."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import manage_accounts
from app.db.session import Connection
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput
from app.web.access import AccountConnection, Anyone, SignedIn, cookie_name, session_token
from app.web.pages import ConfirmPage, InvitationPage, SignInPage
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter()


def client_address(request: Request) -> str:
    """Return the network address the request came from, as the server sees it."""
    return request.client.host if request.client else "unknown"


@router.get("/sign-in")
def show_sign_in(_viewer: Anyone, next: str = "/") -> Response:  # noqa: A002 - the address says next
    """Show the form."""
    return render(SignInPage(next=_local(next)))


@router.post("/sign-in")
def sign_in(
    request: Request,
    _viewer: Anyone,
    connection: AccountConnection,
    email: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Open a session and go on to where the person wanted to go."""
    done = manage_accounts.sign_in(
        connection,
        email=email,
        password=password,
        address=client_address(request),
        now=services_of(request).clock(),
    )
    if done is None:
        sentence = "E-mail and password do not fit together."
        return render(SignInPage(email=email, next=_local(next), problem=sentence), status=422)
    response = RedirectResponse(_local(next), status_code=303)
    response.set_cookie(
        cookie_name(request),
        done.token,
        max_age=int(manage_accounts.ABSOLUTE.total_seconds()),
        secure=services_of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    return response


@router.get("/confirm")
def show_confirm(viewer: SignedIn, next: str = "/") -> Response:  # noqa: A002
    """Ask for the password again, before an act that needs it."""
    return render(ConfirmPage(viewer=viewer, next=_local(next)))


@router.post("/confirm")
def confirm(
    request: Request,
    viewer: SignedIn,
    connection: AccountConnection,
    password: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Take the password and go on to the act."""
    if not password_fits(request, connection, viewer, password):
        sentence = "This is not your password. Nothing was done."
        return render(ConfirmPage(viewer=viewer, next=_local(next), problem=sentence), status=422)
    return RedirectResponse(_local(next), status_code=303)


def password_fits(request: Request, connection: Connection, viewer: Account, password: str) -> bool:
    """Check the password again; a wrong one is counted, where the caller commits."""
    return manage_accounts.confirm_password(
        connection,
        password=password,
        token=session_token(request),
        address=client_address(request),
        now=services_of(request).clock(),
        by=viewer,
    )


@router.post("/sign-out")
def sign_out(request: Request, viewer: SignedIn, connection: AccountConnection) -> Response:
    """End the session; the browser drops what it kept."""
    manage_accounts.sign_out(connection, token=session_token(request), by=viewer)
    response = RedirectResponse("/sign-in", status_code=303)
    response.delete_cookie(
        cookie_name(request),
        secure=services_of(request).settings.secure_cookies,
        httponly=True,
        samesite="lax",
    )
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


@router.get("/invitations/{token}")
def show_invitation(
    request: Request, _viewer: Anyone, connection: AccountConnection, token: str
) -> Response:
    """Show what one is invited to; opening the link uses nothing up (mail scanners open links)."""
    found, known = manage_accounts.open_invitation(
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
    _viewer: Anyone,
    connection: AccountConnection,
    token: str,
    name: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make the account, or join the study with the one there is."""
    now = services_of(request).clock()
    found, known = manage_accounts.open_invitation(connection, token=token, now=now)
    try:
        manage_accounts.accept_invitation(
            connection,
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
            problem=str(refusal),
        )
        return render(page, status=422)
    # A reader first says who they are and whether they consent.
    after = f"?next=/studies/{found.study_code}/start" if found.role is Part.READER else ""
    return RedirectResponse(f"/sign-in{after}", status_code=303)


def _local(address: str) -> str:
    """Keep only addresses of this site: one slash, no scheme, no host."""
    is_local = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if is_local and address.isprintable() else "/"
