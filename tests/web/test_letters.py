"""Letters to many readers: who is behind is reminded in one act; everybody is written to."""

from datetime import datetime

import pytest

from app.actions import write_messages
from app.db import monitor
from app.db.session import Role
from app.domain.errors import Unavailable
from app.mail import Message
from app.settings import MailSettings
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, opened
from tests.reading.steps import at, close, finish, superuser
from tests.reading.test_designs import first_session
from tests.web.site import Site

LETTERS = "/studies/bcc-sk/letters"


def events(cast: Cast) -> list[tuple[str, str]]:
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT action, payload::jsonb ->> 'kind' FROM audit_event
               WHERE action LIKE 'message.%' ORDER BY seq"""
        ).fetchall()


def test_all_who_are_behind_are_reminded_in_one_act_and_the_log_knows_it(site: Site) -> None:
    cast = site.cast
    while at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
    finish(cast, cast.rolf)
    cora = site.browser(cast.cora)
    page = cora.get(LETTERS).text
    assert "Remind 1 reader<" in page
    assert "you have read 1 of 6 cases" in page, "the letter before it is written"
    assert "Rita" not in page.split("Write to all")[0].split("<h2")[1]
    made = cora.post(LETTERS, data={"kind": "reminder"}).text
    assert "To be passed on: 1" in made
    assert "To rolf@example.org: BCC or SK: 5 cases are waiting" in made
    assert events(cast) == [("message.handed_over", "reminder")]


def test_everybody_is_written_to_each_alone(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    form = {"kind": "message", "subject": "Thank you", "text": "We close on Friday."}
    made = cora.post(LETTERS, data=form).text
    assert "To be passed on: 2" in made
    assert made.count("We close on Friday.") == 2
    assert "To rita@example.org: Thank you" in made
    assert events(site.cast) == [("message.handed_over", "message")] * 2


@pytest.mark.parametrize(
    ("wrong", "sentence"), [({"subject": ""}, "Give a subject"), ({"text": " "}, "message, in 1")]
)
def test_a_letter_without_words_is_refused_and_kept(
    site: Site, wrong: dict[str, str], sentence: str
) -> None:
    form = {"kind": "message", "subject": "Thank you", "text": "We close on Friday.", **wrong}
    answer = site.browser(site.cast.cora).post(LETTERS, data=form)
    assert (answer.status_code, sentence in answer.text) == (422, True)
    assert events(site.cast) == []


def test_nobody_is_reminded_of_a_closed_study(site: Site) -> None:
    close(site.cast)
    page = site.browser(site.cast.cora).get(LETTERS).text
    assert "The study is closed: nobody is waited for." in page


def test_d7_who_waits_for_the_washout_is_not_reminded_and_the_monitor_says_until_when(
    draft: Cast,
) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    first_session(cast, cast.rita)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        rows = {row.name: row for row in monitor.paces_of(connection, cast.study.id)}
    assert rows["Rolf"].washout_ends is None
    with cast.begin(Role.READER, cast.rita) as connection:
        held: datetime = connection.execute(
            "SELECT waits_until(%s)", [at(cast, cast.rita).assignment.id]
        ).fetchone()[0]
    assert rows["Rita"].washout_ends == held, "the same moment that the server holds"
    site = Site(cast)
    site.clock.now = datetime.now(held.tzinfo)
    cora = site.browser(cast.cora)
    assert "second session from" in cora.get("/studies/bcc-sk/monitor").text
    page = cora.get(LETTERS).text
    assert "Rita is not reminded" in page
    assert "Remind 1 reader<" in page


def test_a_mail_server_that_takes_nothing_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def send(_mail: MailSettings, message: Message) -> None:
        asked.append(message.to)
        if message.to == "b@example.org":
            raise Unavailable("The mail server did not take the letter (TimeoutError).")

    monkeypatch.setattr(write_messages, "send", send)
    mail = MailSettings(host="mail", port=25, security="none", user="", password="", sender="x@y")
    letters = [Message(f"{name}@example.org", "s", "t") for name in "abc"]
    made = write_messages.deliver_all(mail, letters)
    assert [delivery.sent for delivery in made] == [True, False, False]
    assert asked == ["a@example.org", "b@example.org"]
    assert all("Pass the text on yourself." in delivery.sentence for delivery in made[1:])


CHINESE = "zh_Hans_CN"


def test_a_reminder_is_in_the_language_of_whom_it_is_for(site: Site) -> None:
    """Rita chose Chinese, Rolf nothing: his letter is in the language of the one who writes."""
    site.browser(site.cast.rita).post("/language", data={"language": CHINESE})
    made = site.browser(site.cast.cora).post(LETTERS, data={"kind": "reminder"}).text
    assert "To rita@example.org: BCC or SK：还有 6 个病例待阅" in made  # noqa: RUF001
    assert "Rita，您好：" in made  # noqa: RUF001
    assert "To rolf@example.org: BCC or SK: 6 cases are waiting" in made
    page = site.browser(site.cast.cora, **{"Accept-Language": "zh-CN"}).get(LETTERS).text
    assert "Rolf，您好：" not in page, "the first of the letters is the one shown"  # noqa: RUF001
    alone = site.browser(site.cast.cora).post(
        f"/studies/bcc-sk/readers/{site.cast.rita.id}/messages", data={"kind": "reminder"}
    )
    assert "Rita，您好：" in alone.text  # noqa: RUF001


def test_an_invitation_is_in_the_writers_language_where_nobody_of_their_studies_is_meant(
    site: Site,
) -> None:
    """What somebody chose whom the coordinator's studies do not know, they cannot tell."""
    for person in (site.cast.rita, site.cast.olga):
        site.browser(person).post("/language", data={"language": CHINESE})
    cora = site.browser(site.cast.cora)

    def invited(email: str) -> str:
        return cora.post("/studies/bcc-sk/invitations", data={"email": email}).text

    assert "邀请您作为阅片者参加研究“BCC or SK”。" in invited("rita@example.org")
    assert "You are invited to read the cases" in invited("olga@example.org")
    in_chinese = site.browser(site.cast.cora, **{"Accept-Language": "zh-CN"})
    letter = in_chinese.post("/studies/bcc-sk/invitations", data={"email": "new@example.org"}).text
    assert "邀请您作为阅片者参加研究“BCC or SK”。" in letter


def test_the_link_for_a_new_password_comes_in_the_accounts_language(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Message] = []
    monkeypatch.setattr(write_messages, "send", lambda _mail, message: sent.append(message))
    site = Site(cast, REREAD_SMTP="smtp://mail", REREAD_MAIL_FROM="reread@example.org")
    site.browser(cast.rita).post("/language", data={"language": CHINESE})
    for email in ("rita@example.org", "rolf@example.org"):
        site.browser().post("/lost-password", data={"email": email})
    assert [message.subject for message in sent] == ["reread 的新密码", "A new password for reread"]
    assert "链接只能使用一次" in sent[0].text
