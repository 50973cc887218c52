"""Choose the language of the pages, signed in or not."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.db import languages
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.languages.catalogues import Language, language_named
from app.web.access import Anyone
from app.web.cookies import keep_language
from app.web.routes.accounts import local
from app.web.services import services_of

router = APIRouter()


@router.post("/language")
def choose_language(
    request: Request,
    viewer: Anyone,
    language: Annotated[str, Form()] = "",
    next: Annotated[str, Form()] = "/",  # noqa: A002 - the form says next
) -> Response:
    """Keep the choice in the browser and, of somebody signed in, with the account."""
    chosen = keep_choice(request, viewer, language)
    response = RedirectResponse(local(next), status_code=303)
    keep_language(request, response, chosen.name)
    return response


def keep_choice(request: Request, viewer: Account | None, name: str) -> Language:
    """Return the language of that name, kept with the account; raises InvalidInput."""
    chosen = language_named(name)
    if chosen is None:
        raise InvalidInput("This language is not offered here. Nothing was changed.")
    if viewer:
        with services_of(request).database.begin(Role.ACCOUNT, actor=viewer.id) as connection:
            languages.set_language(connection, viewer.id, chosen.name)
    return chosen
