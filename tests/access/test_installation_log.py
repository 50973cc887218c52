"""Administrators read the installation's own log, and nothing of a study is in it (L5, L6)."""

import json

import pytest

from app.db import accounts, audit
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.audit_chain import event_from_json, verify_chain
from app.domain.errors import NotAllowed
from tests.access.test_password_again import let_it_grow_old
from tests.conftest import PASSWORD, Cast, make_account
from tests.reading.steps import finish
from tests.web.site import Site


@pytest.fixture
def ada(cast: Cast) -> Account:
    return make_account(cast.database, "ada@example.org", AccountRole.ADMINISTRATOR)


def test_l6_an_administrator_sees_who_was_refused_and_who_failed_to_sign_in(
    site: Site, ada: Account
) -> None:
    site.browser(site.cast.rita).get("/tokens")
    wrong = {"email": "rita@example.org", "password": "not this one"}
    site.browser().post("/sign-in", data=wrong)
    browser = site.browser(ada)
    page = browser.get("/log").text
    assert "request.refused" in page
    assert "sign_in.failed" in page
    assert "Rita" in page
    assert "not this one" not in page
    only = browser.get("/log?kind=request.refused").text
    assert only.count("<code>") == only.count("<code>request.refused</code>") == 1


def test_l6_the_file_of_it_is_a_chain_that_holds_and_looking_is_an_event(
    site: Site, ada: Account
) -> None:
    finish(site.cast, site.cast.rita)
    browser = site.browser(ada)
    browser.get("/log")
    lines = browser.get("/log.jsonl").text.splitlines()
    events = [event_from_json(line) for line in lines]
    assert verify_chain(events).problems == []
    assert [event.action for event in events][-2:] == ["installation.viewed"] * 2
    assert events[-1].actor == str(ada.id)
    assert json.loads(events[-1].payload) == {"page": "log.jsonl"}


def test_a14_the_file_of_it_is_given_with_the_password_alone(site: Site, ada: Account) -> None:
    browser = site.browser(ada)
    let_it_grow_old(site)
    assert browser.get("/log").status_code == 200, "the page may be looked at"
    answer = browser.get("/log.jsonl")
    assert (answer.status_code, answer.headers["location"]) == (303, "/confirm?next=/log.jsonl")
    assert answer.text == ""
    browser.post("/confirm", data={"password": PASSWORD, "next": "/log.jsonl"})
    events = [event_from_json(line) for line in browser.get("/log.jsonl").text.splitlines()]
    looks = [event for event in events if event.action == "installation.viewed"]
    assert [json.loads(look.payload)["page"] for look in looks] == ["log", "log.jsonl"]


def test_b9_nothing_of_a_study_is_in_it(site: Site, ada: Account) -> None:
    finish(site.cast, site.cast.rita)
    text = site.browser(ada).get("/log.jsonl").text
    for word in ("reading.insert", "reveal.insert", "confidence", "diagnosis", "probability"):
        assert word not in text


def test_b2_to_anybody_else_it_is_empty_in_the_database_too(cast: Cast, ada: Account) -> None:
    for account, events in ((cast.cora, 0), (cast.rita, 0), (None, 0), (ada, 1)):
        with cast.begin(Role.ACCOUNT, account) as connection:
            found = audit.installation_events(connection, before=2**62, kind="", most=1)
            assert len(found) == events
            assert bool(audit.installation_kinds(connection)) == bool(events)


def test_l2_only_an_administrator_says_that_they_looked(cast: Cast) -> None:
    with pytest.raises(NotAllowed), cast.begin(Role.ACCOUNT, cast.cora) as connection:
        accounts.record_event(connection, "installation.viewed", entity="x", details={})
