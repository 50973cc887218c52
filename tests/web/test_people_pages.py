"""Readers as their coordinator meets them: consent, profile, letters, parts that end."""

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message as Letter
from email.policy import default

import pytest
from aiosmtpd.controller import Controller

from app.actions.read_case import reveal
from app.actions.write_messages import own_message
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.domain.reading import ReadingState
from app.mail import Message, send
from app.settings import BadSettingError, MailSettings, Settings
from app.web.services import Services
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import (
    at,
    bring_to,
    call,
    finish,
    lock,
    lock_aided_call,
    serve,
    superuser,
)
from tests.web.site import Site

ABOUT = {"years_experience": "7", "specialty": "dermatology", "training": "specialist"}


def write_consent(site: Site, text: str = "You take part of your **own will**.") -> None:
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/consent", data={"text": text})
    assert answer.status_code == 303


def version_shown(page: str) -> str:
    return re.search(r'name="consent_text" value="([0-9a-f-]{36})"', page)[1]


# ---------------------------------------------------------------- before the first case


def test_a_reader_answers_consents_and_reads(site: Site) -> None:
    write_consent(site)
    rita = site.browser(site.cast.rita)
    assert rita.get("/studies/bcc-sk/read").headers["location"] == "/studies/bcc-sk/start"
    page = rita.get("/studies/bcc-sk/start").text
    assert "<strong>own will</strong>" in page
    form = {**ABOUT, "accepted": "yes", "consent_text": version_shown(page)}
    answer = rita.post("/studies/bcc-sk/start", data=form)
    assert answer.headers["location"] == "/studies/bcc-sk/read"
    assert rita.get("/studies/bcc-sk/read").status_code == 200
    seen = site.browser(site.cast.cora).get("/studies/bcc-sk/readers").text
    assert "7 years, dermatology" in seen
    assert "version 1" in seen


def accept(site: Site, account: Account) -> None:
    reader = site.browser(account)
    form = {**ABOUT, "accepted": "yes",
            "consent_text": version_shown(reader.get("/studies/bcc-sk/start").text)}  # fmt: skip
    assert reader.post("/studies/bcc-sk/start", data=form).status_code == 303


def finish_under_way(cast: Cast, reader: Account) -> None:
    view = at(cast, reader)
    if view.state is ReadingState.SERVED:
        lock(cast, reader)
    with cast.begin(Role.READER, reader) as connection:
        reveal(connection, assignment_id=view.assignment.id)
    lock_aided_call(cast, reader, view.assignment.id, call())


@pytest.mark.parametrize("state", ["served", "locked", "revealed"])
def test_a_new_version_leaves_a_case_under_way_in_the_room_and_comes_before_the_next(
    site: Site, state: str
) -> None:
    write_consent(site)
    accept(site, site.cast.rita)
    bring_to(site.cast, site.cast.rita, ReadingState(state))
    write_consent(site, "You may be named.")
    rita, rolf = site.browser(site.cast.rita), site.browser(site.cast.rolf)
    room = rita.get("/studies/bcc-sk/read")
    assert f'data-state="{state}"' in room.text
    assert rolf.get("/studies/bcc-sk/read").headers["location"] == "/studies/bcc-sk/start"
    finish_under_way(site.cast, site.cast.rita)
    assert rita.get("/studies/bcc-sk/read").headers["location"] == "/studies/bcc-sk/start"
    accept(site, site.cast.rita)
    assert "Show case 2" in rita.get("/studies/bcc-sk/read").text


def test_the_first_text_of_a_study_comes_before_the_call_of_a_case_under_way(site: Site) -> None:
    serve(site.cast, site.cast.rita)
    write_consent(site)
    rita = site.browser(site.cast.rita)
    assert rita.get("/studies/bcc-sk/read").headers["location"] == "/studies/bcc-sk/start"
    accept(site, site.cast.rita)
    assert 'data-state="served"' in rita.get("/studies/bcc-sk/read").text


def test_who_has_not_said_who_they_are_is_told_before_the_first_case(site: Site) -> None:
    """A study without a consent text sends nobody to that page."""
    rita = site.browser(site.cast.rita)
    page = rita.get("/studies/bcc-sk/read").text
    assert "You have not said yet who you are" in page
    assert 'href="/studies/bcc-sk/start"' in page
    assert rita.post("/studies/bcc-sk/start", data=ABOUT).status_code == 303
    page = rita.get("/studies/bcc-sk/read").text
    assert 'data-state="start"' in page
    assert "You have not said yet who you are" not in page


def test_who_is_done_is_not_asked_anew(site: Site) -> None:
    write_consent(site)
    accept(site, site.cast.rita)
    for _ in range(6):
        finish(site.cast, site.cast.rita)
    write_consent(site, "You may be named.")
    assert site.browser(site.cast.rita).get("/studies/bcc-sk/read").status_code == 200


def test_without_consent_nothing_is_kept_and_no_case_is_shown(
    site: Site,
) -> None:
    write_consent(site)
    rita = site.browser(site.cast.rita)
    refused = rita.post("/studies/bcc-sk/start", data=ABOUT)
    assert refused.status_code == 422
    assert "Reading begins with your consent" in refused.text
    assert 'value="7"' in refused.text, "what was typed is kept"
    with superuser(site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM reader_profile").fetchone() == (0,)
    assert rita.post("/studies/bcc-sk/next").headers["location"] == "/studies/bcc-sk/start"
    with superuser(site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM served").fetchone() == (0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"years_experience": "seven"},
        {"years_experience": "71"},
        {"years_experience": "-1"},
        {"years_experience": "\N{ARABIC-INDIC DIGIT SEVEN}"},
        {"specialty": "astrology"},
        {"training": ""},
    ],
    ids=str,
)
def test_d11_an_odd_profile_is_refused(site: Site, wrong: dict[str, str]) -> None:
    answer = site.browser(site.cast.rita).post("/studies/bcc-sk/start", data={**ABOUT, **wrong})
    assert answer.status_code == 422


def test_after_the_first_call_the_profile_stays_as_it_is(site: Site) -> None:
    rita = site.browser(site.cast.rita)
    rita.post("/studies/bcc-sk/start", data=ABOUT)
    lock(site.cast, site.cast.rita)
    changed = rita.post("/studies/bcc-sk/start", data={**ABOUT, "years_experience": "8"})
    assert changed.status_code == 409
    assert "stays as it is" in changed.text
    assert "7 years of experience" in rita.get("/studies/bcc-sk/start").text


def test_i6_a_consent_text_is_shown_without_its_html_and_its_scripts(site: Site) -> None:
    write_consent(site, "<script>x()</script>\n\n[a](javascript:x()) ![b](https://e.example/b.png)")
    page = site.browser(site.cast.rita).get("/studies/bcc-sk/start").text
    assert "<script>x" not in page
    assert "&lt;script&gt;" in page
    assert 'href="javascript' not in page
    assert 'src="https://e.example' not in page


def test_the_same_text_again_makes_no_version(site: Site) -> None:
    write_consent(site, "One.")
    again = site.browser(site.cast.cora).post("/studies/bcc-sk/consent", data={"text": " One. "})
    assert again.status_code == 422


def test_b2_somebody_who_has_another_part_is_not_invited_and_the_page_says_why(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    form = {"email": "RITA@example.org", "part": "adjudicator"}
    refused = cora.post("/studies/bcc-sk/invitations", data=form)
    assert refused.status_code == 422
    assert "rita@example.org is or was reader of this study." in refused.text
    assert 'value="RITA@example.org"' in refused.text
    cora_too = cora.post("/studies/bcc-sk/invitations", data={**form, "email": "cora@example.org"})
    assert "cora@example.org is or was coordinator of this study." in cora_too.text
    # The same part once more: a lost link, say.
    assert cora.post("/studies/bcc-sk/invitations", data={**form, "part": "reader"}).is_success
    with superuser(site.cast) as owner:
        parts = owner.execute("SELECT email, role FROM invitation WHERE accepted_at IS NULL")
        assert parts.fetchall() == [("rita@example.org", "reader")]


# ---------------------------------------------------------------- parts that end


def test_d10_a_part_that_ends_and_begins_again(site: Site) -> None:
    cora, rita = site.browser(site.cast.cora), site.browser(site.cast.rita)
    address = f"/studies/bcc-sk/people/{site.cast.rita.id}/part"
    form = {"part": "reader", "active": "no", "reason": "Moved away."}
    assert cora.post(address, data={**form, "reason": " "}).status_code == 422
    assert cora.post(address, data=form).status_code == 303
    refused = rita.post("/studies/bcc-sk/next")
    assert refused.status_code == 403
    assert "has been ended by its coordinator" in refused.text
    # Nothing is offered that would be refused.
    for page in (rita.get("/").text, rita.get("/studies/bcc-sk/read").text):
        assert "The coordinator has ended your part in this study. 0 of " in page
        assert "Start reading" not in page
        assert "Start with case" not in page
    start = rita.get("/studies/bcc-sk/start")
    assert start.headers["location"] == "/studies/bcc-sk/read"
    page = cora.get(f"/studies/bcc-sk/readers/{site.cast.rita.id}").text
    assert "Moved away." in page
    assert cora.post(address, data={**form, "active": "yes"}).status_code == 303
    assert rita.post("/studies/bcc-sk/next").status_code == 303
    with superuser(site.cast) as owner:
        found = owner.execute(
            """SELECT actor, payload FROM audit_event WHERE action = 'membership.insert'
               ORDER BY seq"""
        ).fetchall()
    assert [
        (actor, json.loads(row)["active"], json.loads(row)["reason"]) for actor, row in found
    ] == [
        (str(site.cast.cora.id), False, "Moved away."),
        (str(site.cast.cora.id), True, "Moved away."),
    ]


# ---------------------------------------------------------------- letters


class Postbox:
    """What the mail server took."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        return "250 taken"


class Bearer(Controller):
    """A server on a port of its own choosing."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, MailSettings]]:
    box = Postbox()
    server = Bearer(box, hostname="127.0.0.1", port=0)
    server.start()
    yield box, MailSettings("127.0.0.1", server.port, "none", "", "", "reread@example.org")
    server.stop()


def with_mail(site: Site, mail: MailSettings) -> Site:
    old = site.app.state.services
    settings = replace(old.settings, mail=mail)
    site.app.state.services = Services(settings, old.database, old.storage, old.clock)
    return site


def test_an_invitation_goes_out_by_mail_and_its_link_works(
    site: Site, postbox: tuple[Postbox, MailSettings]
) -> None:
    box, mail = postbox
    cora = with_mail(site, mail).browser(site.cast.cora)
    answer = cora.post("/studies/bcc-sk/invitations", data={"email": "ruth@example.org"})
    assert "Sent to ruth@example.org." in answer.text
    (letter,) = box.letters
    assert (letter["To"], letter["From"]) == ("ruth@example.org", "reread@example.org")
    link = re.search(r"http://127\.0\.0\.1:8000(/invitations/\S+)", letter.get_content())[1]
    form = {"name": "Ruth", "password": PASSWORD}
    assert site.browser().post(link, data=form).status_code == 303


def test_a_reminder_says_how_many_cases_are_left_and_nothing_of_the_calls(
    site: Site, postbox: tuple[Postbox, MailSettings]
) -> None:
    box, mail = postbox
    finish(site.cast, site.cast.rita)
    cora = with_mail(site, mail).browser(site.cast.cora)
    address = f"/studies/bcc-sk/readers/{site.cast.rita.id}/messages"
    assert "Sent to rita@example.org." in cora.post(address, data={"kind": "reminder"}).text
    text = box.letters[0].get_content()
    assert "read 1 of 6 cases" in text
    assert "c00" not in text


def test_p8_the_log_keeps_that_a_letter_was_written_and_not_its_words(
    site: Site, postbox: tuple[Postbox, MailSettings]
) -> None:
    _box, mail = postbox
    cora = with_mail(site, mail).browser(site.cast.cora)
    address = f"/studies/bcc-sk/readers/{site.cast.rita.id}/messages"
    cora.post(address, data={"kind": "message", "subject": "Monday", "text": "A secret word."})
    with superuser(site.cast) as owner:
        payload = owner.execute(
            "SELECT payload FROM audit_event WHERE action = 'message.sent'"
        ).fetchone()[0]
    assert str(site.cast.rita.id) in payload
    assert "secret" not in payload
    assert "rita@" not in payload


def test_the_same_words_do_not_go_out_twice_within_a_day(
    site: Site, postbox: tuple[Postbox, MailSettings]
) -> None:
    """What a page sends that is loaded again, for many readers and for one."""
    box, mail = postbox
    cora = with_mail(site, mail).browser(site.cast.cora)
    page, one = "/studies/bcc-sk/letters", f"/studies/bcc-sk/readers/{site.cast.rita.id}/messages"
    form = {"kind": "message", "subject": "Thank you", "text": "We close on Friday."}
    assert "Sent to rita@example.org." in cora.post(one, data=form).text
    assert "Not sent again: the same text went out on" in cora.post(one, data=form).text
    both = cora.post(page, data=form).text
    assert "Sent to 1 reader: rolf@example.org." in both
    assert "Not sent again to 1 reader" in both
    assert "rita@example.org. The same text" in both
    again = cora.post(page, data=form).text
    assert "Not sent again to 2 readers" in again
    assert "Sent to" not in again
    assert [letter["To"] for letter in box.letters] == ["rita@example.org", "rolf@example.org"]
    cora.post(one, data={**form, "text": "We close on Monday."})
    site.clock.now = datetime.now(UTC) + timedelta(hours=25)
    cora = site.browser(site.cast.cora)
    assert "Sent to 2 readers" in cora.post(page, data=form).text
    assert len(box.letters) == 5


def test_a_reminder_is_not_repeated_until_the_reader_has_gone_on(
    site: Site, postbox: tuple[Postbox, MailSettings]
) -> None:
    box, mail = postbox
    cora = with_mail(site, mail).browser(site.cast.cora)
    page = "/studies/bcc-sk/letters"
    assert cora.get(page).text.count(">none</td>") == 2, "nobody was reminded yet"
    cora.post(page, data={"kind": "reminder"})
    finish(site.cast, site.cast.rita)
    answer = cora.post(page, data={"kind": "reminder"}).text
    assert "Sent to 1 reader: rita@example.org." in answer
    assert "Not sent again to 1 reader" in answer
    assert ">none</td>" not in answer
    assert [letter["To"] for letter in box.letters].count("rolf@example.org") == 1
    shown = cora.get(f"/studies/bcc-sk/readers/{site.cast.rita.id}").text
    assert "<dt>Last letter</dt>" in shown
    assert "pass on" not in shown


def test_a_letter_given_to_pass_on_is_said_to_be_and_is_given_again(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    for _ in range(2):
        answer = cora.post("/studies/bcc-sk/letters", data={"kind": "reminder"}).text
        assert "To be passed on: 2" in answer
    assert answer.count("given to you to pass on") == 2


def test_without_a_mail_server_the_text_is_handed_over(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    address = f"/studies/bcc-sk/readers/{site.cast.rita.id}/messages"
    page = cora.post(address, data={"kind": "reminder"}).text
    assert "No mail server is set here" in page
    assert "you have read 0 of 6 cases" in page
    invitation = cora.post("/studies/bcc-sk/invitations", data={"email": "ruth@example.org"}).text
    assert "You are invited to read the cases of" in invitation


def test_a_mail_server_that_is_away_is_said_and_the_invitation_stands(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    mail = MailSettings("127.0.0.1", port, "none", "", "", "reread@example.org")
    cora = with_mail(site, mail).browser(site.cast.cora)
    answer = cora.post("/studies/bcc-sk/invitations", data={"email": "ruth@example.org"})
    assert "did not take the letter (ConnectionRefusedError)" in answer.text
    link = re.search(r"(/invitations/[A-Za-z0-9_-]{43})", answer.text)[1]
    assert site.browser().get(link).status_code == 200


def test_a_server_without_starttls_gets_no_letter_that_asks_for_it(
    postbox: tuple[Postbox, MailSettings],
) -> None:
    box, mail = postbox
    with pytest.raises(Exception, match="SMTPNotSupportedError"):
        send(replace(mail, security="starttls"), Message("rita@example.org", "x", "x"))
    assert box.letters == []


def test_i6_a_subject_cannot_carry_a_header_of_its_own(
    postbox: tuple[Postbox, MailSettings],
) -> None:
    box, mail = postbox
    send(mail, Message("rita@example.org", "Hello\r\nBcc: all@example.org", "x"))
    assert box.letters[0]["Bcc"] is None
    with pytest.raises(InvalidInput):
        own_message(email="rita@example.org", subject="a\x00b", text="x")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("mail.example.org", "must look like"),
        ("http://mail.example.org", "must look like"),
        ("smtp://", "must look like"),
        ("smtp://mail.example.org:port", "must look like"),
        ("smtp+plain://me:word@mail.example.org", "unencrypted"),
    ],
)
def test_a_bad_mail_setting_stops_the_start_and_shows_no_password(
    value: str, sentence: str
) -> None:
    with pytest.raises(BadSettingError, match=sentence) as refused:
        Settings.from_environment({"REREAD_SMTP": value, "REREAD_MAIL_FROM": "a@example.org"})
    assert ":word@" not in str(refused.value)


def test_p8_the_settings_do_not_print_the_mail_password() -> None:
    settings = Settings.from_environment(
        {"REREAD_SMTP": "smtps://me:w%40rd@mail.example.org", "REREAD_MAIL_FROM": "a@example.org"}
    )
    assert settings.mail is not None
    assert (settings.mail.password, settings.mail.port) == ("w@rd", 465)
    assert "w@rd" not in repr(settings)
