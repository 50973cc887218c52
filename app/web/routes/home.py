"""The first page after signing in."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from app.db import adjudication, audit, readings, studies
from app.db.session import Connection, Role
from app.domain.access import AccountRole
from app.web.access import SignedIn
from app.web.pages import CoordinatorHomePage, ReaderHomePage, ReaderLine, StudyLine
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter()


@router.get("/")
def show_home(request: Request, viewer: SignedIn) -> Response:
    """Show a person their studies, whatever their part in them is."""
    if viewer.role is AccountRole.ADMINISTRATOR:
        return RedirectResponse("/accounts", status_code=303)
    database = services_of(request).database
    with database.begin(Role.ADJUDICATOR, actor=viewer.id) as connection:
        adjudicated = adjudication.adjudicated_studies(connection)
    with database.begin(Role.AUDITOR, actor=viewer.id) as connection:
        audited = audit.audited_studies(connection)
    if viewer.role is not AccountRole.COORDINATOR:
        with database.begin(Role.READER, actor=viewer.id) as connection:
            own = _reader_lines(connection)
        page = ReaderHomePage(viewer=viewer, lines=own, adjudicated=adjudicated, audited=audited)
        return render(page)
    with database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        lines = _study_lines(connection)
    page = CoordinatorHomePage(
        viewer=viewer, studies=lines, adjudicated=adjudicated, audited=audited
    )
    return render(page)


def _reader_lines(connection: Connection) -> list[ReaderLine]:
    lines: list[ReaderLine] = []
    for study in readings.reader_studies(connection):
        following = None
        if study.is_read and study.design == "crossover":
            following = readings.current_assignment(connection, study.id)
        ends = readings.waits_until(connection, following.id) if following else None
        lines.append(ReaderLine(study=study, waits_until=ends))
    return lines


def _study_lines(connection: Connection) -> list[StudyLine]:
    lines: list[StudyLine] = []
    for study in studies.all_studies(connection):
        progress = studies.progress_of(connection, study.id)
        lines.append(
            StudyLine(
                study=study,
                counts=studies.counts_of(connection, study.id),
                readers=len(progress),
                finished_readings=sum(reader.finished for reader in progress),
                expected_readings=sum(reader.assigned for reader in progress),
            )
        )
    return lines
