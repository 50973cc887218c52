"""The folder of a trained model: weights, records, card, and what it was trained on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.modelling.case_images import hash_of_images
from app.modelling.choose_backbone import ChosenBackbone
from app.modelling.code_version import code_version
from app.modelling.labelled_images import LabelledImage
from app.modelling.model_card import model_card
from app.modelling.new_folder import new_folder
from app.modelling.patients import count_patients
from app.modelling.selection import Selection
from app.modelling.split import Split
from app.modelling.training_images import FILE, training_images_csv
from app.modelling.training_request import POSITIVE, TrainingRequest
from models.augment import Augmentation
from models.description import describe
from models.fit import CLASS_NAMES, FitConfig, Learned
from models.model_folder import write_backbone, write_learned
from models.preprocess import Preprocessing
from models.record import sha256_of, write_record


@dataclass(frozen=True)
class Trained:
    """Everything a training found and was made from."""

    chosen: ChosenBackbone
    preprocessing: Preprocessing
    learned: Learned
    config: FitConfig
    selection: Selection
    split: Split
    groups: tuple[str, ...]
    warnings: tuple[str, ...]
    threshold: float
    map_scale: float
    map_grid: tuple[int, int]
    features: str  # name of the cache's folder
    metrics: dict[str, Any]
    cross_validation: dict[str, Any] | None


def write_model(request: TrainingRequest, trained: Trained) -> dict[str, Any]:
    """Write the folder and read it back before it gets its name; returns model.json's content."""
    with new_folder(request.out) as folder:
        backbone = write_backbone(
            folder, trained.chosen.record, trained.chosen.folder, trained.preprocessing
        )
        used = trained.selection.used.images
        (folder / FILE).write_text(training_images_csv(used, trained.split.parts), encoding="utf-8")
        record = _record(request, trained) | write_learned(folder, trained.learned)
        record["training_images_sha256"] = sha256_of(folder / FILE)
        write_record(folder / "model.json", record)
        (folder / "CARD.md").write_text(model_card(record, backbone), encoding="utf-8")
        describe(folder)
    return record


def _record(request: TrainingRequest, trained: Trained) -> dict[str, Any]:
    config = trained.config
    return {
        "name": request.out.name,
        "class_names": CLASS_NAMES,
        "positive_class": POSITIVE,
        "threshold": trained.threshold,
        "threshold_chosen": "0.5 of the calibrated probability, fixed beforehand",
        "map_scale": trained.map_scale,
        "map_grid": list(trained.map_grid),
        "demonstration": all(image.synthetic for image in trained.selection.used.images),
        "card": "CARD.md",
        "code": code_version(),
        "data": _data(trained),
        "training": {
            "preset": request.preset,
            "coop": asdict(config.coop),
            "views": request.recipe.views,
            "augmentation": asdict(Augmentation(seed=request.seed)),
            "normalisation": request.recipe.normalisation,
            "seed": request.seed,
            "probe": {
                "penalty": trained.learned.probe.penalty,
                "penalties": list(config.probe_penalties),
                "chosen": "least log loss on the validation part",
            },
            "features": trained.features,
            "backbone_shipped": trained.chosen.shipped,
        },
        "calibration": {
            "scale": trained.learned.scale,
            "on": "the validation part, by least log loss (temperature, Guo et al. 2017)",
        },
        "train": trained.metrics["train"],
        "test": trained.metrics["test"],
        "cross_validation": trained.cross_validation,
    }


def _data(trained: Trained) -> dict[str, Any]:
    used, selection = trained.selection.used, trained.selection
    return {
        "table": used.table,
        "table_sha256": used.table_sha256,
        "images_sha256": hash_of_images(used.images),
        "split": trained.split.chosen_by,
        "parts": {
            part: _counts(trained, trained.split.indices(part).tolist())
            for part in ("train", "validation", "test")
        },
        "synthetic_images": sum(image.synthetic for image in used.images),
        "modalities": _tally([image.modality for image in used.images]),
        "diagnosis_sources": {name: _sources(used.images, name) for name in CLASS_NAMES},
        "sexes": _tally([image.sex or "not said" for image in used.images]),
        "skin_types": _tally([str(image.fitzpatrick or "not said") for image in used.images]),
        "ages": _ages([image.age for image in used.images if image.age is not None]),
        "flagged": len(selection.flagged),
        "excluded_by_hand": len(selection.excluded_by_hand),
        "excluded_as_flagged": len(selection.excluded_as_flagged),
        "warnings": list(trained.warnings),
    }


def _counts(trained: Trained, indices: Sequence[int]) -> dict[str, int]:
    images = [trained.selection.used.images[index] for index in indices]
    return {
        "images": len(images),
        "patients": count_patients([trained.groups[index] for index in indices]),
        "BCC": sum(image.diagnosis == "BCC" for image in images),
        "SK": sum(image.diagnosis == "SK" for image in images),
    }


def _sources(images: Sequence[LabelledImage], diagnosis: str) -> dict[str, int]:
    """How the diagnoses of one class were made: a class that is never biopsied is another one."""
    made = [image.diagnosis_source for image in images if image.diagnosis == diagnosis]
    return _tally([source or "not said" for source in made])


def _tally(values: Sequence[str]) -> dict[str, int]:
    return {value: values.count(value) for value in sorted(set(values))}


def _ages(ages: Sequence[int]) -> dict[str, float] | None:
    if not ages:
        return None
    low, median, high = np.percentile(ages, [0, 50, 100]).tolist()
    return {"n": len(ages), "youngest": low, "median": median, "oldest": high}
