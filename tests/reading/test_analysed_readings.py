"""Which readings the analysis uses: as locked or as corrected, as the protocol says."""

import csv
from pathlib import Path

import pytest

from app.actions.export_pack import export_pack
from app.actions.verify_pack import verify_pack
from app.db import protocols
from app.db.session import Role
from app.domain.study_design import AnalysedReadings, StudyDesign
from tests.conftest import Cast
from tests.reading.designs import opened
from tests.reading.steps import at, correct, finish, superuser, unblind
from tests.web.site import Site


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def read_and_corrected(draft: Cast, analysed: AnalysedReadings) -> tuple[Cast, str, str]:
    """Rita has read all; her first unaided call is corrected, her first aided one void."""
    cast = opened(draft, StudyDesign(analysed_readings=analysed))
    while at(cast, cast.rita) is not None:
        finish(cast, cast.rita)
    corrected, void = correct(cast), correct(cast, "void", "aided")
    unblind(cast)
    return cast, str(corrected), str(void)


def pack_of(cast: Cast, folder: Path) -> Path:
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        export_pack(
            connection, study=cast.reload(), storage=cast.storage, path=folder, by=cast.cora
        )
    return folder


EXPECTED = {
    # call and confidence that count, whether the void counts, reasons in the other file
    "original": (("BCC", "70", "no"), 12, {"correction_not_used", "void_not_used"}),
    "corrected": (("SK", "20", "yes"), 11, {"corrected", "void"}),
}


@pytest.mark.parametrize("analysed", EXPECTED)
def test_d4_the_analysis_uses_the_readings_that_the_protocol_says(
    draft: Cast, tmp_path: Path, analysed: AnalysedReadings
) -> None:
    cast, corrected, void = read_and_corrected(draft, analysed)
    folder = pack_of(cast, tmp_path / "pack")
    assert verify_pack(folder).problems == ()
    call, rows, reasons = EXPECTED[analysed]
    counted = {row["reading_id"]: row for row in rows_of(folder, "readings.csv")}
    row = counted[corrected]
    assert (row["call"], row["confidence"], row["corrected"]) == call
    assert len(counted) == rows
    assert (void in counted) == (analysed == "original")
    others = rows_of(folder, "readings_not_counted.csv")
    assert {row["not_counted_because"] for row in others} == reasons
    beside = next(row for row in others if row["reading_id"] == corrected)
    assert (beside["call"], beside["confidence"]) != call[:2], "the other of the two calls"
    said = "analysed as they were locked" if analysed == "original" else "analysed as corrected"
    assert said in (folder / "methods.md").read_text()
    shown = "as they were locked" if analysed == "original" else "voided readings left out"
    page = Site(cast).browser(cast.cora).get("/studies/bcc-sk/results").text
    assert shown in page.split("Readings analysed")[1].split("</dd>")[0]


def test_d4_a_new_study_analyses_readings_as_they_were_locked(draft: Cast) -> None:
    cast = opened(draft, StudyDesign())
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        version = protocols.versions_of(connection, cast.study.id)[0]
    assert '"analysed_readings": "original"' in version.content


def test_d13_the_choice_is_made_on_the_design_page_and_is_fixed_from_opening_on(
    draft: Cast,
) -> None:
    site = Site(draft)
    cora = site.browser(draft.cora)
    form = {"title": "BCC or SK", "instructions": "Look.", "show_label": "true",
            "analysed_readings": "corrected"}  # fmt: skip
    assert cora.post("/studies/bcc-sk/design", data=form).status_code == 303
    page = cora.get("/studies/bcc-sk/design").text
    assert 'name="analysed_readings" value="corrected" checked' in page
    cast = opened(draft, StudyDesign(analysed_readings="corrected"))
    cora.post("/studies/bcc-sk/design", data={**form, "analysed_readings": "original",
                                              "reason": "We prefer it."})  # fmt: skip
    with superuser(cast) as owner:
        assert owner.execute("SELECT analysed_readings FROM study").fetchone() == ("corrected",)
    assert 'value="corrected" checked disabled' in cora.get("/studies/bcc-sk/design").text
