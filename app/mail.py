"""E-mail through the one server that the settings name; nothing is queued, nothing is retried."""

import smtplib
import ssl
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from app.domain.errors import Unavailable
from app.domain.sentences import said
from app.settings import MailSettings

TIMEOUT = 10.0  # seconds for each step of the conversation: somebody waits for the page


@dataclass(frozen=True)
class Message:
    """A letter to one person, as plain text."""

    to: str
    subject: str
    text: str


def send(mail: MailSettings, message: Message) -> None:
    """Hand a letter to the mail server; raises Unavailable with a sentence when it is not taken."""
    letter = EmailMessage()
    letter["From"] = mail.sender
    letter["To"] = message.to
    letter["Subject"] = " ".join(message.subject.split())
    letter["Date"] = formatdate()
    letter["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2].rstrip(">"))
    letter.set_content(message.text)
    try:
        with _connected(mail) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(letter)
    except (OSError, smtplib.SMTPException, ValueError) as fault:
        # The server's own words may hold addresses or secrets; its kind of failure is enough.
        raise Unavailable(
            said(
                "The mail server {host} did not take the letter ({fault}).",
                host=mail.host,
                fault=type(fault).__name__,
            )
        ) from fault


def _connected(mail: MailSettings) -> smtplib.SMTP:
    if mail.security == "tls":
        return smtplib.SMTP_SSL(
            mail.host, mail.port, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT)
    try:
        if mail.security == "starttls":
            server.starttls(context=ssl.create_default_context())
    except BaseException:
        server.close()
        raise
    return server
