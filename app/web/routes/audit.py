"""A study's log: for its auditors at any time, for its coordinators after unblinding."""

from collections.abc import Generator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from app.actions.analyse_study import record_look
from app.actions.design_study import find_study
from app.actions.export_study import record_log_export
from app.db import audit
from app.db.audit import AuditedStudy
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.audit_chain import event_to_json
from app.domain.errors import Conflict, NotFound
from app.domain.sentences import said
from app.domain.study_states import state_in_words
from app.web.access import FreshPassword, SignedIn
from app.web.rendering import render
from app.web.services import Services, services_of
from app.web.study_pages import AuditPage

router = APIRouter(prefix="/studies/{code}")

A_PAGE = 100
NEWEST = 2**62


def _looks_as(request: Request, viewer: SignedIn, code: str) -> Role:
    """Say in which role the viewer may read the log; raises NotFound or Conflict."""
    database = services_of(request).database
    for role in (Role.AUDITOR, Role.ANALYST):
        with database.begin(role, actor=viewer.id) as connection:
            if audit.audited_study(connection, code):
                return role
    if viewer.role is AccountRole.COORDINATOR:
        with database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
            blinded = find_study(connection, code=code)
        raise Conflict(
            said(
                'The study "{code}" is {state}. Its log holds every call: coordinators see it '
                "after unblinding, the study's auditor at any time.",
                code=code,
                state=state_in_words(blinded.state),
            )
        )
    raise NotFound(said('There is no study named "{code}" among those you audit.', code=code))


LooksAs = Annotated[Role, Depends(_looks_as)]


@router.get("/audit")
def show_log(
    request: Request,
    viewer: SignedIn,
    role: LooksAs,
    code: str,
    before: int = NEWEST,
    kind: str = "",
) -> Response:
    """Show a page of the log, newest first; the look is itself an event."""
    with services_of(request).database.begin(role, actor=viewer.id) as connection:
        study = _find(audit.audited_study(connection, code))
        if role is Role.AUDITOR:
            audit.record_look(connection, study.id, at_what="audit")
        else:  # its rows are calls, diagnoses and AI output: the same as a look at the results
            record_look(connection, study=study, what="log", by=viewer)
        events = audit.events_before(
            connection, study.id, before=min(before, NEWEST), kind=kind, most=A_PAGE
        )
        page = AuditPage(
            viewer=viewer,
            study=study,
            as_auditor=role is Role.AUDITOR,
            events=events,
            kinds=audit.actions_of(connection, study.id),
            kind=kind,
            older=events[-1].seq if len(events) == A_PAGE else None,
        )
        return render(page)


@router.get("/audit.jsonl")
def download_log(
    request: Request, viewer: SignedIn, role: LooksAs, _fresh: FreshPassword, code: str
) -> Response:
    """Give the whole log as `reread verify` reads it, a few events at a time."""
    services = services_of(request)
    with services.database.begin(role, actor=viewer.id) as connection:
        study = _find(audit.audited_study(connection, code))
        if role is Role.AUDITOR:
            audit.record_look(connection, study.id, at_what="audit.jsonl")
        up_to = audit.newest_number(connection, study.id)
        if role is Role.ANALYST:
            record_log_export(connection, study=study.id, up_to=up_to, by=viewer)
    headers = {"Content-Disposition": f'attachment; filename="{code}-audit.jsonl"'}
    lines = _lines(services, viewer, role, study, up_to)
    return StreamingResponse(lines, media_type="application/jsonl", headers=headers)


def _lines(
    services: Services, viewer: Account, role: Role, study: AuditedStudy, up_to: int
) -> Generator[bytes]:
    # A transaction of its own: the request's ends before its answer is sent.
    with services.database.begin(role, actor=viewer.id) as connection:
        for event in audit.all_events(connection, study.id, up_to=up_to):
            yield (event_to_json(event) + "\n").encode()


def _find(study: AuditedStudy | None) -> AuditedStudy:
    if study is None:  # between two statements: the part has just been ended
        raise NotFound("There is no such study among those you audit.")
    return study
