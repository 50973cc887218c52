"""One case or one reading: exclude it, bring it back, void it, correct it, each with a reason.

Neither page knows a call or a diagnosis: who corrects decides by what a person told them, and by
times (B9).
"""

from collections.abc import Callable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.actions import amend_study
from app.actions.case_quality import quality_of_cases
from app.actions.design_study import design_of, find_study
from app.db import case_readings, protocols
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput, NotFound
from app.domain.scores import DIAGNOSES, Diagnosis
from app.domain.sentences import Sentence, of_one
from app.domain.study_design import Management
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.correction_pages import CasePage, ReadingPage
from app.web.rendering import render

router = APIRouter(prefix="/studies/{code}")


@router.get("/cases/{case}")
def show_case(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str, case: UUID
) -> Response:
    """Show a case: its images, who has read it, and how it is excluded or brought back."""
    return render(_case_page(connection, viewer, code, case))


@router.post("/cases/{case}/exclusion")
def exclude(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    case: UUID,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Exclude the case, with a reason."""
    return _acted(amend_study.exclude_case, connection, viewer, code, case, reason)


@router.post("/cases/{case}/readmission")
def readmit(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    case: UUID,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Bring an excluded case back, with a reason."""
    return _acted(amend_study.readmit_case, connection, viewer, code, case, reason)


def _acted(
    act: Callable[..., None],
    connection: Connection,
    viewer: Account,
    code: str,
    case: UUID,
    reason: str,
) -> Response:
    page = _case_page(connection, viewer, code, case)
    try:
        act(connection, study=page.study, case_code=page.case.code, reason=reason, by=viewer)
    except InvalidInput as refusal:
        page = _case_page(connection, viewer, code, case, reason=reason, problem=refusal.sentence)
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/cases/{case}", status_code=303)


@router.get("/readings/{reading}")
def show_reading(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str, reading: UUID
) -> Response:
    """Show when a reading was made, and what was said of it afterwards."""
    return render(_reading_page(connection, viewer, code, reading))


@router.post("/readings/{reading}/corrections")
def correct(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    reading: UUID,
    kind: Annotated[Literal["void", "correct"], Form()] = "void",
    reason: Annotated[str, Form()] = "",
    call: Annotated[str, Form()] = "",
    confidence: Annotated[str, Form()] = "",
    management: Annotated[str, Form()] = "",
) -> Response:
    """Void the reading or set another call beside it, as a further row; the reading stays."""
    study = _reading_page(connection, viewer, code, reading).study
    try:
        if kind == "void":
            amend_study.void_reading(
                connection, study=study, reading=reading, reason=reason, by=viewer
            )
        else:
            amend_study.correct_reading(
                connection,
                study=study,
                reading=reading,
                call=_call(call),
                confidence=_confidence(confidence),
                management=_management(management),
                reason=reason,
                by=viewer,
            )
    except InvalidInput as refusal:
        page = _reading_page(
            connection,
            viewer,
            code,
            reading,
            kind=kind,
            reason=reason,
            call=call,
            confidence=confidence,
            management=management,
            problem=_in_its_form(refusal.sentence, kind),
        )
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/readings/{reading}", status_code=303)


def _in_its_form(sentence: str, kind: str) -> str:
    """Return the sentence of a reason as that of the one form or the other."""
    at_reason = isinstance(sentence, Sentence) and sentence.field == "reason"
    return of_one(sentence, kind) if at_reason else sentence


def _call(text: str) -> Diagnosis:
    known: dict[str, Diagnosis] = {name: name for name in DIAGNOSES}
    if text not in known:
        raise InvalidInput(
            "Give the call that the reader meant: BCC or SK. Nothing was recorded.", field="call"
        )
    return known[text]


def _confidence(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3):  # noqa: PLR2004 - 0 to 100
        raise InvalidInput(
            "Give the confidence as a whole number, 0 to 100. Nothing was recorded.",
            field="confidence",
        )
    return int(text)


def _management(text: str) -> Management | None:
    known: dict[str, Management] = {"biopsy": "biopsy", "no_biopsy": "no_biopsy"}
    return known.get(text)


def _case_page(
    connection: Connection,
    viewer: Account,
    code: str,
    case: UUID,
    *,
    reason: str = "",
    problem: str | None = None,
) -> CasePage:
    study = find_study(connection, code=code)
    found = case_readings.case_detail(connection, study.id, case)
    if found is None:
        raise NotFound("The study has no such case.")
    return CasePage(
        viewer=viewer,
        problem=problem,
        study=study,
        case=found,
        quality=quality_of_cases(connection, study=study.id).sentences.get(case, []),
        readings=case_readings.readings_of_case(connection, study.id, case),
        acts=[
            act
            for act in protocols.exclusions_of(connection, study.id)
            if act.case_code == found.code
        ],
        reason=reason,
    )


def _reading_page(
    connection: Connection,
    viewer: Account,
    code: str,
    reading: UUID,
    *,
    kind: str = "",
    reason: str = "",
    call: str = "",
    confidence: str = "",
    management: str = "",
    problem: str | None = None,
) -> ReadingPage:
    study = find_study(connection, code=code)
    found = case_readings.locked_reading(connection, study.id, reading)
    if found is None:
        raise NotFound("The study has no such reading.")
    every = protocols.corrections_of(connection, study.id)
    return ReadingPage(
        viewer=viewer,
        problem=problem,
        study=study,
        reading=found,
        corrections=[row for row in reversed(every) if row.reading_id == reading],
        kind=kind,
        reason=reason,
        call=call,
        confidence=confidence,
        management=management,
        design=design_of(connection, study=study),
    )
