"""Do the maps show what moves the model, and do they lie on the lesion? On a sample of images."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from app.modelling.labelled_images import LabelledImages
from app.modelling.masks import open_mask
from app.statistics.arrays import Floats
from app.statistics.clustered_means import (
    ClusteredMean,
    ClusteredProportion,
    clustered_mean,
    clustered_proportion,
)
from models.comparators import ComparedModel
from models.faithfulness import Blanking, Placing

_BATCH = 8


@dataclass(frozen=True)
class BlankingCheck:
    """Mean answers while fields are blanked or restored, beside a random order of the fields.

    The differences are those that a useful map makes: random minus map for deletion, map minus
    random for insertion; above 0 the map shows what moves the model.
    """

    deletion: ClusteredMean
    deletion_random: ClusteredMean
    deletion_gain: ClusteredMean
    insertion: ClusteredMean
    insertion_random: ClusteredMean
    insertion_gain: ClusteredMean
    method: str = "deletion and insertion (Petsiuk 2018), 14 steps, blank = mean colour"


@dataclass(frozen=True)
class PlacingCheck:
    """Where the maps lie; `energy_gain` is lesion share minus what a map without knowledge has."""

    pointing: ClusteredProportion
    pointing_centre: ClusteredProportion
    pointing_gain: ClusteredMean
    energy_outside: ClusteredMean
    lesion_share: ClusteredMean
    energy_gain: ClusteredMean
    method: str = "pointing game (Zhang 2016) beside the centre; share of |map| outside the lesion"


@dataclass(frozen=True)
class MapChecks:
    """The checks on `images` drawn by `seed`; `placing` is None without masks."""

    images: int
    of: int
    drawn_from: Literal["images with a mask", "all images"]
    seed: int
    blanking: BlankingCheck
    placing: PlacingCheck | None


def check_maps(
    model: ComparedModel,
    read: LabelledImages,
    candidates: Sequence[int],
    patients: Sequence[str],
    masks: Sequence[Path | None],
    *,
    count: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> MapChecks:
    """Check the maps of at most `count` candidate images; those with a mask, where any has."""
    with_mask = [place for place in candidates if masks[place] is not None]
    pool = with_mask or list(candidates)
    drawn = np.random.default_rng(seed).permutation(len(pool))[:count]
    chosen = sorted(pool[int(place)] for place in drawn)
    blanking: list[Blanking] = []
    placing: list[Placing] = []
    waiting: list[tuple[Image.Image, Image.Image | None]] = []

    def measure() -> None:
        pictures, lesions = zip(*waiting, strict=True)
        blanked, placed = model.check_maps(pictures, lesions, seed=seed + len(blanking))
        blanking.append(blanked)
        if placed is not None:
            placing.append(placed)
        waiting.clear()

    opened = read.opened([read.images[place] for place in chosen])
    for done, (place, (_, picture)) in enumerate(zip(chosen, opened, strict=True), start=1):
        waiting.append((picture, _mask(masks[place])))
        if len(waiting) == _BATCH or done == len(chosen):
            measure()
            progress(done, len(chosen))
    of = [patients[place] for place in chosen]
    return MapChecks(
        *(len(chosen), len(candidates)),
        "images with a mask" if with_mask else "all images",
        seed,
        _blanking(blanking, of),
        _placing(placing, of) if placing else None,
    )


def _mask(file: Path | None) -> Image.Image | None:
    return None if file is None else open_mask(file)


def _blanking(parts: Sequence[Blanking], patients: Sequence[str]) -> BlankingCheck:
    def mean(values: Floats) -> ClusteredMean:
        return clustered_mean(values, patients)

    deletion = np.concatenate([part.deletion for part in parts])
    deletion_random = np.concatenate([part.deletion_random for part in parts])
    insertion = np.concatenate([part.insertion for part in parts])
    insertion_random = np.concatenate([part.insertion_random for part in parts])
    return BlankingCheck(
        deletion=mean(deletion),
        deletion_random=mean(deletion_random),
        deletion_gain=mean(deletion_random - deletion),
        insertion=mean(insertion),
        insertion_random=mean(insertion_random),
        insertion_gain=mean(insertion - insertion_random),
    )


def _placing(parts: Sequence[Placing], patients: Sequence[str]) -> PlacingCheck:
    def mean(values: Floats) -> ClusteredMean:
        return clustered_mean(values, patients)

    def hits(values: Floats) -> ClusteredProportion:
        return clustered_proportion(values > 0, np.ones(values.size, dtype=bool), patients)

    pointing = np.concatenate([part.pointing for part in parts])
    centre = np.concatenate([part.pointing_centre for part in parts])
    outside = np.concatenate([part.energy_outside for part in parts])
    share = np.concatenate([part.lesion_share for part in parts])
    return PlacingCheck(
        pointing=hits(pointing),
        pointing_centre=hits(centre),
        pointing_gain=mean(pointing - centre),
        energy_outside=mean(outside),
        lesion_share=mean(share),
        energy_gain=mean(1 - share - outside),
    )
