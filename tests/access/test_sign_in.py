"""Signing in and out, sessions, invitations, unblinding (A4-A10, A14)."""

import re
from hashlib import sha256

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from app.actions import guessing, passwords
from app.actions.invite_people import INVITATION
from app.actions.manage_accounts import ABSOLUTE, IDLE
from app.db.session import Role
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import close, finish, superuser, unblind
from tests.web.site import Site

NEW_PASSWORD = "a sentence of my own"


def sign_in(
    browser: TestClient, email: str = "rita@example.org", password: str = PASSWORD, **form: str
) -> Response:
    return browser.post("/sign-in", data={"email": email, "password": password, **form})


def is_signed_in(browser: TestClient) -> bool:
    answer = browser.get("/")
    assert answer.status_code == 200 or answer.headers["location"] == "/sign-in?next=/"
    return answer.status_code == 200


@pytest.fixture
def door(open_site: Site) -> Site:
    """The site before anybody came: for tests that leave nothing behind but sessions."""
    with superuser(open_site.cast) as owner:
        owner.execute("DELETE FROM sign_in_session")
        owner.execute("DELETE FROM sign_in_failure")
    return open_site


# ---------------------------------------------------------------- the session


def test_a6_signing_in_opens_a_session_and_signing_out_ends_it_on_the_server(door: Site) -> None:
    browser = door.browser()
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert is_signed_in(browser)
    kept = browser.cookies["reread"]
    answer = browser.post("/sign-out")
    assert answer.headers["location"] == "/sign-in"
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not is_signed_in(browser)
    browser.cookies.set("reread", kept)  # what a thief had copied
    assert not is_signed_in(browser)


def test_a6_the_cookie_is_out_of_reach_of_scripts_and_other_sites(door: Site) -> None:
    cookie = sign_in(door.browser()).headers["set-cookie"].lower()
    assert {"httponly", "samesite=lax", "path=/"} <= set(cookie.split("; "))


def test_a6_the_database_holds_only_the_digest_of_a_session(door: Site) -> None:
    browser = door.browser()
    sign_in(browser)
    token = browser.cookies["reread"]
    with superuser(door.cast) as owner:
        rows = owner.execute("SELECT token_sha256, s::text FROM sign_in_session s").fetchall()
    assert [bytes(row[0]) for row in rows] == [sha256(token.encode()).digest()]
    assert token not in rows[0][1]
    assert len(token) >= 43, "256 bits"


def test_a6_every_sign_in_has_a_token_of_its_own_and_takes_over_none(door: Site) -> None:
    """Fixation: a token somebody put into the browser beforehand is never signed in."""
    browser = door.browser()
    browser.cookies.set("reread", "chosen-by-somebody-else")
    assert not is_signed_in(browser)
    sign_in(browser)
    with superuser(door.cast) as owner:
        digests = [
            bytes(row[0]) for row in owner.execute("SELECT token_sha256 FROM sign_in_session")
        ]
    assert sha256(b"chosen-by-somebody-else").digest() not in digests


def test_a6_an_unused_session_ends(door: Site) -> None:
    browser = door.browser(door.cast.rita)
    door.clock.advance(seconds=IDLE.total_seconds() - 1)
    assert is_signed_in(browser)
    door.clock.advance(seconds=IDLE.total_seconds())
    assert not is_signed_in(browser)


def test_a6_a_session_in_use_ends_all_the_same_after_half_a_day(door: Site) -> None:
    browser = door.browser(door.cast.rita)
    for _ in range(int(ABSOLUTE / IDLE * 2) - 1):
        door.clock.advance(seconds=IDLE.total_seconds() / 2)
        assert is_signed_in(browser)
    door.clock.advance(seconds=IDLE.total_seconds() / 2)
    assert not is_signed_in(browser)


def test_a6_disabling_an_account_ends_its_sessions_at_once(site: Site) -> None:
    browser = site.browser(site.cast.rita)
    with superuser(site.cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [site.cast.rita.id])
    assert not is_signed_in(browser)
    assert sign_in(browser).status_code == 422


@pytest.mark.parametrize("token", ["", "x", "\x00", "a" * 10_000, "' OR 1=1 --", "\xe9"])
def test_a6_a_made_up_token_is_nobody(open_site: Site, token: str) -> None:
    answer = open_site.browser().get("/", headers={"Cookie": f"reread={token}".encode("latin-1")})
    assert answer.status_code == 303


# ---------------------------------------------------------------- who is let in


def test_a8_an_unknown_address_and_a_wrong_password_get_the_same_answer(door: Site) -> None:
    answers = [
        sign_in(door.browser(), email, "a wrong password of mine")
        for email in ("rita@example.org", "ruth@example.org")
    ]
    texts = [answer.text.replace("rita@", "?").replace("ruth@", "?") for answer in answers]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert texts[0] == texts[1]
    assert dict(answers[0].headers) == dict(answers[1].headers)


def test_a8_an_unknown_address_costs_a_password_check_too(
    door: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the time of the answer would tell who exists."""
    checked: list[str] = []
    real = passwords._hasher

    class Watched:
        def verify(self, stored: str, password: str) -> bool:
            checked.append(stored)
            return real.verify(stored, password)

    monkeypatch.setattr(passwords, "_hasher", Watched())
    sign_in(door.browser(), "ruth@example.org", "a wrong password of mine")
    assert [stored[:30] for stored in checked] == ["$argon2id$v=19$m=65536,t=3,p=4"]


def test_a4_passwords_are_kept_as_argon2id(open_site: Site) -> None:
    with superuser(open_site.cast) as owner:
        hashes = [row[0] for row in owner.execute("SELECT password_hash FROM account")]
    assert all(text.startswith("$argon2id$v=19$m=65536,t=3,p=4$") for text in hashes)


@pytest.mark.parametrize(
    ("next_", "expected"),
    [
        ("/studies/bcc-sk/read", "/studies/bcc-sk/read"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("\t//evil.example", "/"),
        (" //evil.example", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("javascript:alert(1)", "/"),
        ("http:evil.example", "/"),
        ("", "/"),
        ("/\x00", "/"),
    ],
)
def test_i8_after_signing_in_one_stays_on_this_site(
    open_site: Site, next_: str, expected: str
) -> None:
    page = open_site.browser().get("/sign-in", params={"next": next_})
    assert f'name="next" value="{expected}"' in page.text
    from app.web.routes.accounts import local

    assert local(next_) == expected


def test_i8_the_way_back_is_followed_after_signing_in(door: Site) -> None:
    answer = sign_in(door.browser(), next="/studies/bcc-sk/read")
    assert answer.headers["location"] == "/studies/bcc-sk/read"
    assert sign_in(door.browser(), next="https://evil.example").headers["location"] == "/"


# ---------------------------------------------------------------- guessing


def test_a10_guessing_a_password_is_slowed_down_and_the_right_one_waits_too(door: Site) -> None:
    browser = door.browser()
    for _ in range(guessing.PER_SUBJECT):
        assert sign_in(browser, password="a guess at the password").status_code == 422
    refused = sign_in(browser)
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) == guessing.WINDOW.total_seconds()
    door.clock.advance(seconds=guessing.WINDOW.total_seconds() + 1)
    assert sign_in(browser).status_code == 303


def test_a10_it_is_the_account_that_is_guarded_whoever_asks(door: Site) -> None:
    fail(door, email="rita@example.org", times=guessing.PER_SUBJECT)
    assert sign_in(door.browser(), "RITA@example.org ").status_code == 429
    assert sign_in(door.browser(), "rolf@example.org").status_code == 303


def test_a10_one_address_cannot_try_many_accounts(door: Site) -> None:
    for number in range(guessing.PER_ADDRESS):
        fail(door, email=f"somebody{number}@example.org", times=1, address="testclient")
    assert sign_in(door.browser()).status_code == 429


def test_a10_a_sign_in_forgets_the_failures_before_it(door: Site) -> None:
    fail(door, email="rita@example.org", times=guessing.PER_SUBJECT - 1)
    assert sign_in(door.browser()).status_code == 303
    fail(door, email="rita@example.org", times=guessing.PER_SUBJECT - 1)
    assert sign_in(door.browser()).status_code == 303


def test_a10_failures_are_kept_in_the_database_for_all_processes(door: Site) -> None:
    sign_in(door.browser(), password="a guess at the password")
    assert failures(door.cast) == 1
    another_process = Site(door.cast)
    another_process.clock = door.clock
    sign_in(another_process.browser(), password="a guess at the password")
    assert failures(door.cast) == 2


def failures(cast: Cast) -> int:
    with superuser(cast) as owner:
        return owner.execute("SELECT count(*) FROM sign_in_failure").fetchone()[0]


def fail(site: Site, *, email: str, times: int, address: str = "192.0.2.1") -> None:
    """Failures without the cost of a password's hash."""
    with superuser(site.cast) as owner:
        owner.execute(
            """INSERT INTO sign_in_failure (email_sha256, address, failed_at)
               SELECT %s, %s, %s FROM generate_series(1, %s)""",
            [sha256(email.encode()).digest(), address, site.clock(), times],
        )


def test_l6_sign_ins_and_failures_are_events_without_the_password(site: Site) -> None:
    browser = site.browser()
    sign_in(browser, password="a guess at the password")
    sign_in(browser)
    browser.post("/sign-out")
    with superuser(site.cast) as owner:
        events = owner.execute(
            """SELECT action, payload FROM audit_event WHERE action LIKE 'sign%' ORDER BY seq"""
        ).fetchall()
    assert [event[0] for event in events] == [
        "sign_in.failed",
        "sign_in.succeeded",
        "sign_out.done",
    ]
    assert "guess" not in str(events)
    assert "rita@" not in str(events)


# ---------------------------------------------------------------- invitations


def invite(site: Site, email: str = "ruth@example.org") -> str:
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/invitations", data={"email": email})
    found = re.search(r"http://127\.0\.0\.1:8000(/invitations/[A-Za-z0-9_-]{43})", answer.text)
    return found[1]


def test_a9_opening_the_link_uses_nothing_up_and_joining_does(site: Site) -> None:
    """Mail scanners open links."""
    link = invite(site)
    browser = site.browser()
    for _ in range(3):
        assert browser.get(link).status_code == 200
    form = {"name": "Ruth", "password": NEW_PASSWORD}
    joined = browser.post(link, data=form)
    assert joined.status_code == 303
    assert joined.headers["location"] == "/sign-in?next=/studies/bcc-sk/start&done=joined"
    assert "You have joined the study" in browser.get(joined.headers["location"]).text
    for answer in (browser.post(link, data=form), browser.get(link)):
        assert answer.status_code == 409
        assert "has been used" in answer.text
    assert sign_in(browser, "ruth@example.org", NEW_PASSWORD).status_code == 303
    assert "BCC or SK" in browser.get("/").text


def test_a9_the_link_is_shown_once_and_kept_as_a_digest_only(site: Site) -> None:
    token = invite(site).rsplit("/", maxsplit=1)[1]
    assert token not in site.browser(site.cast.cora).get("/studies/bcc-sk/readers").text
    with superuser(site.cast) as owner:
        stored = owner.execute("SELECT token_sha256, i::text FROM invitation i").fetchall()
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    assert bytes(stored[0][0]) == sha256(token.encode()).digest()
    assert token not in stored[0][1] + logged


def test_a9_who_is_signed_in_as_the_invited_goes_straight_on_and_nobody_else_does(
    site: Site,
) -> None:
    link = invite(site, "rita@example.org")
    form = {"password": PASSWORD}
    joined = site.browser(site.cast.rita).post(link, data=form)
    assert joined.headers["location"] == "/studies/bcc-sk/start"
    link = invite(site, "ruth@example.org")
    of_another = site.browser(site.cast.rita).post(
        link, data={"name": "Ruth", "password": NEW_PASSWORD}
    )
    assert of_another.headers["location"].startswith("/sign-in?next=")


def test_a9_an_invitation_expires(site: Site) -> None:
    link = invite(site)
    site.clock.advance(seconds=INVITATION.total_seconds())
    browser = site.browser()
    for answer in (
        browser.get(link),
        browser.post(link, data={"name": "Ruth", "password": NEW_PASSWORD}),
    ):
        assert answer.status_code == 409
        assert "has expired" in answer.text


def test_a9_a_made_up_link_invites_to_nothing(open_site: Site) -> None:
    for token in ("x", "a" * 43, "%00", "a%2Fb"):
        assert open_site.browser().get(f"/invitations/{token}").status_code in {404, 422}


@pytest.mark.parametrize("password", ["", "short", "ruth@example.org", "aaaaaaaaaaaaaa", "x" * 201])
def test_a4_a_weak_password_is_refused_and_the_invitation_stays(site: Site, password: str) -> None:
    link = invite(site)
    browser = site.browser()
    assert browser.post(link, data={"name": "Ruth", "password": password}).status_code == 422
    assert browser.get(link).status_code == 200


def test_a9_who_has_an_account_joins_with_its_password(site: Site) -> None:
    link = invite(site, "rita@example.org")
    browser = site.browser()
    assert browser.post(link, data={"password": NEW_PASSWORD}).status_code == 422
    assert browser.post(link, data={"password": PASSWORD}).status_code == 303


def test_a10_an_invitation_is_no_way_to_guess_a_password(site: Site) -> None:
    """The coordinator knows the link: their guesses count as anybody's."""
    link = invite(site, "rita@example.org")
    fail(site, email="rita@example.org", times=guessing.PER_SUBJECT - 1)
    browser = site.browser()
    assert browser.post(link, data={"password": "a guess at the password"}).status_code == 422
    assert failures(site.cast) == guessing.PER_SUBJECT
    assert browser.post(link, data={"password": PASSWORD}).status_code == 429


def test_a9_a_disabled_reader_is_not_let_in_by_an_invitation(site: Site) -> None:
    link = invite(site, "rita@example.org")
    with superuser(site.cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [site.cast.rita.id])
    assert site.browser().post(link, data={"password": PASSWORD}).status_code == 422


def test_a9_a_coordinators_account_does_not_become_a_readers(site: Site) -> None:
    link = invite(site, "olga@example.org")
    assert site.browser().post(link, data={"password": PASSWORD}).status_code == 403


# ---------------------------------------------------------------- unblinding


def test_a14_unblinding_needs_the_password_again_and_a_reason(site: Site) -> None:
    cast = site.cast
    finish(cast, cast.rita)
    close(cast)
    browser = site.browser(cast.cora)
    reason = "All readings are in."
    attempts = [
        ({"password": "", "reason": reason}, 422),
        ({"password": "not my password", "reason": reason}, 422),
        ({"password": PASSWORD, "reason": ""}, 422),
        ({"password": PASSWORD, "reason": "  \n "}, 422),
        ({"password": PASSWORD, "reason": "x" * 2001}, 422),
        ({"password": PASSWORD, "reason": "a\x00b"}, 422),
        ({"password": PASSWORD, "reason": reason, "meant": ""}, 422),
    ]
    for without_statement, status in attempts:
        form = {"meant": "yes", **without_statement}
        assert browser.post("/studies/bcc-sk/unblind", data=form).status_code == status, form
        assert cast.reload().state == "closed", form
    answer = browser.post(
        "/studies/bcc-sk/unblind", data={"password": PASSWORD, "reason": reason, "meant": "yes"}
    )
    assert answer.headers["location"] == "/studies/bcc-sk/results"
    after = cast.reload()
    assert (after.state, after.unblinding_reason) == ("unblinded", reason)
    assert after.unblinded_by_name == "Cora"


def test_a10_the_password_for_unblinding_cannot_be_guessed_either(site: Site) -> None:
    close(site.cast)
    cora = site.browser(site.cast.cora)
    form = {"reason": "All readings are in.", "meant": "yes"}
    for number in range(guessing.PER_SUBJECT):
        wrong = cora.post("/studies/bcc-sk/unblind", data={"password": f"guess {number}", **form})
        assert wrong.status_code == 422
    answer = cora.post("/studies/bcc-sk/unblind", data={"password": PASSWORD, **form})
    assert answer.status_code == 429
    assert site.cast.reload().state == "closed"


RESULTS = [
    "/studies/bcc-sk/results",
    "/studies/bcc-sk/results/analysis.json",
    "/studies/bcc-sk/results/roc/R01.svg",
    "/studies/bcc-sk/results/changes/R01.svg",
    "/studies/bcc-sk/results/figures/forest.svg",
    "/studies/bcc-sk/export/readings.csv",
    "/studies/bcc-sk/export/codebook.csv",
    "/studies/bcc-sk/export/export.zip",
]


@pytest.mark.parametrize("path", RESULTS)
def test_b9_before_unblinding_there_are_no_results_and_the_page_says_why(
    site: Site, path: str
) -> None:
    finish(site.cast, site.cast.rita)
    browser = site.browser(site.cast.cora)
    for state in ("open", "closed"):
        if state == "closed":
            close(site.cast)
        answer = browser.get(path)
        assert answer.status_code == 409
        assert f"is {state}" in answer.text
        assert "only after unblinding" in answer.text


def test_b9_l7_after_unblinding_each_look_and_each_file_is_written_down(site: Site) -> None:
    cast = site.cast
    for reader in (cast.rita, cast.rolf):
        for _ in range(6):
            finish(cast, reader)
    unblind(cast)
    browser = site.browser(cast.cora)
    for path in RESULTS:
        assert browser.get(path).status_code == 200, path
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        events = [
            row[0]
            for row in connection.execute(
                "SELECT action FROM audit_event WHERE action ~ '^(results|export)' ORDER BY seq"
            )
        ]
    assert events.count("export.made") == 2, "the readings, the whole; a codebook tells nothing"
    assert events.count("results.viewed") == 5, "the page, the numbers, three figures"
    assert site.browser(cast.olga).get(RESULTS[0]).status_code == 404
    assert site.browser(cast.rita).get(RESULTS[0]).status_code == 403
