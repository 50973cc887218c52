"""Signing in at a hospital's identity provider: there, and back again."""

from functools import partial
from urllib.parse import quote

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.actions import sign_in_at_provider
from app.actions.manage_accounts import CodeNeeded
from app.actions.sign_in_at_provider import UNDER_WAY, Answer
from app.domain.errors import NotAllowed, NotFound, Refusal, Unavailable
from app.identity_provider import IdentityProvider
from app.web.access import Anyone
from app.web.cookies import (
    cookie_name,
    drop_cookie,
    keep_session,
    keep_step,
    set_cookie,
    site_address,
    visitor_of,
)
from app.web.rendering import render
from app.web.routes.accounts import door, local
from app.web.services import services_of
from app.web.waiting import at_the_provider

router = APIRouter(prefix="/sign-in/provider")

COOKIE = "reread-provider"


@router.get("")
async def go(request: Request, _viewer: Anyone, next: str = "/") -> Response:  # noqa: A002
    """Send the browser to the provider. A link, since a form may not lead away from this site."""
    services, provider = services_of(request), _provider(request)
    try:
        begun = await at_the_provider(
            partial(
                sign_in_at_provider.begin,
                services.database,
                provider,
                goes_to=local(next)[:2000],
                back=_back(request),
                visitor=visitor_of(request),
                now=services.clock(),
            )
        )
    except Unavailable as refusal:
        return _door(request, refusal)
    response = RedirectResponse(begun.address, status_code=303)
    set_cookie(request, response, COOKIE, begun.token, seconds=UNDER_WAY.total_seconds())
    return response


@router.get("/done")
async def come_back(
    request: Request, _viewer: Anyone, state: str = "", code: str = "", iss: str | None = None
) -> Response:
    """Take what the provider sent along, and open the session or ask for the code."""
    services, provider = services_of(request), _provider(request)
    try:
        done, goes_to = await at_the_provider(
            partial(
                sign_in_at_provider.finish,
                services.database,
                provider,
                token=request.cookies.get(cookie_name(request, COOKIE), ""),
                answer=Answer(state, code, iss),
                back=_back(request),
                visitor=visitor_of(request),
                now=services.clock(),
            )
        )
    except (NotAllowed, Unavailable) as refusal:
        return _door(request, refusal)
    if isinstance(done, CodeNeeded):
        response = RedirectResponse(f"/sign-in/code?next={quote(local(goes_to))}", status_code=303)
        keep_step(request, response, done)
    else:
        response = RedirectResponse(local(goes_to), status_code=303)
        keep_session(request, response, done)
    drop_cookie(request, response, COOKIE)
    return response


def _provider(request: Request) -> IdentityProvider:
    provider = services_of(request).provider
    if provider is None:
        raise NotFound("There is no such page.")
    return provider


def _back(request: Request) -> str:
    return f"{site_address(request)}/sign-in/provider/done"


def _door(request: Request, refusal: Refusal) -> Response:
    return render(door(request, problem=refusal.sentence), status=refusal.status)
