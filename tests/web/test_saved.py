"""What the reader is told is what the database holds (D1, D5, D6, D14)."""

import re
from uuid import uuid4

import pytest
from psycopg.types.json import Jsonb

from app.actions.manage_accounts import IDLE
from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import at, bring_to, superuser
from tests.web.site import Site


def form(call: str = "BCC", confidence: int = 70) -> dict[str, str]:
    return {"call": call, "confidence": str(confidence), "submission_id": str(uuid4())}


def fail_at_commit(cast: Cast, code: str) -> None:
    """Let every commit of a reading fail after its INSERT went well: a full disk, a lost server."""
    with superuser(cast) as owner:
        owner.execute(
            f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                RAISE EXCEPTION 'the commit failed' USING ERRCODE = '{code}'; END $$"""
        )
        owner.execute(
            """CREATE CONSTRAINT TRIGGER zz_fail AFTER INSERT ON reading
               DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"""
        )


@pytest.mark.parametrize(
    ("code", "status"), [("RR409", 409), ("53100", 503), ("40001", 503), ("XX000", 500)]
)
def test_d1_a_commit_that_fails_is_never_answered_as_saved(
    site: Site, code: str, status: int
) -> None:
    """The commit comes before the answer, so that its failure is the answer."""
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    fail_at_commit(cast, code)
    answer = site.browser(cast.rita).post(f"/readings/{assignment}/unaided", data=form())
    assert answer.status_code == status
    assert at(cast, cast.rita).state is ReadingState.SERVED


def test_d1_saved_is_answered_when_it_is(site: Site) -> None:
    """So that the refusals above are for the failing commit alone."""
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    answer = site.browser(cast.rita).post(f"/readings/{assignment}/unaided", data=form())
    assert answer.status_code == 303
    assert at(cast, cast.rita).state is ReadingState.LOCKED


def test_d5_f2_a_form_sent_again_gets_the_same_answer_and_another_one_sees_the_locked_call(
    site: Site,
) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = site.browser(cast.rita)
    first = form("BCC", 70)
    address = f"/readings/{assignment}/unaided"
    answers = [browser.post(address, data=first) for _ in range(3)]
    assert {(a.status_code, a.headers["location"]) for a in answers} == {
        (303, "/studies/bcc-sk/read")
    }
    other = browser.post(address, data={**first, "call": "SK"})
    assert other.status_code == 409
    assert "already locked: BCC, 70 % sure. It was not changed." in other.text
    assert at(cast, cast.rita).unaided.call == "BCC"


def test_a_late_answer_to_a_case_that_is_done_is_not_said_of_the_case_that_is_shown(
    site: Site,
) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.REVEALED)
    browser = site.browser(cast.rita)
    address = f"/readings/{assignment}/aided"
    assert browser.post(address, data=form("BCC", 80)).status_code == 303
    bring_to(cast, cast.rita, ReadingState.SERVED)
    late = browser.post(address, data=form("SK", 60))
    assert late.status_code == 409
    assert "your aided call was BCC, 80 % sure. It was not changed" in late.text
    assert "Case 2 of" in late.text
    assert "this case is already locked" not in late.text
    assert "aria-invalid" not in late.text


def test_d2_the_form_of_one_call_does_not_lock_the_other(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = site.browser(cast.rita)
    first = form()
    browser.post(f"/readings/{assignment}/unaided", data=first)
    browser.post(f"/readings/{assignment}/reveal")
    again = browser.post(f"/readings/{assignment}/aided", data=first)
    assert again.status_code == 409
    assert "used for another call" in again.text
    assert at(cast, cast.rita).state is ReadingState.REVEALED


def test_d6_a_stale_tab_ends_where_the_server_is(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.FINISHED)
    browser = site.browser(cast.rita)
    stale = [
        browser.post(f"/readings/{assignment}/unaided", data=form()),
        browser.post(f"/readings/{assignment}/aided", data=form()),
        browser.post(f"/readings/{assignment}/reveal"),
        browser.post("/studies/bcc-sk/next"),
    ]
    assert [answer.status_code for answer in stale] == [409, 409, 303, 303]
    assert at(cast, cast.rita).assignment.position == 2
    assert "Case 2" in stale[0].text, "the refusal shows the case the server is at"


@pytest.mark.parametrize(
    "sent",
    [{}, {"call": "BCC"}, {"confidence": "70"}, {"call": "bcc", "confidence": "70"},
     {"call": "BCC", "confidence": "1e400"}, {"call": "BCC", "confidence": "NaN"},
     {"call": "BCC", "confidence": "\u0665\u0660"}, {"call": "BCC", "confidence": "101"},
     {"call": "BCC", "confidence": "7\x000"}]
)  # fmt: skip
def test_d11_an_unusable_form_locks_nothing_and_comes_back_with_what_was_typed(
    open_site: Site, sent: dict[str, str]
) -> None:
    cast = open_site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    answer = open_site.browser(cast.rita).post(
        f"/readings/{assignment}/unaided", data={"submission_id": str(uuid4()), **sent}
    )
    assert answer.status_code == 422
    assert chosen(answer.text) == [value for value in ("BCC", "SK") if value == sent.get("call")]
    assert at(cast, cast.rita).state is ReadingState.SERVED


def chosen(page: str) -> list[str]:
    """The calls that a page's form has chosen already."""
    radios = re.findall(r'<input type="radio" name="call" value="(\w+)"([^>]*)>', page)
    assert [value for value, _ in radios] == ["BCC", "SK"]
    return [value for value, attributes in radios if "checked" in attributes]


def test_d11_nothing_is_preselected_before_or_after_the_reveal(site: Site) -> None:
    cast = site.cast
    for state in (ReadingState.SERVED, ReadingState.REVEALED):
        bring_to(cast, cast.rita, state)
        page = site.browser(cast.rita).get("/studies/bcc-sk/read").text
        assert chosen(page) == []
        assert re.search(r'name="confidence"[^>]* value=""', page)


def test_d14_a_session_that_ends_in_the_middle_loses_nothing_and_locks_nothing(
    site: Site,
) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = site.browser(cast.rita)
    site.clock.advance(seconds=IDLE.total_seconds())
    kept = form()
    assert browser.post(f"/readings/{assignment}/unaided", data=kept).status_code == 401
    assert at(cast, cast.rita).state is ReadingState.SERVED
    again = site.browser(cast.rita)
    assert again.post(f"/readings/{assignment}/unaided", data=kept).status_code == 303
    assert at(cast, cast.rita).assignment.id == assignment


def test_i6_text_of_people_is_shown_as_text(site: Site) -> None:
    """In titles, names and what was typed; also where htmx would act on it."""
    cast = site.cast
    hostile = '"><script>alert(1)</script><b hx-get="/x" hx-trigger="load">'
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute(
            "INSERT INTO protocol_version (study_id, changes, reason) VALUES (%s, %s, %s)",
            [cast.study.id, Jsonb({"title": hostile, "instructions": hostile}), hostile],
        )
        owner.execute("UPDATE account SET name = %s", [hostile])
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    rita, cora = site.browser(cast.rita), site.browser(cast.cora)
    answers = [
        *(rita.get(path) for path in ("/", "/studies/bcc-sk/read")),
        *(cora.get(path) for path in ("/", "/studies/bcc-sk", "/studies/bcc-sk/cases")),
        rita.post(f"/readings/{assignment}/unaided", data={"confidence": hostile}),
        cora.post(
            "/studies/new", data={"code": hostile, "title": hostile, "instructions": hostile}
        ),
        cora.post("/studies/bcc-sk/invitations", data={"email": hostile}),
        cora.get(f"/studies/{hostile}"),
        site.browser().post("/sign-in", data={"email": hostile, "next": hostile}),
        site.browser().get("/sign-in", params={"next": f"/{hostile}"}),
    ]
    for answer in answers:
        assert "<script>alert" not in answer.text, answer.url
        assert '<b hx-get="/x"' not in answer.text, answer.url
    assert sum("&lt;script&gt;" in answer.text for answer in answers) >= 8
