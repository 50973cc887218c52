"""The readers of a study: who they are, how far they are, inviting more."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.actions import design_study, manage_accounts
from app.db import studies
from app.db.session import Connection
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.rendering import render
from app.web.services import services_of
from app.web.study_pages import ReadersPage

router = APIRouter()


@router.get("/studies/{code}/readers")
def show_readers(viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str) -> Response:
    """Show who reads in the study, and how far they are."""
    return render(_readers_page(connection, viewer, code))


@router.post("/studies/{code}/invitations")
def invite_reader(
    request: Request,
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    email: Annotated[str, Form()] = "",
) -> Response:
    """Make an invitation; its link is shown once, in this answer."""
    study = design_study.find_study(connection, code=code)
    services = services_of(request)
    try:
        token = manage_accounts.invite_reader(
            connection, study=study.id, email=email, now=services.clock(), by=viewer
        )
    except InvalidInput as refusal:
        page = _readers_page(connection, viewer, code, problem=str(refusal))
        return render(page, status=refusal.status)
    base = services.settings.public_url or str(request.base_url).rstrip("/")
    link = f"{base}/invitations/{token}"
    return render(_readers_page(connection, viewer, code, invitation_link=link))


def _readers_page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    problem: str | None = None,
    invitation_link: str | None = None,
) -> ReadersPage:
    study = design_study.find_study(connection, code=code)
    return ReadersPage(
        viewer=viewer,
        problem=problem,
        study=study,
        readers=studies.progress_of(connection, study.id),
        invitations=studies.invitations_of(connection, study.id),
        invitation_link=invitation_link,
    )
