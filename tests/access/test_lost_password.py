"""A lost password: who is told what, and what a link can do (A8, A9, A10)."""

import re
from hashlib import sha256

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.manage_own_account import ASKED_AT_ONCE, RESET, make_reset, make_reset_for
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.mail import Message
from app.settings import MailSettings
from app.web.routes import password_reset
from tests.access.test_sign_in import NEW_PASSWORD, fail, is_signed_in, sign_in
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import superuser
from tests.web.site import Site

MAIL = {"REREAD_SMTP": "smtp+plain://127.0.0.1:1", "REREAD_MAIL_FROM": "reread@example.org"}


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> list[Message]:
    """What the mail server was handed."""
    sent: list[Message] = []

    def deliver(_mail: MailSettings, message: Message):
        from app.actions.write_messages import Delivery

        sent.append(message)
        return Delivery(message, sent=True, sentence="Sent.")

    monkeypatch.setattr(password_reset, "deliver", deliver)
    return sent


@pytest.fixture
def mailing(cast: Cast) -> Site:
    return Site(cast, **MAIL)


def ask(browser: TestClient, email: str = "rita@example.org") -> Response:
    return browser.post("/lost-password", data={"email": email})


def link_in(letter: Message) -> str:
    return re.search(r"http://127\.0\.0\.1:8000(/new-password/[A-Za-z0-9_-]{43})\s", letter.text)[1]


def link_for(site: Site, account: Account) -> str:
    with site.cast.begin(Role.ACCOUNT, None) as connection:
        token = make_reset(connection, account=account.id, now=site.clock(), by=None)
    return f"/new-password/{token}"


def set_password(browser: TestClient, link: str, password: str = NEW_PASSWORD) -> Response:
    return browser.post(link, data={"password": password})


# ---------------------------------------------------------------- asking


def test_a8_a9_a_link_comes_by_mail_and_sets_a_password(
    mailing: Site, letters: list[Message]
) -> None:
    assert ask(mailing.browser(), " Rita@example.org").status_code == 200
    assert [letter.to for letter in letters] == ["Rita@example.org"]
    answer = set_password(mailing.browser(), link_in(letters[0]))
    assert answer.headers["location"] == "/sign-in?done=new-password"
    assert sign_in(mailing.browser(), password=NEW_PASSWORD).status_code == 303
    assert sign_in(mailing.browser()).status_code == 422


def test_a9_no_letter_goes_to_an_address_that_only_looks_the_same(
    mailing: Site, letters: list[Message]
) -> None:
    """The Kelvin sign becomes a k in lower case, and is somebody else's mailbox."""
    make_account(mailing.cast.database, "kim@example.org", AccountRole.COORDINATOR)
    assert ask(mailing.browser(), "\N{KELVIN SIGN}im@example.org").status_code == 200
    assert letters == []
    assert sign_in(mailing.browser(), "\N{KELVIN SIGN}im@example.org").status_code == 422
    assert ask(mailing.browser(), "KIM@example.org").status_code == 200
    assert len(letters) == 1
    assert sign_in(mailing.browser(), "KIM@example.org").status_code == 303


def test_a8_asking_for_a_link_does_not_tell_who_exists(
    mailing: Site, letters: list[Message]
) -> None:
    cast = mailing.cast
    with superuser(cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [cast.rolf.id])
    answers = [
        ask(mailing.browser(), f"{name}@example.org") for name in ("rita", "rolf", "ruth", "x\x00y")
    ]
    assert {(a.status_code, a.text, str(a.headers)) for a in answers} == {
        (200, answers[0].text, str(answers[0].headers))
    }
    assert [letter.to for letter in letters] == ["rita@example.org"]


def test_a8_what_depends_on_who_exists_is_done_after_the_answer(
    mailing: Site, letters: list[Message], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the time of the answer tells nothing: until it is sent, nobody is looked up."""
    looked_up: list[str] = []
    order: list[str] = []
    real = make_reset_for

    def watched(database: object, *, email: str, now: object) -> str | None:
        order.append("looked up")
        looked_up.append(email)
        return real(database, email=email, now=now)

    monkeypatch.setattr(password_reset.manage_own_account, "make_reset_for", watched)
    render = password_reset.render
    monkeypatch.setattr(
        password_reset,
        "render",
        lambda page, **more: order.append("answered") or render(page, **more),
    )
    ask(mailing.browser(), "rita@example.org")
    ask(mailing.browser(), "ruth@example.org")
    assert order == ["answered", "looked up"] * 2
    assert len(letters) == 1


def test_a8_without_a_mail_server_the_page_says_whom_to_ask(open_site: Site) -> None:
    browser = open_site.browser()
    for answer in (browser.get("/lost-password"), ask(browser), ask(browser, "ruth@example.org")):
        assert "Ask the administrator" in answer.text
    with superuser(open_site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM password_reset").fetchone() == (0,)


def test_a10_a_mailbox_is_not_flooded_and_that_too_tells_nothing(
    mailing: Site, letters: list[Message]
) -> None:
    for email in ("rita@example.org", "ruth@example.org"):
        statuses = [ask(mailing.browser(), email).status_code for _ in range(ASKED_AT_ONCE + 2)]
        assert statuses == [200] * ASKED_AT_ONCE + [429, 429]
    assert len(letters) == ASKED_AT_ONCE
    assert sign_in(mailing.browser()).status_code == 303, "asking locks nobody out"


def test_a10_one_address_cannot_ask_for_everybody(mailing: Site, letters: list[Message]) -> None:
    fail(mailing, email="x@example.org", times=guessing.PER_ADDRESS, address="testclient")
    assert ask(mailing.browser()).status_code == 429
    assert letters == []


# ---------------------------------------------------------------- the link


def test_a9_opening_the_link_uses_nothing_up_and_setting_the_password_does(site: Site) -> None:
    link = link_for(site, site.cast.rita)
    browser = site.browser()
    for _ in range(3):
        assert browser.get(link).status_code == 200
    assert set_password(browser, link).status_code == 303
    for answer in (browser.get(link), set_password(browser, link, "another sentence of mine")):
        assert answer.status_code == 409
        assert "has been used" in answer.text
    assert sign_in(browser, password=NEW_PASSWORD).status_code == 303


def test_a9_a_link_holds_for_an_hour(site: Site) -> None:
    link = link_for(site, site.cast.rita)
    site.clock.advance(seconds=RESET.total_seconds())
    for answer in (site.browser().get(link), set_password(site.browser(), link)):
        assert answer.status_code == 409
        assert "has expired" in answer.text


def test_a9_a_used_link_takes_the_older_ones_with_it(site: Site) -> None:
    older, newer = (link_for(site, site.cast.rita) for _ in range(2))
    set_password(site.browser(), newer)
    assert set_password(site.browser(), older).status_code == 409


def test_a9_a_changed_password_takes_the_open_links_with_it(site: Site) -> None:
    link = link_for(site, site.cast.rita)
    form = {"current": PASSWORD, "new": NEW_PASSWORD}
    site.browser(site.cast.rita).post("/account/password", data=form)
    assert set_password(site.browser(), link, "another sentence of mine").status_code == 409


def test_a9_a_link_is_kept_as_a_digest_and_is_for_nothing_else(site: Site) -> None:
    token = link_for(site, site.cast.rita).rsplit("/", maxsplit=1)[1]
    with superuser(site.cast) as owner:
        stored = owner.execute("SELECT token_sha256, r::text FROM password_reset r").fetchone()
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    assert bytes(stored[0]) == sha256(token.encode()).digest()
    assert token not in stored[1] + logged
    assert stored[1][2:] not in logged
    assert site.browser().get(f"/invitations/{token}").status_code == 404
    browser = site.browser()
    browser.cookies.set("reread", token)
    assert not is_signed_in(browser)


@pytest.mark.parametrize("token", ["x", "a" * 43, "%00", "a%2Fb", "%F0%9F"])
def test_a9_a_made_up_link_sets_nothing(open_site: Site, token: str) -> None:
    for answer in (
        open_site.browser().get(f"/new-password/{token}"),
        set_password(open_site.browser(), f"/new-password/{token}"),
    ):
        assert answer.status_code in {404, 422}


def test_a9_a_weak_password_is_refused_and_the_link_stays(site: Site) -> None:
    link = link_for(site, site.cast.rita)
    for password in ("", "short", "rita@example.org", "password1234", "x" * 201):
        assert set_password(site.browser(), link, password).status_code == 422
    assert set_password(site.browser(), link).status_code == 303


def test_a6_a9_a_new_password_by_link_ends_every_session(site: Site) -> None:
    thief = site.browser(site.cast.rita)
    set_password(site.browser(), link_for(site, site.cast.rita))
    assert not is_signed_in(thief)


def test_a9_a_link_of_a_disabled_account_is_none(site: Site) -> None:
    link = link_for(site, site.cast.rita)
    with superuser(site.cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [site.cast.rita.id])
    assert set_password(site.browser(), link).status_code == 404


def test_a10_whoever_sets_a_password_gets_in_however_much_others_guess(site: Site) -> None:
    """The way back in for the last coordinator, on a new device and under attack."""
    fail(site, email="cora@example.org", times=guessing.PER_SUBJECT)
    browser = site.browser()
    assert sign_in(browser, "cora@example.org").status_code == 429
    set_password(browser, link_for(site, site.cast.cora))
    assert sign_in(browser, "cora@example.org", NEW_PASSWORD).status_code == 303
    assert sign_in(site.browser(), "cora@example.org", NEW_PASSWORD).status_code == 429


# ---------------------------------------------------------------- the administrator


def test_a9_an_administrator_makes_the_link_and_the_log_says_so(site: Site) -> None:
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser = site.browser(ada)
    assert f"/accounts/{site.cast.rita.id}" in browser.get("/accounts").text
    answer = browser.post(f"/accounts/{site.cast.rita.id}/reset")
    link = re.search(r"(/new-password/[A-Za-z0-9_-]{43})", answer.text)[1]
    assert set_password(site.browser(), link).status_code == 303
    with superuser(site.cast) as owner:
        events = owner.execute(
            """SELECT action, actor FROM audit_event WHERE action LIKE 'password_reset.%'
               OR action = 'sign_in.password_reset' ORDER BY seq"""
        ).fetchall()
    assert events == [
        ("password_reset.insert", str(ada.id)),
        ("sign_in.password_reset", ""),
        ("password_reset.update", ""),
    ]


def test_a14_an_administrator_enters_the_password_again_before(site: Site) -> None:
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser = site.browser(ada)
    site.clock.advance(minutes=10)
    page = f"/accounts/{site.cast.rita.id}"
    assert browser.get(page).headers["location"] == f"/confirm?next={page}"
    assert browser.post(f"{page}/reset").status_code == 403
    browser.post("/confirm", data={"password": PASSWORD, "next": page})
    assert browser.post(f"{page}/reset").status_code == 200


def test_a9_the_database_lets_only_an_administrator_put_a_name_under_a_link(site: Site) -> None:
    import psycopg

    from app.db.own_account import insert_reset
    from app.domain.errors import NotAllowed

    now = site.clock()
    for actor, made_by in ((site.cast.cora, site.cast.cora), (None, site.cast.cora)):
        with pytest.raises(NotAllowed), site.cast.begin(Role.ACCOUNT, actor) as connection:
            insert_reset(
                connection, account=site.cast.rita.id, token_sha256=b"x" * 32,
                made_by=made_by.id, now=now, expires=now + RESET,
            )  # fmt: skip
    with pytest.raises(psycopg.errors.CheckViolation), site.cast.begin(Role.ACCOUNT, None) as c:
        insert_reset(
            c, account=site.cast.rita.id, token_sha256=b"x" * 32, made_by=None, now=now,
            expires=now + RESET * 2,
        )  # fmt: skip
