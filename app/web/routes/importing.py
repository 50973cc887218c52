"""Import cases in the browser: a dry run first, then all of it or nothing, with its progress."""

import json
import logging
import queue
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response, StreamingResponse

from app.actions import sample_cases
from app.actions.design_study import find_study
from app.actions.import_cases import (
    Progress,
    check_cases,
    import_cases,
    refuse_unattested,
)
from app.db.session import Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import InvalidInput, NotFound, Refusal, to_mend
from app.domain.sentences import said
from app.image_source import open_image_source
from app.web.access import CoordinatorOnly, coordinator_only
from app.web.pages import ImportPage
from app.web.rendering import render
from app.web.services import Services, services_of
from app.web.uploads import LARGEST_UPLOAD, permission_before_uploads

router = APIRouter(route_class=permission_before_uploads(coordinator_only))
log = logging.getLogger("reread.import")

LARGEST_TABLE = 32 * 1024**2
LINES = "application/x-ndjson"
SAMPLES: dict[str, tuple[Callable[[], bytes], str]] = {
    "cases.csv": (sample_cases.sample_table, "text/csv"),
    "images.zip": (sample_cases.sample_images, "application/zip"),
    "columns.csv": (sample_cases.column_table, "text/csv"),
}


Lines = queue.SimpleQueue[dict[str, object] | None]


class _StoppedError(Exception):
    """Nobody waits for this import any more: it ends, and nothing of it is stored."""


@router.get("/studies/{code}/import")
def show_import(request: Request, viewer: CoordinatorOnly, code: str) -> Response:
    """Show the form."""
    return render(ImportPage(viewer=viewer, study=_study(services_of(request), viewer, code)))


@router.get("/studies/{code}/import/samples/{name}")
def give_sample(request: Request, viewer: CoordinatorOnly, code: str, name: str) -> Response:
    """Give a sample table, its pictures, or the columns explained, to be saved."""
    _study(services_of(request), viewer, code)
    if name not in SAMPLES:
        raise NotFound("There is no such sample.")
    make, kind = SAMPLES[name]
    headers = {"Content-Disposition": f'attachment; filename="sample-{name}"'}
    return Response(make(), media_type=kind, headers=headers)


@router.post("/studies/{code}/import", max_body_size=LARGEST_UPLOAD)
def import_files(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    cases: Annotated[UploadFile, File()],
    images: Annotated[UploadFile, File()],
    action: Annotated[str, Form()] = "dry_run",
    without_diagnosis: Annotated[str, Form()] = "",
    attested: Annotated[str, Form()] = "",
) -> Response:
    """Check the files, and on "import" store them when nothing is to mend.

    A browser that accepts lines of JSON is told of every image; the last line holds the answer.
    """
    services = services_of(request)
    study = _study(services, viewer, code)
    run = partial(
        _run,
        services,
        viewer,
        study,
        cases=cases,
        images=images,
        store=action == "import",
        without_diagnosis=without_diagnosis == "yes",
        attested=attested == "yes",
    )
    if LINES not in request.headers.get("accept", ""):
        return run(_no_progress)
    told = _Told(run, ImportPage(viewer=viewer, study=study, problem=_BROKEN))
    return StreamingResponse(told.tell(), media_type=LINES)


def _run(
    services: Services,
    viewer: Account,
    study: Study,
    progress: Progress,
    *,
    cases: UploadFile,
    images: UploadFile,
    store: bool,
    without_diagnosis: bool,
    attested: bool,
) -> Response:
    typed = ImportPage(
        viewer=viewer, study=study, attested=attested, without_diagnosis=without_diagnosis
    )
    table = cases.file.read(LARGEST_TABLE)
    name = cases.filename or "cases.csv"
    try:
        with open_image_source(images.file, name=images.filename or "images.zip") as source:
            if store:
                refuse_unattested(attested=attested)
                import_cases(
                    services.database,
                    study=study,
                    csv=table,
                    name=name,
                    source=source,
                    storage=services.storage,
                    progress=progress,
                    by=viewer,
                    without_diagnosis=without_diagnosis,
                    attested=True,
                )
                page = "/addition" if study.state == "open" else ""
                return RedirectResponse(f"/studies/{study.code}{page}", status_code=303)
            report = check_cases(
                services.database,
                study=study,
                csv=table,
                name=name,
                source=source,
                progress=progress,
                by=viewer,
                without_diagnosis=without_diagnosis,
            )
    except InvalidInput as refusal:
        page = replace(typed, problem=refusal.sentence, problems=refusal.problems)
        return render(page, status=refusal.status)
    if report.problems:
        found = said("{things}. Nothing was imported.", things=to_mend(report.problems))
        page = replace(typed, problem=found, problems=report.problems)
        return render(page, status=422)
    page = replace(typed, summary=report.summary, flagged=report.flagged)
    return render(page)


_BROKEN = said("Something went wrong, and nothing was imported. Try again in a minute.")


@dataclass(frozen=True)
class _Told:
    """A run beside the answer, which tells how far it is; it stops when nobody listens any more."""

    run: Callable[[Progress], Response]
    broken: ImportPage  # the answer where the program itself is at fault
    lines: Lines = field(default_factory=Lines)
    stopped: threading.Event = field(default_factory=threading.Event)

    def progress(self, done: int, total: int) -> None:
        """Put a line for an image; raises _StoppedError when nobody listens any more."""
        if self.stopped.is_set():
            raise _StoppedError
        self.lines.put({"done": done, "total": total})

    def work(self) -> None:
        """Run to the end, whatever it is, and put its last line."""
        try:
            answer = self.run(self.progress)
        except _StoppedError:
            self.lines.put(None)
            return
        except Refusal as refusal:
            answer = render(replace(self.broken, problem=refusal.sentence), status=refusal.status)
        except Exception:
            if self.stopped.is_set():  # the uploaded files are closed once nobody listens
                self.lines.put(None)
                return
            log.exception("An import failed.")
            answer = render(self.broken, status=500)
        location = answer.headers.get("location")
        html = bytes(answer.body).decode()
        self.lines.put({"location": location} if location else {"html": html})
        self.lines.put(None)

    async def tell(self) -> AsyncIterator[bytes]:
        """Give the lines as they come."""
        threading.Thread(target=self.work, daemon=True).start()
        try:
            while (line := await run_in_threadpool(self.lines.get)) is not None:
                yield json.dumps(line).encode() + b"\n"
        finally:
            self.stopped.set()


def _study(services: Services, viewer: Account, code: str) -> Study:
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        return find_study(connection, code=code)


def _no_progress(_done: int, _total: int) -> None:
    """Show nothing: without script a page cannot while its request runs."""
