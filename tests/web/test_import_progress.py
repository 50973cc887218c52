"""An import tells how far it is, can be stopped, and stores all cases or none."""

import io
import json
import zipfile

import pytest

from app.actions import sample_cases
from app.domain.case_columns import OWN
from app.web.routes import importing
from tests.conftest import Cast, case_files
from tests.reading.steps import close, superuser
from tests.web.site import Site

IMPORT = "/studies/bcc-sk/import"
ATTESTED = {"action": "import", "attested": "yes"}
LINES = {"Accept": importing.LINES}


def files(count: int = 3, *, first: int = 0) -> dict[str, tuple[str, bytes]]:
    table, pack = case_files(first + count)
    header, *rows = table.splitlines(keepends=True)
    return {
        "cases": ("cases.csv", header + b"".join(rows[first:])),
        "images": ("images.zip", pack),
    }


def count_of(cast: Cast) -> int:
    with superuser(cast) as owner:
        return owner.execute("SELECT count(*) FROM study_case").fetchone()[0]


def lines_of(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_image_is_told_of_and_the_last_line_leads_on(draft: Cast) -> None:
    cora = Site(draft).browser(draft.cora)
    answer = cora.post(IMPORT, files=files(3, first=6), data=ATTESTED, headers=LINES)
    assert answer.headers["content-type"].startswith(importing.LINES)
    *steps, last = lines_of(answer.text)
    assert steps == [{"done": number, "total": 3} for number in (1, 2, 3)]
    assert last == {"location": "/studies/bcc-sk"}
    assert count_of(draft) == 9


def test_a_dry_run_ends_with_the_page_and_stores_nothing(draft: Cast) -> None:
    cora = Site(draft).browser(draft.cora)
    answer = cora.post(IMPORT, files=files(3, first=6), headers=LINES)
    *steps, last = lines_of(answer.text)
    assert len(steps) == 3
    assert "Dry run without problems" in last["html"]
    problems = cora.post(IMPORT, files=files(2), data=ATTESTED, headers=LINES)
    assert "is already in the study" in lines_of(problems.text)[-1]["html"]
    assert count_of(draft) == 6


def test_a_refusal_and_a_fault_end_with_their_sentence(
    draft: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    cora = Site(draft).browser(draft.cora)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(importing, "import_cases", fails)
    answer = cora.post(IMPORT, files=files(), data=ATTESTED, headers=LINES)
    assert "nothing was imported" in lines_of(answer.text)[-1]["html"]
    assert "a fault of ours" not in answer.text


def test_a_closed_study_refuses_line_by_line_too(site: Site) -> None:
    close(site.cast)
    cora = site.browser(site.cast.cora)
    answer = cora.post(IMPORT, files=files(), data=ATTESTED, headers=LINES)
    assert "is closed: cases are imported before" in lines_of(answer.text)[-1]["html"]


def test_the_samples_pass_a_dry_run_and_their_pictures_are_said_to_be_generated(
    draft: Cast,
) -> None:
    cora = Site(draft).browser(draft.cora)
    table = cora.get(f"{IMPORT}/samples/cases.csv").content
    pack = cora.get(f"{IMPORT}/samples/images.zip").content
    assert len(zipfile.ZipFile(io.BytesIO(pack)).namelist()) >= sample_cases.CASES
    answer = cora.post(
        IMPORT, files={"cases": ("cases.csv", table), "images": ("images.zip", pack)}
    )
    assert f"{sample_cases.CASES} cases with" in answer.text
    columns = cora.get(f"{IMPORT}/samples/columns.csv").text
    assert "training,training,training" in columns
    assert {row.split(",")[-1].strip() for row in table.decode().splitlines()[1:]} == {"yes"}


def test_each_explained_column_is_one_that_an_import_reads() -> None:
    named = {name for row in sample_cases.COLUMNS for name in row[1].split(", ")}
    assert named == set(OWN.names)
