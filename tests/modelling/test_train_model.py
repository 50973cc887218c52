"""From a table of photographs to a model's folder that a study can use."""

import csv
import errno
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from app.__main__ import main
from app.actions.score_cases import request_scoring
from app.db.session import Role
from app.db.studies import counts_of
from app.domain.errors import Conflict, InvalidInput
from app.image_decoding import clean_image
from app.modelling import train_model as training
from app.modelling.choose_backbone import ChosenBackbone, choose_backbone
from app.modelling.train_model import train_model
from app.modelling.training_request import Recipe, TrainingRequest, check_request, recipe_of
from app.worker import load_scorer, run_worker
from models.backbone import metadata_for
from models.comparators import ComparedModel
from models.coop import CoopConfig
from models.description import DEFAULT_FOLDER, describe
from models.predict import Predictor
from models.record import sha256_of, write_record
from tests.conftest import Cast
from tests.modelling.conftest import Rows, patients, write_table
from tests.models.conftest import random_record

Cohort = Callable[[Rows], tuple[Path, Path]]
Make = Callable[..., TrainingRequest]
QUICK = Recipe(normalisation="clip", views=2, epochs=3)


@pytest.fixture
def tiny_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ChosenBackbone:
    """A tiny random CLIP in the place of the shipped one; its file says how it was trained."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    record = random_record(folder, quick_gelu=True)
    file = folder / str(record.weights_file)
    save_file(load_file(file), file, metadata_for(record.activation, record.preprocessing))
    record = replace(record, weights_sha256=sha256_of(file))
    write_record(folder / "backbone.json", record.as_json())
    chosen = ChosenBackbone(record, folder, shipped=True)
    monkeypatch.setattr(training, "choose_backbone", lambda *_: chosen)
    return chosen


@pytest.fixture
def request_of(tmp_path: Path, cohort: Cohort, tiny_source: ChosenBackbone) -> Make:
    """Make a request on twelve patients; what is named differs."""
    assert tiny_source.shipped

    def make(rows: Rows | None = None, **changes: object) -> TrainingRequest:
        table, images = cohort(patients(12) if rows is None else rows)
        made = TrainingRequest(
            table=table,
            images=images,
            out=tmp_path / "model",
            cache=tmp_path / "cache",
            recipe=QUICK,
        )
        return replace(made, **changes)  # pyright: ignore[reportArgumentType]

    return make


def train(request: TrainingRequest) -> list[str]:
    said: list[str] = []
    train_model(request, say=said.append)
    return said


def test_the_folder_opens_as_a_model_and_says_what_training_said(request_of: Make) -> None:
    request = request_of()
    train(request)
    description = describe(request.out)
    assert (description.name, description.positive_class) == ("model", "BCC")
    assert not description.demonstration
    assert "Not validated for diagnosis" in description.card
    assert "learned from generated pictures only" in description.card
    with (request.out / "training-images.csv").open(newline="") as stream:
        listed = list(csv.DictReader(stream))
    record = json.loads((request.out / "model.json").read_text())
    assert [row["image"] for row in listed] == [row["image"] for row in patients(12)]
    assert listed[0]["sha256"] == sha256_of(request.images / "p00-0.png")
    assert record["training_images_sha256"] == sha256_of(request.out / "training-images.csv")
    assert record["data"]["table_sha256"] == sha256_of(request.table)
    parts = record["data"]["parts"]
    assert sum(part["images"] for part in parts.values()) == 24
    assert sum(part["patients"] for part in parts.values()) == 12
    assert record["test"]["n"]["images"] == parts["test"]["images"]
    assert record["code"]["version"]
    # The area of the record, from the folder alone.
    tested = [row["image"] for row in listed if row["split"] == "test"]
    pictures = [cleaned(request.images / name) for name in tested]
    compared = ComparedModel.load(request.out, device="cpu")
    scores = compared.margins(compared.features(pictures))
    diagnosis = {row["image"]: row["diagnosis"] for row in patients(12)}
    truth = np.array([diagnosis[name] == "BCC" for name in tested])
    for name in ("coop", "zero_shot", "linear_probe"):
        values = getattr(scores, name)
        above = (values[truth][:, None] > values[~truth]).mean()
        assert above == pytest.approx(record["test"]["areas"][name]["estimate"])
    made = Predictor.load(request.out, device="cpu").predict(pictures)
    assert [one.probability_bcc for one in made] == pytest.approx(
        1 / (1 + np.exp(-scores.coop)), abs=1e-5
    )


def test_a_worker_scores_a_study_with_the_folder_as_it_is(request_of: Make, draft: Cast) -> None:
    request = request_of()
    train(request)
    scorer = load_scorer(draft.database, draft.storage, request.out)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        request_scoring(connection, study=draft.reload(), model_version=scorer.model_version)
    run_worker(draft.database, scorer, until_idle=True, progress=lambda _: None)
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        counts = counts_of(connection, draft.study.id)
    assert (counts.images, counts.scored_images, counts.scored_cases) == (6, 6, 6)


def cleaned(file: Path) -> Image.Image:
    """The photograph as training and studies see it."""
    return Image.open(io.BytesIO(clean_image(file.read_bytes()).data))


def hashes(folder: Path) -> dict[str, str]:
    names = ("prompt.safetensors", "probe.safetensors", "training-images.csv")
    return {name: sha256_of(folder / name) for name in names}


def test_the_same_seed_gives_the_same_weights_also_after_interruptions(
    request_of: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    train(request)
    again = replace(request, out=tmp_path / "again", cache=tmp_path / "elsewhere")

    class Interrupted(training.Progress):
        stops = [("features", 1), ("epochs", 2)]  # noqa: RUF012 - both are used up

        def __call__(self, done: int, total: int) -> None:
            super().__call__(done, total)
            for stop in self.stops:
                if stop[0] in self._what and done >= stop[1]:
                    self.stops.remove(stop)
                    raise KeyboardInterrupt

    monkeypatch.setattr(training, "Progress", Interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train(again)
        assert not again.out.exists()
    train(again)
    assert hashes(again.out) == hashes(request.out)
    other = replace(request, seed=2, out=tmp_path / "other")
    train(other)
    assert hashes(other.out)["prompt.safetensors"] != hashes(request.out)["prompt.safetensors"]


def test_the_data_sets_normalisation_is_stored_and_used(request_of: Make) -> None:
    request = request_of(recipe=replace(QUICK, normalisation="data", views=0))
    train(request)
    backbone = json.loads((request.out / "backbone.json").read_text())
    listed = (request.out / "training-images.csv").read_text().splitlines()[1:]
    training_part = [line.split(",")[0] for line in listed if ",test," not in line]
    predictor = Predictor.load(request.out, device="cpu")
    inputs = predictor.backbone.preprocessing(
        [cleaned(request.images / name) for name in training_part]
    )
    assert inputs.mean(axis=(0, 2, 3)) == pytest.approx(0, abs=1e-3)
    assert inputs.std(axis=(0, 2, 3)) == pytest.approx(1, abs=1e-3)
    assert backbone["normalisation"]["mean"] != [0.5, 0.5, 0.5]
    card = " ".join((request.out / "CARD.md").read_text().split())
    assert "Normalisation: the training photographs' own" in card


def test_cross_validation_measures_every_image_once(request_of: Make) -> None:
    request = request_of(folds=3, recipe=replace(QUICK, epochs=2))
    train(request)
    record = json.loads((request.out / "model.json").read_text())
    assert record["cross_validation"]["n"]["images"] == 24
    assert record["cross_validation"]["n"]["patients"] == 12
    assert "Cross-validation by patient in 3 folds: 24 images" in describe(request.out).card


def test_generated_images_alone_make_a_demonstration(request_of: Make) -> None:
    request = request_of([row | {"synthetic": "yes"} for row in patients(12)])
    train(request)
    description = describe(request.out)
    assert description.demonstration
    assert "has never seen a patient" in " ".join(description.card.split())


def test_a_full_disk_leaves_no_folder_and_the_same_command_goes_on(
    request_of: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    request = request_of()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("app.modelling.write_model.write_learned", full)
        with pytest.raises(InvalidInput, match=r"No space left on device\), and nothing was left"):
            train(request)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("cache", "cases.csv", "photographs", "tiny")
    ]
    train(request)
    assert describe(request.out).name == "model"


def test_an_existing_folder_is_refused_before_anything_is_read(request_of: Make) -> None:
    request = request_of()
    request.out.mkdir()
    with pytest.raises(Conflict, match="is there already"):
        train(replace(request, table=Path("nowhere.csv")))
    with pytest.raises(InvalidInput, match="There is no folder"):
        train(replace(request, out=request.out / "deep" / "er"))


def test_a_test_fraction_beside_a_split_by_hand_is_refused(request_of: Make) -> None:
    rows = [row | {"split": "train"} for row in patients(12)]
    with pytest.raises(InvalidInput, match="leave --test-fraction away"):
        train(request_of(rows, recipe=replace(QUICK, test_fraction=0.2)))


def test_sk_as_the_positive_class_is_refused_with_the_reason(request_of: Make) -> None:
    with pytest.raises(InvalidInput, match=r"P\(SK\) = 1 - P\(BCC\)"):
        train(request_of(positive="SK"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"recipe": replace(QUICK, views=-1)}, "--views"),
        ({"recipe": replace(QUICK, epochs=1)}, "--epochs"),
        ({"recipe": replace(QUICK, test_fraction=1.0)}, "--test-fraction"),
        ({"seed": -1}, "--seed"),
        ({"folds": 1}, "--folds"),
    ],
)
def test_impossible_numbers_are_refused_by_name(changes: dict[str, Any], named: str) -> None:
    request = TrainingRequest(Path("t"), Path("i"), Path("o"), Path("c"), QUICK)
    with pytest.raises(InvalidInput, match=named):
        check_request(replace(request, **changes))


def test_the_paper_s_recipe_has_a_name_and_what_is_said_goes_before() -> None:
    paper = recipe_of("paper", Recipe())
    assert (paper.backbone, paper.weights) == ("ViT-B-16-quickgelu", "openai")
    assert (paper.normalisation, paper.views, paper.epochs) == ("data", 100, 100)
    # docs/model.md: SGD .002, momentum .9, weight decay .005, as published.
    coop = CoopConfig()
    assert (coop.learning_rate, coop.momentum, coop.weight_decay) == (0.002, 0.9, 0.005)
    said = recipe_of("paper", Recipe(weights="local.safetensors", views=8))
    assert (said.weights, said.views) == ("local.safetensors", 8)
    assert said.backbone == "ViT-B-16-quickgelu"
    assert recipe_of(None, Recipe()).normalisation == "clip"


def test_without_names_the_shipped_backbone_is_taken() -> None:
    chosen = choose_backbone(None, None)
    assert chosen.shipped
    assert chosen.folder == DEFAULT_FOLDER


def test_a_name_and_its_weights_come_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="--backbone needs --weights"):
        choose_backbone("ViT-B-16-quickgelu", None)
    with pytest.raises(InvalidInput, match="--weights needs --backbone"):
        choose_backbone(None, "openai")
    file = tmp_path / "weights.safetensors"
    file.write_bytes(b"cut")
    for name, activation in (("ViT-B-16", "gelu"), ("ViT-B-16-quickgelu", "quick_gelu")):
        chosen = choose_backbone(name, str(file))
        assert chosen.record.activation == activation
        assert not chosen.shipped


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ("cut.safetensors", "is no safetensors file"),
        ("pickle.pt", "can carry code"),
        ("missing.safetensors", "cannot be read"),
        ("wrong.safetensors", "does not fit the architecture"),
        ("openai.safetensors", "quick_gelu"),
    ],
)
def test_wrong_weights_are_refused_before_any_image_is_read(
    weights: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = random_record(tmp_path, quick_gelu=True)
    whole = (tmp_path / str(record.weights_file)).read_bytes()
    tensors = load_file(tmp_path / str(record.weights_file))
    (tmp_path / "cut.safetensors").write_bytes(whole[:-1000])
    (tmp_path / "pickle.pt").write_bytes(whole)
    (tmp_path / "wrong.safetensors").write_bytes(whole)
    save_file(tensors, tmp_path / "openai.safetensors", {"activation": "quick_gelu"})
    command = ["train", "nowhere.csv", "--images", "nowhere", "--out", str(tmp_path / "model")]
    chosen = ["--backbone", "ViT-S-32-alt", "--weights", str(tmp_path / weights)]
    assert main([*command, *chosen, "--cache", str(tmp_path / "cache")]) == 1
    said = capsys.readouterr().err
    assert sentence in said
    assert not (tmp_path / "model").exists()


def test_the_command_prints_what_must_be_mended_and_how_to_go_on(
    request_of: Make, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    command = ["train", str(request.table), "--images", str(request.images), "--epochs", "2"]
    places = ["--out", str(request.out), "--cache", str(request.cache), "--views", "1"]
    write_table(request.table, [*patients(11), patients(12)[-1] | {"diagnosis": "melanoma"}])
    assert main([*command, *places]) == 1
    said = capsys.readouterr()
    assert "cases.csv, row 24, column diagnosis: 'melanoma' is neither" in said.out
    assert "1 thing to mend" in said.err
    write_table(request.table, patients(12))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr(training, "_learned", stopped)
        assert main([*command, *places]) == 130
    assert "the same command goes on from there" in capsys.readouterr().err
    assert main([*command, *places]) == 0
    assert "coop: AUC" in capsys.readouterr().out
