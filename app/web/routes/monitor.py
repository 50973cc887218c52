"""The monitor of a study: who is where, which times ask for a look; no call, no accuracy."""

from datetime import timedelta

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.actions.design_study import find_study
from app.actions.list_deviations import list_deviations
from app.db import monitor
from app.db.session import Connection
from app.domain.access import Account
from app.web.access import CoordinatorOnly, WatchingConnection
from app.web.rendering import render, render_block
from app.web.services import services_of
from app.web.study_pages import MonitorPage

router = APIRouter()

# A page left open must not keep its owner signed in for ever.
FOLLOWS = timedelta(minutes=30)
SHOWN_CASES = 30


@router.get("/studies/{code}/monitor")
def show_monitor(
    request: Request, viewer: CoordinatorOnly, connection: WatchingConnection, code: str
) -> Response:
    """Show the grid and the times."""
    until = services_of(request).clock() + FOLLOWS
    return render(_page(request, connection, viewer, code, until=int(until.timestamp())))


@router.get("/studies/{code}/monitor/live")
def show_live(
    request: Request,
    viewer: CoordinatorOnly,
    connection: WatchingConnection,
    code: str,
    until: int = 0,
) -> Response:
    """Give the moving part alone, for the page to refresh itself."""
    latest = int((services_of(request).clock() + FOLLOWS).timestamp())
    return render_block(_page(request, connection, viewer, code, until=min(until, latest)), "live")


def _page(
    request: Request, connection: Connection, viewer: Account, code: str, *, until: int
) -> MonitorPage:
    study = find_study(connection, code=code)
    return MonitorPage(
        viewer=viewer,
        study=study,
        readers=monitor.paces_of(connection, study.id),
        uncovered=monitor.uncovered_cases(connection, study.id, most=SHOWN_CASES),
        deviations=list_deviations(connection, study=study),
        now=services_of(request).clock(),
        until=until,
    )
