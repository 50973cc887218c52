"""The adjudicator's pages: the cases of a study and their reference standard; no reading."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions.adjudicate_case import find_adjudicated_study, record_diagnosis
from app.db import adjudication, cases
from app.db.session import Connection, Role
from app.domain.access import Account
from app.domain.errors import InvalidInput, NotFound
from app.domain.sentences import of_one
from app.web.access import AdjudicatorConnection, SignedIn
from app.web.rendering import render
from app.web.services import services_of
from app.web.study_pages import AdjudicationPage

router = APIRouter(prefix="/studies/{code}/adjudication")


@router.get("")
def show_cases(viewer: SignedIn, connection: AdjudicatorConnection, code: str) -> Response:
    """Show every case with its diagnosis, those without one first."""
    return render(_page(connection, viewer, code))


@router.post("/{case}")
def record(
    request: Request,
    viewer: SignedIn,
    connection: AdjudicatorConnection,
    code: str,
    case: UUID,
    diagnosis: Annotated[str, Form()] = "",
    source: Annotated[str, Form()] = "",
    diagnosed_on: Annotated[str, Form()] = "",
) -> Response:
    """Record a case's diagnosis, its source and its date."""
    study = find_adjudicated_study(connection, code=code)
    try:
        record_diagnosis(
            connection,
            study=study,
            case=case,
            diagnosis=diagnosis,
            source=source,
            diagnosed_on=diagnosed_on,
            now=services_of(request).clock(),
            by=viewer,
        )
    except InvalidInput as refusal:
        page = _page(connection, viewer, code)
        typed = {"diagnosis": diagnosis, "source": source, "diagnosed_on": diagnosed_on}
        problem = of_one(refusal.sentence, case)
        page = replace(page, problem=problem, case_typed=case, typed=typed)
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/adjudication", status_code=303)


@router.get("/{case}/images/{position}")
def show_image(
    request: Request, viewer: SignedIn, code: str, case: UUID, position: int
) -> Response:
    """Give an image of a case that this person adjudicates."""
    services = services_of(request)
    with services.database.begin(Role.ADJUDICATOR, actor=viewer.id) as connection:
        study = find_adjudicated_study(connection, code=code)
        key = cases.image_key(connection, study=study.id, case=case, position=position)
    if key is None:
        raise NotFound("There is no such image.")
    return Response(services.storage.get(key), media_type="image/jpeg")


def _page(connection: Connection, viewer: Account, code: str) -> AdjudicationPage:
    study = find_adjudicated_study(connection, code=code)
    return AdjudicationPage(
        viewer=viewer,
        study=study,
        cases=adjudication.adjudicated_cases(connection, study.id),
    )
