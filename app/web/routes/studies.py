"""The coordinator's pages of a study, from draft to unblinding."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import design_study
from app.actions.case_quality import CaseQuality, quality_of_cases
from app.actions.check_seen_before import look_for_seen_before
from app.actions.list_deviations import list_deviations
from app.actions.score_cases import request_scoring
from app.db import cases, jobs, people, studies
from app.db.session import Connection, Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.sentences import Sentence, said
from app.languages.current import translated
from app.web.access import CoordinatorConnection, CoordinatorOnly, PasswordIsFresh
from app.web.pages import CasesPage, NewStudyPage, StudyPage, UnblindPage
from app.web.rendering import render, render_block
from app.web.routes.accounts import password_fits
from app.web.services import services_of

router = APIRouter()


@router.get("/studies/new")
def show_new_study(viewer: CoordinatorOnly) -> Response:
    """Show the form of a new study."""
    return render(NewStudyPage(viewer=viewer, instructions=translated(design_study.INSTRUCTIONS)))


@router.post("/studies/new")
def create_study(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: Annotated[str, Form()] = "",
    title: Annotated[str, Form()] = "",
    instructions: Annotated[str, Form()] = "",
) -> Response:
    """Store a draft."""
    try:
        design_study.create_study(
            connection, code=code, title=title, instructions=instructions, by=viewer
        )
    except (InvalidInput, Conflict) as refusal:
        page = NewStudyPage(
            viewer=viewer,
            code=code,
            title=title,
            instructions=instructions,
            problem=refusal.sentence,
        )
        return render(page, status=refusal.status)
    return _to_study(code.strip())


@router.get("/studies/{code}")
def show_study(
    viewer: CoordinatorOnly, fresh: PasswordIsFresh, connection: CoordinatorConnection, code: str
) -> Response:
    """Show how far a study is and what comes next."""
    return render(_study_page(connection, viewer, code, fresh=fresh))


@router.get("/studies/{code}/progress")
def show_progress(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str
) -> Response:
    """Give the progress block alone, for the page to refresh itself."""
    return render_block(_study_page(connection, viewer, code, fresh=True), "progress")


@router.post("/studies/{code}/score")
def score_study(
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    connection: CoordinatorConnection,
    code: str,
    model_version: Annotated[str, Form()] = "",
) -> Response:
    """Queue the study's images for the workers."""
    study = design_study.find_study(connection, code=code)
    chosen = next(
        (m for m in studies.model_versions(connection) if str(m.id) == model_version), None
    )
    if chosen is None:
        sentence = Sentence.at(
            said("Choose one of the listed models. If there is none, start a worker first."),
            "model_version",
        )
        page = _study_page(connection, viewer, code, fresh=fresh, problem=sentence)
        return render(page, status=422)
    request_scoring(connection, study=study, model_version=chosen.id)
    if study.state == "open":
        return RedirectResponse(f"/studies/{code}/addition", status_code=303)
    return _to_study(code)


@router.post("/studies/{code}/open")
def open_study(
    request: Request,
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    code: str,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Open a draft to its readers."""
    confirmed = fresh or password_fits(request, viewer, password)
    with services_of(request).database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        if not confirmed:
            return _not_confirmed(connection, viewer, code)
        try:
            design_study.open_study(connection, study=study, by=viewer)
        except design_study.NotReady as refusal:
            page = _study_page(connection, viewer, code, fresh=True, problem=refusal.sentence)
            return render(page, status=refusal.status)
    return _to_study(code)


@router.post("/studies/{code}/close")
def close_study(
    request: Request,
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    code: str,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Close an open study."""
    confirmed = fresh or password_fits(request, viewer, password)
    with services_of(request).database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        if not confirmed:
            return _not_confirmed(connection, viewer, code)
        design_study.close_study(connection, study=study, by=viewer)
    return _to_study(code)


def _not_confirmed(connection: Connection, viewer: Account, code: str) -> Response:
    sentence = Sentence.at(
        said("Your password is needed for this, and what was entered is not it. Nothing was done."),
        "password",
    )
    page = _study_page(connection, viewer, code, fresh=False, problem=sentence)
    return render(page, status=422)


@router.get("/studies/{code}/cases")
def show_cases(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    flagged: Literal["yes", "no"] = "no",
) -> Response:
    """Show the gallery, or those cases alone that are flagged for quality."""
    study = design_study.find_study(connection, code=code)
    found = studies.cases_of(connection, study.id)
    quality = quality_of_cases(connection, study=study.id)
    only_flagged = flagged == "yes"
    page = CasesPage(
        viewer=viewer,
        study=study,
        counts=studies.counts_of(connection, study.id),
        cases=[c for c in found if c.id in quality.sentences] if only_flagged else found,
        quality=quality,
        only_flagged=only_flagged,
    )
    return render(page)


@router.get("/studies/{code}/cases/{case}/images/{position}")
def show_case_image(
    request: Request, viewer: CoordinatorOnly, code: str, case: UUID, position: int
) -> Response:
    """Give an image of a case of this coordinator's."""
    services = services_of(request)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        key = cases.image_key(connection, study=study.id, case=case, position=position)
    if key is None:
        raise NotFound("There is no such image.")
    return Response(services.storage.get(key), media_type="image/jpeg")


@router.get("/studies/{code}/unblind")
def show_unblind(viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str) -> Response:
    """Show what unblinding means and what is missing."""
    return render(_unblind_page(connection, viewer, code))


@router.post("/studies/{code}/unblind")
def unblind_study(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    meant: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Unblind a closed study: the password again, a reason, and the data set is frozen.

    Two transactions: a wrong password is counted even though nothing else happens.
    """
    confirmed = password_fits(request, viewer, password)
    with services_of(request).database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        problem = None
        if not confirmed:
            problem = Sentence.at(
                said("This is not your password. Nothing was unblinded."), "password"
            )
        elif meant != "yes":
            problem = Sentence.at(
                said("Say that you mean it: tick the statement. Nothing was unblinded."), "meant"
            )
        if problem is not None:
            page = _unblind_page(connection, viewer, code, reason=reason, problem=problem)
            return render(replace(page, meant=meant == "yes"), status=422)
        try:
            design_study.unblind_study(connection, study=study, reason=reason, by=viewer)
        except InvalidInput as refusal:
            page = _unblind_page(connection, viewer, code, reason=reason, problem=refusal.sentence)
            return render(replace(page, meant=True), status=refusal.status)
    return RedirectResponse(f"/studies/{code}/results", status_code=303)


def _to_study(code: str) -> Response:
    return RedirectResponse(f"/studies/{code}", status_code=303)


def _study_page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    fresh: bool,
    problem: str | None = None,
) -> StudyPage:
    study = design_study.find_study(connection, code=code)
    queue = jobs.job_counts(connection, study.id)
    model = study.model_version_id
    counts = studies.counts_of(connection, study.id)
    consent = people.newest_consent_text(connection, study.id)
    draft = study.state == "draft"
    ready = draft and queue.unfinished == 0 and 0 < counts.images == counts.scored_images
    return StudyPage(
        viewer=viewer,
        problem=problem,
        study=study,
        counts=counts,
        readers=studies.progress_of(connection, study.id),
        model=studies.model_version(connection, model) if model else None,
        models=studies.model_versions(connection),
        scoring=queue.unfinished > 0,
        failed_jobs=queue.failed,
        quality=quality_of_cases(connection, study=study.id) if draft else CaseQuality(),
        seen=look_for_seen_before(connection, study=study) if ready else None,
        password_is_fresh=fresh,
        deviations=list_deviations(connection, study=study),
        consent_version=consent.version if consent else None,
        blinded_source=studies.blinded_source(connection, study.id),
        waiting=studies.counts_of(connection, study.id, waiting=True).cases,
    )


def _unblind_page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    reason: str = "",
    problem: str | None = None,
) -> UnblindPage:
    study = design_study.find_study(connection, code=code)
    design_study.refuse_unless_closed(study)
    return UnblindPage(
        viewer=viewer,
        problem=problem,
        study=study,
        readers=studies.progress_of(connection, study.id),
        blinded_source=studies.blinded_source(connection, study.id),
        reason=reason,
    )
