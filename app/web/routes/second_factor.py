"""The second factor: asked for at the door, set up and removed on one's account."""

from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request
from markupsafe import Markup
from starlette.responses import RedirectResponse, Response

from app.actions import second_factor
from app.db import second_factors
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said
from app.web.access import Anyone, Enrolling, FreshPassword
from app.web.account_pages import CodePage, SecondFactorPage
from app.web.cookies import (
    STEP,
    client_address,
    cookie_name,
    drop_cookie,
    keep_session,
    visitor_of,
)
from app.web.rendering import render
from app.web.routes.accounts import local
from app.web.services import services_of

router = APIRouter()


@router.get("/sign-in/code")
def show_code(_viewer: Anyone, next: str = "/") -> Response:  # noqa: A002
    """Ask for the code, after the password."""
    return render(CodePage(next=local(next)))


@router.post("/sign-in/code")
def take_code(
    request: Request,
    _viewer: Anyone,
    code: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002
) -> Response:
    """Take the code and open the session."""
    services = services_of(request)
    done = second_factor.finish_sign_in(
        services.database,
        token=request.cookies.get(cookie_name(request, STEP), ""),
        code=code,
        visitor=visitor_of(request),
        now=services.clock(),
    )
    if done is None:
        sentence = Sentence.at(
            said("This code does not fit, or was used already. Wait for the next one."), "code"
        )
        return render(CodePage(next=local(next), problem=sentence), status=422)
    response = RedirectResponse(local(next), status_code=303)
    keep_session(request, response, done)
    drop_cookie(request, response, STEP)
    return response


@router.get("/account/second-factor")
def show_second_factor(request: Request, viewer: Enrolling, _fresh: FreshPassword) -> Response:
    """Show whether there is one, and what can be done."""
    return render(_page(request, viewer))


@router.post("/account/second-factor")
def begin(request: Request, viewer: Enrolling, _fresh: FreshPassword) -> Response:
    """Make a secret and show it to the person's app."""
    services = services_of(request)
    with services.database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        second_factor.begin(connection, now=services.clock(), by=viewer)
    return render(_page(request, viewer))


@router.post("/account/second-factor/confirmed")
def finish(
    request: Request, viewer: Enrolling, _fresh: FreshPassword, code: Annotated[str, Form()] = ""
) -> Response:
    """Take the first code; from then on one is asked for at the door."""
    services = services_of(request)
    try:
        recovery = second_factor.finish(
            services.database,
            code=code,
            address=client_address(request),
            now=services.clock(),
            by=viewer,
        )
    except InvalidInput as refusal:
        return render(_page(request, viewer, problem=refusal.sentence), status=refusal.status)
    return render(_page(request, viewer, recovery=tuple(recovery)))


@router.post("/account/second-factor/removed")
def remove(
    request: Request,
    viewer: Enrolling,
    password: Annotated[str, Form()] = "",
    code: Annotated[str, Form()] = "",
) -> Response:
    """Remove it: with the password and a code."""
    services = services_of(request)
    try:
        second_factor.remove(
            services.database,
            password=password,
            code=code,
            address=client_address(request),
            now=services.clock(),
            by=viewer,
        )
    except InvalidInput as refusal:
        return render(_page(request, viewer, problem=refusal.sentence), status=refusal.status)
    return RedirectResponse("/account?done=second-factor", status_code=303)


def _page(
    request: Request,
    viewer: Account,
    *,
    problem: str | None = None,
    recovery: tuple[str, ...] = (),
) -> SecondFactorPage:
    with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        factor = second_factors.second_factor_of(connection, viewer.id)
        left = second_factors.recovery_codes_left(connection, viewer.id)
    if factor is None or factor.confirmed_at is not None:
        return SecondFactorPage(
            viewer=viewer,
            problem=problem,
            confirmed=factor is not None,
            left=left,
            recovery=recovery,
        )
    address = second_factor.address_of(factor.secret, email=viewer.email)
    drawn = segno.make(address, error="m").svg_inline(scale=5, dark="#000", light="#fff")
    qr = Markup(drawn)  # noqa: S704 - an SVG of segno's own, its data are squares
    return SecondFactorPage(viewer=viewer, problem=problem, secret=factor.secret, qr=qr)
