"""The reading room: one address a study, always the state the server holds."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import read_case
from app.actions.between_cases import between_cases
from app.db import people, reading_keys
from app.db.readings import ReaderStudy, ShownOverlay
from app.db.session import Connection, Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput
from app.domain.reading import Phase, ReadingState, parse_submission
from app.languages.current import current
from app.web.access import ReaderConnection, ReaderOnly
from app.web.cookies import keep_language
from app.web.reading_pages import (
    AIView,
    CallForm,
    CallInAnotherLanguage,
    ImageView,
    ReadingRoomPage,
)
from app.web.rendering import render
from app.web.routes.language import keep_choice
from app.web.services import services_of
from app.web.turns import fetched, in_turn

router = APIRouter()


@router.get("/studies/{code}/read")
def show_case(viewer: ReaderOnly, connection: ReaderConnection, code: str) -> Response:
    """Show the current case; reload, back and a second tab all end here."""
    study = read_case.find_reader_study(connection, code=code)
    if read_case.consent_comes_first(connection, study=study):
        return RedirectResponse(f"/studies/{code}/start", status_code=303)
    return render(_page(connection, viewer, study))


@router.post("/studies/{code}/read")
def show_in_another_language(
    request: Request,
    viewer: ReaderOnly,
    connection: ReaderConnection,
    code: str,
    form: Annotated[CallInAnotherLanguage, Form()],
    case: UUID | None = None,
    phase: Phase | None = None,
) -> Response:
    """Show the current case in another language, with what was typed for it; locks nothing."""
    study = read_case.find_reader_study(connection, code=code)
    chosen = keep_choice(request, viewer, form.language)
    current.set(chosen)
    if read_case.consent_comes_first(connection, study=study):
        response: Response = RedirectResponse(f"/studies/{code}/start", status_code=303)
        keep_language(request, response, chosen.name)
        return response
    page = _page(connection, viewer, study)
    asked = {ReadingState.SERVED: Phase.UNAIDED, ReadingState.REVEALED: Phase.AIDED}
    # What was typed for another question is no answer to this one.
    if page.state and str(case) == page.assignment_id and asked.get(page.state) is phase:
        page = replace(page, typed=form)
    response = render(page)
    keep_language(request, response, chosen.name)
    return response


@router.post("/studies/{code}/next")
def serve_next(_viewer: ReaderOnly, connection: ReaderConnection, code: str) -> Response:
    """Show the next case for the first time (t0)."""
    study = read_case.find_reader_study(connection, code=code)
    if read_case.consent_comes_first(connection, study=study):
        return RedirectResponse(f"/studies/{code}/start", status_code=303)
    read_case.serve_next(connection, study=study.id)
    return _to_room(study)


@router.post("/readings/{assignment}/unaided")
def lock_unaided(
    viewer: ReaderOnly,
    connection: ReaderConnection,
    assignment: UUID,
    form: Annotated[CallForm, Form()],
) -> Response:
    """Lock the unaided call (t1). The answer says nothing about the case, nor whether AI comes."""
    return _lock(connection, viewer, assignment, Phase.UNAIDED, form)


@router.post("/readings/{assignment}/reveal")
def reveal(_viewer: ReaderOnly, connection: ReaderConnection, assignment: UUID) -> Response:
    """Release the AI output of a locked case (t2)."""
    study = read_case.study_of(connection, assignment_id=assignment)
    read_case.reveal(connection, assignment_id=assignment)
    return _to_room(study)


@router.post("/readings/{assignment}/aided")
def lock_aided(
    viewer: ReaderOnly,
    connection: ReaderConnection,
    assignment: UUID,
    form: Annotated[CallForm, Form()],
) -> Response:
    """Lock the aided call (t3); the next case is shown with it, unless a pause is asked for."""
    return _lock(connection, viewer, assignment, Phase.AIDED, form)


@router.get("/readings/{assignment}/images/{position}")
async def show_image(
    request: Request, viewer: ReaderOnly, assignment: UUID, position: int
) -> Response:
    """Give an image of a case that was shown to this reader, or is the very next one."""
    services = services_of(request)

    def ask() -> str:
        with services.database.begin(Role.READER, actor=viewer.id) as connection:
            return read_case.image_key(connection, assignment_id=assignment, position=position)

    # The connection is back before the file is asked for: a slow store holds none.
    key = await in_turn(services, ask)
    return Response(await fetched(services, key), media_type="image/jpeg")


@router.get("/readings/{assignment}/overlays/{position}")
async def show_overlay(
    request: Request, viewer: ReaderOnly, assignment: UUID, position: int
) -> Response:
    """Give an overlay after the reveal; before it, the same answer as for a case there is not."""
    services = services_of(request)

    def ask() -> str:
        with services.database.begin(Role.READER, actor=viewer.id) as connection:
            return read_case.overlay_key(connection, assignment_id=assignment, position=position)

    key = await in_turn(services, ask)
    return Response(await fetched(services, key), media_type="image/png")


def _lock(
    connection: Connection, viewer: Account, assignment: UUID, phase: Phase, form: CallForm
) -> Response:
    study = read_case.study_of(connection, assignment_id=assignment)
    try:
        submission = parse_submission(
            **form.model_dump(exclude={"pause"}), questions=study.questions
        )
        if phase is Phase.UNAIDED:
            read_case.lock_unaided(connection, assignment_id=assignment, submission=submission)
        else:
            read_case.lock_aided(
                connection,
                assignment_id=assignment,
                submission=submission,
                pause=form.pause == "yes",
            )
    except InvalidInput as refusal:
        page = _page(connection, viewer, study, problem=refusal.sentence, typed=form)
        return render(page, status=refusal.status)
    except (read_case.AlreadyLocked, read_case.FormUsed) as refusal:
        # A stale tab: it gets the state the server holds, and the sentence.
        return render(
            _page(connection, viewer, study, problem=refusal.sentence), status=Conflict.status
        )
    return _to_room(study)


def _to_room(study: ReaderStudy) -> Response:
    return RedirectResponse(f"/studies/{study.code}/read", status_code=303)


def _page(
    connection: Connection,
    viewer: Account,
    study: ReaderStudy,
    *,
    problem: str | None = None,
    typed: CallForm | None = None,
) -> ReadingRoomPage:
    case = read_case.current_case(connection, study=study.id) if study.is_read else None
    between = None
    if study.is_read and (case is None or case.state is ReadingState.ASSIGNED):
        between = between_cases(connection, study=study)
    if case is None:
        return ReadingRoomPage(
            viewer=viewer, study=study, state=None, problem=problem, between=between
        )
    return ReadingRoomPage(
        viewer=viewer,
        problem=problem,
        study=study,
        state=case.state,
        assignment_id=str(case.assignment.id),
        position=study.finished + 1,
        training=case.assignment.purpose == "training",
        between=between,
        images=_images(case),
        unaided=case.unaided,
        ai=_ai(case.ai[0]) if case.ai else None,
        submission_id=str(uuid4()),
        typed=typed or CallForm(),
        keys=reading_keys.keys_of_actor(connection),
        ahead=_ahead(connection, study, case),
        profile_due=case.state is ReadingState.ASSIGNED
        and study.finished == 0
        and people.own_profile(connection, study.id) is None,
    )


def _ahead(connection: Connection, study: ReaderStudy, case: read_case.CaseView) -> list[str]:
    if case.state not in {ReadingState.REVEALED, ReadingState.ASSIGNED}:
        return []
    return [
        f"/readings/{image.assignment_id}/images/{image.image_position}"
        for image in read_case.images_ahead(connection, study=study, case=case)
    ]


def _images(case: read_case.CaseView) -> list[ImageView]:
    address = f"/readings/{case.assignment.id}"
    shown = {overlay.image_position for overlay in case.ai if overlay.overlay_key is not None}
    return [
        ImageView(
            url=f"{address}/images/{image.position}",
            overlay_url=f"{address}/overlays/{image.position}" if image.position in shown else None,
            modality=image.modality,
            width=image.width,
            height=image.height,
            synthetic=image.synthetic,
            mm_per_pixel=image.mm_per_pixel,
        )
        for image in case.images
    ]


def _ai(shown: ShownOverlay) -> AIView:
    return AIView(
        call=shown.call,
        probability=shown.probability,
        threshold=shown.threshold,
        model_name=shown.model_name,
        demonstration=shown.demonstration,
        map_scale=shown.map_scale,
        map_rows=shown.map_rows,
        map_columns=shown.map_columns,
        performance=shown.performance,
    )
