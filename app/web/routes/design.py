"""The design of a study: settings of a draft, versions after opening, copy."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from app.actions import amend_study, design_study
from app.actions.copy_study import copy_study
from app.db import protocols, studies
from app.db.session import Connection, Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput
from app.domain.sentences import Sentence, listed, said
from app.domain.study_design import StudyDesign
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.design_pages import DesignForm, DesignPage
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter(prefix="/studies/{code}")

# What the page says after an act: ?done=saved
DONE = {
    "saved": said("The draft is saved."),
    "amended": said("The protocol is amended: a new version, with your reason."),
    "copied": said(
        "The copy is made: a draft of its own with the same settings. It has no consent text and "
        "no readers yet."
    ),
}


@router.get("/design")
def show_design(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str, done: str = ""
) -> Response:
    """Show the settings, and what of them is fixed by now."""
    return render(_page(connection, viewer, code, notice=DONE.get(done)))


@router.post("/design")
def save_design(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    form: Annotated[DesignForm, Form()],
) -> Response:
    """Save a draft's settings, or amend an open study with a reason."""
    study = design_study.find_study(connection, code=code)
    try:
        if study.state == "draft":
            design_study.set_design(
                connection,
                study=study,
                design=form.design_of(),
                title=form.title,
                instructions=form.instructions,
                by=viewer,
            )
        else:
            _refuse_frozen(study, form, design_study.design_of(connection, study=study))
            amend_study.amend_protocol(
                connection,
                study=study,
                title=form.title,
                instructions=form.instructions,
                cases_per_sitting=form.sitting(),
                reason=form.reason,
                by=viewer,
            )
    except InvalidInput as refusal:
        page = _page(connection, viewer, code, form=form, problem=refusal.sentence)
        return render(page, status=refusal.status)
    done = "saved" if study.state == "draft" else "amended"
    return RedirectResponse(f"/studies/{code}/design?done={done}", status_code=303)


def _refuse_frozen(study: Study, form: DesignForm, held: StudyDesign) -> None:
    """Raise InvalidInput where the form of an old tab would change what an open study has fixed."""
    changed = form.frozen(held) if study.state == "open" else []
    if changed:
        raise InvalidInput(
            said(
                "The study is open, and this is fixed since then: {fields}. Its title, "
                "instructions and cases per sitting can be changed, with a reason. Nothing was "
                "saved.",
                fields=listed(changed),
            )
        )


@router.post("/copy")
def copy(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    new_code: Annotated[str, Form()] = "",
    new_title: Annotated[str, Form()] = "",
    with_cases: Annotated[str, Form()] = "",
) -> Response:
    """Make a new draft with the same settings, and the cases if wanted; no reader, no reading."""
    services = services_of(request)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
    try:
        copy_study(
            services.database,
            services.storage,
            study=study,
            code=new_code,
            title=new_title,
            with_cases=with_cases == "yes",
            by=viewer,
        )
    except (InvalidInput, Conflict) as refusal:
        with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
            page = _page(
                connection,
                viewer,
                code,
                new_code=new_code,
                new_title=new_title,
                with_cases=with_cases == "yes",
                problem=_of_the_copy(refusal.sentence),
            )
            return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{new_code.strip()}/design?done=copied", status_code=303)


def _of_the_copy(sentence: str) -> str:
    if not isinstance(sentence, Sentence) or sentence.field is None:
        return sentence
    return Sentence.at(sentence, f"new_{sentence.field}")


def _page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    form: DesignForm | None = None,
    new_code: str = "",
    new_title: str = "",
    with_cases: bool = False,
    problem: str | None = None,
    notice: str | None = None,
) -> DesignPage:
    study = design_study.find_study(connection, code=code)
    design: StudyDesign = design_study.design_of(connection, study=study)
    return DesignPage(
        viewer=viewer,
        problem=problem,
        notice=notice,
        study=study,
        form=form or DesignForm.of(study, design),
        versions=protocols.versions_of(connection, study.id),
        new_code=new_code,
        new_title=new_title,
        with_cases=with_cases,
        cases=studies.counts_of(connection, study.id).cases,
    )
