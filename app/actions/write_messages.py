"""Letters to the people of a study: sent where a mail server is set, else to be passed on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from app.db.results import record_event
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput, Unavailable
from app.domain.sentences import said
from app.mail import Message, send
from app.settings import MailSettings

LONGEST_SUBJECT = 200
LONGEST_TEXT = 20_000
Kind = Literal["invitation", "reminder", "message"]

_TASKS = {
    Part.READER: "read the cases of",
    Part.COORDINATOR: "coordinate",
    Part.ADJUDICATOR: "record the reference diagnoses of",
    Part.AUDITOR: "audit",
}


@dataclass(frozen=True)
class Delivery:
    """What became of a letter: sent, or to be passed on by hand, with the reason."""

    message: Message
    sent: bool
    sentence: str


def invitation_message(*, study: Study, email: str, part: Part, link: str, by: Account) -> Message:
    """Write the invitation."""
    text = f"""You are invited to {_TASKS[part]} the study "{study.title}".

Open this link to take it up. It is for you alone, works once, and ends after seven days:

{link}

{by.name}
"""
    return Message(email, f"Invitation: {study.title}", text)


def reminder_message(
    *, study: Study, email: str, name: str, finished: int, assigned: int, address: str, by: Account
) -> Message:
    """Write a reminder that says how far the reader is, and nothing of how well."""
    text = f"""Dear {name},

you have read {finished} of {assigned} cases of the study "{study.title}". You can go on where you
stopped:

{address}

{by.name}
"""
    return Message(email, f"{study.title}: {assigned - finished} cases are waiting", text)


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
        sentence = "No mail server is set here: pass this text on yourself."
        return Delivery(message, sent=False, sentence=sentence)
    try:
        send(mail, message)
    except Unavailable as refusal:
        return Delivery(
            message,
            sent=False,
            sentence=said("{refusal} Pass the text on yourself.", refusal=refusal),
        )
    return Delivery(message, sent=True, sentence=said("Sent to {to}.", to=message.to))


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
            "sha256": hashlib.sha256(delivery.message.text.encode()).hexdigest(),
        },
    )
