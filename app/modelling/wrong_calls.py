"""The images that a model calls wrong, with what can be measured of each (the paper's 3.3)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import numpy as np

from app.domain.image_quality import flags
from app.modelling.labelled_images import LabelledImage
from app.statistics.arrays import Bools, Floats

NEIGHBOURS = 3


@dataclass(frozen=True)
class Neighbour:
    """Another patient's image that the image encoder finds alike (cosine of the features)."""

    image: str
    case_id: str
    truth: str
    similarity: float


@dataclass(frozen=True)
class Measures:
    """What was measured of an image; see app.domain.image_quality and colour_contrast."""

    colour_contrast: float  # CIELAB difference of the middle and what lies around it
    sharpness: float  # variance of the Laplacian at 192 x 192, grey levels squared
    shorter_side: int  # pixels
    luminance: float  # mean grey level, 0 to 255
    dark_share: float
    light_share: float
    contrast: float  # standard deviation of the grey levels


@dataclass(frozen=True)
class WrongCall:
    """An image on the wrong side of the threshold."""

    image: str
    row: int
    case_id: str
    cohort: str
    truth: str
    called: str
    probability: float  # of BCC
    measures: Measures
    flags: tuple[str, ...]  # sentences about numbers beyond their limit
    neighbours: tuple[Neighbour, ...]
    reason: str | None  # a person's


@dataclass(frozen=True)
class Medians:
    """Medians of one measure over right and wrong calls; no test is made of them."""

    right: float | None
    wrong: float | None


def measures_of(image: LabelledImage, contrast: float) -> Measures:
    """Put the numbers of one image together."""
    return Measures(colour_contrast=contrast, **asdict(image.quality))


def neighbours_of(
    place: int, features: Floats, images: Sequence[LabelledImage], patients: Sequence[str]
) -> tuple[Neighbour, ...]:
    """Give the images nearest to one of features (N, D, unit rows), never of the same patient."""
    likeness = features @ features[place]  # (N,)
    strangers = np.array([patient != patients[place] for patient in patients])
    nearest = np.argsort(-np.where(strangers, likeness, -np.inf), kind="stable")[:NEIGHBOURS]
    places = [int(other) for other in nearest]
    return tuple(
        Neighbour(
            images[other].image_name,
            images[other].case_id,
            images[other].diagnosis,
            float(likeness[other]),
        )
        for other in places
        if strangers[other]
    )


def sentences(image: LabelledImage) -> tuple[str, ...]:
    """Say which of the image's quality numbers lie beyond their limits."""
    return tuple(flag.sentence for flag in flags(image.quality))


def compare_measures(measures: Sequence[Measures], wrong: Bools) -> dict[str, Medians]:
    """Medians of each measure over right and over wrong calls (N,)."""
    if not measures:
        return {}
    table: dict[str, list[Any]] = {name: [] for name in asdict(measures[0])}
    for one in measures:
        for name, value in asdict(one).items():
            table[name].append(value)

    def middle(values: list[Any], *, of_wrong: bool) -> float | None:
        kept = [float(v) for v, bad in zip(values, wrong, strict=True) if bad == of_wrong]
        return median(kept) if kept else None

    return {
        name: Medians(middle(values, of_wrong=False), middle(values, of_wrong=True))
        for name, values in table.items()
    }
