"""Cases without a diagnosis come in, an adjudicator records it, and the study opens."""

import csv
import io
import re

from app.actions.design_study import open_study
from app.db.session import Role
from tests.access.test_parts import invited
from tests.conftest import Cast, case_files, score_by_hand
from tests.reading.steps import superuser
from tests.web.site import Site


def files_without_diagnosis(*, filled: bool = False) -> dict[str, tuple[str, bytes]]:
    """Two further cases; `filled`: one of them has a diagnosis all the same."""
    table, pack = case_files(8)
    rows = list(csv.DictReader(io.StringIO(table.decode())))[6:]
    for number, row in enumerate(rows):
        row["diagnosis"] = "SK" if filled and number else ""
        row["diagnosis_confirm"] = ""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return {"cases": ("cases.csv", out.getvalue().encode()), "images": ("images.zip", pack)}


def import_them(site: Site, **form: str) -> str:
    cora = site.browser(site.cast.cora)
    files = files_without_diagnosis()
    return cora.post(
        "/studies/bcc-sk/import", files=files, data={"action": "import", "attested": "yes", **form}
    ).text


def test_without_the_box_a_missing_diagnosis_is_a_problem_and_with_it_a_given_one(
    draft: Cast,
) -> None:
    site = Site(draft)
    assert "the diagnosis is missing" in import_them(site)
    cora = site.browser(draft.cora)
    answer = cora.post(
        "/studies/bcc-sk/import",
        files=files_without_diagnosis(filled=True),
        data={"without_diagnosis": "yes"},
    )
    assert "a diagnosis is given although none was to be in the file" in answer.text


def test_a_case_waits_for_its_adjudicator_and_the_study_with_it(draft: Cast) -> None:
    site = Site(draft)
    import_them(site, without_diagnosis="yes")
    score_by_hand(draft.database, draft.storage, draft.study)
    cora = site.browser(draft.cora)
    assert cora.get("/studies/bcc-sk/cases").text.count("no diagnosis yet") == 2
    refused = cora.post("/studies/bcc-sk/open")
    assert refused.status_code == 409
    assert "2 of 8 cases have no diagnosis yet: an adjudicator" in refused.text

    jude = site.browser(invited(site, "adjudicator", "jude@example.org"))
    page = jude.get("/studies/bcc-sk/adjudication").text
    waiting = re.findall(r'action="(/studies/bcc-sk/adjudication/[0-9a-f-]{36})"', page)
    assert len(waiting) == 2
    form = {"diagnosis": "SK", "source": "histopathology", "diagnosed_on": "2020-02-29"}
    for wrong in (
        {"diagnosis": "MEL"},
        {"source": " "},
        {"diagnosed_on": "2020-02-30"},
        {"diagnosed_on": "2027-01-01"},
    ):
        assert jude.post(waiting[0], data={**form, **wrong}).status_code == 422, wrong
    again = jude.post(waiting[0], data={**form, "diagnosed_on": "2027-01-01"}).text
    kept = again.partition(waiting[0])[2].partition("</form>")[0]
    assert "between 1900 and today" in kept, "said where it is to be mended"
    assert 'value="SK" checked' in kept
    assert 'value="histopathology"' in kept
    assert "2 cases have no diagnosis yet" in (overview := cora.get("/studies/bcc-sk").text)
    assert "Open the study" not in overview
    for address in waiting:
        assert jude.post(address, data=form).status_code == 303
    again = jude.post(waiting[0], data={**form, "diagnosis": "BCC"})
    assert again.status_code == 409
    assert "has its diagnosis already" in again.text

    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        open_study(connection, study=draft.reload(), by=draft.cora)
    with superuser(draft) as owner:
        recorded = owner.execute(
            """SELECT d.diagnosis, d.source, d.diagnosed_on::text, a.name
               FROM reference_diagnosis d JOIN account a ON a.id = d.recorded_by
               WHERE d.diagnosed_on IS NOT NULL"""
        ).fetchall()
    assert recorded == [("SK", "histopathology", "2020-02-29", "Jude")] * 2


def test_an_open_study_takes_no_diagnosis(site: Site) -> None:
    jude = site.browser(invited(site, "adjudicator", "jude@example.org"))
    page = jude.get("/studies/bcc-sk/adjudication").text
    assert "of cases that wait to be added, and of no other" in page
    assert "Record for good" not in page
