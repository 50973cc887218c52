"""The people of a study: readers and others, inviting, writing to them, ending their part."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from app.actions import (
    amend_study,
    design_study,
    invite_people,
    manage_people,
    write_messages,
)
from app.actions.write_messages import Delivery, Kind
from app.db import case_readings, languages, monitor, people, protocols, studies
from app.db.session import Connection, Role
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, of_one, said
from app.mail import Message
from app.web.access import CoordinatorConnection, CoordinatorOnly, PasswordIsFresh
from app.web.cookies import site_address
from app.web.markdown import written
from app.web.rendering import render
from app.web.routes.accounts import password_fits
from app.web.services import services_of
from app.web.study_pages import ConsentPage, ReaderPage, ReadersPage

router = APIRouter(prefix="/studies/{code}")
NOT_CONFIRMED = Sentence.at(
    said("Your password is needed for this, and what was entered is not it. Nothing was done."),
    "password",
)


@router.get("/readers")
def show_readers(
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    connection: CoordinatorConnection,
    code: str,
) -> Response:
    """Show who takes part in the study, and how far its readers are."""
    return render(_readers_page(connection, viewer, code, fresh=fresh))


@router.post("/invitations")
def invite(
    request: Request,
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    code: str,
    email: Annotated[str, Form()] = "",
    part: Annotated[Part, Form()] = Part.READER,
    password: Annotated[str, Form()] = "",
) -> Response:
    """Make an invitation; its link is sent, or shown once in this answer.

    Several transactions: no mail is sent of an invitation that was not stored, and no transaction
    waits for a mail server.
    """
    services = services_of(request)
    confirmed = fresh or password_fits(request, viewer, password)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        if not confirmed:
            page = _readers_page(connection, viewer, code, fresh=False, problem=NOT_CONFIRMED)
            return render(replace(page, email=email, part=part), status=422)
        try:
            token = invite_people.invite(
                connection,
                study=study,
                email=email,
                part=part,
                now=services.clock(),
                by=viewer,
            )
        except InvalidInput as refusal:
            page = _readers_page(connection, viewer, code, fresh=True, problem=refusal.sentence)
            return render(replace(page, email=email, part=part), status=refusal.status)
        chosen = languages.language_of_address(connection, email.strip())
    link = f"{site_address(request)}/invitations/{token}"
    letter = write_messages.invitation_message(
        study=study,
        email=email.strip(),
        part=part,
        link=link,
        language=write_messages.language_of_letter(chosen),
        by=viewer,
    )
    delivery = _deliver(request, viewer, study, "invitation", letter, to=part)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        page = _readers_page(
            connection, viewer, code, fresh=True, invitation_link=link, delivery=delivery
        )
        return render(page)


@router.get("/readers/{person}")
def show_reader(
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    connection: CoordinatorConnection,
    code: str,
    person: UUID,
    number: Annotated[int | None, Query(ge=1, le=100_000)] = None,
) -> Response:
    """Show one reader: profile, consent, progress, what can be done, readings of a case."""
    page = _reader_page(connection, viewer, code, person, number=number)
    return render(replace(page, password_is_fresh=fresh))


@router.post("/readers/{person}/washout")
def override_washout(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    person: UUID,
    days: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Give one reader of an open crossover another washout, with a reason."""
    study = design_study.find_study(connection, code=code)
    try:
        amend_study.override_washout(
            connection, study=study, reader=person, days=_days(days), reason=reason, by=viewer
        )
    except InvalidInput as refusal:
        page = _reader_page(
            connection,
            viewer,
            code,
            person,
            days=days,
            washout_reason=reason,
            problem=_of_the_washout(refusal.sentence),
        )
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/readers/{person}", status_code=303)


def _of_the_washout(sentence: str) -> str:
    at_reason = isinstance(sentence, Sentence) and sentence.field == "reason"
    return Sentence.at(sentence, "washout-reason") if at_reason else sentence


def _days(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 4):  # noqa: PLR2004
        raise InvalidInput(
            "Give the washout as a whole number of days. Nothing was recorded.", field="days"
        )
    return int(text)


@router.post("/readers/{person}/messages")
def write_to_reader(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    person: UUID,
    kind: Annotated[Literal["reminder", "message"], Form()] = "message",
    subject: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
) -> Response:
    """Send a reminder or a message, or give its text to be passed on."""
    database = services_of(request).database
    with database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        page = _reader_page(connection, viewer, code, person, subject=subject, text=text)
        row, progress = page.reader, page.pace.pace
        try:
            letter = (
                write_messages.own_message(email=row.email, subject=subject, text=text)
                if kind == "message"
                else write_messages.reminder_message(
                    study=page.study,
                    email=row.email,
                    name=row.name,
                    finished=progress.finished,
                    assigned=len(progress.states),
                    address=site_address(request),
                    language=write_messages.language_of_letter(
                        languages.language_of(connection, row.reader_id)
                    ),
                    by=viewer,
                )
            )
        except InvalidInput as refusal:
            return render(replace(page, problem=refusal.sentence), status=refusal.status)
        before = write_messages.sent_of_late(
            {person: letter}, page.written, now=services_of(request).clock()
        )
        if person in before:
            return render(replace(page, subject="", text="", sent_before=before[person]))
    delivery = _deliver(request, viewer, page.study, kind, letter, to=str(person))
    with database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        return render(_reader_page(connection, viewer, code, person, delivery=delivery))


@router.post("/people/{person}/part")
def change_part(
    request: Request,
    viewer: CoordinatorOnly,
    fresh: PasswordIsFresh,
    code: str,
    person: UUID,
    part: Annotated[Part, Form()] = Part.READER,
    active: Annotated[Literal["yes", "no"], Form()] = "no",
    reason: Annotated[str, Form()] = "",
    password: Annotated[str, Form()] = "",
) -> Response:
    """End somebody's part, or give it back; asks for the password like every grave act."""
    confirmed = fresh or password_fits(request, viewer, password)
    with services_of(request).database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        study = design_study.find_study(connection, code=code)
        problem = None if confirmed else Sentence.at(NOT_CONFIRMED, "password-part")
        if problem is None:
            try:
                manage_people.change_part(
                    connection,
                    study=study,
                    person=person,
                    part=part,
                    active=active == "yes",
                    reason=reason,
                    by=viewer,
                )
            except InvalidInput as refusal:
                problem = refusal.sentence
        if problem is not None:
            page: ReaderPage | ReadersPage = (
                _reader_page(connection, viewer, code, person)
                if part is Part.READER
                else _readers_page(connection, viewer, code, fresh=confirmed)
            )
            page = replace(
                page,
                password_is_fresh=confirmed,
                ending=person,
                ending_reason=reason,
                problem=of_one(problem, person),
            )
            return render(page, status=422)
    return RedirectResponse(f"/studies/{code}/readers", status_code=303)


@router.get("/consent")
def show_consent(viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str) -> Response:
    """Show the consent text that holds, its versions, and the form for a new one."""
    return render(_consent_page(connection, viewer, code))


@router.post("/consent")
def write_consent(
    viewer: CoordinatorOnly,
    connection: CoordinatorConnection,
    code: str,
    text: Annotated[str, Form()] = "",
) -> Response:
    """Store a new version of the consent text."""
    study = design_study.find_study(connection, code=code)
    try:
        manage_people.write_consent_text(connection, study=study, text=text, by=viewer)
    except InvalidInput as refusal:
        page = _consent_page(connection, viewer, code, typed=text, problem=refusal.sentence)
        return render(page, status=refusal.status)
    return RedirectResponse(f"/studies/{code}/consent", status_code=303)


def _deliver(
    request: Request, viewer: Account, study: Study, kind: Kind, letter: Message, *, to: str
) -> Delivery:
    services = services_of(request)
    delivery = write_messages.deliver(services.settings.mail, letter)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        write_messages.record_delivery(
            connection, study=study.id, kind=kind, to=to, delivery=delivery, by=viewer
        )
    return delivery


def _readers_page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    fresh: bool,
    problem: str | None = None,
    invitation_link: str | None = None,
    delivery: Delivery | None = None,
) -> ReadersPage:
    study = design_study.find_study(connection, code=code)
    return ReadersPage(
        viewer=viewer,
        problem=problem,
        study=study,
        readers=people.readers_of(connection, study.id),
        paces={row.reader_id: row for row in monitor.paces_of(connection, study.id)},
        members=people.members_of(connection, study.id),
        invitations=studies.invitations_of(connection, study.id),
        consent_text=people.newest_consent_text(connection, study.id),
        password_is_fresh=fresh,
        invitation_link=invitation_link,
        delivery=delivery,
    )


def _reader_page(
    connection: Connection,
    viewer: Account,
    code: str,
    reader: UUID,
    *,
    subject: str = "",
    text: str = "",
    days: str = "",
    washout_reason: str = "",
    number: int | None = None,
    problem: str | None = None,
    delivery: Delivery | None = None,
) -> ReaderPage:
    study = design_study.find_study(connection, code=code)
    design = design_study.design_of(connection, study=study)
    every = protocols.overrides_of(connection, study.id)
    overrides = [row for row in every if row.reader_id == reader]
    paces = {row.reader_id: row for row in monitor.paces_of(connection, study.id)}
    found = manage_people.find_reader(connection, study=study, reader=reader)
    written = people.letters_written(connection, study.id)
    return ReaderPage(
        viewer=viewer,
        problem=problem,
        notice=delivery.sentence if delivery and delivery.sent else None,
        study=study,
        reader=found,
        pace=paces[found.reader_id],
        consent_text=people.newest_consent_text(connection, study.id),
        washout_days=overrides[-1].days if overrides else design.washout_days,
        overrides=overrides,
        number=number,
        readings=[]
        if number is None
        else case_readings.readings_at(connection, study.id, reader, number),
        delivery=delivery,
        written=[each for each in written if each.reader_id == reader],
        subject=subject,
        text=text,
        days=days,
        washout_reason=washout_reason,
    )


def _consent_page(
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    typed: str | None = None,
    problem: str | None = None,
) -> ConsentPage:
    study = design_study.find_study(connection, code=code)
    texts = people.consent_texts(connection, study.id)
    newest = texts[0] if texts else None
    return ConsentPage(
        viewer=viewer,
        problem=problem,
        study=study,
        texts=texts,
        shown=written(newest.text) if newest else None,
        typed=typed if typed is not None else (newest.text if newest else ""),
    )
