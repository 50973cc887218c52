"""The API's own pages: its description, and the tokens of a coordinator."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, RedirectResponse, Response

from app import __version__
from app.actions import manage_tokens
from app.db import api_tokens
from app.db.session import Connection, Role
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said
from app.web.access import Anyone, CoordinatorOnly, PasswordIsFresh, SignedIn, routes_of
from app.web.api_pages import ApiPage, TokensPage
from app.web.rendering import render
from app.web.routes.accounts import password_fits
from app.web.services import services_of

router = APIRouter()
USUAL_DAYS = 90
DESCRIPTION = (
    "What the pages of a study show and take, with a token in the header Authorization. A token "
    "acts for the coordinator who made it, within its scopes: the tags of the routes. Opening, "
    "closing and unblinding are acts of a person and are done in the browser."
)


def openapi_of(request: Request) -> dict[str, Any]:
    """Return the OpenAPI document of the API's routes alone."""
    found = [route for route in routes_of(request.app) if route.path.startswith("/api/v1/")]
    return get_openapi(title="reread", version=__version__, description=DESCRIPTION, routes=found)


@router.get("/api/openapi.json")
def show_openapi(request: Request, _viewer: Anyone) -> Response:
    """Give the API's description for programs."""
    return JSONResponse(openapi_of(request))


@router.get("/api/docs")
def show_docs(request: Request, viewer: SignedIn) -> Response:
    """Show the same description for people."""
    return render(ApiPage(viewer=viewer, document=openapi_of(request)))


@router.get("/tokens")
def show_tokens(request: Request, viewer: CoordinatorOnly, fresh: PasswordIsFresh) -> Response:
    """List one's tokens, with the form for a new one."""
    with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        return render(_page(request, connection, viewer, fresh=fresh))


@router.post("/tokens")
def make_token(
    request: Request,
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    name: Annotated[str, Form()] = "",
    scopes: Annotated[list[str] | None, Form()] = None,
    days: Annotated[int, Form()] = USUAL_DAYS,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make a token and show it this once; asks for the password like every grave act."""
    services = services_of(request)
    confirmed = fresh or password_fits(request, viewer, password)
    with services.database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        if not confirmed:
            sentence = Sentence.at(
                said("This is not your password. No token was made."), "password"
            )
            page = _page(request, connection, viewer, fresh=False, problem=sentence)
            return render(replace(page, name=name, chosen=scopes or [], holds=days), status=422)
        try:
            token = manage_tokens.make_token(
                connection,
                name=name,
                scopes=scopes or [],
                days=days,
                now=services.clock(),
                by=viewer,
            )
        except InvalidInput as refusal:
            page = _page(request, connection, viewer, fresh=True, problem=refusal.sentence)
            page = replace(page, name=name, chosen=scopes or [], holds=days)
            return render(page, status=refusal.status)
        return render(_page(request, connection, viewer, fresh=True, made=token))


@router.post("/tokens/{token_id}/revoked")
def revoke_token(request: Request, viewer: CoordinatorOnly, token_id: UUID) -> Response:
    """End a token at once."""
    services = services_of(request)
    with services.database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
        manage_tokens.revoke_token(connection, token=token_id, now=services.clock(), by=viewer)
    return RedirectResponse("/tokens", status_code=303)


def _page(
    request: Request,
    connection: Connection,
    viewer: Account,
    *,
    fresh: bool,
    made: str | None = None,
    problem: str | None = None,
) -> TokensPage:
    return TokensPage(
        viewer=viewer,
        problem=problem,
        tokens=api_tokens.tokens_of(connection, viewer.id),
        now=services_of(request).clock(),
        password_is_fresh=fresh,
        chosen=[],
        holds=USUAL_DAYS,
        made=made,
    )
