"""Import cases in the browser: a dry run first, then all of it or nothing."""

from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import RedirectResponse, Response

from app.actions.design_study import find_study
from app.actions.import_cases import check_cases, import_cases
from app.db.session import Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.image_source import open_image_source
from app.web.access import CoordinatorOnly
from app.web.pages import ImportPage
from app.web.rendering import render
from app.web.services import Services, services_of

router = APIRouter()

LARGEST_UPLOAD = 4 * 1024**3  # bytes: some 10,000 photographs
LARGEST_TABLE = 32 * 1024**2


@router.get("/studies/{code}/import")
def show_import(request: Request, viewer: CoordinatorOnly, code: str) -> Response:
    """Show the form."""
    return render(ImportPage(viewer=viewer, study=_study(services_of(request), viewer, code)))


@router.post("/studies/{code}/import", max_body_size=LARGEST_UPLOAD)
def import_files(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    cases: Annotated[UploadFile, File()],
    images: Annotated[UploadFile, File()],
    action: Annotated[str, Form()] = "dry_run",
    without_diagnosis: Annotated[str, Form()] = "",
) -> Response:
    """Check the files, and on "import" store them when nothing is to mend."""
    services = services_of(request)
    study = _study(services, viewer, code)
    table = cases.file.read(LARGEST_TABLE)
    name = cases.filename or "cases.csv"
    try:
        with open_image_source(images.file, name=images.filename or "images.zip") as source:
            if action == "import":
                import_cases(
                    services.database,
                    study=study,
                    csv=table,
                    name=name,
                    source=source,
                    storage=services.storage,
                    progress=_no_progress,
                    by=viewer,
                    without_diagnosis=without_diagnosis == "yes",
                )
                page = "/addition" if study.state == "open" else ""
                return RedirectResponse(f"/studies/{code}{page}", status_code=303)
            report = check_cases(
                services.database,
                study=study,
                csv=table,
                name=name,
                source=source,
                progress=_no_progress,
                by=viewer,
                without_diagnosis=without_diagnosis == "yes",
            )
    except InvalidInput as refusal:
        page = ImportPage(
            viewer=viewer, study=study, problem=str(refusal), problems=refusal.problems
        )
        return render(page, status=refusal.status)
    if report.problems:
        found = f"{len(report.problems)} things to mend. Nothing was imported."
        page = ImportPage(viewer=viewer, study=study, problem=found, problems=report.problems)
        return render(page, status=422)
    page = ImportPage(viewer=viewer, study=study, summary=report.summary, flagged=report.flagged)
    return render(page)


def _study(services: Services, viewer: Account, code: str) -> Study:
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        return find_study(connection, code=code)


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing: a page cannot while its request runs; the form says that it takes a while."""
