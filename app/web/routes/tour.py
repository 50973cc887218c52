"""The tour of the demonstration. A real installation has neither these addresses nor the panel."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.web.access import Anyone
from app.web.cookies import cookie_name, drop_cookie, set_cookie
from app.web.pages import TourPage
from app.web.rendering import render
from app.web.routes.accounts import local
from app.web.tour import Tour, Touring, touring

router = APIRouter()
ENDED = "reread-tour-ended"
ENDED_KEPT = 30 * 86400  # seconds


class OnTour:
    """Sets for each request which stop of the tour its page is."""

    def __init__(self, app: ASGIApp, tour: Tour) -> None:
        self._app = app
        self._tour = tour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Nothing is set back: each has a context of its own."""
        if scope["type"] == "http":
            request = Request(scope)
            ended = cookie_name(request, ENDED) in request.cookies
            touring.set(Touring(self._tour, self._tour.number_at(request.url.path), ended))
        await self._app(scope, receive, send)


@router.get("/tour")
def show_tour(request: Request, viewer: Anyone) -> Response:
    """Show who is there and where the tour leads; the panel shows again from here on."""
    response = render(TourPage(viewer=viewer))
    drop_cookie(request, response, ENDED)
    return response


@router.post("/tour/ended")
def end_tour(
    request: Request,
    _viewer: Anyone,
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the form says next
) -> Response:
    """Take the panel away in this browser, and come back to the page."""
    response = RedirectResponse(local(next), status_code=303)
    set_cookie(request, response, ENDED, "yes", seconds=ENDED_KEPT)
    return response
