"""The cast: the shipped model, a small random CLIP, and a copy of the model to damage."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from models.backbone import Backbone, open_backbone
from models.backbone_record import BackboneRecord, backbone_record
from models.description import DEFAULT_FOLDER
from models.predict import Predictor
from models.preprocess import Preprocessing
from models.record import sha256_of

DEMO = Path(__file__).parents[2] / "demo"


@pytest.fixture(scope="session", autouse=True)
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def shipped() -> Predictor:
    return Predictor.load(device="cpu")


@pytest.fixture(scope="session")
def shipped_backbone() -> Backbone:
    return open_backbone(backbone_record(DEFAULT_FOLDER), DEFAULT_FOLDER)


@pytest.fixture
def model_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEFAULT_FOLDER, tmp_path / "model"))


@pytest.fixture(scope="session")
def demo_rows() -> list[dict[str, str]]:
    with (DEMO / "cases.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="session")
def demo_images(demo_rows: list[dict[str, str]]) -> list[Image.Image]:
    images = [Image.open(DEMO / "images" / row["image"]) for row in demo_rows]
    for image in images:
        image.load()  # which closes the file
    return images


def random_record(folder: Path, *, quick_gelu: bool) -> BackboneRecord:
    """A tiny CLIP with random weights, saved without metadata as foreign weights are."""
    import open_clip

    config = {
        "embed_dim": 32,
        "quick_gelu": quick_gelu,
        "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 64, "layers": 3},
        "text_cfg": {
            "context_length": 40,
            "vocab_size": 384,
            "width": 48,
            "heads": 4,
            "layers": 2,
        },
    }
    torch.manual_seed(5)
    file = folder / "random.safetensors"
    save_file(open_clip.CLIP(**config).state_dict(), file)
    words = json.loads((DEFAULT_FOLDER / "backbone.json").read_text())["tokenizer"]["words"]
    return BackboneRecord(
        name="random",
        config=config,
        activation="quick_gelu" if quick_gelu else "gelu",
        preprocessing=Preprocessing(64, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)),
        words=tuple(words),
        weights_file=file.name,
        pretrained=None,
        weights_sha256=sha256_of(file),
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    folder = tmp_path_factory.mktemp("tiny")
    return open_backbone(random_record(folder, quick_gelu=True), folder)
