"""Deeds of a coordinator who wants another result, and covers them up in manifest and last event.

Each is found from the pack alone, or the test says that it is not.
"""

import csv
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.actions.verify_pack import verify_pack
from app.domain.audit_chain import AuditEvent
from app.domain.errors import InvalidInput
from app.domain.logged_digest import data_sha256_of_log
from app.domain.logged_rows import rows_of_log
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.pack.forging import Chain, Forgery, Rows, rehashed, renumbered
from tests.reading.designs import DESIGNS, opened, simulate
from tests.reading.steps import unblind

TABLES = ("readings.csv", "readings_not_counted.csv", "readings-wide.csv")
OTHER = {"BCC": "SK", "SK": "BCC"}


@pytest.fixture
def forgery(folder: Path, tmp_path: Path) -> Forgery:
    return Forgery(folder, tmp_path)


def found_in(forgery: Forgery) -> set[str]:
    """The files with which something is wrong, once all was covered up."""
    forgery.remake_export()
    return {problem.partition(": ")[0] for problem in verify_pack(forgery.folder).problems}


def rows_of(forgery: Forgery, name: str) -> Rows:
    return list(csv.DictReader(io.StringIO((forgery / name).read_text())))


def test_l4_overlays_swapped_between_two_cases_are_found(forgery: Forgery) -> None:
    one, other = (forgery / "overlays/00001.png"), (forgery / "overlays/00002.png")
    other.write_bytes(one.read_bytes() + b"x")  # all maps of the tests are one picture
    assert "overlays/00002.png" in found_in(forgery)


def test_l4_overlays_swapped_in_the_table_are_found(forgery: Forgery) -> None:
    def swap(rows: Rows) -> None:
        first, second = [row for row in rows if row["overlay"]][:2]
        for column in ("overlay", "overlay_sha256", "image_sha256"):
            first[column], second[column] = second[column], first[column]

    forgery.rewrite("predictions.csv", swap)
    assert "predictions.csv" in found_in(forgery)


def test_l4_a_reader_dropped_from_every_file_is_found(forgery: Forgery) -> None:
    for name in ("readings.csv", "readings_not_counted.csv", "allocation.csv", "readers.csv"):
        forgery.rewrite(name, drop("R02"))
    forgery.remake_derived()
    assert {"readings.csv", "allocation.csv", "readers.csv"} <= found_in(forgery)


def drop(reader: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["reader_id"] != reader] or rows[:1]

    return change


def test_l4_the_classes_exchanged_everywhere_are_found(forgery: Forgery) -> None:
    def exchange(rows: Rows) -> None:
        for row in rows:
            for column in ("truth", "call", "ai_call"):
                if row.get(column):
                    row[column] = OTHER[row[column]]

    for name in ("readings.csv", "readings_not_counted.csv", "cases.csv", "predictions.csv"):
        forgery.rewrite(name, exchange)
    forgery.remake_derived()
    assert {"readings.csv", "cases.csv", "predictions.csv"} <= found_in(forgery)


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("reading", "confidence", 99),
        ("reading", "call", None),
        ("reading", "submission_id", "00000000-0000-0000-0000-000000000000"),
        ("reading_correction", "confidence", 99),
    ],
)
def test_l4_a_reading_changed_in_a_log_made_anew_is_not_what_unblinding_froze(
    forgery: Forgery, table: str, column: str, value: object
) -> None:
    """The forger makes the whole log anew, and forgets the digest in the study's own events."""

    def change(event: AuditEvent) -> AuditEvent:
        row = json.loads(event.payload)
        row[column] = OTHER[row["call"]] if value is None else value
        return replace(event, payload=json.dumps(row))

    events = forgery.events()
    at = next(n for n, event in enumerate(events) if event.action == f"{table}.insert")
    events[at] = change(events[at])
    forgery.store(rehashed(events))
    forgery.remake_export()
    frozen = "audit.jsonl: its readings are not those that unblinding froze"
    assert any(one.startswith(frozen) for one in verify_pack(forgery.folder).problems)


def test_l4_rows_sorted_anew_are_found(forgery: Forgery) -> None:
    forgery.rewrite("readings.csv", lambda rows: rows.sort(key=lambda row: row["truth"]))
    forgery.remake_derived()
    assert "readings.csv" in found_in(forgery)


def without_the_correction(forgery: Forgery) -> None:
    """Nobody ever corrected anything, say tables, settings and whatever follows from them."""
    others = rows_of(forgery, "readings_not_counted.csv")
    assert {row["not_counted_because"] for row in others} == {"correction_not_used"}

    def undo(rows: Rows) -> None:
        for row in rows:
            row["corrected"] = "no"

    forgery.rewrite("readings.csv", undo)
    header, *_ = (forgery / "readings_not_counted.csv").read_text().splitlines()
    (forgery / "readings_not_counted.csv").write_text(f"{header}\n")
    study = json.loads((forgery / "study.json").read_text())
    (forgery / "study.json").write_text(json.dumps(study | {"corrections": []}))
    forgery.remake_derived()


def test_l4_a_correction_taken_out_of_every_file_is_found(forgery: Forgery) -> None:
    without_the_correction(forgery)
    assert {"readings_not_counted.csv", "study.json"} <= found_in(forgery)


def frozen_anew(events: Chain) -> Chain:
    """Write the digest of what the log holds now into the study's own events."""
    digest = data_sha256_of_log(rows_of_log(events))
    made: Chain = []
    for event in events:
        row = json.loads(event.payload)
        for part in (row, row.get("new"), row.get("old")):
            if event.action == "study.update" and part and part.get("data_sha256"):
                part["data_sha256"] = digest
        made.append(replace(event, payload=json.dumps(row)))
    return made


def test_l4_a_correction_taken_out_of_the_log_as_well_is_found_by_the_frozen_digest(
    forgery: Forgery,
) -> None:
    events = [e for e in forgery.events() if e.action != "reading_correction.insert"]
    forgery.store(rehashed(renumbered(events)))
    without_the_correction(forgery)
    assert found_in(forgery) == {"audit.jsonl"}


def test_l4_a_correction_and_its_digest_taken_out_everywhere_are_found_only_by_the_anchor(
    forgery: Forgery,
) -> None:
    """The whole chain made anew: what no pack can show by itself."""
    anchor = verify_pack(forgery.folder).head
    events = [e for e in forgery.events() if e.action != "reading_correction.insert"]
    events = frozen_anew(events)
    forgery.store(rehashed(renumbered(events)))
    digest = data_sha256_of_log(rows_of_log(events))
    for name, under in (("study.json", "study"), ("manifest.json", None)):
        content = json.loads((forgery / name).read_text())
        (content[under] if under else content)["data_sha256"] = digest
        (forgery / name).write_text(json.dumps(content, indent=2))
    without_the_correction(forgery)
    assert found_in(forgery) == set(), "if this is found now, say so in docs/export.md"
    problems = verify_pack(forgery.folder, anchors=[anchor]).problems
    assert any(problem.startswith("audit.jsonl: ") for problem in problems)


# ---------------------------------------------------------------- results, report, figures


def test_x1_a_number_written_twice_in_the_results_is_found(forgery: Forgery) -> None:
    """Which of two values of one name is shown depends on the program that reads it."""
    text = (forgery / "results.json").read_text()
    at = text.index('"sha256"')
    (forgery / "results.json").write_text(f'{text[:at]}"rows": 9999, {text[at:]}')
    problems = (forgery.remake_export(), verify_pack(forgery.folder).problems)[1]
    assert "results.json: it cannot be read (the name 'rows' stands twice in it)" in problems


@pytest.mark.parametrize("name", ["study.json", "manifest.json"])
def test_l4_a_name_written_twice_in_another_file_is_found(forgery: Forgery, name: str) -> None:
    text = (forgery / name).read_text()
    forged = text.replace("{", '{"study": "another",', 1)
    if name == "manifest.json":
        (forgery / name).write_text(forged)
        with pytest.raises(InvalidInput, match="not the manifest"):
            verify_pack(forgery.folder)
    else:
        (forgery / name).write_text(forged)
        assert name in found_in(forgery)


def test_x1_a_warning_taken_out_of_the_results_is_found(forgery: Forgery) -> None:
    results = json.loads((forgery / "results.json").read_text())
    results["mrmc"]["population"] = "2 readers: they stand for all dermatologists."
    (forgery / "results.json").write_text(json.dumps(results))
    assert "results.json" in found_in(forgery)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("report.html", b"readers", b"expert readers"),
        ("README.md", b"unblinded", b"audited and unblinded"),
        ("codebook.csv", b"BCC", b"MEL"),
        ("load.R", b"AUC", b"AuC"),
        ("load.py", b"AUC", b"AuC"),
    ],
)
def test_l4_a_file_that_follows_from_version_and_results_is_written_again(
    forgery: Forgery, name: str, old: bytes, new: bytes
) -> None:
    content = (forgery / name).read_bytes()
    assert old in content
    (forgery / name).write_bytes(content.replace(old, new))
    assert name in found_in(forgery)


def test_l4_a_figure_altered_or_left_out_is_found_where_the_report_shows_it(
    forgery: Forgery,
) -> None:
    (forgery / "figures/roc-R01.svg").write_bytes(b"<svg/>")
    assert "report.html" in found_in(forgery)
    (forgery / "figures/roc-R01.svg").unlink()
    assert "report.html" in found_in(forgery)


def test_l4_a_figure_as_pdf_altered_together_with_the_last_event_is_found_only_by_the_anchor(
    forgery: Forgery,
) -> None:
    anchor = verify_pack(forgery.folder).head
    (forgery / "figures/forest.pdf").write_bytes(b"%PDF-1.4 another")
    assert found_in(forgery) == set(), "if this is found now, say so in docs/export.md"
    assert verify_pack(forgery.folder, anchors=[anchor]).problems != ()


# ---------------------------------------------------------------- the ZIP file


@pytest.mark.parametrize("name", ["readings.csv", "Readings.csv", "READINGS.CSV"])
def test_i2_a_zip_file_with_a_name_twice_is_refused(
    folder: Path, tmp_path: Path, name: str
) -> None:
    """Programs differ in which of two files of one name they unpack."""
    packed = tmp_path / "twice.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(path, f"bcc-sk/{path.relative_to(folder).as_posix()}")
        forged = (folder / "readings.csv").read_text().replace("SK", "BCC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # zipfile warns the forger of the double name
            archive.writestr(f"bcc-sk/{name}", forged)
    with pytest.raises(InvalidInput) as refused:
        verify_pack(packed)
    assert any("readings.csv" in str(problem).lower() for problem in refused.value.problems)


# ---------------------------------------------------------------- a crossover


def test_l4_washouts_of_a_crossover_altered_anywhere_are_found(draft: Cast, tmp_path: Path) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    simulate(cast, 2)
    unblind(cast)
    export(cast, tmp_path / "pack")
    assert verify_pack(tmp_path / "pack").problems == ()

    def forged(number: int) -> Forgery:
        return Forgery(tmp_path / "pack", tmp_path / str(number))

    dates = forged(1)  # the second session a month later
    dates.rewrite("readings.csv", a_month_later)
    dates.remake_derived()
    assert "readings.csv" in found_in(dates)

    settings = forged(2)
    study = json.loads((settings / "study.json").read_text())
    study["study"]["washout_days"] = 7
    (settings / "study.json").write_text(json.dumps(study | {"washout_overrides": []}))
    settings.remake_derived()
    assert "study.json" in found_in(settings)

    log = forged(3)  # nobody ever had another washout, says a log made anew
    events: Chain = [e for e in log.events() if e.action != "washout_override.insert"]
    log.store(rehashed(renumbered(events)))
    study = json.loads((log / "study.json").read_text())
    (log / "study.json").write_text(json.dumps(study | {"washout_overrides": []}))
    log.remake_derived()
    log.remake_export()
    problems = verify_pack(log.folder).problems
    assert any("second session began before 28 days" in problem for problem in problems)


def a_month_later(rows: Rows) -> None:
    for row in rows:
        if row["session"] == "2":
            for column in ("served_at", "locked_at"):
                row[column] = row[column].replace(row[column][:4], str(int(row[column][:4]) + 1))


def test_l4_a_lock_moved_before_its_serving_is_found_in_the_log(forgery: Forgery) -> None:
    """A forger who makes the whole chain anew still has to keep the steps in their order."""
    events = forgery.events()
    at = next(n for n, event in enumerate(events) if event.action == "reading.insert")
    payload = json.loads(events[at].payload) | {"phase": "aided"}
    events[at] = replace(events[at], payload=json.dumps(payload))
    forgery.store(rehashed(events))
    assert "audit.jsonl" in found_in(forgery)
