"""Has the model seen these pictures? The coordinator looks, and says why they may stay."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.actions.check_seen_before import acknowledge_seen_before, look_for_seen_before
from app.actions.design_study import find_study
from app.db import studies
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.pages import SeenBeforePage
from app.web.rendering import render

router = APIRouter()


@router.get("/studies/{code}/seen-before")
def show_seen_before(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str
) -> Response:
    """Show what the study shares with the model's training images, with itself and with others."""
    return render(_page(connection, viewer, code))


@router.post("/studies/{code}/seen-before")
def acknowledge(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    reason: Annotated[str, Form()] = "",
    matches: Annotated[str, Form()] = "",
) -> Response:
    """Record why these matches may stay; `matches` names those that were on the page."""
    study = find_study(connection, code=code)
    try:
        acknowledge_seen_before(
            connection, study=study, matches_sha256=matches, reason=reason, by=viewer
        )
    except InvalidInput as refusal:
        page = _page(connection, viewer, code, reason=reason, problem=refusal.sentence)
        return render(page, status=refusal.status)
    page = "/addition" if study.state == "open" else ""
    return RedirectResponse(f"/studies/{code}{page}", status_code=303)


def _page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    reason: str = "",
    problem: str | None = None,
) -> SeenBeforePage:
    study = find_study(connection, code=code)
    model = study.model_version_id
    return SeenBeforePage(
        viewer=viewer,
        problem=problem,
        study=study,
        model=studies.model_version(connection, model) if model else None,
        seen=look_for_seen_before(connection, study=study),
        reason=reason,
    )
