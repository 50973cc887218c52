"""Train the demonstration model: `python -m models.train --backbone FOLDER --out FOLDER`.

Generates fresh images (seeds apart from those of pre-training, tests and demo study) and learns
from them as `reread train` does from photographs: the same features, prompt, probe and folder.
"""

# ruff: noqa: T201 a command line prints
# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import argparse
import csv
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.image_quality import perceptual_hash
from models.augment import Augmentation
from models.backbone import Backbone, open_backbone
from models.backbone_record import backbone_record
from models.card import write_card
from models.coop import Epoch
from models.feature_cache import CachedFeatures, cached_features
from models.fit import CLASS_NAMES, FitConfig, Learned, Parts, fit
from models.generated_pictures import GeneratedPictures, generated_pictures
from models.measure import Photographs, heat_map_check, measured_map_scale, photograph_check
from models.model_folder import write_backbone, write_learned
from models.probe import area_with_interval
from models.record import read_record, sha256_of, write_record
from models.synthetic import GENERATOR_VERSION

TRAIN_SEED, VALIDATION_SEED, TEST_SEED = 9101, 9102, 9103
THRESHOLD = 0.5


@dataclass(frozen=True)
class TrainConfig:
    """How many generated images, and how prompt and probe learn."""

    train_images: int = 4000
    validation_images: int = 600
    test_images: int = 1000
    views: int = 1
    map_images: int = 200
    faithfulness_images: int = 80
    threads: int = 2
    learning: FitConfig = field(default_factory=FitConfig)

    @property
    def sizes(self) -> dict[int, int]:
        """How many pictures of each seed, in the order of the parts."""
        counts = (self.train_images, self.validation_images, self.test_images)
        return dict(zip((TRAIN_SEED, VALIDATION_SEED, TEST_SEED), counts, strict=True))

    @property
    def parts(self) -> Parts:
        """Which pictures are which part."""
        first, second = self.train_images, self.train_images + self.validation_images
        every = np.arange(second + self.test_images, dtype=np.intp)
        return Parts(every[:first], every[first:second], every[second:])


def show_epoch(epoch: Epoch) -> None:
    """Print every tenth epoch."""
    if epoch.number % 10 == 0:
        print(f"epoch {epoch.number}: loss {epoch.loss:.4f}", flush=True)


def show_pictures(done: int, total: int) -> None:
    """Print every few hundred pictures."""
    if done % 320 == 0 or done == total:
        print(f"{done} of {total} pictures encoded", flush=True)


def train(
    folder: Path, work: Path, config: TrainConfig, photographs: Photographs | None
) -> tuple[Learned, dict[str, Any], GeneratedPictures]:
    """Learn and measure; returns what was learned, the model's record, and the pictures."""
    torch.set_num_threads(config.threads)
    backbone = open_backbone(backbone_record(folder), folder)
    started = time.monotonic()
    pictures = generated_pictures(config.sizes, work)
    features = cached_features(
        work / "features",
        pictures.series,
        backbone,
        views=config.views,
        augmentation=Augmentation(),
        progress=show_pictures,
    )
    cached_after = time.monotonic()
    learned = fit(
        backbone, features, pictures.truth, config.parts, config.learning, report=show_epoch
    )
    seconds = {
        "painting_and_encoding_seconds": round(cached_after - started),
        "prompt_seconds": round(time.monotonic() - cached_after),
    }
    record = _record(backbone, features, learned, pictures, config, photographs)
    record["training"] |= seconds
    return learned, record, pictures


def _record(
    backbone: Backbone,
    features: CachedFeatures,
    learned: Learned,
    pictures: GeneratedPictures,
    config: TrainConfig,
    photographs: Photographs | None,
) -> dict[str, Any]:
    parts = config.parts
    tested, truth = features.plain(parts.test), pictures.truth[parts.test]
    direction = learned.scale * torch.from_numpy(learned.coop)
    some = list(pictures.opened(parts.fit[: config.map_images].tolist()))
    prepared = torch.from_numpy(backbone.preprocessing(some))
    map_scale, grid = measured_map_scale(backbone, direction, prepared)
    maps = heat_map_check(backbone, direction, seed=TEST_SEED, count=config.faithfulness_images)
    on_photographs = photographs and photograph_check(backbone, direction, THRESHOLD, photographs)
    called = learned.probabilities(tested) >= THRESHOLD
    areas = {
        name: asdict(area_with_interval(margins, truth))
        for name, margins in learned.margins(tested).items()
    }
    return {
        "name": "small-clip-coop",
        "class_names": CLASS_NAMES,
        "positive_class": "BCC",
        "threshold": THRESHOLD,
        "map_scale": float(f"{map_scale:.3g}"),
        "map_grid": list(grid),
        "demonstration": True,
        "card": "CARD.md",
        "training": {
            "train_images": config.train_images,
            "validation_images": config.validation_images,
            "test_images": config.test_images,
            "views": config.views,
            "augmentation": asdict(Augmentation()),
            "coop": asdict(config.learning.coop),
            "probe": {"penalty": learned.probe.penalty},
            "generator": GENERATOR_VERSION,
            "seeds": {"train": TRAIN_SEED, "validation": VALIDATION_SEED, "test": TEST_SEED},
        },
        "calibration": {"scale": learned.scale, "on": "generated validation images"},
        "test": {
            "areas": areas,
            "sensitivity": float(called[truth == 1].mean()),
            "specificity": float(1 - called[truth == 0].mean()),
            "faithfulness": asdict(maps),
            "photographs": on_photographs,
        },
    }


def write_training_images(file: Path, pictures: GeneratedPictures, config: TrainConfig) -> None:
    """Write what a study's images are compared with; no patient stands behind a picture."""
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("image", "split", "sha256", "perceptual_hash", "patient_sha256"))
        parts = dict(zip(config.sizes, ("train", "validation", "test"), strict=True))
        names = [
            (f"generated-{seed}-{number}", parts[seed])
            for seed, count in config.sizes.items()
            for number in range(count)
        ]
        opened = pictures.opened(range(len(names)))
        for (name, part), key, picture in zip(names, pictures.keys, opened, strict=True):
            writer.writerow((name, part, key, f"{perceptual_hash(picture):016x}", ""))


def save_model(
    learned: Learned,
    record: dict[str, Any],
    backbone_folder: Path,
    out: Path,
) -> None:
    """Write a complete model folder: both records, the weights files and the card."""
    out.mkdir(parents=True, exist_ok=True)
    if backbone_folder.resolve() != out.resolve():
        backbone = backbone_record(backbone_folder)
        write_backbone(out, backbone, backbone_folder, backbone.preprocessing)
    record |= write_learned(out, learned)
    write_record(out / "model.json", record)
    write_card(out, record, read_record(out / "backbone.json"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the demonstration model.")
    parser.add_argument("--backbone", type=Path, required=True, help="folder of models.pretrain")
    parser.add_argument("--work", type=Path, required=True, help="folder of generated images")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished model")
    parser.add_argument("--photographs", type=Path, help="folder of cases.csv and images/")
    parser.add_argument("--photographs-source", default="unnamed", help="named in the card")
    parser.add_argument("--photographs-note", default="", help="their bias, for the card")
    parser.add_argument("--threads", type=int, default=TrainConfig.threads)
    chosen = parser.parse_args()
    photographs = chosen.photographs and Photographs(
        chosen.photographs, chosen.photographs_source, chosen.photographs_note
    )
    config = TrainConfig(threads=chosen.threads)
    learned, record, pictures = train(chosen.backbone, chosen.work, config, photographs)
    chosen.out.mkdir(parents=True, exist_ok=True)
    images = chosen.out / "training-images.csv"
    write_training_images(images, pictures, config)
    record["training_images_sha256"] = sha256_of(images)
    save_model(learned, record, chosen.backbone, chosen.out)
    for name, area in record["test"]["areas"].items():
        print(f"{name}: AUC {area['estimate']:.3f} ({area['low']:.3f}-{area['high']:.3f})")


if __name__ == "__main__":
    main()
