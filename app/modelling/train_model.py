"""Train a model on a table of photographs: select, split, encode, learn, measure, write.

Zhou et al. 2022 (CoOp, arXiv:2109.01134) with the settings of the paper on dermatologists reading
with CLIP. Interrupted at any moment, the same request goes on from the features and the epoch
that were kept, and ends in the same weights on one machine.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from app.domain.errors import InvalidInput
from app.modelling import split as splitting
from app.modelling.choose_backbone import ChosenBackbone, choose_backbone
from app.modelling.labelled_images import LabelledImages, read_labelled_images
from app.modelling.model_errors import refused
from app.modelling.new_folder import check_new
from app.modelling.patients import groups_of
from app.modelling.performance import Measured, performance
from app.modelling.selection import Selection, select_images
from app.modelling.split import Split
from app.modelling.training_request import TrainingRequest, check_request
from app.modelling.write_model import Trained, write_model
from app.progress import Progress
from models.augment import Augmentation
from models.backbone import Backbone, open_backbone
from models.coop import CoopConfig, Epoch
from models.feature_cache import CachedFeatures, Series, cached_features
from models.fit import FitConfig, Learned, Parts, fit
from models.measure import measured_map_scale
from models.normalisation import normalised_by_data

THRESHOLD = 0.5
MAP_IMAGES = 200  # training images that the heat-map's scale is measured on
TEST_FRACTION = 0.1  # 9:1, as in the paper
Say = Callable[[str], None]


@dataclass(frozen=True)
class _Cohort:
    """The selected images with their patients and parts."""

    selection: Selection
    groups: tuple[str, ...]
    split: Split
    warnings: tuple[str, ...]

    @property
    def used(self) -> LabelledImages:
        return self.selection.used

    @property
    def truth(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """1 for BCC, 0 for SK. (N,)."""
        return np.array([image.diagnosis == "BCC" for image in self.used.images], dtype=np.int64)


def train_model(request: TrainingRequest, *, say: Say) -> dict[str, Any]:
    """Train and write the model's folder; returns its record. Raises Refusal."""
    check_request(request)
    check_new(request.out)
    with refused():
        chosen = choose_backbone(request.recipe.backbone, request.recipe.weights)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        backbone = open_backbone(chosen.record, chosen.folder, device=device)
        cohort = _cohort(request, say)
        backbone = _normalised(request, backbone, cohort)
        features = _features(request, backbone, cohort.used)
        config = _config(request)
        learned = _learned(backbone, features, cohort, cohort.split, config)
        trained = _measured(request, chosen, backbone, features, cohort, learned, config)
        return write_model(request, trained)


def _cohort(request: TrainingRequest, say: Say) -> _Cohort:
    with Progress(f"{request.table.name}: images read") as progress:
        read = read_labelled_images(request.table, request.images, progress)
    selection = select_images(read, exclude_flagged=request.exclude_flagged)
    for image, sentence in selection.flagged:
        kept = "left out" if image in selection.excluded_as_flagged else "kept"
        say(f"{image.image_name} (row {image.row}) is {sentence}; {kept}")
    groups, warnings = groups_of(selection.used, request.group)
    for warning in warnings:
        say(f"Mind: {warning}")
    split = _split(request, selection.used, groups)
    say(f"Parts: {_counted(split)}; {split.chosen_by}.")
    return _Cohort(selection, groups, split, warnings)


def _split(request: TrainingRequest, used: LabelledImages, groups: Sequence[str]) -> Split:
    if splitting.COLUMN in used.columns:
        if request.recipe.test_fraction is not None:
            raise InvalidInput(
                f"{used.table} has a column {splitting.COLUMN}, which says what is tested on; "
                "leave --test-fraction away, or rename the column."
            )
        return splitting.split_by_hand(used, groups, seed=request.seed)
    fraction = request.recipe.test_fraction
    return splitting.split_by_patient(
        [image.diagnosis for image in used.images],
        groups,
        test_fraction=TEST_FRACTION if fraction is None else fraction,
        seed=request.seed,
    )


def _counted(split: Split) -> str:
    parts = ("train", "validation", "test")
    return ", ".join(f"{split.parts.count(part)} images {part}" for part in parts)


def _opened(read: LabelledImages, indices: Sequence[int]) -> Iterator[Image.Image]:
    return (picture for _, picture in read.opened([read.images[index] for index in indices]))


def _normalised(request: TrainingRequest, backbone: Backbone, cohort: _Cohort) -> Backbone:
    """Take the training part's own colour statistics where that was asked for."""
    if request.recipe.normalisation != "data":
        return backbone
    training = cohort.split.indices("train", "validation").tolist()
    with Progress("mean and deviation of the colours") as progress:
        pictures = _told(_opened(cohort.used, training), len(training), progress)
        prepared = normalised_by_data(backbone.preprocessing, pictures)
    return replace(backbone, record=replace(backbone.record, preprocessing=prepared))


def _told(
    pictures: Iterator[Image.Image], total: int, progress: Callable[[int, int], None]
) -> Iterator[Image.Image]:
    for number, picture in enumerate(pictures, start=1):
        progress(number, total)
        yield picture


def _features(request: TrainingRequest, backbone: Backbone, used: LabelledImages) -> CachedFeatures:
    series = Series(
        tuple(image.sha256 for image in used.images), lambda indices: _opened(used, indices)
    )
    with Progress(f"image features, {request.recipe.views} augmented views each") as progress:
        return cached_features(
            request.cache,
            series,
            backbone,
            views=request.recipe.views or 0,
            augmentation=Augmentation(seed=request.seed),
            progress=progress,
        )


def _config(request: TrainingRequest) -> FitConfig:
    coop = CoopConfig(seed=request.seed)
    return FitConfig(replace(coop, epochs=request.recipe.epochs or coop.epochs))


def _learned(
    backbone: Backbone, features: CachedFeatures, cohort: _Cohort, split: Split, config: FitConfig
) -> Learned:
    parts = Parts(*(split.indices(part) for part in ("train", "validation", "test")))
    total = config.coop.epochs
    with Progress("epochs") as progress:

        def report(epoch: Epoch) -> None:
            progress(epoch.number + 1, total)

        return fit(
            backbone,
            features,
            cohort.truth,
            parts,
            config,
            report=report,
            progress=_progress_file(features.folder, cohort, split, config),
        )


def _progress_file(folder: Path, cohort: _Cohort, split: Split, config: FitConfig) -> Path:
    """Name a file by everything that is learned from, beside the features it is learned on."""
    text = json.dumps([asdict(config.coop), split.parts, cohort.truth.tolist()])
    return folder / f"prompt-{hashlib.sha256(text.encode()).hexdigest()[:16]}.safetensors"


def _measured(
    request: TrainingRequest,
    chosen: ChosenBackbone,
    backbone: Backbone,
    features: CachedFeatures,
    cohort: _Cohort,
    learned: Learned,
    config: FitConfig,
) -> Trained:
    training = cohort.split.indices("train")
    some = np.random.default_rng(request.seed).permutation(training)[:MAP_IMAGES].tolist()
    prepared = backbone.preprocessing(list(_opened(cohort.used, some)))
    direction = learned.scale * torch.from_numpy(learned.coop)
    map_scale, grid = measured_map_scale(backbone, direction, torch.from_numpy(prepared))
    parts = {"train": training, "test": cohort.split.indices("test")}
    return Trained(
        chosen=chosen,
        preprocessing=backbone.preprocessing,
        learned=learned,
        config=config,
        selection=cohort.selection,
        split=cohort.split,
        groups=cohort.groups,
        warnings=cohort.warnings,
        threshold=THRESHOLD,
        cross_validation=_cross_validated(request, backbone, features, cohort, config),
        map_scale=float(f"{map_scale:.3g}"),
        map_grid=grid,
        features=features.folder.name,
        metrics={
            name: performance(
                Measured(
                    cohort.truth[part],
                    [cohort.groups[index] for index in part],
                    learned.probabilities(features.plain(part)),
                ),
                learned.margins(features.plain(part)),
                THRESHOLD,
            )
            for name, part in parts.items()
        },
    )


def _cross_validated(
    request: TrainingRequest,
    backbone: Backbone,
    features: CachedFeatures,
    cohort: _Cohort,
    config: FitConfig,
) -> dict[str, Any] | None:
    """Train once a fold and measure every image by the model that has not seen its patient.

    The folds' scores are pooled: CoOp's as calibrated probabilities, the probe's as log odds.
    """
    if not request.folds:
        return None
    diagnoses = [image.diagnosis for image in cohort.used.images]
    splits = splitting.folds_by_patient(
        diagnoses, cohort.groups, folds=request.folds, seed=request.seed
    )
    pooled: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for split in splits:
        learned, test = _learned(backbone, features, cohort, split, config), split.indices("test")
        found = features.plain(test)
        scores = learned.margins(found) | {"coop": learned.probabilities(found)}
        for name, values in scores.items():
            pooled.setdefault(name, np.zeros(len(cohort.truth)))[test] = values
    everybody = Measured(cohort.truth, cohort.groups, pooled["coop"])
    return {"folds": request.folds} | performance(everybody, pooled, THRESHOLD)
