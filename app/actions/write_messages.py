"""Letters to the people of a study: sent where a mail server is set, else to be passed on."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from app.db.people import WrittenLetter
from app.db.results import record_event
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput, Unavailable
from app.domain.sentences import Sentence, said
from app.languages.catalogues import Language, language_named
from app.languages.current import current, in_language, translated
from app.mail import Message, send
from app.settings import MailSettings

LONGEST_SUBJECT = 200
LONGEST_TEXT = 20_000
SAME_WORDS = timedelta(days=1)  # within which the same words do not go out twice
Kind = Literal["invitation", "reminder", "message"]

_INVITED = {
    Part.READER: said('You are invited to read the cases of the study "{study}".'),
    Part.COORDINATOR: said('You are invited to coordinate the study "{study}".'),
    Part.ADJUDICATOR: said(
        'You are invited to record the reference diagnoses of the study "{study}".'
    ),
    Part.AUDITOR: said('You are invited to audit the study "{study}".'),
}


@dataclass(frozen=True)
class Delivery:
    """What became of a letter: sent, or to be passed on by hand, with the reason."""

    message: Message
    sent: bool
    sentence: str


def language_of_letter(chosen: str | None) -> Language:
    """Return the language that whom it is for chose for their account, else the writer's."""
    return language_named(chosen) or current.get()


def invitation_message(
    *, study: Study, email: str, part: Part, link: str, language: Language, by: Account
) -> Message:
    """Write the invitation."""
    return letter(
        email,
        said("Invitation: {study}", study=study.title),
        said(_INVITED[part], study=study.title),
        said(
            "Open this link to take it up. It is for you alone, works once, and ends after seven "
            "days:"
        ),
        link,
        by.name,
        language=language,
    )


def reminder_message(
    *,
    study: Study,
    email: str,
    name: str,
    finished: int,
    assigned: int,
    address: str,
    language: Language,
    by: Account,
) -> Message:
    """Write a reminder that says how far the reader is, and nothing of how well."""
    missing = assigned - finished
    return letter(
        email,
        said("{study}: 1 case is waiting", study=study.title)
        if missing == 1
        else said("{study}: {cases} cases are waiting", study=study.title, cases=missing),
        said("Dear {name},", name=name),
        said(
            'you have read {finished} of {assigned} cases of the study "{study}". You can go on '
            "where you stopped:",
            finished=finished,
            assigned=assigned,
            study=study.title,
        ),
        address,
        by.name,
        language=language,
    )


def letter(to: str, subject: Sentence, *paragraphs: str, language: Language) -> Message:
    """Put a letter together, with an empty line between its paragraphs, in its language."""
    with in_language(language):
        text = "\n\n".join(
            translated(paragraph) if isinstance(paragraph, Sentence) else paragraph
            for paragraph in paragraphs
        )
        return Message(to, translated(subject), text + "\n")


def own_message(*, email: str, subject: str, text: str) -> Message:
    """Take a letter that the coordinator wrote; raises InvalidInput."""
    subject, text = " ".join(subject.split()), text.strip()
    if not 1 <= len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidInput(
            said(
                "Give a subject of 1 to {longest_subject} characters.",
                longest_subject=LONGEST_SUBJECT,
            ),
            field="subject",
        )
    if not 1 <= len(text) <= LONGEST_TEXT or "\x00" in text:
        raise InvalidInput(
            said(
                "Give the message, in 1 to {longest_text:,} characters.", longest_text=LONGEST_TEXT
            ),
            field="text",
        )
    return Message(email, subject, text)


def deliver(mail: MailSettings | None, message: Message) -> Delivery:
    """Send a letter, or say why it has to be passed on. Not to be called in a transaction."""
    if mail is None:
        sentence = said("No mail server is set here: pass this text on yourself.")
        return Delivery(message, sent=False, sentence=sentence)
    try:
        send(mail, message)
    except Unavailable as refusal:
        return Delivery(
            message,
            sent=False,
            sentence=said("{refusal} Pass the text on yourself.", refusal=refusal.sentence),
        )
    return Delivery(message, sent=True, sentence=said("Sent to {to}.", to=message.to))


def sent_of_late(
    letters: Mapping[UUID, Message], written: Iterable[WrittenLetter], *, now: datetime
) -> dict[UUID, datetime]:
    """Return reader -> when these very words last went out to them, where that is within a day.

    A page that is loaded again sends its form again; a reader is not to get a letter twice by it.
    """
    return {
        each.reader_id: each.at
        for each in written
        if each.sent
        and now - each.at < SAME_WORDS
        and each.reader_id in letters
        and each.text_sha256 == _digest(letters[each.reader_id])
    }


def deliver_all(mail: MailSettings | None, messages: Sequence[Message]) -> list[Delivery]:
    """Send letters one by one; once the server takes none, the others are to be passed on.

    So nobody waits for a server that is not there once for each letter.
    """
    made: list[Delivery] = []
    refused: str | None = None
    for message in messages:
        if refused is not None:
            made.append(Delivery(message, sent=False, sentence=refused))
            continue
        delivery = deliver(mail, message)
        if not delivery.sent:
            refused = delivery.sentence
        made.append(delivery)
    return made


def record_delivery(
    connection: Connection, *, study: UUID, kind: Kind, to: str, delivery: Delivery, by: Account
) -> None:
    """Write down that a letter was written to whom; its words stay out of the log."""
    record_event(
        connection,
        study=study,
        action="message.sent" if delivery.sent else "message.handed_over",
        details={
            "kind": kind,
            "to": to,
            "by": str(by.id),
            "sha256": _digest(delivery.message),
        },
    )


def _digest(message: Message) -> str:
    return hashlib.sha256(message.text.encode()).hexdigest()
