"""The shipped model is made by the same code as a study group's own."""

import csv
import json
from pathlib import Path

import pytest

from models.card import card_of
from models.comparators import ComparedModel
from models.coop import CoopConfig
from models.description import DEFAULT_FOLDER, describe
from models.fit import FitConfig
from models.record import read_record, sha256_of, write_record
from models.train import TrainConfig, save_model, train, write_training_images
from tests.models.conftest import random_record

FIRST_RUN = {
    "images": 10,
    "generator": "2",
    "epochs": 1,
    "training_seconds": 60,
    "painting_seconds": 60,
    "threads": 2,
    "resumed_after_epochs": 1,
}
PRETRAINING = FIRST_RUN | {
    "images": 20,
    "epochs": 3,
    "threads": 1,
    "processes": 2,
    "phrases": True,
    "resumed_after_epochs": 0,
    "started_from": {"weights_sha256": "0" * 64, "pretraining": FIRST_RUN},
}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a pre-training would leave, with random weights."""
    folder = tmp_path_factory.mktemp("backbone")
    record = random_record(folder, quick_gelu=False).as_json()
    write_record(folder / "backbone.json", record | {"pretraining": PRETRAINING})
    return folder


def test_a_demonstration_model_is_made_and_lists_its_pictures(
    backbone: Path, tmp_path: Path
) -> None:
    config = TrainConfig(
        train_images=12,
        validation_images=8,
        test_images=8,
        views=1,
        map_images=4,
        faithfulness_images=2,
        learning=FitConfig(CoopConfig(epochs=2)),
    )
    learned, record, pictures = train(backbone, tmp_path / "work", config, None)
    out = tmp_path / "model"
    out.mkdir()
    write_training_images(out / "training-images.csv", pictures, config)
    save_model(learned, record, backbone, out)
    description = describe(out)
    assert description.demonstration
    assert "never seen a patient" in description.card
    assert "12 further pictures for the prompt" in description.card
    card = " ".join(description.card.split())
    assert "30 pairs of picture and caption for the backbone" in card
    assert (
        "Backbone: 1 epochs of contrastive learning on 10 pictures and captions (interrupted "
        "after 1; the time is of the rest), 1 minutes on 2 CPU cores. Then: 3 epochs" in card
    )
    assert read_record(out / "backbone.json")["pretraining"] == PRETRAINING
    with (out / "training-images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["split"] for row in rows] == ["train"] * 12 + ["validation"] * 8 + ["test"] * 8
    assert len({row["sha256"] for row in rows}) == 28
    # The area that the record states, from the folder alone.
    compared = ComparedModel.load(out, device="cpu")
    tested = list(pictures.opened(range(20, 28)))
    scores = compared.margins(compared.features(tested))
    assert scores.linear_probe is not None
    truth = pictures.truth[20:] == 1
    positive, negative = scores.linear_probe[truth], scores.linear_probe[~truth]
    above = (positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2
    stated = json.loads((out / "model.json").read_text())["test"]["areas"]["linear_probe"]
    assert above == pytest.approx(stated["estimate"])
    assert sha256_of(out / "probe.safetensors") in description.card


def test_the_shipped_card_says_what_the_shipped_records_say() -> None:
    records = (read_record(DEFAULT_FOLDER / name) for name in ("model.json", "backbone.json"))
    card = (DEFAULT_FOLDER / "CARD.md").read_text(encoding="utf-8")
    assert card == card_of(DEFAULT_FOLDER, *records)
