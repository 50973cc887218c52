"""Excluding a case, voiding or correcting a reading, another washout: pages without a call (B9)."""

import re
from dataclasses import replace
from uuid import UUID

import pytest

from app.db import protocols
from app.db.session import Role
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, opened
from tests.reading.steps import call as made
from tests.reading.steps import close, finish, lock, lock_aided_call, show_ai, superuser, unblind
from tests.web.site import Site

CASES = "/studies/bcc-sk/cases"


def without_ids(text: str) -> str:
    """Digests and ids hold any two digits by chance."""
    return re.sub(r"[0-9a-f]{8}[0-9a-f-]*", "", text)


def case_id(cast: Cast, code: str = "c003") -> UUID:
    with superuser(cast) as owner:
        return owner.execute("SELECT id FROM study_case WHERE code = %s", [code]).fetchone()[0]


def reading_id(cast: Cast, assignment: UUID, phase: str = "unaided") -> UUID:
    with superuser(cast) as owner:
        return owner.execute(
            "SELECT id FROM reading WHERE assignment_id = %s AND phase = %s", [assignment, phase]
        ).fetchone()[0]


def corrections(cast: Cast) -> list[tuple[object, ...]]:
    with superuser(cast) as owner:
        return owner.execute(
            "SELECT kind, call, confidence, reason, author FROM reading_correction ORDER BY made_at"
        ).fetchall()


def test_a_case_is_excluded_on_its_page_with_a_reason_that_stands_in_the_overview(
    site: Site,
) -> None:
    cora = site.browser(site.cast.cora)
    page = f"{CASES}/{case_id(site.cast)}"
    assert page in cora.get(CASES).text
    assert "Case c003" in cora.get(page).text
    refused = cora.post(f"{page}/exclusion", data={"reason": " "})
    assert (refused.status_code, "Give the reason" in refused.text) == (422, True)
    assert cora.post(f"{page}/exclusion", data={"reason": "No lesion."}).status_code == 303
    assert "by Cora: “No lesion.”" in cora.get(page).text
    overview = cora.get("/studies/bcc-sk").text
    assert "Excluded case c003" in overview
    assert "No lesion." in overview
    assert "1 amendment, exclusion or correction" in cora.get("/studies/bcc-sk/monitor").text
    again = cora.post(f"{page}/exclusion", data={"reason": "Still none."})
    assert (again.status_code, "is excluded already" in again.text) == (409, True)


def test_b9_the_pages_of_a_case_and_of_a_reading_show_no_call_no_confidence_and_no_truth(
    site: Site,
) -> None:
    cast = site.cast
    assignment = show_ai(cast, cast.rita, made("SK", 83))
    lock_aided_call(cast, cast.rita, assignment, made("SK", 83))
    with superuser(cast) as owner:
        case = owner.execute(
            "SELECT case_id FROM assignment WHERE id = %s", [assignment]
        ).fetchone()[0]
    cora = site.browser(cast.cora)
    reading = f"/studies/bcc-sk/readings/{reading_id(cast, assignment)}"
    for path in (f"{CASES}/{case}", reading, f"/studies/bcc-sk/readers/{cast.rita.id}?number=1"):
        shown = cora.get(path).text
        assert "unaided" in shown, path
        assert "83" not in without_ids(shown.split("<main")[1].split("moment")[0]), path
    cora.post(
        f"{reading}/corrections",
        data={"kind": "correct", "call": "BCC", "confidence": "91", "reason": "Wrong key."},
    )
    after = cora.get(reading).text
    assert "Corrected by Cora" in after
    assert "91" not in without_ids(after.split("What was said of it")[1].split("</ul>")[0])
    assert "checked" not in after


def test_d4_a_reading_is_voided_and_corrected_by_further_rows_with_reason_and_author(
    site: Site,
) -> None:
    cast = site.cast
    reading = reading_id(cast, finish(cast, cast.rita), "aided")
    address = f"/studies/bcc-sk/readings/{reading}"
    cora = site.browser(cast.cora)
    void = {"kind": "void", "reason": "Somebody else was at the screen."}
    assert cora.post(f"{address}/corrections", data=void).status_code == 303
    meant = {"kind": "correct", "call": "SK", "confidence": "20", "reason": "It was her after all."}
    assert cora.post(f"{address}/corrections", data=meant).status_code == 303
    assert corrections(cast) == [
        ("void", None, None, void["reason"], cast.cora.id),
        ("correct", "SK", 20, meant["reason"], cast.cora.id),
    ]
    page = cora.get(address).text
    assert page.index("after all") < page.index("at the screen"), "the newest first"
    overview = cora.get("/studies/bcc-sk").text
    assert "Voided the aided reading" in overview
    assert "Corrected the aided reading" in overview


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"call": ""}, "Give the call that the reader meant"),
        ({"confidence": "101"}, "from 0 to 100"),
        ({"confidence": "many"}, "whole number"),
        ({"reason": ""}, "Give the reason"),
    ],
    ids=str,
)
def test_d11_a_correction_that_is_no_good_gets_its_sentence_and_is_kept_in_the_form(
    site: Site, wrong: dict[str, str], sentence: str
) -> None:
    cast = site.cast
    reading = reading_id(cast, finish(cast, cast.rita))
    form = {"kind": "correct", "call": "SK", "confidence": "20", "reason": "Slip of the key."}
    answer = site.browser(cast.cora).post(
        f"/studies/bcc-sk/readings/{reading}/corrections", data={**form, **wrong}
    )
    assert answer.status_code == 422
    assert sentence in answer.text
    kept = {**form, **wrong}["reason"]
    assert f'value="{kept}"' in answer.text
    assert corrections(cast) == []


def test_d4_after_unblinding_nothing_is_voided_any_more(site: Site) -> None:
    cast = site.cast
    reading = reading_id(cast, finish(cast, cast.rita))
    unblind(cast)
    address = f"/studies/bcc-sk/readings/{reading}"
    cora = site.browser(cast.cora)
    assert "before unblinding, by somebody who knows no result" in cora.get(address).text
    late = cora.post(f"{address}/corrections", data={"kind": "void", "reason": "Late."})
    assert (late.status_code, "is unblinded" in late.text) == (409, True)


def test_the_page_of_a_case_says_where_its_diagnosis_stands(site: Site) -> None:
    """Hidden before unblinding; afterwards the page names the file that has it."""
    cast = site.cast
    cora = site.browser(cast.cora)
    address = f"/studies/bcc-sk/cases/{case_id(cast)}"
    assert "hidden until unblinding" in cora.get(address).text
    unblind(cast)
    page = cora.get(address).text
    assert "it stands in the export, in cases.csv" in page
    assert "hidden until unblinding" not in page


def test_the_number_asked_for_is_the_one_the_reader_saw(site: Site) -> None:
    """An excluded case that was not shown moves the numbers behind it."""
    cast = site.cast
    with superuser(cast) as owner:
        first = owner.execute(
            "SELECT case_id FROM assignment WHERE reader_id = %s AND position = 1", [cast.rita.id]
        ).fetchone()[0]
    cora = site.browser(cast.cora)
    cora.post(f"{CASES}/{first}/exclusion", data={"reason": "Blurred."})
    reading = reading_id(cast, finish(cast, cast.rita))
    found = cora.get(f"/studies/bcc-sk/readers/{cast.rita.id}", params={"number": 1}).text
    assert str(reading) in found
    nothing = cora.get(f"/studies/bcc-sk/readers/{cast.rita.id}", params={"number": 2}).text
    assert "Nothing is locked at number 2" in nothing


def test_another_washout_is_set_on_the_readers_page_with_its_reason(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    cora = Site(cast).browser(cast.cora)
    page = f"/studies/bcc-sk/readers/{cast.rita.id}"
    assert "At least 28 days" in cora.get(page).text
    refused = cora.post(f"{page}/washout", data={"days": "soon", "reason": "Leaves."})
    assert (refused.status_code, "whole number of days" in refused.text) == (422, True)
    assert 'value="soon"' in refused.text
    assert cora.post(f"{page}/washout", data={"days": "14", "reason": "Leaves."}).status_code == 303
    shown = cora.get(page).text
    assert "At least 14 days" in shown
    assert "Set to 14 days by Cora" in shown
    assert "Set the washout of Rita to 14 days" in cora.get("/studies/bcc-sk").text
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        assert [row.days for row in protocols.overrides_of(connection, cast.study.id)] == [14]


def test_a_sequential_study_has_no_washout_to_set(site: Site) -> None:
    cora = site.browser(site.cast.cora)
    page = f"/studies/bcc-sk/readers/{site.cast.rita.id}"
    assert "Washout" not in cora.get(page).text
    refused = cora.post(f"{page}/washout", data={"days": "14", "reason": "Leaves."})
    assert (refused.status_code, "Only a crossover" in refused.text) == (409, True)


def test_a_closed_study_excludes_no_case_and_says_so(site: Site) -> None:
    close(site.cast)
    cora = site.browser(site.cast.cora)
    page = f"{CASES}/{case_id(site.cast)}"
    assert "The study is closed" in cora.get(page).text
    refused = cora.post(f"{page}/exclusion", data={"reason": "No lesion."})
    assert (refused.status_code, "is closed" in refused.text) == (409, True)


def test_d11_a_correction_answers_the_management_where_the_study_asks_for_it(
    draft: Cast,
) -> None:
    cast = opened(draft, replace(DESIGNS["sequential"], ask_management=True))
    locked = lock(cast, cast.rita, replace(made(), management="biopsy"))
    reading = reading_id(cast, locked)
    site = Site(cast)
    address = f"/studies/bcc-sk/readings/{reading}"
    cora = site.browser(cast.cora)
    form = {"kind": "correct", "call": "SK", "confidence": "20", "reason": "Slip of the key."}
    assert "checked" not in cora.get(address).text.split("What the reader would have done")[1]
    for wrong in ({}, {"management": "watch"}):
        refused = cora.post(f"{address}/corrections", data={**form, **wrong})
        assert refused.status_code == 422
        assert "a biopsy or none. Nothing was recorded." in refused.text
        assert 'value="Slip of the key."' in refused.text
    assert corrections(cast) == []
    answer = cora.post(f"{address}/corrections", data={**form, "management": "no_biopsy"})
    assert answer.status_code == 303
    with superuser(cast) as owner:
        found = owner.execute("SELECT call, management FROM reading_correction").fetchall()
    assert found == [("SK", "no_biopsy")]


def test_d11_a_study_without_the_management_question_takes_no_answer_to_it(site: Site) -> None:
    cast = site.cast
    reading = reading_id(cast, finish(cast, cast.rita))
    address = f"/studies/bcc-sk/readings/{reading}"
    cora = site.browser(cast.cora)
    assert "What the reader would have done" not in cora.get(address).text
    form = {"kind": "correct", "call": "SK", "confidence": "20", "reason": "Slip of the key."}
    answer = cora.post(f"{address}/corrections", data={**form, "management": "biopsy"})
    assert answer.status_code == 409
    assert "all of them and no other" in answer.text
    assert corrections(cast) == []
