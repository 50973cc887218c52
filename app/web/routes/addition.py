"""Cases for an open study: how far those that wait are, and the act that adds them."""

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import RedirectResponse, Response

from app.actions.add_cases import add_cases, waiting_cases
from app.actions.design_study import NotReady, find_study
from app.db import additions, jobs, studies
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.correction_pages import AdditionPage
from app.web.rendering import render, render_block

router = APIRouter(prefix="/studies/{code}")


@router.get("/addition")
def show_addition(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str
) -> Response:
    """Show the cases that wait, what they lack, and the additions made so far."""
    return render(_page(connection, viewer, code))


@router.get("/addition/progress")
def show_progress(
    viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str
) -> Response:
    """Give the progress of their predictions alone, for the page to refresh itself."""
    return render_block(_page(connection, viewer, code), "progress")


@router.post("/addition")
def add(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Append the waiting cases to every reader's order."""
    study = find_study(connection, code=code)
    try:
        add_cases(connection, study=study, reason=reason, by=viewer)
    except (InvalidInput, NotReady) as refusal:
        page = _page(connection, viewer, code, reason=reason, problem=refusal.sentence)
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}#deviations", status_code=303)


def _page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    reason: str = "",
    problem: str | None = None,
) -> AdditionPage:
    study = find_study(connection, code=code)
    queue = jobs.job_counts(connection, study.id)
    model = study.model_version_id
    readers = studies.progress_of(connection, study.id)
    return AdditionPage(
        viewer=viewer,
        problem=problem,
        study=study,
        waiting=waiting_cases(connection, study=study),
        model=studies.model_version(connection, model) if model else None,
        scoring=queue.unfinished > 0,
        failed_jobs=queue.failed,
        readers=len(readers),
        done=sum(0 < row.assigned == row.finished for row in readers),
        additions=additions.additions_of(connection, study.id),
        reason=reason,
    )
