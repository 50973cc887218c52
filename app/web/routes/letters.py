"""Letters to many readers at once: remind who is behind, or write to everybody who reads."""

from dataclasses import replace
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from app.actions import write_messages
from app.actions.design_study import find_study
from app.db import languages, monitor, people
from app.db.session import Connection, Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.mail import Message
from app.web.access import CoordinatorConnection, CoordinatorOnly
from app.web.rendering import render
from app.web.routes.readers import site_address
from app.web.services import services_of
from app.web.study_pages import BehindReader, LettersPage

router = APIRouter(prefix="/studies/{code}")


@router.get("/letters")
def show_letters(
    request: Request, viewer: CoordinatorOnly, connection: CoordinatorConnection, code: str
) -> Response:
    """Show who is behind and the letter they would get, and the form for a letter to all."""
    return render(_page(request, connection, viewer, code))


@router.post("/letters")
def write_letters(
    request: Request,
    viewer: CoordinatorOnly,
    code: str,
    kind: Annotated[Literal["reminder", "message"], Form()] = "message",
    subject: Annotated[str, Form()] = "",
    text: Annotated[str, Form()] = "",
) -> Response:
    """Send a reminder to all who are behind, or a letter to all who read.

    No transaction waits for the mail server; each letter is written down once it was tried.
    """
    services = services_of(request)
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        page = _page(request, connection, viewer, code)
        if kind == "reminder":
            letters = {row.reader.reader_id: row.letter for row in page.behind}
        else:
            try:
                letters = _to_all(connection, page.study, subject, text)
            except InvalidInput as refusal:
                page = replace(page, subject=subject, text=text, problem=refusal.sentence)
                return render(page, status=refusal.status)
        before = write_messages.sent_of_late(letters, page.written, now=services.clock())
    new = {person: letter for person, letter in letters.items() if person not in before}
    made = write_messages.deliver_all(services.settings.mail, list(new.values()))
    with services.database.begin(Role.COORDINATOR, actor=viewer.id) as connection:
        for person, delivery in zip(new, made, strict=True):
            write_messages.record_delivery(
                connection,
                study=page.study.id,
                kind=kind,
                to=str(person),
                delivery=delivery,
                by=viewer,
            )
        page = _page(request, connection, viewer, code, deliveries=made)
        sent_before = {letters[person].to: at for person, at in before.items()}
        return render(replace(page, sent_before=sent_before))


def _to_all(connection: Connection, study: Study, subject: str, text: str) -> dict[UUID, Message]:
    """Return reader -> the coordinator's letter; raises InvalidInput."""
    return {
        row.reader_id: write_messages.own_message(email=row.email, subject=subject, text=text)
        for row in people.readers_of(connection, study.id)
        if row.active and not row.simulated
    }


def _page(
    request: Request,
    connection: Connection,
    viewer: Account,
    code: str,
    *,
    deliveries: list[write_messages.Delivery] | None = None,
) -> LettersPage:
    services = services_of(request)
    now = services.clock()
    study = find_study(connection, code=code)
    paces = {row.reader_id: row for row in monitor.paces_of(connection, study.id)}
    persons = [
        row for row in people.readers_of(connection, study.id) if row.active and not row.simulated
    ]
    behind = [row for row in persons if paces[row.reader_id].pace.missing]
    chosen = languages.languages_of(connection, [row.reader_id for row in behind])
    return LettersPage(
        viewer=viewer,
        study=study,
        behind=[
            BehindReader(
                row,
                paces[row.reader_id],
                write_messages.reminder_message(
                    study=study,
                    email=row.email,
                    name=row.name,
                    finished=paces[row.reader_id].pace.finished,
                    assigned=len(paces[row.reader_id].states),
                    address=site_address(request),
                    language=write_messages.language_of_letter(chosen.get(row.reader_id)),
                    by=viewer,
                ),
            )
            for row in behind
            if study.state == "open" and not paces[row.reader_id].waits(now)
        ],
        resting=[paces[row.reader_id] for row in behind if paces[row.reader_id].waits(now)],
        everybody=len(persons),
        sends_mail=services.settings.mail is not None,
        now=now,
        written=people.letters_written(connection, study.id),
        deliveries=deliveries or [],
    )
