"""The reading room: one address a study, always the state the server holds."""

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import read_case
from app.db import people
from app.db.readings import ReaderStudy
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput
from app.domain.reading import Phase, parse_submission
from app.web.access import ReaderConnection, ReaderOnly
from app.web.pages import AIView, ImageView, ReadingRoomPage
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter()


@router.get("/studies/{code}/read")
def show_case(viewer: ReaderOnly, connection: ReaderConnection, code: str) -> Response:
    """Show the current case; reload, back and a second tab all end here."""
    study = read_case.find_reader_study(connection, code=code)
    if study.state == "open" and people.consent_is_due(connection, study.id):
        return RedirectResponse(f"/studies/{code}/start", status_code=303)
    return render(_page(connection, viewer, study))


@router.post("/studies/{code}/next")
def serve_next(_viewer: ReaderOnly, connection: ReaderConnection, code: str) -> Response:
    """Show the next case for the first time (t0)."""
    study = read_case.find_reader_study(connection, code=code)
    read_case.serve_next(connection, study=study.id)
    return _to_room(study)


@router.post("/readings/{assignment}/unaided")
def lock_unaided(
    viewer: ReaderOnly,
    connection: ReaderConnection,
    assignment: UUID,
    call: Annotated[str, Form()] = "",
    confidence: Annotated[str, Form()] = "",
    submission_id: Annotated[str, Form()] = "",
    active_milliseconds: Annotated[str, Form()] = "",
) -> Response:
    """Lock the unaided call (t1). The answer says nothing about the case."""
    return _lock(
        connection,
        viewer,
        assignment,
        Phase.UNAIDED,
        call=call,
        confidence=confidence,
        submission_id=submission_id,
        active_milliseconds=active_milliseconds,
    )


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
    call: Annotated[str, Form()] = "",
    confidence: Annotated[str, Form()] = "",
    submission_id: Annotated[str, Form()] = "",
    active_milliseconds: Annotated[str, Form()] = "",
    pause: Annotated[str, Form()] = "",
) -> Response:
    """Lock the aided call (t3); the next case is shown with it, unless a pause is asked for."""
    return _lock(
        connection,
        viewer,
        assignment,
        Phase.AIDED,
        pause=pause == "yes",
        call=call,
        confidence=confidence,
        submission_id=submission_id,
        active_milliseconds=active_milliseconds,
    )


@router.get("/readings/{assignment}/images/{position}")
def show_image(
    request: Request,
    _viewer: ReaderOnly,
    connection: ReaderConnection,
    assignment: UUID,
    position: int,
) -> Response:
    """Give an image of a case that has been shown to this reader."""
    key = read_case.image_key(connection, assignment_id=assignment, position=position)
    return Response(services_of(request).storage.get(key), media_type="image/jpeg")


@router.get("/readings/{assignment}/overlays/{position}")
def show_overlay(
    request: Request,
    _viewer: ReaderOnly,
    connection: ReaderConnection,
    assignment: UUID,
    position: int,
) -> Response:
    """Give an overlay after the reveal; before it, the same answer as for a case there is not."""
    key = read_case.overlay_key(connection, assignment_id=assignment, position=position)
    return Response(services_of(request).storage.get(key), media_type="image/png")


def _lock(
    connection: Connection,
    viewer: Account,
    assignment: UUID,
    phase: Phase,
    *,
    pause: bool = False,
    **form: str,
) -> Response:
    study = read_case.study_of(connection, assignment_id=assignment)
    try:
        submission = parse_submission(**form)
        if phase is Phase.UNAIDED:
            read_case.lock_unaided(connection, assignment_id=assignment, submission=submission)
        else:
            read_case.lock_aided(
                connection, assignment_id=assignment, submission=submission, pause=pause
            )
    except InvalidInput as refusal:
        typed = {"typed_call": form["call"], "typed_confidence": form["confidence"]}
        page = _page(connection, viewer, study, problem=str(refusal), **typed)
        return render(page, status=refusal.status)
    except (read_case.AlreadyLocked, read_case.FormUsed) as refusal:
        # A stale tab: it gets the state the server holds, and the sentence.
        return render(
            _page(connection, viewer, study, problem=str(refusal)), status=Conflict.status
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
    typed_call: str = "",
    typed_confidence: str = "",
) -> ReadingRoomPage:
    case = read_case.current_case(connection, study=study.id) if study.state == "open" else None
    if case is None:
        return ReadingRoomPage(viewer=viewer, study=study, state=None, problem=problem)
    address = f"/readings/{case.assignment.id}"
    shown = {overlay.image_position for overlay in case.ai}
    ai = case.ai[0] if case.ai else None
    return ReadingRoomPage(
        viewer=viewer,
        problem=problem,
        study=study,
        state=case.state,
        assignment_id=str(case.assignment.id),
        position=case.assignment.position,
        images=[
            ImageView(
                url=f"{address}/images/{image.position}",
                overlay_url=f"{address}/overlays/{image.position}"
                if image.position in shown
                else None,
                modality=image.modality,
                width=image.width,
                height=image.height,
                synthetic=image.synthetic,
            )
            for image in case.images
        ],
        unaided=case.unaided,
        ai=AIView(
            call=ai.call,
            probability=ai.probability,
            threshold=ai.threshold,
            model_name=ai.model_name,
            demonstration=ai.demonstration,
            map_scale=ai.map_scale,
            map_rows=ai.map_rows,
            map_columns=ai.map_columns,
        )
        if ai
        else None,
        submission_id=str(uuid4()),
        typed_call=typed_call,
        typed_confidence=typed_confidence,
    )
