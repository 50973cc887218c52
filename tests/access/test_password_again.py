"""The password again before opening, closing and every file that leaves (A14)."""

import pytest

from app.actions import guessing
from app.actions.design_study import STATEMENT
from app.actions.manage_accounts import CONFIRMED
from app.domain.access import AccountRole
from tests.conftest import PASSWORD, Cast, make_account, score_by_hand
from tests.reading.steps import finish, superuser, unblind
from tests.web.site import Site

FILES = [
    "/studies/bcc-sk/export/readings.csv",
    "/studies/bcc-sk/export/codebook.csv",
    "/studies/bcc-sk/export/export.zip",
    "/studies/bcc-sk/results/analysis.json",
    "/studies/bcc-sk/audit.jsonl",
]


def let_it_grow_old(site: Site) -> None:
    site.clock.advance(seconds=CONFIRMED.total_seconds())


def test_a14_closing_asks_for_the_password_once_it_is_ten_minutes_old(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    assert "Your password, once more" not in browser.get("/studies/bcc-sk").text
    let_it_grow_old(site)
    assert "Your password, once more" in browser.get("/studies/bcc-sk").text
    for password in ("", "not my password"):
        refused = browser.post("/studies/bcc-sk/close", data={"password": password})
        assert refused.status_code == 422
        assert "Nothing was done" in refused.text
    assert site.cast.reload().state == "open"
    done = browser.post("/studies/bcc-sk/close", data={"password": PASSWORD})
    assert done.status_code == 303
    assert site.cast.reload().state == "closed"


def test_a14_opening_asks_for_it_too_and_an_entered_one_serves_for_a_while(draft: Cast) -> None:
    site = Site(draft)
    score_by_hand(draft.database, draft.storage, draft.study)
    browser = site.browser(draft.cora)
    let_it_grow_old(site)
    assert browser.post("/studies/bcc-sk/open").status_code == 422
    assert draft.reload().state == "draft"
    form = {"password": PASSWORD, "next": "/studies/bcc-sk"}
    assert browser.post("/confirm", data=form).headers["location"] == "/studies/bcc-sk"
    assert browser.post("/studies/bcc-sk/open").status_code == 303
    assert draft.reload().state == "open"


@pytest.fixture
def results(site: Site) -> Site:
    for reader in (site.cast.rita, site.cast.rolf):
        for _ in range(6):
            finish(site.cast, reader)
    unblind(site.cast)
    return site


def test_a14_no_file_leaves_before_the_password_was_entered_again(results: Site) -> None:
    browser = results.browser(results.cast.cora)
    let_it_grow_old(results)
    for path in FILES:
        answer = browser.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/confirm?next={path}")
    with superuser(results.cast) as owner:
        made = owner.execute(
            "SELECT count(*) FROM audit_event WHERE action = 'export.made'"
        ).fetchone()
    assert made == (0,)
    done = browser.post("/confirm", data={"password": PASSWORD, "next": FILES[0]})
    assert done.headers["location"] == FILES[0]
    assert {path: browser.get(path).status_code for path in FILES} == dict.fromkeys(FILES, 200)


def test_a14_another_session_of_the_same_person_does_not_count(results: Site) -> None:
    old = results.browser(results.cast.cora)
    let_it_grow_old(results)
    fresh = results.browser(results.cast.cora)
    assert fresh.get(FILES[0]).status_code == 200
    assert old.get(FILES[0]).status_code == 303


def test_a10_the_page_is_no_way_to_guess_a_password(site: Site) -> None:
    browser = site.browser(site.cast.cora)
    for _ in range(guessing.PER_SUBJECT):
        assert browser.post("/confirm", data={"password": "a guess at it"}).status_code == 422
    assert browser.post("/confirm", data={"password": PASSWORD}).status_code == 429


def test_i8_after_the_password_one_stays_on_this_site(open_site: Site) -> None:
    browser = open_site.browser(open_site.cast.cora)
    page = browser.get("/confirm", params={"next": "//evil.example"})
    assert 'name="next" value="/"' in page.text
    form = {"password": PASSWORD, "next": "https://evil.example"}
    assert browser.post("/confirm", data=form).headers["location"] == "/"


def test_a14_the_log_keeps_what_the_person_said_that_unblinding_means(results: Site) -> None:
    cast = results.cast
    with superuser(cast) as owner:
        ((actor, entity, age, payload),) = owner.execute(
            """SELECT actor, entity, extract(epoch FROM clock_timestamp() - at), payload
               FROM audit_event WHERE action = 'results.unblinding_meant'"""
        ).fetchall()
    assert (actor, entity) == (str(cast.cora.id), str(cast.study.id)), "who, and of which study"
    assert 0 <= age < 600, "when, by the database's clock"
    assert STATEMENT in payload
    assert "software_version" in payload


ACTS = {
    "/studies/bcc-sk/invitations": {"email": "ruth@example.org", "part": "coordinator"},
    "/studies/bcc-sk/people/{person}/part": {"part": "reader", "reason": "Moved away."},
}


@pytest.mark.parametrize(("path", "form"), ACTS.items(), ids=ACTS)
def test_a14_a_part_is_given_and_ended_with_the_password_alone(
    site: Site, path: str, form: dict[str, str]
) -> None:
    cast = site.cast
    browser = site.browser(cast.cora)
    path = path.format(person=cast.rolf.id)
    let_it_grow_old(site)
    pages = ("/studies/bcc-sk/readers", f"/studies/bcc-sk/readers/{cast.rolf.id}")
    assert all("Your password, once more" in browser.get(page).text for page in pages)
    for password in ("", "not my password"):
        refused = browser.post(path, data={**form, "password": password})
        assert refused.status_code == 422
        assert "Nothing was done" in refused.text
    with superuser(cast) as owner:
        assert owner.execute("SELECT count(*) FROM invitation").fetchone() == (0,)
        assert owner.execute("SELECT count(*) FROM membership").fetchone() == (0,)
    done = browser.post(path, data={**form, "password": PASSWORD})
    assert done.status_code in {200, 303}
    with superuser(cast) as owner:
        made = owner.execute(
            "SELECT (SELECT count(*) FROM invitation) + (SELECT count(*) FROM membership)"
        ).fetchone()
    assert made == (1,)
    assert "Your password, once more" not in browser.get(pages[0]).text


def test_a14_an_account_is_disabled_and_enabled_with_the_password_alone(site: Site) -> None:
    """Enabling lets somebody in again; the page itself asks, so that its buttons work."""
    cast = site.cast
    ada = make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)
    browser, address = site.browser(ada), f"/accounts/{cast.rita.id}/disabled"
    for disabled in ("yes", "no"):
        let_it_grow_old(site)
        before = disabled_at(cast)
        refused = browser.post(address, data={"disabled": disabled})
        assert refused.status_code == 403
        assert "Nothing was done" in refused.text
        assert disabled_at(cast) == before
        assert browser.get("/accounts").headers["location"] == "/confirm?next=/accounts"
        browser.post("/confirm", data={"password": PASSWORD, "next": "/accounts"})
        assert browser.get("/accounts").status_code == 200
        assert browser.post(address, data={"disabled": disabled}).status_code == 303
        assert (disabled_at(cast) is not None) == (disabled == "yes")


def disabled_at(cast: Cast) -> object:
    with superuser(cast) as owner:
        found = owner.execute("SELECT disabled_at FROM account WHERE id = %s", [cast.rita.id])
        return found.fetchone()[0]
