"""Train the demonstration model's prompt: `python -m models.train --backbone FOLDER --out FOLDER`.

Generates fresh images (seeds apart from those of pre-training, tests and demo study), caches
their features, learns the CoOp prompt, and reports zero-shot, CoOp and linear probe on the
same held-out features: with two classes CoOp is a constrained linear probe, and the other
two say what the prompt added.
"""

# ruff: noqa: T201 a command line prints
# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import argparse
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.backbone import open_backbone
from models.backbone_record import backbone_record
from models.card import write_card
from models.coop import CoopConfig, Epoch, train_prompt
from models.feature_cache import Cached, cache, plain_views
from models.measure import Photographs, heat_map_check, measured_map_scale, photograph_check
from models.probe import area_with_interval, calibrated_scale, linear_probe
from models.prompt import Prompt, name_features
from models.record import read_record, sha256_of, write_record
from models.synthetic import GENERATOR_VERSION
from models.synthetic.series import painted
from models.tensor_files import write_tensors

TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 9101, 9102, 9103
CLASS_NAMES = {"BCC": "basal cell carcinoma", "SK": "seborrheic keratosis"}
THREADS = 2
THRESHOLD = 0.5


@dataclass(frozen=True)
class TrainConfig:
    """How many generated images, and how the prompt learns."""

    train_images: int = 2000
    validation_images: int = 600
    test_images: int = 1000
    views: int = 4
    map_images: int = 200
    faithfulness_images: int = 40
    coop: CoopConfig = field(default_factory=CoopConfig)


def _margin(text_features: Tensor) -> npt.NDArray[np.float32]:
    """BCC minus SK text features. (D,)."""
    return (text_features[0] - text_features[1]).detach().numpy()


def _areas(scores: dict[str, npt.NDArray[np.floating]], test: Cached) -> dict[str, Any]:
    return {name: asdict(area_with_interval(value, test.truth)) for name, value in scores.items()}


def train(
    folder: Path, work: Path, config: TrainConfig, photographs: Photographs | None
) -> tuple[Prompt, float, dict[str, Any]]:
    """Learn and measure; returns the prompt, the calibrated scale and the model's record."""
    torch.set_num_threads(THREADS)
    record = backbone_record(folder)
    backbone = open_backbone(record, folder)
    started = time.monotonic()
    training = cache(backbone, TRAIN_SEED, config.train_images, work, views=config.views)
    validation = cache(backbone, VALIDATION_SEED, config.validation_images, work)
    test = cache(backbone, TEST_SEED, config.test_images, work)
    cached_after = time.monotonic()
    print(f"painted and encoded in {cached_after - started:.0f} s", flush=True)

    def report(epoch: Epoch) -> None:
        if epoch.number % 10 == 0:
            print(f"epoch {epoch.number}: loss {epoch.loss:.4f}", flush=True)

    names = tuple(CLASS_NAMES.values())
    prompt = train_prompt(
        backbone, names, training.views, training.classes, config.coop, report=report
    )
    prompt_seconds = time.monotonic() - cached_after
    learned = _margin(prompt())  # (D,)
    scale = calibrated_scale(validation.plain @ learned, validation.truth)
    probe = linear_probe(training.plain, training.truth)
    scores = {
        "zero_shot": test.plain @ _margin(name_features(backbone, names)),
        "coop": test.plain @ learned,
        "linear_probe": probe(test.plain),
    }
    direction = scale * torch.from_numpy(learned)
    size = record.preprocessing.image_size
    pixels = painted(TRAIN_SEED, config.train_images, size + 16, work)[: config.map_images]
    prepared = record.preprocessing.normalise(plain_views(pixels, size))
    map_scale, grid = measured_map_scale(backbone, direction, torch.from_numpy(prepared))
    maps = heat_map_check(backbone, direction, seed=TEST_SEED, count=config.faithfulness_images)
    on_photographs = photographs and photograph_check(backbone, direction, THRESHOLD, photographs)
    probabilities = 1 / (1 + np.exp(-scale * scores["coop"]))
    called = probabilities >= THRESHOLD
    return (
        prompt,
        scale,
        {
            "name": "small-clip-coop",
            "class_names": CLASS_NAMES,
            "positive_class": "BCC",
            "threshold": THRESHOLD,
            "map_scale": float(f"{map_scale:.3g}"),
            "map_grid": list(grid),
            "demonstration": True,
            "card": "CARD.md",
            "training": {
                **asdict(config),
                "generator": GENERATOR_VERSION,
                "seeds": {"train": TRAIN_SEED, "validation": VALIDATION_SEED, "test": TEST_SEED},
                "painting_and_encoding_seconds": round(cached_after - started),
                "prompt_seconds": round(prompt_seconds),
            },
            "calibration": {"scale": scale, "on": "generated validation images"},
            "test": {
                "areas": _areas(scores, test),
                "sensitivity": float(called[test.truth == 1].mean()),
                "specificity": float(1 - called[test.truth == 0].mean()),
                "faithfulness": asdict(maps),
                "photographs": on_photographs,
            },
        },
    )


def save_model(
    prompt: Prompt, scale: float, record: dict[str, Any], backbone_folder: Path, out: Path
) -> None:
    """Write a complete model folder: both records, both weights files and the card."""
    out.mkdir(parents=True, exist_ok=True)
    if backbone_folder.resolve() != out.resolve():
        for name in ("backbone.json", "backbone.safetensors"):
            shutil.copyfile(backbone_folder / name, out / name)
    file = out / "prompt.safetensors"
    # The scale lies in the hashed file: changing it would change every probability.
    learned = {"context": prompt.context.detach(), "logit_scale": torch.tensor(scale)}
    write_tensors(file, learned)
    record["prompt_sha256"] = sha256_of(file)
    write_record(out / "model.json", record)
    write_card(out, record, read_record(out / "backbone.json"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the demonstration model's prompt.")
    parser.add_argument("--backbone", type=Path, required=True, help="folder of models.pretrain")
    parser.add_argument("--work", type=Path, required=True, help="folder of generated images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--photographs", type=Path, help="folder of cases.csv and images/")
    parser.add_argument("--photographs-source", default="unnamed", help="named in the card")
    parser.add_argument("--photographs-note", default="", help="their bias, for the card")
    chosen = parser.parse_args()
    photographs = chosen.photographs and Photographs(
        chosen.photographs, chosen.photographs_source, chosen.photographs_note
    )
    prompt, scale, record = train(chosen.backbone, chosen.work, TrainConfig(), photographs)
    save_model(prompt, scale, record, chosen.backbone, chosen.out)
    for name, area in record["test"]["areas"].items():
        print(f"{name}: AUC {area['estimate']:.3f} ({area['low']:.3f}-{area['high']:.3f})")


if __name__ == "__main__":
    main()
