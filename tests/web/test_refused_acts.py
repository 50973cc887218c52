"""What the protocol refuses, tried on the pages: each gets its sentence, and nothing changes."""

import re

import pytest

from app.db.session import Role
from tests.access.test_parts import invited
from tests.access.test_protection import study_digest
from tests.conftest import PASSWORD, Cast
from tests.reading.designs import DESIGNS, opened, set_days
from tests.reading.steps import close, superuser
from tests.reading.test_designs import first_session
from tests.web.site import Site

FORM = {"title": "Another", "instructions": "Look.", "show_label": "true", "reason": "Late."}


@pytest.mark.parametrize(
    ("path", "form", "sentence"),
    [
        ("design", FORM, "is closed: this is done while it is open"),
        ("open", {}, "it was opened before, and that is done once"),
        ("addition", {"reason": "More."}, "is closed: this is done while it is open"),
        ("consent", {"text": "I consent."}, "nobody reads any more"),
        ("unblind", {"password": "", "reason": "Now.", "meant": "yes"}, "Nothing was unblinded"),
    ],
)
def test_d13_what_a_closed_study_refuses_is_said_and_changes_nothing(
    site: Site, path: str, form: dict[str, str], sentence: str
) -> None:
    close(site.cast)
    before = study_digest(site.cast)
    answer = site.browser(site.cast.cora).post(f"/studies/bcc-sk/{path}", data=form)
    assert answer.status_code in {409, 422}
    assert sentence in answer.text
    after = study_digest(site.cast)
    counted = {"sign_in_failure"}  # a wrong password is counted, and nothing else is written
    assert {name for name in after if after[name] != before[name]} <= counted


def test_d7_on_day_27_the_reader_is_told_when_the_second_session_begins(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    first_session(cast, cast.rita)
    set_days(cast, 27)
    answer = Site(cast).browser(cast.rita).post("/studies/bcc-sk/next")
    assert answer.status_code == 409
    assert "The second session begins on" in answer.text
    with cast.begin(Role.READER, cast.rita) as connection:
        served = connection.execute("SELECT count(*) FROM served").fetchone()
    assert served == (6,)


OLD_TAB = {  # the draft's whole form, as the open study's settings are
    "title": "BCC or SK", "instructions": "Look.", "design": "sequential",
    "show_probability": "true", "show_label": "true", "show_overlay": "true",
    "washout_days": "28", "repeats": "0",
    "analysed_readings": "original", "reason": "Clearer words.",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"design": "parallel"}, "who reads what with the AI."),
        ({"design": "crossover", "washout_days": "7"}, "who reads what with the AI, the washout."),
        ({"show_overlay": "false", "ask_comment": "true"}, "what the AI shows, the questions."),
        ({"confidence_scale": "five_steps"}, "the questions."),
        ({"repeats": "3"}, "the repeated cases."),
        ({"analysed_readings": "corrected"}, "which readings are analysed."),
    ],
)
def test_d13_a_frozen_setting_sent_from_an_old_tab_is_named_and_nothing_is_saved(
    site: Site, change: dict[str, str], named: str
) -> None:
    before = study_digest(site.cast)
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/design", data=OLD_TAB | change)
    assert answer.status_code == 422
    assert f"The study is open, and this is fixed since then: {named}" in answer.text
    assert "Nothing was saved" in answer.text
    assert study_digest(site.cast) == before


def test_d13_the_same_form_without_a_frozen_change_is_the_amendment_it_says(site: Site) -> None:
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/design", data=OLD_TAB)
    assert answer.status_code == 303
    assert site.cast.reload().instructions == "Look."


def test_d13_the_api_changes_no_setting_of_a_study(site: Site) -> None:
    before = study_digest(site.cast)
    program = site.browser(site.cast.cora)
    for method in ("put", "patch", "delete"):
        answer = getattr(program, method)("/api/v1/studies/bcc-sk")
        assert answer.status_code == 405, answer.text
    assert study_digest(site.cast) == before


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (
            {"password": "not this one", "reason": "All in.", "meant": "yes"},
            "Nothing was unblinded",
        ),
        ({"password": "", "reason": "All in.", "meant": "yes"}, "Nothing was unblinded"),
        ({"password": PASSWORD, "reason": " ", "meant": "yes"}, "reason"),
        ({"password": PASSWORD, "reason": "All in."}, "Nothing was unblinded"),
    ],
)
def test_a14_a_closed_study_is_not_unblinded_without_password_reason_and_meaning(
    site: Site, form: dict[str, str], sentence: str
) -> None:
    close(site.cast)
    answer = site.browser(site.cast.cora).post("/studies/bcc-sk/unblind", data=form)
    assert answer.status_code in {403, 409, 422}
    assert sentence in answer.text
    assert site.cast.reload().state == "closed"


def test_a2_an_adjudicator_invited_to_read_the_same_study_is_told_why_not(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    answer = cora.post("/studies/bcc-sk/invitations", data={"email": "jude@example.org"})
    link = re.search(r"(/invitations/[A-Za-z0-9_-]{43})", answer.text)[1]
    invited(site, "adjudicator", "jude@example.org")  # and takes up the other invitation first
    refused = site.browser().post(link, data={"password": PASSWORD})
    assert refused.status_code == 403
    assert "cannot take part as reader. Nobody has two parts in one study" in refused.text
    with superuser(site.cast) as owner:
        assert owner.execute("SELECT count(*) FROM enrolment").fetchone() == (2,)


def test_a2_an_adjudicator_has_no_reading_room_and_a_reader_no_adjudication(site: Site) -> None:
    jude = invited(site, "adjudicator", "jude@example.org")
    for person, path in ((jude, "read"), (site.cast.rita, "adjudication")):
        assert site.browser(person).get(f"/studies/bcc-sk/{path}").status_code in {403, 404}


@pytest.mark.parametrize(
    ("part", "status"), [("reader", 422), ("adjudicator", 422), ("auditor", 200)]
)
def test_nobody_is_invited_to_read_what_is_closed(site: Site, part: str, status: int) -> None:
    close(site.cast)
    cora = site.browser(site.cast.cora)
    form = {"email": "late@example.org", "part": part}
    answer = cora.post("/studies/bcc-sk/invitations", data=form)
    assert answer.status_code == status
    made = "late@example.org" in cora.get("/studies/bcc-sk/readers").text
    assert made == (status == 200)
    assert ("No invitation was made." in answer.text) != made


def test_an_excluded_case_is_missing_nowhere(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    with superuser(site.cast) as owner:
        case = owner.execute("SELECT min(id::text) FROM study_case").fetchone()[0]
    assert "0 of 12 readings are finished" in cora.get("/studies/bcc-sk").text
    cora.post(f"/studies/bcc-sk/cases/{case}/exclusion", data={"reason": "Blurred."})
    for path in ("/studies/bcc-sk", "/studies/bcc-sk/monitor"):
        assert "0 of 10 readings are finished" in cora.get(path).text, path
    assert "0 of 10 readings finished" in cora.get("/").text


@pytest.mark.parametrize(
    ("who", "method", "path", "back", "words"),
    [
        ("cora", "GET", "results", "/studies/bcc-sk", "Back to the study"),
        ("cora", "POST", "open", "/studies/bcc-sk", "Back to the study"),
        ("cora", "GET", "read", "/studies/bcc-sk", "Back to the study"),
        ("cora", "POST", "cases/{case}/exclusion", "/studies/bcc-sk/cases/{case}", "Back to the p"),
        ("rita", "GET", "results", None, "Back to the start"),
    ],
)
def test_a_refusal_leads_back_to_what_its_reader_may_open(
    site: Site, who: str, method: str, path: str, back: str | None, words: str
) -> None:
    with superuser(site.cast) as owner:
        case = owner.execute("SELECT min(id::text) FROM study_case").fetchone()[0]
    if "exclusion" in path:
        close(site.cast)
    browser = site.browser(getattr(site.cast, who))
    answer = browser.request(
        method, f"/studies/bcc-sk/{path.format(case=case)}", data={"reason": "Blurred."}
    )
    assert answer.status_code in {403, 409}
    assert words in answer.text
    offered = re.findall(r'class="button primary" href="([^"]+)"', answer.text)
    assert offered == ([back.format(case=case)] if back else [])
    if back:
        assert browser.get(offered[0]).status_code == 200


def test_what_is_absent_is_answered_alike_and_leads_nowhere_near(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    answers = [cora.get(f"/studies/{code}/cases") for code in ("nothing", "anything")]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert "/studies/" not in answers[0].text.partition("<main")[2]
    assert answers[0].text.replace("nothing", "anything") == answers[1].text


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("results", "is being prepared. Results exist only after unblinding"),
        ("audit", "is being prepared. Its log holds every call"),
        ("addition", "is being prepared: this is done while it is open"),
        ("close", "is being prepared: only an open study can be closed"),
    ],
)
def test_a_refusal_names_the_state_of_the_study_in_words(
    draft: Cast, path: str, sentence: str
) -> None:
    cora = Site(draft).browser(draft.cora)
    got = path in {"results", "audit"}
    answer = cora.request("GET" if got else "POST", f"/studies/bcc-sk/{path}", data={"reason": "x"})
    assert answer.status_code == 409
    assert sentence in answer.text
    assert "is draft" not in answer.text
    assert draft.reload().state == "draft"


def test_d7_during_the_washout_the_first_page_names_the_day_and_offers_nothing(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    browser = Site(cast).browser(cast.rita)
    assert "Start reading" in browser.get("/").text
    first_session(cast, cast.rita)
    set_days(cast, 27)
    page = browser.get("/").text
    assert "6 of 12 cases done" in page
    assert "Your second session begins on" in page
    assert "/read" not in page
    room = browser.get("/studies/bcc-sk/read").text
    assert "between the sessions" in room
    assert "ready when you are" not in room
    set_days(cast, 28)
    page = browser.get("/").text
    assert "second session" not in page
    assert "Go on with case 7" in page
