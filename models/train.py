"""Train the demonstration model's prompt: `python -m models.train --backbone FOLDER --out FOLDER`.

Generates fresh images (seeds apart from those of pre-training, tests and demo study), caches
their features, learns the CoOp prompt, and reports zero-shot, CoOp and linear probe on the
same held-out features: with two classes CoOp is a constrained linear probe, and the other
two say what the prompt added.
"""

# ruff: noqa: T201 a command line prints
import argparse
import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor

from models.backbone import Backbone, image_features, open_backbone
from models.backbone_record import backbone_record
from models.card import write_card
from models.coop import CoopConfig, Epoch, train_prompt
from models.gradcam import map_grid, margin_maps
from models.pretraining_data import augmented, labels
from models.probe import area_with_interval, calibrated_scale, linear_probe
from models.prompt import Prompt, name_features
from models.record import read_record, sha256_of, write_record
from models.synthetic.series import painted

TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 9101, 9102, 9103
CLASS_NAMES = {"BCC": "basal cell carcinoma", "SK": "seborrheic keratosis"}
THREADS = 2


@dataclass(frozen=True)
class TrainConfig:
    """How many generated images, and how the prompt learns."""

    train_images: int = 2000
    validation_images: int = 600
    test_images: int = 1000
    views: int = 4
    map_images: int = 200
    coop: CoopConfig = field(default_factory=CoopConfig)


@dataclass(frozen=True)
class Cached:
    """Unit features of K views of N images, and the class of each (0 BCC, 1 SK)."""

    views: Tensor  # (K, N, D)
    classes: Tensor  # (N,)

    @property
    def plain(self) -> npt.NDArray[np.float32]:
        """Features of the first view. (N, D)."""
        return self.views[0].numpy()

    @property
    def truth(self) -> npt.NDArray[np.int64]:
        """1 for BCC, 0 for SK. (N,)."""
        return 1 - self.classes.numpy()


def cache(backbone: Backbone, seed: int, count: int, work: Path, *, views: int = 1) -> Cached:
    """Paint a series and encode it: as it is once, and augmented for every further view."""
    size = backbone.preprocessing.image_size
    classes = torch.from_numpy(1 - labels(seed, count))
    pixels = painted(seed, count, size + 16, work)
    margin = 8
    plain = pixels[:, margin : margin + size, margin : margin + size]
    rng = np.random.default_rng([seed, 1])
    encoded: list[Tensor] = []
    for view in range(views):
        chunks: list[Tensor] = []
        for first in range(0, count, 100):
            chosen = slice(first, first + 100)
            pictures = plain[chosen] if view == 0 else augmented(pixels[chosen], size, rng)
            inputs = torch.from_numpy(backbone.preprocessing.normalise(pictures))
            chunks.append(image_features(backbone, inputs))
        encoded.append(torch.cat(chunks))
    return Cached(torch.stack(encoded), classes)


def measured_map_scale(
    backbone: Backbone, direction: Tensor, count: int, work: Path, train_images: int
) -> tuple[float, tuple[int, int]]:
    """99th percentile of |map value| over training images, and the map's grid."""
    size = backbone.preprocessing.image_size
    pixels = painted(TRAIN_SEED, train_images, size + 16, work)[:count, 8 : 8 + size, 8 : 8 + size]
    inputs = torch.from_numpy(backbone.preprocessing.normalise(pixels))  # (N, 3, S, S)
    maps = [margin_maps(backbone.model, part, direction).maps for part in torch.split(inputs, 50)]
    values = torch.cat(maps).abs().flatten().numpy()
    return float(np.percentile(values, 99)), map_grid(backbone.model, inputs)


def _margin(text_features: Tensor) -> npt.NDArray[np.float32]:
    """BCC minus SK text features. (D,)."""
    return (text_features[0] - text_features[1]).detach().numpy()


def _areas(scores: dict[str, npt.NDArray[np.floating]], test: Cached) -> dict[str, Any]:
    return {name: asdict(area_with_interval(value, test.truth)) for name, value in scores.items()}


def train(folder: Path, work: Path, config: TrainConfig) -> tuple[Prompt, float, dict[str, Any]]:
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
    map_scale, grid = measured_map_scale(
        backbone, scale * torch.from_numpy(learned), config.map_images, work, config.train_images
    )
    probabilities = 1 / (1 + np.exp(-scale * scores["coop"]))
    called = probabilities >= 0.5  # noqa: PLR2004 the decision threshold
    return (
        prompt,
        scale,
        {
            "name": "small-clip-coop",
            "class_names": CLASS_NAMES,
            "positive_class": "BCC",
            "threshold": 0.5,
            "map_scale": float(f"{map_scale:.3g}"),
            "map_grid": list(grid),
            "demonstration": True,
            "card": "CARD.md",
            "training": {
                **asdict(config),
                "seeds": {"train": TRAIN_SEED, "validation": VALIDATION_SEED, "test": TEST_SEED},
                "painting_and_encoding_seconds": round(cached_after - started),
                "prompt_seconds": round(prompt_seconds),
            },
            "calibration": {"scale": scale, "on": "generated validation images"},
            "test": {
                "areas": _areas(scores, test),
                "sensitivity": float(called[test.truth == 1].mean()),
                "specificity": float(1 - called[test.truth == 0].mean()),
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
    save_file(learned, file)
    record["prompt_sha256"] = sha256_of(file)
    write_record(out / "model.json", record)
    write_card(out, record, read_record(out / "backbone.json"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the demonstration model's prompt.")
    parser.add_argument("--backbone", type=Path, required=True, help="folder of models.pretrain")
    parser.add_argument("--work", type=Path, required=True, help="folder of generated images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    chosen = parser.parse_args()
    prompt, scale, record = train(chosen.backbone, chosen.work, TrainConfig())
    save_model(prompt, scale, record, chosen.backbone, chosen.out)
    for name, area in record["test"]["areas"].items():
        print(f"{name}: AUC {area['estimate']:.3f} ({area['low']:.3f}-{area['high']:.3f})")


if __name__ == "__main__":
    main()
