"""The API: what a study's pages show and take, over HTTP with a token.

Opening, closing and unblinding are not here: they are acts of a person, with their password.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Request, UploadFile
from starlette.responses import Response, StreamingResponse

from app.actions import design_study, export_study, invite_people
from app.actions.analyse_study import analyse_study
from app.actions.export_pack import pack_to_send
from app.actions.import_cases import check_cases, import_cases, refuse_unattested
from app.db import audit, monitor, people, studies
from app.db.session import Connection, Role
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.audit_chain import event_to_json
from app.domain.errors import Conflict, InvalidInput, NotAllowed
from app.domain.sentences import said
from app.domain.study_states import state_in_words
from app.image_source import open_image_source
from app.signing import signer_at
from app.web.api_access import (
    ExportingConnection,
    ReadingConnection,
    TokenExports,
    TokenReads,
    TokenWrites,
    WritingConnection,
    bearer_may_write,
)
from app.web.cookies import site_address
from app.web.routes.importing import LARGEST_TABLE
from app.web.routes.results import send_file
from app.web.services import Services, services_of
from app.web.uploads import LARGEST_UPLOAD, permission_before_uploads

router = APIRouter(prefix="/api/v1", route_class=permission_before_uploads(bearer_may_write))


@dataclass(frozen=True)
class StudyAnswer:
    """A study and what it holds; no call, no diagnosis, no probability."""

    code: str
    title: str
    state: Literal["draft", "open", "closed", "unblinded"]
    demonstration: bool
    cases: int
    images: int
    scored_images: int
    opened_at: datetime | None
    closed_at: datetime | None
    unblinded_at: datetime | None
    data_sha256: str | None


@dataclass(frozen=True)
class CaseAnswer:
    """A case; its diagnosis stays hidden, how it was made does not."""

    code: str
    images: int
    scored: int
    reference_source: str | None
    synthetic: bool


@dataclass(frozen=True)
class ReaderAnswer:
    """A reader and how far they are; `states` has a letter a position: a, s, l, r, f."""

    reader_id: UUID
    name: str
    simulated: bool
    active: bool
    years_experience: int | None
    specialty: str | None
    training: str | None
    consented_version: int | None
    assigned: int
    finished: int
    states: str
    too_fast: int
    idle: int
    median_unaided_seconds: float | None
    median_aided_seconds: float | None
    last_step_at: datetime | None


@dataclass(frozen=True)
class InvitationAnswer:
    """An invitation's link, this once."""

    link: str


@dataclass(frozen=True)
class ImportAnswer:
    """What a file brought, or would bring."""

    imported: bool
    summary: str


@router.get("/studies", tags=["read"])
def list_studies(_by: TokenReads, connection: ReadingConnection) -> list[StudyAnswer]:
    """List the studies of the token's owner, newest first."""
    return [_answer(connection, study) for study in studies.all_studies(connection)]


@router.get("/studies/{code}", tags=["read"])
def get_study(_by: TokenReads, connection: ReadingConnection, code: str) -> StudyAnswer:
    """Give one study."""
    return _answer(connection, design_study.find_study(connection, code=code))


@router.get("/studies/{code}/cases", tags=["read"])
def list_cases(_by: TokenReads, connection: ReadingConnection, code: str) -> list[CaseAnswer]:
    """List the cases of a study."""
    study = design_study.find_study(connection, code=code)
    return [
        CaseAnswer(case.code, case.images, case.scored, case.reference_source, case.synthetic)
        for case in studies.cases_of(connection, study.id)
    ]


@router.get("/studies/{code}/readers", tags=["read"])
def list_readers(_by: TokenReads, connection: ReadingConnection, code: str) -> list[ReaderAnswer]:
    """List the readers of a study with their progress, as the monitor has it."""
    study = design_study.find_study(connection, code=code)
    paces = {row.reader_id: row.pace for row in monitor.paces_of(connection, study.id)}
    return [
        ReaderAnswer(
            reader_id=row.reader_id,
            name=row.name,
            simulated=row.simulated,
            active=row.active,
            years_experience=row.years_experience,
            specialty=row.specialty,
            training=row.training,
            consented_version=row.consented_version,
            assigned=len(paces[row.reader_id].states),
            finished=paces[row.reader_id].finished,
            states=paces[row.reader_id].states,
            too_fast=paces[row.reader_id].too_fast,
            idle=paces[row.reader_id].idle,
            median_unaided_seconds=paces[row.reader_id].median_unaided,
            median_aided_seconds=paces[row.reader_id].median_aided,
            last_step_at=paces[row.reader_id].last_step_at,
        )
        for row in people.readers_of(connection, study.id)
    ]


@router.post("/studies", tags=["write"], status_code=201)
def create_study(
    by: TokenWrites,
    connection: WritingConnection,
    code: Annotated[str, Form()],
    title: Annotated[str, Form()],
    instructions: Annotated[str, Form()] = design_study.INSTRUCTIONS,
) -> StudyAnswer:
    """Store a draft."""
    design_study.create_study(connection, code=code, title=title, instructions=instructions, by=by)
    return _answer(connection, design_study.find_study(connection, code=code.strip()))


@router.post("/studies/{code}/cases", tags=["write"], max_body_size=LARGEST_UPLOAD)
def import_files(
    request: Request,
    by: TokenWrites,
    code: str,
    cases: Annotated[UploadFile, File()],
    images: Annotated[UploadFile, File()],
    dry_run: Annotated[bool, Form()] = True,  # noqa: FBT002 - a field of the form
    attested: Annotated[bool, Form()] = False,  # noqa: FBT002
) -> ImportAnswer:
    """Check a table of cases and a ZIP of their images; store them with dry_run=false.

    Storing needs attested=true: a person has looked at every picture, and none shows a face, a
    name, a date or other text that tells who the patient is.
    """
    services = services_of(request)
    with services.database.begin(Role.COORDINATOR, actor=by.id) as connection:
        study = design_study.find_study(connection, code=code)
    table, name = cases.file.read(LARGEST_TABLE), cases.filename or "cases.csv"
    with open_image_source(images.file, name=images.filename or "images.zip") as source:
        if dry_run:
            report = check_cases(
                services.database,
                study=study,
                csv=table,
                name=name,
                source=source,
                progress=lambda _done, _total: None,
                by=by,
            )
            if report.problems:
                raise InvalidInput("There are things to mend.", report.problems)
            return ImportAnswer(imported=False, summary=report.summary)
        refuse_unattested(attested=attested)
        report = import_cases(
            services.database,
            study=study,
            csv=table,
            name=name,
            source=source,
            storage=services.storage,
            progress=lambda _done, _total: None,
            by=by,
            attested=True,
        )
    return ImportAnswer(imported=True, summary=report.summary)


@router.post("/studies/{code}/invitations", tags=["write"], status_code=201)
def invite(
    request: Request,
    by: TokenWrites,
    connection: WritingConnection,
    code: str,
    email: Annotated[str, Form()],
    part: Annotated[Part, Form()] = Part.READER,
) -> InvitationAnswer:
    """Make a reader's invitation; no mail is sent. Other parts are given on the study's page."""
    if part is not Part.READER:
        # Whoever took up such a one would see calls and diagnoses, or could open and unblind:
        # the page asks for the password first, which a token is not (A14).
        raise NotAllowed(
            "A token invites readers alone. Invite to any other part on the study's page, which "
            "asks for your password."
        )
    study = design_study.find_study(connection, code=code)
    token = invite_people.invite(
        connection,
        study=study,
        email=email,
        part=part,
        now=services_of(request).clock(),
        by=by,
    )
    return InvitationAnswer(f"{site_address(request)}/invitations/{token}")


@router.get("/studies/{code}/results", tags=["export"])
def get_results(
    request: Request, by: TokenExports, connection: ExportingConnection, code: str
) -> dict[str, Any]:
    """Give the analysis of an unblinded study, as `reread analyse` writes it."""
    study = _unblinded(request, connection, by, code)
    return dict(analyse_study(connection, study=study, by=by).analysis.json())


@router.get("/studies/{code}/export/{name}", tags=["export"])
def export(
    request: Request,
    by: TokenExports,
    connection: ExportingConnection,
    code: str,
    name: Literal["readings.csv", "pack.zip", "audit.jsonl"],
) -> Response:
    """Send the readings, the whole pack, or the log of an unblinded study, piece by piece."""
    study = _unblinded(request, connection, by, code)
    services = services_of(request)
    if name == "pack.zip":
        file = pack_to_send(
            connection,
            study=study,
            storage=services.storage,
            signer=signer_at(services.settings.signing_key),
            by=by,
        )
        return send_file(file, f"{study.code}.zip", "application/zip")
    if name == "audit.jsonl":
        up_to = audit.newest_number(connection, study.id)
        export_study.record_log_export(connection, study=study.id, up_to=up_to, by=by)
        lines = _log(services, by, study, up_to)
        return StreamingResponse(lines, media_type="application/jsonl")
    content = export_study.readings_csv(connection, study=study)
    export_study.record_export(connection, study=study, what=name, content=content, by=by)
    return Response(content, media_type="text/csv; charset=utf-8")


def _log(services: Services, by: Account, study: Study, up_to: int) -> Generator[bytes]:
    # A transaction of its own: the request's ends before its answer is sent.
    with services.database.begin(Role.ANALYST, actor=by.id) as connection:
        for event in audit.all_events(connection, study.id, up_to=up_to):
            yield (event_to_json(event) + "\n").encode()


def _unblinded(request: Request, connection: Connection, by: Account, code: str) -> Study:
    study = studies.study_by_code(connection, code)
    if study is not None:
        return study
    with services_of(request).database.begin(Role.COORDINATOR, actor=by.id) as coordinators:
        blinded = design_study.find_study(coordinators, code=code)
    raise Conflict(
        said(
            'The study "{code}" is {state}. Results exist only after unblinding, which follows '
            "closing.",
            code=code,
            state=state_in_words(blinded.state),
        )
    )


def _answer(connection: Connection, study: Study) -> StudyAnswer:
    counts = studies.counts_of(connection, study.id)
    return StudyAnswer(
        code=study.code,
        title=study.title,
        state=study.state,  # pyright: ignore[reportArgumentType] - the column's CHECK
        demonstration=study.demonstration,
        cases=counts.cases,
        images=counts.images,
        scored_images=counts.scored_images,
        opened_at=study.opened_at,
        closed_at=study.closed_at,
        unblinded_at=study.unblinded_at,
        data_sha256=study.data_sha256,
    )
