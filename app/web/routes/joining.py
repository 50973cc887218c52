"""What a reader answers before the first case: who they are, and whether they consent."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.actions.manage_people import StartAnswers, answer_start
from app.actions.read_case import find_reader_study
from app.db import people
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.web.access import ReaderConnection, ReaderOnly
from app.web.markdown import written
from app.web.rendering import render
from app.web.study_pages import StartPage

router = APIRouter(prefix="/studies/{code}")


@router.get("/start")
def show_start(viewer: ReaderOnly, connection: ReaderConnection, code: str) -> Response:
    """Show the questions and the consent text; a part that has ended asks for neither."""
    if find_reader_study(connection, code=code).part_ended:
        return RedirectResponse(f"/studies/{code}/read", 303)
    return render(_page(connection, viewer, code))


@router.post("/start")
def answer(
    viewer: ReaderOnly,
    connection: ReaderConnection,
    code: str,
    consent_text: Annotated[str, Form()] = "",
    accepted: Annotated[str, Form()] = "",
    years_experience: Annotated[str, Form()] = "",
    specialty: Annotated[str, Form()] = "",
    training: Annotated[str, Form()] = "",
) -> Response:
    """Record profile and consent, then go on to the cases."""
    answers = StartAnswers(
        consent_text=consent_text,
        accepted=accepted == "yes",
        years_experience=years_experience,
        specialty=specialty,
        training=training,
    )
    study = find_reader_study(connection, code=code)
    try:
        # A savepoint: a profile is not kept where the consent beside it was refused.
        with connection.transaction():
            answer_start(connection, study=study, answers=answers, by=viewer)
    except InvalidInput as refusal:
        page = _page(connection, viewer, code, typed=answers, problem=refusal.sentence)
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/read" if study.state == "open" else "/", 303)


def _page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    typed: StartAnswers | None = None,
    problem: str | None = None,
) -> StartPage:
    study = find_reader_study(connection, code=code)
    profile = people.own_profile(connection, study.id)
    text = people.newest_consent_text(connection, study.id)
    if typed is None:
        typed = StartAnswers(
            years_experience=str(profile.years_experience) if profile else "",
            specialty=profile.specialty if profile else "",
            training=profile.training if profile else "",
        )
    return StartPage(
        viewer=viewer,
        problem=problem,
        study=study,
        profile=profile,
        profile_is_fixed=people.own_first_call_is_locked(connection, study.id),
        text=text,
        text_html=written(text.text) if text else None,
        due=people.consent_is_due(connection, study.id),
        typed=typed,
    )
