"""`reread evaluate`: what it writes, refuses and leaves alone. The model's weights are random."""

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.__main__ import main
from app.modelling import evaluate_model as evaluating
from app.statistics.clustered import clustered_auc
from tests.modelling.conftest import Rows, patients, write_table
from tests.modelling.small_model import record_training_images, write_small_model

Cohort = Callable[[Rows], tuple[Path, Path]]


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_small_model(tmp_path / "model")


def evaluated(
    tmp_path: Path, model: Path, cohort: tuple[Path, Path], *more: object
) -> dict[str, Any]:
    table, folder = cohort
    out = tmp_path / "out.json"
    assert run("evaluate", model, table, "--images", folder, "--json", out, *more) == 0
    return json.loads(out.read_text())


def test_the_numbers_are_those_of_the_scores_and_every_file_is_named_by_its_hash(
    tmp_path: Path, model: Path, cohort: Cohort
) -> None:
    data = cohort(patients(24))
    html = tmp_path / "report.html"
    found = evaluated(tmp_path, model, data, "--maps", "2", "--html", html)
    scores = tmp_path / "scores"
    assert run("score", model, data[0], "--images", data[1], "--out", scores) == 0
    rows = {row["image"]: row for row in patients(24)}
    with (scores / "images.csv").open() as stream:
        scored = list(csv.DictReader(stream))
    probability = np.array([float(row["probability_BCC"]) for row in scored])
    truth = np.array([rows[row["image"]]["diagnosis"] == "BCC" for row in scored])
    expected = clustered_auc(
        probability, truth, [rows[row["image"]]["patient_id"] for row in scored]
    )
    external = found["cohorts"]["external"]
    accuracy = external["accuracy"]
    assert accuracy["auc"]["value"] == pytest.approx(expected.value)
    assert accuracy["auc"]["se"] == pytest.approx(expected.se)
    assert accuracy["n"]["patients"] == 24
    called = probability >= 0.5
    assert accuracy["ppv"]["numerator"] == (called & truth).sum()
    assert accuracy["ppv"]["denominator"] == called.sum()
    assert external["wrong_images"] == (called != truth).sum() == len(found["wrong"])
    assert found["data"]["table_sha256"] == hashlib.sha256(data[0].read_bytes()).hexdigest()
    assert found["model"]["weights_sha256"] == scored[0]["model_sha256"]
    assert found["code"]["version"]
    assert external["maps"]["images"] == 2
    report = html.read_text()
    assert "Evaluation of the model small-random" in report
    assert report.count('class="case"') == min(48, len(found["wrong"]))
    assert "<script" not in report
    assert "http://" not in report.replace("http://www.w3.org", "")


def test_what_is_undefined_is_null_and_a_warning_says_why(
    tmp_path: Path, model: Path, cohort: Cohort
) -> None:
    found = evaluated(tmp_path, model, cohort(patients(6)), "--maps", "0")
    external = found["cohorts"]["external"]
    assert external["accuracy"]["alternatives"]["linear_probe"] is None
    assert external["accuracy"]["alternatives"]["zero_shot"]["auc"]["value"] is not None
    assert external["maps"] is None
    assert external["subgroups"]["sex"]["parts"]["female"]["auc"] is None
    assert external["subgroups"]["site"]["unknown"]["images"] == 12
    codes = {warning["code"] for warning in found["warnings"]}
    assert {"no_probe", "maps_not_checked", "small_group", "training_images_unknown"} <= codes


def test_no_neighbour_of_a_wrong_call_is_of_the_same_patient(
    tmp_path: Path, model: Path, cohort: Cohort
) -> None:
    found = evaluated(tmp_path, model, cohort(patients(8, images=3)), "--maps", "0")
    assert found["wrong"]
    for call in found["wrong"]:
        assert len(call["neighbours"]) == 3
        assert not [one for one in call["neighbours"] if one["image"][:3] == call["image"][:3]]


def test_a_persons_reasons_are_asked_for_counted_and_never_written_over(
    tmp_path: Path, model: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    data = cohort(patients(8))
    evaluated(tmp_path, model, data, "--maps", "0")
    file = tmp_path / "out.reasons.csv"
    with file.open() as stream:
        rows = list(csv.DictReader(stream))
    rows[0]["reason"], rows[1]["reason"] = "Blurred image", "similar colours"
    write_table(file, rows)
    filled = file.read_bytes()
    table, folder = data
    again = ("evaluate", model, table, "--images", folder, "--json", tmp_path / "out.json")
    assert run(*again, "--maps", "0") == 1
    assert "holds reasons that somebody filled in" in capsys.readouterr().err
    found = evaluated(tmp_path, model, data, "--maps", "0", "--reasons", file)
    reasons = found["cohorts"]["external"]["reasons"]
    assert (reasons["blurred image"], reasons["similar colours"]) == (1, 1)
    assert reasons["no reason given"] == len(rows) - 2
    assert file.read_bytes() == filled
    rows[0]["reason"] = "bad luck"
    write_table(file, rows)
    assert run(*again, "--reasons", file) == 1
    assert "row 2, column reason: 'bad luck' is none of colour blending" in capsys.readouterr().out


def test_images_of_the_training_are_told_from_external_ones_and_known_patients_set_aside(
    tmp_path: Path, model: Path, cohort: Cohort
) -> None:
    rows = patients(8)
    table, folder = cohort(rows)
    lines = []
    for number, row in enumerate(rows[:9]):
        sha256 = hashlib.sha256((folder / row["image"]).read_bytes()).hexdigest()
        patient = hashlib.sha256(row["patient_id"].encode()).hexdigest()
        lines.append(f"{row['image']},{'test' if number < 4 else 'train'},{sha256},,{patient}")
    record_training_images(model, lines)
    found = evaluated(tmp_path, model, (table, folder), "--maps", "0", "--cohort", "Lyon")
    counted = {name: of["accuracy"]["n"]["images"] for name, of in found["cohorts"].items()}
    assert counted == {"train": 5, "test": 4, "Lyon": 6}
    (aside,) = found["set_aside"]
    assert aside["image"] == rows[9]["image"]
    assert "another image of this patient was in the model's train part" in aside["reason"]
    (model / "training-images.csv").write_text("image,split\n")
    out = tmp_path / "later.json"
    assert run("evaluate", model, table, "--images", folder, "--json", out) == 1
    assert not out.exists()


def test_masks_place_the_maps_and_bad_ones_are_listed(
    tmp_path: Path, model: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    data = cohort(patients(6))
    masks = tmp_path / "masks"
    masks.mkdir()
    lesion = np.zeros((48, 40), dtype=np.uint8)
    lesion[12:36, 10:30] = 1
    for name in ("p00-0", "p01-0", "p02-0"):
        Image.fromarray(lesion).save(masks / f"{name}.png")
    found = evaluated(tmp_path, model, data, "--maps", "9", "--masks", masks)
    maps = found["cohorts"]["external"]["maps"]
    assert (maps["images"], maps["drawn_from"]) == (3, "images with a mask")
    assert maps["placing"]["pointing_centre"]["numerator"] == 3
    assert maps["placing"]["lesion_share"]["value"] == pytest.approx(20 * 24 / 40**2, abs=0.02)
    Image.fromarray(lesion.T).save(masks / "p01-0.png")
    Image.fromarray(lesion * 0).save(masks / "p02-0.png")
    out = tmp_path / "later.json"
    table, folder = data
    refused = ("evaluate", model, table, "--images", folder, "--json", out, "--masks", masks)
    assert run(*refused) == 1
    said = capsys.readouterr().out
    assert "row 4: the mask p01-0.png has 48 x 40 pixels and the image 80 x 96" in said
    assert "row 6: the mask p02-0.png is black" in said
    assert not out.exists()


def test_one_bad_image_is_listed_with_its_row_and_nothing_is_written(
    tmp_path: Path, model: Path, cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    table, folder = cohort(patients(4))
    (folder / "p02-1.png").write_bytes(b"\x89PNG cut")
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.json"
    assert run("evaluate", model, table, "--images", folder, "--json", out) == 1
    assert "row 7" in capsys.readouterr().out
    assert run("score", model, table, "--images", folder, "--out", tmp_path / "scores") == 1
    assert "row 7" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == before


def test_an_interrupted_evaluation_leaves_nothing_behind(
    tmp_path: Path, model: Path, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, folder = cohort(patients(4))

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluating, "check_maps", stop)
    before = sorted(tmp_path.iterdir())
    out = tmp_path / "out.json"
    assert run("evaluate", model, table, "--images", folder, "--json", out) == 130
    assert sorted(tmp_path.iterdir()) == before
