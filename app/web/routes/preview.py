"""A coordinator's preview: the reading room itself, of a draft, storing nothing.

No AI output is read, and no call that is typed here goes anywhere.
"""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.actions import design_study
from app.actions.between_cases import Between
from app.db import cases, readings
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.reading import ReadingState
from app.domain.study_design import StudyDesign
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.reading_pages import ImageView, ReadingRoomPage
from app.web.rendering import render

router = APIRouter(prefix="/studies/{code}/preview")
LEAST = 2  # places of which the preview shows one

# step -> what a reader would be at: instructions, unaided call, call with the model, between cases
STEPS = {
    1: ReadingState.ASSIGNED,
    2: ReadingState.SERVED,
    3: ReadingState.REVEALED,
    4: ReadingState.ASSIGNED,
}


@router.get("")
def show_preview(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str, step: int = 1
) -> Response:
    """Show the study as its readers would meet it."""
    study = design_study.find_study(connection, code=code)
    return render(_page(connection, viewer, study, min(max(step, 1), 4)))


@router.post("")
def go_on(
    _viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    step: Annotated[int, Form()] = 1,
) -> Response:
    """Go on to the next step; what was typed is thrown away."""
    study = design_study.find_study(connection, code=code)
    return RedirectResponse(f"/studies/{study.code}/preview?step={step}", status_code=303)


def _page(connection: Connection, viewer: Account, study: Study, step: int) -> ReadingRoomPage:
    design = design_study.design_of(connection, study=study)
    case = cases.first_case(connection, study.id)
    state = STEPS[step]
    return ReadingRoomPage(
        viewer=viewer,
        study=_as_a_reader(
            study,
            design,
            places=design.places(
                counted=cases.number_of(connection, study.id, purpose="counted"),
                training=cases.number_of(connection, study.id, purpose="training"),
            ),
            finished=1 if step == 4 else 0,  # noqa: PLR2004
        ),
        state=state,
        assignment_id="preview",
        position=min(step, 2) if step == 4 else 1,  # noqa: PLR2004
        between=Between(
            withheld=False, feedback=None, sitting_over=False, waits_until=None, training_over=False
        ),
        images=[] if case is None else _images(connection, study, case),
        preview=design,
    )


def _as_a_reader(
    study: Study, design: StudyDesign, *, places: int, finished: int
) -> readings.ReaderStudy:
    return readings.ReaderStudy(
        id=study.id,
        code=study.code,
        title=study.title,
        instructions=study.instructions,
        state="open",
        demonstration=study.demonstration,
        design=design.design,
        washout_days=design.washout_days,
        confidence_scale=design.confidence_scale,
        ask_management=design.ask_management,
        ask_comment=design.ask_comment,
        log_zoom=design.log_zoom,
        cases_per_sitting=design.cases_per_sitting,
        order_sha256=None,
        cases=max(places, LEAST),
        finished=finished,
        part_ended=False,
    )


def _images(connection: Connection, study: Study, case: UUID) -> list[ImageView]:
    return [
        ImageView(
            url=f"/studies/{study.code}/cases/{case}/images/{image.position}",
            overlay_url=None,
            modality=image.modality,
            width=image.width,
            height=image.height,
            synthetic=image.synthetic,
            mm_per_pixel=image.mm_per_pixel,
        )
        for image in readings.images_of(connection, case)
    ]
