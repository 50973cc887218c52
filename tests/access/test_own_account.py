"""One's own account: sessions listed and ended, the password changed (A4, A6)."""

import re

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.manage_accounts import IDLE
from app.domain.browser_name import browser_name
from tests.access.test_sign_in import NEW_PASSWORD, is_signed_in, sign_in
from tests.conftest import PASSWORD
from tests.reading.steps import superuser
from tests.web.site import Site

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Version/17.5 Safari/604.1"
)


def change(browser: TestClient, current: str = PASSWORD, new: str = NEW_PASSWORD) -> Response:
    return browser.post("/account/password", data={"current": current, "new": new})


def rows(page: Response) -> list[str]:
    """The text of each row of the table of sessions."""
    body = page.text.split("<tbody>")[1].split("</tbody>")[0]
    return [
        " ".join(re.sub(r"<[^>]+>", " ", row).split())
        for row in body.split("</tr>")
        if "<td" in row
    ]


def test_a6_one_sees_ones_sessions_with_this_one_first(site: Site) -> None:
    first = site.browser(**{"user-agent": FIREFOX})
    sign_in(first)
    site.clock.advance(minutes=5)
    second = site.browser(**{"user-agent": SAFARI})
    sign_in(second)
    sign_in(site.browser(), "rolf@example.org")
    listed = rows(second.get("/account"))
    assert [row.split(" testclient ")[0] for row in listed] == [
        "Safari on iPad",
        "Firefox on Windows",
    ]
    assert listed[0].endswith("this one")
    assert "09:05 UTC" in listed[0]
    assert "End the session of Firefox on Windows" in listed[1]
    site.clock.advance(seconds=IDLE.total_seconds() - 60)
    assert len(rows(second.get("/account"))) == 1, "the other one has ended by itself"


def test_a6_ending_a_session_signs_that_browser_out_at_once(site: Site) -> None:
    mine, stolen = site.browser(), site.browser()
    sign_in(mine)
    sign_in(stolen)
    address = re.search(
        r'action="(/account/sessions/[0-9a-f-]+/ended)"', mine.get("/account").text
    )[1]
    assert mine.post(address).headers["location"] == "/account?done=session"
    assert not is_signed_in(stolen)
    assert is_signed_in(mine)
    assert mine.post(address).status_code == 404


def test_a3_a6_nobody_ends_anothers_session(site: Site) -> None:
    ritas, rolfs = site.browser(site.cast.rita), site.browser(site.cast.rolf)
    with superuser(site.cast) as owner:
        session = owner.execute(
            "SELECT id FROM sign_in_session WHERE account_id = %s", [site.cast.rita.id]
        ).fetchone()[0]
    assert rolfs.post(f"/account/sessions/{session}/ended").status_code == 404
    rolfs.post("/account/sessions/ended")
    assert is_signed_in(ritas)


def test_a6_signing_out_everywhere_else_leaves_this_session(site: Site) -> None:
    here, *others = (site.browser(site.cast.rita) for _ in range(3))
    assert here.post("/account/sessions/ended").status_code == 303
    assert is_signed_in(here)
    assert not any(map(is_signed_in, others))
    with superuser(site.cast) as owner:
        found = owner.execute(
            "SELECT actor, payload FROM audit_event WHERE action = 'sign_out.of_others'"
        ).fetchall()
    assert found == [(str(site.cast.rita.id), '{"sessions": 2}')]


def test_a6_a_new_password_ends_every_other_session(site: Site) -> None:
    here, elsewhere = site.browser(site.cast.rita), site.browser(site.cast.rita)
    assert change(here).headers["location"] == "/account?done=password"
    assert is_signed_in(here)
    assert not is_signed_in(elsewhere)
    assert sign_in(site.browser()).status_code == 422
    assert sign_in(site.browser(), password=NEW_PASSWORD).status_code == 303


@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("not my password", NEW_PASSWORD, "not your present password"),
        ("", NEW_PASSWORD, "not your present password"),
        (PASSWORD, PASSWORD, "is the present one"),
        (PASSWORD, "short", "needs 12 or more"),
        (PASSWORD, "rita@example.org", "must not be the e-mail address"),
        (PASSWORD, "password1234", "among the first that are guessed"),
        (PASSWORD, "rita@example.org1", "among the first that are guessed"),
    ],
)
def test_a4_a_password_that_will_not_do_changes_nothing(
    site: Site, current: str, new: str, said: str
) -> None:
    here, elsewhere = site.browser(site.cast.rita), site.browser(site.cast.rita)
    answer = change(here, current, new)
    assert answer.status_code == 422
    assert said in answer.text
    assert is_signed_in(elsewhere)
    assert sign_in(site.browser()).status_code == 303


COMMON = ["password1234", "qwertyuiop12", "Passwort12345", "P@ssw0rd1234", "letmeinletmein",
          "iloveyou1234", "123456789012", "Welcome12345", "abcabcabcabcabc"]  # fmt: skip


@pytest.mark.parametrize("password", COMMON)
def test_a4_known_passwords_and_their_usual_disguises_are_refused(
    open_site: Site, password: str
) -> None:
    answer = change(open_site.browser(open_site.cast.rita), new=password)
    assert answer.status_code == 422
    with superuser(open_site.cast) as owner:
        owner.execute("DELETE FROM sign_in_failure")


def test_a10_whoever_finds_an_open_session_cannot_guess_the_password(site: Site) -> None:
    thief = site.browser(site.cast.rita)
    for _ in range(guessing.PER_SUBJECT):
        assert change(thief, "a guess at the password").status_code == 422
    assert change(thief).status_code == 429
    assert sign_in(site.browser()).status_code == 303, "the owner at the door is not kept out"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [(FIREFOX, "Firefox on Windows"), (SAFARI, "Safari on iPad"), ("curl/8", "an unknown browser"),
     ("", "an unknown browser"), ("<script>Linux", "Linux")],
)  # fmt: skip
def test_a_browser_is_named_as_people_say_it(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name
