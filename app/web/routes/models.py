"""The card of a model: what it is, what it was trained on, what it must not be used for."""

from uuid import UUID

from fastapi import APIRouter
from starlette.responses import Response

from app.db import studies
from app.domain.errors import NotFound
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.markdown import written
from app.web.pages import ModelPage
from app.web.rendering import render

router = APIRouter()


@router.get("/models/{model}")
def show_model(viewer: CoordinatorOnly, connection: CoordinatorConnection, model: UUID) -> Response:
    """Show a registered model's card."""
    found = studies.model_version(connection, model)
    if found is None:
        raise NotFound("There is no such model.")
    return render(ModelPage(viewer=viewer, model=found, card_html=written(found.card)))
