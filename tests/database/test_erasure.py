"""A person can be erased: the name is gone from tables and log, and the log still verifies (P7)."""

import hashlib
from dataclasses import replace

import psycopg
import pytest

from app.actions.verify_study import verify_study
from app.db.administrator import erase_person, records_of
from app.db.session import Role
from app.domain.audit_chain import AuditEvent, verify_chain
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import finish, rows_of_people, superuser
from tests.web.site import Site

INSTALLATION = "00000000-0000-0000-0000-000000000000"
REASON = "Asked for it in writing."
RITA = {"email": "rita@example.org", "password": PASSWORD}


def whole_database(cast: Cast) -> str:
    """Every row of every table, as text."""
    with superuser(cast) as owner:
        tables = [
            row[0]
            for row in owner.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'reread'"
            ).fetchall()
        ]
        rows = [
            owner.execute(f"SELECT string_agg(t::text, E'\\n') FROM {table} t").fetchone()[0]  # noqa: S608
            for table in tables
        ]
    return "\n".join(row or "" for row in rows)


def installation_log(cast: Cast) -> list[AuditEvent]:
    with superuser(cast) as owner:
        owner.execute("SET LOCAL timezone = 'UTC'")
        found = owner.execute(
            "SELECT * FROM audit_event WHERE chain = %s ORDER BY seq", [INSTALLATION]
        ).fetchall()
    return [AuditEvent(*row) for row in found]


@pytest.fixture
def erased(cast: Cast) -> Cast:
    finish(cast, cast.rita)
    Site(cast).session(cast.rita)
    assert erase_person(cast.database.url, email="Rita@example.org ", reason=REASON)
    return cast


def test_p7_no_row_and_no_event_holds_the_name_or_the_address_any_more(cast: Cast) -> None:
    assert "rita@example.org" in whole_database(cast)
    erase_person(cast.database.url, email="rita@example.org", reason=REASON)
    text = whole_database(cast)
    assert "rita@example.org" not in text.lower()
    assert "Rita" not in text
    assert "rolf@example.org" in text


def test_p7_the_readings_stay_and_the_study_still_verifies(erased: Cast) -> None:
    with superuser(erased) as owner:
        count = owner.execute(
            "SELECT count(*) FROM reading WHERE reader_id = %s", [erased.rita.id]
        ).fetchone()[0]
    assert count == 2
    assert verify_study(records_of(erased.database.url, "bcc-sk"), anchors=()).problems == ()


def test_p7_the_log_still_verifies_and_holds_the_erasure_with_its_reason(erased: Cast) -> None:
    log = installation_log(erased)
    report = verify_chain(log)
    assert report.problems == []
    emptied = [event for event in log if event.payload == ""]
    assert {event.entity for event in emptied} == {str(erased.rita.id)}
    assert {event.action for event in emptied} == {"account.insert", "account.update"}
    (said,) = [event for event in log if event.action == "erasure.insert"]
    assert REASON in said.payload


def test_p7_a_payload_that_is_gone_without_an_erasure_is_found(cast: Cast) -> None:
    log = installation_log(cast)
    number = next(i for i, event in enumerate(log) if event.action == "account.insert")
    log[number] = replace(log[number], payload="")
    assert verify_chain(log).problems == [
        f"the payload of event {log[number].seq} is gone, and no erasure says why"
    ]


def test_p7_nobody_signs_in_with_an_erased_account(erased: Cast) -> None:
    with superuser(erased) as owner:
        row = owner.execute(
            "SELECT password_hash, disabled_at IS NOT NULL FROM account WHERE id = %s",
            [erased.rita.id],
        ).fetchone()
        sessions = owner.execute(
            "SELECT count(*) FROM sign_in_session WHERE account_id = %s", [erased.rita.id]
        ).fetchone()
    assert row == (None, True)
    assert sessions == (0,)


def test_p7_network_addresses_go_from_the_events_of_signing_in(site: Site) -> None:
    """Right and wrong passwords, at the door and when signed in; of nobody else's."""
    cast, browser = site.cast, site.browser()
    for email in ("rita@example.org", "rolf@example.org", "nobody@example.org"):
        form = {"email": email, "password": "not this one"}
        assert browser.post("/sign-in", data=form).status_code == 422
    assert browser.post("/sign-in", data=form | RITA).status_code == 303
    browser.post("/account/password", data={"current": "not this one", "new": "x"})
    browser.post("/sign-out")
    before = addresses(cast)
    assert before == {str(cast.rita.id): 3, str(cast.rolf.id): 1, "unknown": 1}
    erase_person(cast.database.url, email="rita@example.org", reason=REASON)
    assert addresses(cast) == {str(cast.rolf.id): 1, "unknown": 1}
    assert verify_chain(installation_log(cast)).problems == []


def addresses(cast: Cast) -> dict[str, int]:
    """How many events of signing in hold a network address, by whose they are."""
    with superuser(cast) as owner:
        return dict(
            owner.execute(
                """SELECT entity, count(*) FROM audit_event
                   WHERE action ~ '^sign_' AND payload LIKE '%testclient%' GROUP BY entity"""
            ).fetchall()
        )


def test_p7_l6_no_event_holds_a_digest_of_an_address_that_can_be_guessed(site: Site) -> None:
    for email in ("rita@example.org", "nobody@example.org"):
        site.browser().post("/sign-in", data={"email": email, "password": "not this one"})
    with superuser(site.cast) as owner:
        logged = owner.execute("SELECT string_agg(e::text, '') FROM audit_event e").fetchone()[0]
    for email in ("rita@example.org", "nobody@example.org"):
        for digest in (hashlib.sha256, hashlib.sha1, hashlib.md5):
            assert digest(email.encode()).hexdigest() not in logged


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE audit_event SET payload = '' WHERE action = 'reading.insert'",
        "UPDATE audit_event SET payload = '' WHERE entity = %(rolf)s",
        "UPDATE audit_event SET payload = 'x' WHERE entity = %(rita)s AND action LIKE 'account%%'",
        "UPDATE audit_event SET payload = '', at = now() WHERE entity = %(rita)s",
        "UPDATE audit_event SET actor = 'x' WHERE entity = %(rita)s",
        "DELETE FROM audit_event WHERE entity = %(rita)s",
        "UPDATE erasure SET reason = 'x'",
        "DELETE FROM erasure",
    ],
)
def test_p7_l2_the_log_opens_for_nothing_else_even_to_the_superuser(
    erased: Cast, deed: str
) -> None:
    ids = {"rita": str(erased.rita.id), "rolf": str(erased.rolf.id)}
    with pytest.raises(psycopg.Error, match="never changed"), superuser(erased) as owner:
        owner.execute(deed, ids)


def test_p7_no_role_of_the_application_erases(cast: Cast) -> None:
    for role in Role:
        with pytest.raises(psycopg.errors.InsufficientPrivilege), cast.begin(role, cast.cora) as c:
            c.execute("SELECT erase_person(%s, 'x')", [cast.rita.id])


def test_p7_an_address_nobody_has_erases_nothing(cast: Cast) -> None:
    assert not erase_person(cast.database.url, email="no@example.org", reason=REASON)
    rows_of_people(cast)
