"""Whatever is changed in a pack is found, and the file is named (L3, L4, L8).

Three forgers: one changes a file; one makes the manifest fit; one makes the log's last event, the
export, fit too. What the third can do unnoticed is listed, and an anchor finds it.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from app.actions.pack.codebook import TABLES
from app.actions.pack.texts import TEXTS
from app.actions.verify_pack import verify_pack
from app.commands.proofs import say_verdict
from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput
from tests.pack.forging import Chain, Forgery, Rows, rehashed, renumbered


@pytest.fixture
def forgery(folder: Path, tmp_path: Path) -> Forgery:
    return Forgery(folder, tmp_path)


@pytest.fixture(scope="module")
def anchor(folder: Path) -> Anchor:
    head = verify_pack(folder).head
    assert verify_pack(folder, anchors=[head]).problems == ()
    return head


def problems_of(forgery: Forgery, *anchors: Anchor) -> tuple[str, ...]:
    return verify_pack(forgery.folder, anchors=anchors).problems


def names(problems: tuple[str, ...], file: str) -> bool:
    return any(problem.startswith(f"{file}: ") for problem in problems)


def names_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


# ---------------------------------------------------------------- files


def change_bytes(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_l4_every_file_that_was_changed_alone_is_named(folder: Path, tmp_path: Path) -> None:
    others = [name for name in names_of(folder) if name != "manifest.json"]
    assert len(others) == 40
    for number, name in enumerate(others):
        forged = Forgery(folder, tmp_path / str(number))
        change_bytes(forged / name)
        assert names(problems_of(forged), name), name
        shutil.rmtree(forged.folder)


def test_l4_every_file_that_was_changed_with_the_manifest_is_named_by_the_log(
    folder: Path, tmp_path: Path
) -> None:
    for number, name in enumerate(names_of(folder)):
        if name in {"manifest.json", "audit.jsonl"}:
            continue
        forged = Forgery(folder, tmp_path / str(number))
        with (forged / name).open("ab") as file:
            file.write(b"\n")
        forged.remake_manifest()
        assert names(problems_of(forged), name), name
        shutil.rmtree(forged.folder)


@pytest.mark.parametrize("name", ["readings.csv", "figures/forest.pdf", "overlays/00003.png"])
def test_l4_a_missing_file_is_named(forgery: Forgery, name: str) -> None:
    (forgery / name).unlink()
    assert f"{name}: it is missing" in problems_of(forgery)
    if name != "readings.csv":
        forgery.remake_manifest()
        assert names(problems_of(forgery), name), "the log still knows of it"


@pytest.mark.parametrize("name", ["notes.txt", "overlays/00007.png", "figures/.hidden"])
def test_l4_an_added_file_is_named(forgery: Forgery, name: str) -> None:
    (forgery / name).write_text("something else")
    assert f"{name}: it is not of the pack" in problems_of(forgery)
    forgery.remake_manifest()
    assert names(problems_of(forgery), name), "the log never knew of it"


def test_l4_two_overlays_exchanged_are_found_even_with_the_log_remade(forgery: Forgery) -> None:
    (forgery / "overlays/00001.png").write_bytes(b"another picture")
    forgery.remake_export()
    assert names(problems_of(forgery), "overlays/00001.png")


# ---------------------------------------------------------------- cells

ANOTHER_TIME = "2001-01-01T00:00:00.000000+00:00"
OTHER = {
    "BCC": "SK",
    "SK": "BCC",
    "unaided": "aided",
    "aided": "unaided",
    "yes": "no",
    "no": "yes",
    "R01": "R02",
    "": "7",
}
CELLS = [
    (name, column)
    for name, columns in TABLES.items()
    if name != "readings-wide.csv"
    for column, *_ in columns
]


def other(value: str) -> str:
    """Return another value of the same kind."""
    if value in OTHER:
        return OTHER[value]
    if value.startswith("20") and "T" in value:
        return ANOTHER_TIME
    if value.isdigit():
        return str(int(value) + 1)
    try:
        return repr(float(value) / 2 + 0.001)
    except ValueError:
        return f"{value}x"


def change_cell(column: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        # An aided row has a value in every column that any row has one in.
        row = next((row for row in rows if row.get("modality") == "aided"), rows[0])
        row[column] = other(row[column])

    return change


@pytest.mark.parametrize(("name", "column"), CELLS)
def test_l4_a_changed_cell_is_named_although_manifest_and_log_were_remade(
    forgery: Forgery, anchor: Anchor, name: str, column: str
) -> None:
    forgery.rewrite(name, change_cell(column))
    forgery.remake_export()
    assert names(problems_of(forgery), name)
    assert names(problems_of(forgery, anchor), "audit.jsonl")


def test_l4_writing_the_same_tables_anew_is_no_tampering(forgery: Forgery) -> None:
    """So that the test above finds the change, and not the forger's way of writing."""
    for name in TABLES:
        forgery.rewrite(name, lambda _rows: None)
    assert problems_of(forgery) == ()


def truth_turned(rows: Rows) -> None:
    for row in rows:
        if row["case_id"] == rows[0]["case_id"]:
            row["truth"] = OTHER[row["truth"]]


def test_l4_a_truth_changed_in_every_file_with_all_results_made_anew_is_found(
    forgery: Forgery,
) -> None:
    for name in ("cases.csv", "readings.csv"):
        forgery.rewrite(name, truth_turned)
    forgery.remake_derived()
    forgery.remake_export()
    found = problems_of(forgery)
    assert names(found, "cases.csv")
    assert names(found, "readings.csv")
    assert not names(found, "results.json"), "the results fit the forged readings"


@pytest.mark.parametrize(
    "name", ["readings.csv", "cases.csv", "predictions.csv", "allocation.csv", "readers.csv"]
)
@pytest.mark.parametrize("deed", ["left out", "put in twice", "invented", "moved"])
def test_l4_a_row_out_of_its_place_is_found_although_all_was_remade(
    forgery: Forgery, name: str, deed: str
) -> None:
    def change(rows: Rows) -> None:
        if deed == "left out":
            del rows[1]
        elif deed == "put in twice":
            rows.append(rows[1])
        elif deed == "invented":
            rows.append({**rows[1], next(iter(rows[1])): "X99", "reading_id": str(uuid4())})
            rows[-1] = {column: rows[-1][column] for column in rows[0]}
        else:
            rows[0], rows[1] = rows[1], rows[0]

    forgery.rewrite(name, change)
    forgery.remake_export()
    assert names(problems_of(forgery), name)


def test_l4_an_added_column_is_found(forgery: Forgery) -> None:
    def change(rows: Rows) -> None:
        for row in rows:
            row["note"] = "checked by hand"

    forgery.rewrite("cases.csv", change)
    forgery.remake_export()
    assert "cases.csv: its columns are not those of a pack" in problems_of(forgery)


def test_l4_swapping_the_two_calls_of_a_case_is_found(forgery: Forgery) -> None:
    """As if the reader had been right alone, and the model had misled them."""

    def change(rows: Rows) -> None:
        rows[0]["modality"], rows[1]["modality"] = rows[1]["modality"], rows[0]["modality"]

    forgery.rewrite("readings.csv", change)
    forgery.remake_export()
    assert names(problems_of(forgery), "readings.csv")


# ---------------------------------------------------------------- what follows from the readings


def nudge(value: object) -> object:
    """Change the first number inside."""
    if isinstance(value, dict):
        for name, part in value.items():
            changed = nudge(part)
            if changed is not part:
                return {**value, name: changed}
    if isinstance(value, list):
        for number, part in enumerate(value):
            changed = nudge(part)
            if changed is not part:
                return [*value[:number], changed, *value[number + 1 :]]
    return value + 1e-6 if isinstance(value, float) else value


def test_x1_a_result_changed_in_its_sixth_place_is_found(forgery: Forgery) -> None:
    results = json.loads((forgery / "results.json").read_text())
    (forgery / "results.json").write_text(json.dumps(nudge(results)))
    forgery.remake_export()
    assert names(problems_of(forgery), "results.json")


@pytest.mark.parametrize("name", ["readings-wide.csv", "readings.imrmc"])
def test_x1_a_file_made_from_the_readings_is_made_again(forgery: Forgery, name: str) -> None:
    text = (forgery / name).read_text()
    assert "0.85" in text
    (forgery / name).write_text(text.replace("0.85", "0.15", 1))
    forgery.remake_export()
    assert names(problems_of(forgery), name)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_x1_a_text_of_the_pack_is_written_again(forgery: Forgery, name: str) -> None:
    text = (forgery / name).read_text()
    (forgery / name).write_text(text.replace("6 cases", "707 cases").replace("To be", "Need not"))
    assert (forgery / name).read_text() != text
    forgery.remake_export()
    assert names(problems_of(forgery), name)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("name", "a better model"), ("weights_sha256", "f" * 64), ("threshold", 0.4),
     ("demonstration", False), ("card", "It was tried on 10,000 patients.")],
)  # fmt: skip
def test_l4_another_model_is_found_although_every_file_agrees(
    forgery: Forgery, entry: str, value: object
) -> None:
    columns = {"name": "model_version", "weights_sha256": "model_weights_sha256"}
    study = json.loads((forgery / "study.json").read_text())
    study["models"][0][entry] = value
    (forgery / "study.json").write_text(json.dumps(study))
    if entry in columns:
        for name in ("predictions.csv", "readings.csv", "readings_not_counted.csv"):

            def change(rows: Rows) -> None:
                for row in rows:
                    if row[columns[entry]]:
                        row[columns[entry]] = str(value)

            forgery.rewrite(name, change)
    forgery.remake_derived()
    forgery.remake_export()
    assert names(problems_of(forgery), "study.json")
    assert names(problems_of(forgery), "predictions.csv") == (entry in columns)


def test_l4_another_setting_of_the_study_is_found(forgery: Forgery) -> None:
    study = json.loads((forgery / "study.json").read_text())
    study["study"]["seed"] = 99
    (forgery / "study.json").write_text(json.dumps(study))
    forgery.remake_export()
    assert names(problems_of(forgery), "study.json")


@pytest.mark.parametrize(
    "name",
    ["protocol_versions", "exclusions", "readmissions", "washout_overrides", "corrections"],
)
def test_l4_an_invented_amendment_is_found(forgery: Forgery, name: str) -> None:
    study = json.loads((forgery / "study.json").read_text())
    study[name] = [*study[name], {"number": 9, "reason": "We said so all along."}]
    (forgery / "study.json").write_text(json.dumps(study))
    forgery.remake_export()
    assert f"study.json: its {name} are not those of the log" in problems_of(forgery)


# ---------------------------------------------------------------- manifest and chain


@pytest.mark.parametrize("entry", ["study", "positive", "data_sha256", "head"])
def test_l4_a_changed_entry_of_the_manifest_is_named(forgery: Forgery, entry: str) -> None:
    manifest = json.loads((forgery / "manifest.json").read_text())
    manifest[entry] = "SK" if entry == "positive" else "0" * 64
    (forgery / "manifest.json").write_text(json.dumps(manifest))
    assert names(problems_of(forgery), "manifest.json")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b'{"files": {}}',
        b'{"files": {"readings.csv": "0"}}',
        b"\xff",
        b'{"pack_version": 99}',
    ],
)
def test_l4_a_manifest_that_is_none_is_refused(forgery: Forgery, content: bytes) -> None:
    (forgery / "manifest.json").write_bytes(content)
    with pytest.raises(InvalidInput):
        verify_pack(forgery.folder)


def cut_by_one(events: Chain) -> Chain:
    return events[:-1]


def cut_before_the_unblinding(events: Chain) -> Chain:
    return events[:-3]


def without_an_event(events: Chain) -> Chain:
    return events[:10] + events[11:]


def without_an_event_made_anew(events: Chain) -> Chain:
    return rehashed(renumbered(without_an_event(events)))


def first_reading(events: Chain) -> int:
    return next(n for n, event in enumerate(events) if event.action == "reading.insert")


def a_call_changed_and_made_anew(events: Chain) -> Chain:
    at = first_reading(events)
    payload = json.loads(events[at].payload) | {"call": "SK", "confidence": 1}
    changed = replace(events[at], payload=json.dumps(payload))
    return rehashed([*events[:at], changed, *events[at + 1 :]])


def a_reveal_before_its_lock(events: Chain) -> Chain:
    lock = first_reading(events)
    reveal = next(n for n, event in enumerate(events) if event.action == "reveal.insert")
    moved = [*events[:lock], events[reveal], *events[lock:reveal], *events[reveal + 1 :]]
    return rehashed(renumbered(moved))


@pytest.mark.parametrize(
    "tamper",
    [
        cut_by_one,
        cut_before_the_unblinding,
        without_an_event,
        without_an_event_made_anew,
        a_call_changed_and_made_anew,
        a_reveal_before_its_lock,
    ],
    ids=lambda tamper: tamper.__name__,
)
def test_l3_a_log_cut_or_changed_is_found_without_any_anchor(
    forgery: Forgery, tamper: Callable[[Chain], Chain]
) -> None:
    forgery.store(tamper(forgery.events()))
    forgery.remake_manifest()
    assert problems_of(forgery)


@pytest.mark.parametrize("cut", [cut_by_one, cut_before_the_unblinding])
def test_l4_a_log_cut_at_its_end_is_found_by_the_anchor(
    forgery: Forgery, anchor: Anchor, cut: Callable[[Chain], Chain]
) -> None:
    forgery.store(cut(forgery.events()))
    forgery.remake_manifest()
    found = problems_of(forgery, anchor)
    assert f"audit.jsonl: the chain ends before the anchored event {anchor.seq}" in found


def simulated_as_people(forgery: Forgery) -> None:
    def change(rows: Rows) -> None:
        for row in rows:
            row["simulated"] = OTHER[row["simulated"]]

    for name in ("readers.csv", "readings.csv", "readings_not_counted.csv"):
        forgery.rewrite(name, change)
    forgery.remake_derived()
    forgery.remake_export()


def test_l4_programs_called_people_in_every_file_are_found_by_the_log_alone(
    forgery: Forgery,
) -> None:
    simulated_as_people(forgery)
    assert names(problems_of(forgery), "readers.csv")
    assert names(problems_of(forgery), "readings.csv")


def without_what_newer_versions_bind(events: Chain) -> Chain:
    """The log as an earlier version wrote it: no models bound, no word on who is simulated."""
    kept = [event for event in events if event.action != "study_model.insert"]
    for number, event in enumerate(kept):
        if event.action == "enrolment.insert":
            payload = json.loads(event.payload)
            del payload["simulated"]
            kept[number] = replace(event, payload=json.dumps(payload))
    return rehashed(renumbered(kept))


def test_l4_a_pack_of_an_earlier_version_holds_and_says_what_its_log_does_not_bind(
    forgery: Forgery, anchor: Anchor
) -> None:
    forgery.store(without_what_newer_versions_bind(forgery.events()))
    forgery.remake_derived()  # its texts said nothing of what its log did not hold
    forgery.remake_export()
    verdict = verify_pack(forgery.folder)
    assert verdict.problems == ()
    assert "an earlier version logged no more" in "".join(verdict.checked)
    # There, everything made anew together is found only by an anchor.
    simulated_as_people(forgery)
    assert problems_of(forgery) == (), "if this is found now, say so in docs/security.md"
    assert names(problems_of(forgery, anchor), "audit.jsonl")


def test_l3_what_is_wrong_is_said_with_the_file_and_ends_in_one_sentence(
    forgery: Forgery, capsys: pytest.CaptureFixture[str]
) -> None:
    forgery.rewrite("readings.csv", change_cell("call"))
    assert say_verdict(verify_pack(forgery.folder)) == 1
    said = capsys.readouterr().out
    assert "PROBLEM: readings.csv: " in said
    assert said.endswith("Something is wrong.\n")
