"""`reread score MODEL CASES.csv`: probabilities and overlays without a study."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.__main__ import main
from app.modelling import score_images as scoring
from tests.modelling.conftest import Rows, patients, write_table
from tests.modelling.small_model import write_small_model

Cohort = Callable[[Rows], tuple[Path, Path]]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_small_model(tmp_path / "model")


def read(file: Path) -> list[dict[str, str]]:
    with file.open() as stream:
        return list(csv.DictReader(stream))


def without_diagnosis(rows: Rows) -> Rows:
    return [{k: v for k, v in row.items() if k != "diagnosis"} for row in rows]


def test_a_table_without_diagnoses_is_scored_by_image_and_by_case(
    tmp_path: Path, model: Path, cohort: Cohort
) -> None:
    rows = patients(2)
    table, folder = cohort(rows)
    for row in rows:
        row["case_id"] = row["case_id"].split("-")[0]
    write_table(table, without_diagnosis(rows))
    out = tmp_path / "scores"
    assert run("score", model, table, "--images", folder, "--out", out) == 0
    images, cases = read(out / "images.csv"), read(out / "cases.csv")
    assert [row["image"] for row in images] == [row["image"] for row in rows]
    values = [float(row["probability_BCC"]) for row in images]
    assert float(cases[0]["probability_BCC"]) == pytest.approx(sum(values[:2]) / 2)
    assert cases[1]["call"] == ("BCC" if sum(values[2:]) / 2 >= 0.5 else "SK")
    assert cases[0]["images"] == "2"
    with Image.open(out / images[0]["overlay"]) as overlay:
        assert overlay.format == "PNG"
        assert overlay.height > 96  # the legend stands below the photograph


def test_an_interrupted_scoring_goes_on_where_it_stopped(
    tmp_path: Path, model: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, folder = cohort(patients(4))
    out = tmp_path / "scores"
    command = ("score", model, table, "--images", folder, "--out", out)
    draw, drawn = scoring.explained_picture, []

    def stop_after_three(*arguments: object, **named: object) -> bytes:
        if len(drawn) == 3:
            raise KeyboardInterrupt
        drawn.append(1)
        return draw(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(scoring, "explained_picture", stop_after_three)
        assert run(*command) == 130
    assert not (out / "images.csv").exists()
    assert len((out / "scored.jsonl").read_text().splitlines()) == 3
    with (out / "scored.jsonl").open("a") as log:
        log.write('{"image": "p03')  # a line that was cut off
    drawn_again: list[int] = []

    def count(*arguments: object, **named: object) -> bytes:
        drawn_again.append(1)
        return draw(*arguments, **named)

    monkeypatch.setattr(scoring, "explained_picture", count)
    assert run(*command) == 0
    assert len(drawn_again) == 5
    assert len(read(out / "images.csv")) == 8
    again = (out / "images.csv").read_bytes()
    assert run(*command) == 0
    assert len(drawn_again) == 5
    assert (out / "images.csv").read_bytes() == again


def test_a_folder_of_other_inputs_or_other_files_is_refused(
    tmp_path: Path, model: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    table, folder = cohort(patients(2))
    out = tmp_path / "scores"
    assert run("score", model, table, "--images", folder, "--out", out) == 0
    record = json.loads((out / "scoring.json").read_text())
    assert record["inputs"]["threshold"] == 0.5
    write_table(table, patients(2)[:3])
    assert run("score", model, table, "--images", folder, "--out", out) == 1
    assert "other inputs (table_sha256, images_sha256 differ)" in capsys.readouterr().err
    assert run("score", model, table, "--images", folder, "--out", folder) == 1
    assert "holds other files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (("bcc-2027", "--out", "scores"), "belongs to a table of cases"),
        (("MODEL",), "is a model folder: name the table"),
        (("MODEL", "cases.csv", "--images", "photographs"), "give --images DIR and --out DIR"),
        (
            ("MODEL", "cases.csv", "--coordinator", "a@b.org"),
            "--coordinator belongs to a study",
        ),
        (
            ("nowhere", "cases.csv", "--images", "a", "--out", "b"),
            "There is no model folder nowhere",
        ),
    ],
)
def test_a_study_and_a_table_are_told_apart_and_mixtures_get_a_sentence(
    model: Path, more: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("score", *(str(model) if part == "MODEL" else part for part in more)) == 1
    assert sentence in capsys.readouterr().err
