"""The first page after signing in, and the health check."""

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from app.db import readings, studies
from app.db.session import Connection, Role
from app.domain.access import Account, AccountRole
from app.web.access import Anyone, SignedIn
from app.web.pages import CoordinatorHomePage, ReaderHomePage, StudyLine
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter()


@router.get("/")
def show_home(request: Request, viewer: SignedIn) -> Response:
    """Show a person their studies."""
    database = services_of(request).database
    if viewer.role is AccountRole.READER:
        with database.begin(Role.READER, actor=viewer.id) as connection:
            found = readings.reader_studies(connection)
        return render(ReaderHomePage(viewer=viewer, studies=found))
    with database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        return render(_coordinator_home(connection, viewer))


@router.get("/health")
def health(request: Request, _viewer: Anyone) -> Response:
    """Say whether the application and its database answer."""
    with services_of(request).database.begin(Role.ACCOUNT, actor=None) as connection:
        connection.execute("SELECT 1")
    return PlainTextResponse("ok")


def _coordinator_home(connection: Connection, viewer: Account) -> CoordinatorHomePage:
    lines: list[StudyLine] = []
    for study in studies.all_studies(connection):
        progress = studies.progress_of(connection, study.id)
        lines.append(
            StudyLine(
                study=study,
                counts=studies.counts_of(connection, study.id),
                readers=len(progress),
                finished_readings=sum(reader.aided for reader in progress),
                expected_readings=sum(reader.assigned for reader in progress),
            )
        )
    return CoordinatorHomePage(viewer=viewer, studies=lines)
