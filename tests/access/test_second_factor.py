"""The second factor: codes of an app, recovery codes, and who must have one (A5)."""

import html
import re
from datetime import timedelta
from hashlib import sha256

import psycopg
import pytest
from httpx2 import Response
from pyotp.totp import TOTP
from starlette.testclient import TestClient

from app.actions import guessing
from app.actions.manage_accounts import CODE
from app.actions.second_factor import RECOVERY_CODES, STEP, WRONG_CODES
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.errors import Conflict
from app.settings import BadSettingError, Settings
from tests.access.test_lost_password import link_for, set_password
from tests.access.test_sign_in import NEW_PASSWORD, is_signed_in, sign_in
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import superuser
from tests.web.site import Site

CORA = "cora@example.org"


def code_of(site: Site, secret: str, *, steps: int = 0) -> str:
    return TOTP(secret).at(site.clock() + timedelta(seconds=steps * STEP))


def set_up(site: Site, account: Account) -> tuple[str, list[str]]:
    """Set a second factor up in the browser; its secret and the recovery codes."""
    browser = site.browser(account)
    secret = re.search(r"<code>([A-Z2-7]{32})</code>", browser.post("/account/second-factor").text)[
        1
    ]
    form = {"code": code_of(site, secret)}
    page = browser.post("/account/second-factor/confirmed", data=form)
    assert page.status_code == 200
    site.clock.advance(seconds=STEP)  # the code just used does not serve again
    return secret, re.findall(r"<code>([0-9a-f]{5}-[0-9a-f]{5})</code>", page.text)


def half_signed_in(site: Site, email: str = CORA) -> TestClient:
    browser = site.browser()
    answer = sign_in(browser, email)
    assert answer.headers["location"].startswith("/sign-in/code")
    return browser


def give(browser: TestClient, code: str) -> Response:
    return browser.post("/sign-in/code", data={"code": code, "next": "/"})


def test_a5_the_code_is_asked_for_after_the_password_and_opens_the_session(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    browser = site.browser()
    answer = sign_in(browser, CORA, next="/studies/bcc-sk")
    assert answer.headers["location"] == "/sign-in/code?next=/studies/bcc-sk"
    assert "reread" not in browser.cookies, "no session yet"
    assert "reread-device" not in browser.cookies
    assert not is_signed_in(browser)
    form = {"code": code_of(site, secret), "next": "/studies/bcc-sk"}
    assert browser.post("/sign-in/code", data=form).headers["location"] == "/studies/bcc-sk"
    assert is_signed_in(browser)


def test_a5_half_a_sign_in_opens_nothing(site: Site) -> None:
    set_up(site, site.cast.cora)
    browser = half_signed_in(site)
    browser.cookies.set("reread", browser.cookies["reread-step"])
    assert not is_signed_in(browser)


def test_a5_each_code_works_once_whoever_sends_it_again(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    code = code_of(site, secret)
    first, second = half_signed_in(site), half_signed_in(site)
    assert give(first, code).status_code == 303
    assert give(second, code).status_code == 401, "the waiting one ended with the other's sign-in"
    again = half_signed_in(site)
    refused = give(again, code)
    assert refused.status_code == 422
    assert "used already" in refused.text
    site.clock.advance(seconds=STEP)
    assert give(again, code).status_code == 422, "nor as the one of the step before"
    assert give(again, code_of(site, secret)).status_code == 303


@pytest.mark.parametrize(
    ("steps", "status"), [(-2, 422), (-1, 303), (0, 303), (1, 303), (2, 422), (5, 422)]
)
def test_a5_clocks_may_differ_by_half_a_minute(site: Site, steps: int, status: int) -> None:
    secret, _ = set_up(site, site.cast.cora)
    site.clock.advance(seconds=5 * STEP)
    assert give(half_signed_in(site), code_of(site, secret, steps=steps)).status_code == status


@pytest.mark.parametrize("code", ["", "0", "abcdef", "\x00", "١٢٣٤٥٦", "1" * 19, "\ud800"])
def test_a5_what_is_no_code_is_refused(site: Site, code: str) -> None:
    set_up(site, site.cast.cora)
    typed = code.encode("utf-8", "replace").decode()
    assert give(half_signed_in(site), typed).status_code == 422


def test_a5_a10_codes_cannot_be_tried_out(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    browser = half_signed_in(site)
    right = code_of(site, secret)
    wrong = [f"{number:06}" for number in range(20) if f"{number:06}" != right]
    for code in wrong[:WRONG_CODES]:
        assert give(browser, code).status_code == 422
    assert give(browser, right).status_code == 429
    assert give(half_signed_in(site), right).status_code == 429, "nor from the start"
    site.clock.advance(seconds=guessing.WINDOW.total_seconds() + 1)
    assert give(half_signed_in(site), code_of(site, secret)).status_code == 303


def test_a5_a_sign_in_waits_five_minutes_for_its_code(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    browser = half_signed_in(site)
    site.clock.advance(seconds=CODE.total_seconds())
    assert give(browser, code_of(site, secret)).status_code == 401


def test_a5_a_recovery_code_works_once_and_is_kept_as_a_digest(site: Site) -> None:
    _, recovery = set_up(site, site.cast.cora)
    assert len(set(recovery)) == RECOVERY_CODES
    assert give(half_signed_in(site), recovery[3].upper()).status_code == 303
    assert give(half_signed_in(site), recovery[3]).status_code == 422
    plain = recovery[4].replace("-", "")
    with superuser(site.cast) as owner:
        stored = owner.execute("SELECT string_agg(r::text, '') FROM recovery_code r").fetchone()[0]
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    assert plain not in stored + logged
    assert sha256(f"recovery code {site.cast.cora.id} {plain}".encode()).hexdigest() in stored


def test_a5_anothers_recovery_code_is_none(site: Site) -> None:
    set_up(site, site.cast.cora)
    _, olgas = set_up(site, site.cast.olga)
    assert give(half_signed_in(site), olgas[0]).status_code == 422


def test_a5_removing_it_needs_the_password_and_a_code(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    browser = site.browser(site.cast.cora)
    for form in (
        {"password": PASSWORD, "code": "000000"},
        {"password": "not my password", "code": code_of(site, secret)},
        {"password": PASSWORD},
    ):
        assert browser.post("/account/second-factor/removed", data=form).status_code == 422
    half_signed_in(site)
    form = {"password": PASSWORD, "code": code_of(site, secret)}
    assert browser.post("/account/second-factor/removed", data=form).status_code == 303
    assert sign_in(site.browser(), CORA).headers["location"] == "/"


def test_a5_nothing_is_asked_for_until_the_app_has_shown_a_code(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    browser.post("/account/second-factor")
    form = {"code": "000000"}
    assert browser.post("/account/second-factor/confirmed", data=form).status_code == 422
    assert sign_in(site.browser(), CORA).headers["location"] == "/"


def test_a5_a_second_factor_is_not_replaced_by_whoever_finds_an_open_session(site: Site) -> None:
    set_up(site, site.cast.cora)
    browser = site.browser(site.cast.cora)
    assert browser.post("/account/second-factor").status_code == 409
    site.clock.advance(minutes=10)
    assert browser.get("/account/second-factor").headers["location"].startswith("/confirm")
    assert browser.post("/account/second-factor").status_code == 403


def test_a5_a9_a_link_for_a_new_password_does_not_pass_it_by(site: Site) -> None:
    set_up(site, site.cast.cora)
    browser = site.browser()
    set_password(browser, link_for(site, site.cast.cora))
    answer = sign_in(browser, CORA, NEW_PASSWORD)
    assert answer.headers["location"].startswith("/sign-in/code")


def test_a5_an_administrator_removes_a_lost_one_and_the_log_says_who(site: Site) -> None:
    set_up(site, site.cast.cora)
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser = site.browser(ada)
    path = f"/accounts/{site.cast.cora.id}/second-factor/removed"
    assert browser.post(path).status_code == 200
    assert browser.post(path).status_code == 404
    assert sign_in(site.browser(), CORA).headers["location"] == "/"
    with superuser(site.cast) as owner:
        events = owner.execute(
            "SELECT action, actor FROM audit_event WHERE action LIKE 'second_factor.%' ORDER BY seq"
        ).fetchall()
    cora = str(site.cast.cora.id)
    assert events == [("second_factor.added", cora), ("second_factor.removed", str(ada.id))]


def test_a5_no_secret_is_in_the_log(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    with superuser(site.cast) as owner:
        logged = owner.execute("SELECT string_agg(payload, '') FROM audit_event").fetchone()[0]
    assert secret not in logged


def test_a5_the_qr_code_is_an_image_without_styles(site: Site) -> None:
    """The content security policy lets in none."""
    text = site.browser(site.cast.cora).post("/account/second-factor").text
    drawn = re.search(r"<svg.*?</svg>", text, re.DOTALL)[0]
    assert "style" not in drawn
    assert "<script" not in drawn
    assert "otpauth" not in html.unescape(drawn)


def test_a5_p7_whoever_is_erased_leaves_no_second_factor(site: Site) -> None:
    set_up(site, site.cast.cora)
    half_signed_in(site)
    with superuser(site.cast) as owner:
        owner.execute("SELECT erase_person(%s, 'Asked for it.')", [site.cast.cora.id])
        left = owner.execute(
            """SELECT (SELECT count(*) FROM second_factor), (SELECT count(*) FROM recovery_code),
                   (SELECT count(*) FROM pending_sign_in)"""
        ).fetchone()
    assert left == (0, 0, 0)


# ---------------------------------------------------------------- who must have one


@pytest.mark.parametrize(
    ("value", "readers"), [("everybody", "/account/second-factor"), ("all-but-readers", "")]
)
def test_a5_where_it_is_asked_for_every_page_leads_to_it_first(
    cast: Cast, value: str, readers: str
) -> None:
    site = Site(cast, REREAD_SECOND_FACTOR=value)
    cora = site.browser(cast.cora)
    for path in ("/", "/studies/bcc-sk", "/account", "/tokens"):
        assert cora.get(path).headers["location"] == "/account/second-factor"
    assert cora.post("/studies/bcc-sk/close").status_code == 403
    assert cast.reload().state == "open"
    answer = site.browser(cast.rita).get("/studies/bcc-sk/read")
    assert answer.headers.get("location", "") == readers
    set_up(site, cast.cora)
    assert cora.get("/studies/bcc-sk").status_code == 200


def test_a5_an_unknown_demand_stops_the_start() -> None:
    with pytest.raises(BadSettingError, match="all-but-readers"):
        Settings.from_environment({"REREAD_SECOND_FACTOR": "some"})


# ---------------------------------------------------------------- what the database lets change


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE second_factor SET secret = 'ANOTHER'",
        "UPDATE second_factor SET confirmed_at = confirmed_at + interval '1 hour'",
        "UPDATE second_factor SET confirmed_at = NULL",
        "UPDATE second_factor SET made_at = made_at - interval '1 hour'",
        "UPDATE second_factor SET last_step = last_step - 1",
        "UPDATE recovery_code SET used_at = NULL WHERE used_at IS NOT NULL",
        "UPDATE recovery_code SET used_at = now() WHERE used_at IS NOT NULL",
        """INSERT INTO recovery_code (account_id, code_sha256)
           SELECT account_id, sha256('mine') FROM second_factor""",
    ],
)
def test_a5_one_in_use_is_not_altered_without_an_event_not_even_by_the_superuser(
    site: Site, deed: str
) -> None:
    _, recovery = set_up(site, site.cast.cora)
    assert give(half_signed_in(site), recovery[0]).status_code == 303
    with pytest.raises(Conflict), site.cast.begin(Role.ACCOUNT, None) as connection:
        connection.execute(deed)
    with pytest.raises(psycopg.Error) as refusal, superuser(site.cast) as owner:
        owner.execute(deed)
    assert refusal.value.sqlstate == "RR409"


def test_a5_one_is_not_given_to_another_account_nor_made_in_use_at_once(site: Site) -> None:
    set_up(site, site.cast.cora)
    move = "UPDATE second_factor SET account_id = %s"
    with pytest.raises(psycopg.errors.InsufficientPrivilege):  # noqa: SIM117
        with site.cast.begin(Role.ACCOUNT, None) as connection:
            connection.execute(move, [site.cast.olga.id])
    with pytest.raises(psycopg.Error, match="does not change"), superuser(site.cast) as owner:
        owner.execute(move, [site.cast.olga.id])
    with pytest.raises(Conflict), site.cast.begin(Role.ACCOUNT, None) as connection:
        connection.execute(
            "INSERT INTO second_factor (account_id, secret, made_at, confirmed_at) "
            "VALUES (%s, 'MINE', now(), now())",
            [site.cast.olga.id],
        )


def test_a5_one_that_is_being_set_up_may_be_begun_anew(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    browser.post("/account/second-factor")
    with superuser(site.cast) as owner:
        owner.execute("UPDATE second_factor SET last_step = 7")
        before = owner.execute("SELECT secret FROM second_factor").fetchone()
    assert browser.post("/account/second-factor").status_code == 200
    with superuser(site.cast) as owner:
        after = owner.execute("SELECT secret, last_step FROM second_factor").fetchone()
    assert after[0] != before[0]
    assert after[1] == 0


# ---------------------------------------------------------------- what ends half a sign-in


def test_a5_a6_a_new_password_ends_a_sign_in_that_waits_for_its_code(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    thief = half_signed_in(site)
    form = {"current": PASSWORD, "new": NEW_PASSWORD}
    answer = site.browser(site.cast.cora).post("/account/password", data=form)
    assert answer.status_code == 303
    assert give(thief, code_of(site, secret)).status_code == 401


def test_a5_a6_a_link_for_a_new_password_ends_it_too(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    thief = half_signed_in(site)
    set_password(site.browser(), link_for(site, site.cast.cora))
    assert give(thief, code_of(site, secret)).status_code == 401


def test_a5_a6_disabling_the_account_ends_it_for_good(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    ada = make_account(site.cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    administrator = site.browser(ada)
    thief = half_signed_in(site)
    path = f"/accounts/{site.cast.cora.id}/disabled"
    assert administrator.post(path, data={"disabled": "yes"}).status_code == 303
    assert give(thief, code_of(site, secret)).status_code == 401
    assert administrator.post(path, data={"disabled": "no"}).status_code == 303
    assert give(thief, code_of(site, secret)).status_code == 401, "nor once it is enabled again"


def test_a5_a6_an_account_disabled_by_another_way_opens_no_session_either(site: Site) -> None:
    secret, _ = set_up(site, site.cast.cora)
    waiting = half_signed_in(site)
    with superuser(site.cast) as owner:
        owner.execute("UPDATE account SET disabled_at = now() WHERE id = %s", [site.cast.cora.id])
    assert give(waiting, code_of(site, secret)).status_code == 401
    assert not is_signed_in(waiting)
