"""Areas under the ROC curve of images that come in clusters: several images of one patient.

Images of one patient are alike, so that an interval that takes them for independent is too short.
Here the patient is the unit of the variance: whatever correlation lies inside a patient, between
images of the same class and of different ones, is in it. The area itself stays that of all images.

References
----------
.. [1] Obuchowski NA. Nonparametric analysis of clustered ROC curve data. Biometrics
   1997;53:567-578.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats, Integers
from app.statistics.notes import Note
from app.statistics.roc import Interval, logit_interval, placements, score_interval
from app.statistics.tails import Z95, two_sided_normal

METHOD = "Obuchowski 1997, clustered by patient"
_FEWEST = 2


@dataclass(frozen=True, slots=True)
class Counts:
    """How many images, of how many patients; a patient may have images of both classes."""

    images: int
    patients: int
    positive_images: int
    negative_images: int
    positive_patients: int
    negative_patients: int


@dataclass(frozen=True, slots=True)
class ClusteredAuc:
    """An area with its standard error and 95% interval by patient, clipped to [0, 1]."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    n: Counts
    alternative: Interval | None = None
    method: str = METHOD
    notes: tuple[Note, ...] = ()

    @property
    def to_read(self) -> Interval | None:
        """The interval for a place with room for one: at an area of 0 or 1 not the point."""
        if self.value in {0.0, 1.0} and self.alternative is not None:
            return self.alternative
        if self.low is None or self.high is None:
            return None
        return Interval(self.low, self.high, self.method)


@dataclass(frozen=True, slots=True)
class ClusteredAucDifference:
    """Comparison minus baseline of two areas on the same images, with a 95% interval by patient."""

    difference: float | None
    se: float | None
    z: float | None
    p: float | None
    low: float | None
    high: float | None
    n: Counts
    method: str = METHOD + ", paired"
    notes: tuple[Note, ...] = ()


def cluster_numbers(cluster: Sequence[str]) -> Integers:
    """Give each cluster a number from 0, in the order of their names. (N,)."""
    return np.unique(np.array(cluster, dtype=str), return_inverse=True)[1].astype(np.int64)


def counts(truth: Bools, cluster: Sequence[str]) -> Counts:
    """Count images and patients of truth (N,) and cluster (N)."""
    number = cluster_numbers(cluster)
    m = int(truth.sum())
    return Counts(
        *(truth.size, np.unique(number).size, m, truth.size - m),
        *(np.unique(number[chosen]).size for chosen in (truth, ~truth)),
    )


def clustered_auc(scores: Floats, truth: Bools, cluster: Sequence[str]) -> ClusteredAuc:
    """Area under the ROC curve with Obuchowski's standard error [1]_ and a 95% interval.

    `scores` (N,) finite, higher speaks for positive; `truth` (N,) True = positive; `cluster` (N)
    names the patient of each image. Where every patient has one image this is DeLong's result.
    Without an image of a class the area is None, without two patients of each the standard error.
    """
    n = counts(truth, cluster)
    if min(n.positive_images, n.negative_images) == 0:
        return ClusteredAuc(None, None, None, None, n, notes=(_too_few(n, "The AUC"),))
    placed = placements(truth, scores)
    area = placed.area
    if min(n.positive_patients, n.negative_patients) < _FEWEST:
        note = _too_few(n, "The standard error of the AUC")
        return ClusteredAuc(area, None, None, None, n, notes=(note,))
    se = sqrt(_variance(placed.of_positives, placed.of_negatives, truth, cluster))
    notes: tuple[Note, ...] = ()
    if area in {0.0, 1.0}:
        # The variance says nothing here: each patient counts as one image, which is the least
        # that the patients can be worth.
        alternative = score_interval(area, n.positive_patients, n.negative_patients)
        text = (
            f"The AUC is exactly {area:.0f}: its standard error is 0 and its interval a point, "
            "which is too narrow. The score interval beside it (Newcombe 2006), with patients for "
            "images, is not."
        )
        notes = (Note("perfect_separation", text),)
    elif se == 0:
        alternative = None
        text = "The standard error is 0, as all placements are equal; read no interval."
        notes = (Note("zero_variance", text),)
    else:
        alternative = logit_interval(area, se)
    low, high = max(0.0, area - Z95 * se), min(1.0, area + Z95 * se)
    return ClusteredAuc(area, se, low, high, n, alternative, notes=notes)


def clustered_auc_difference(
    baseline: Floats, comparison: Floats, truth: Bools, cluster: Sequence[str]
) -> ClusteredAucDifference:
    """Paired difference of two areas on the same images [1]_, comparison minus baseline.

    All arrays (N,). The variance is that of the differences of the placements, which holds the
    covariance of both areas. Identical scores give z = 0 and p = 1.
    """
    n = counts(truth, cluster)
    if min(n.positive_images, n.negative_images) == 0:
        note = _too_few(n, "The difference of AUCs")
        return ClusteredAucDifference(None, None, None, None, None, None, n, notes=(note,))
    zero, one = placements(truth, baseline), placements(truth, comparison)
    of_positives = one.of_positives - zero.of_positives
    of_negatives = one.of_negatives - zero.of_negatives
    difference = float(of_positives.sum()) / (n.positive_images * n.negative_images)
    if min(n.positive_patients, n.negative_patients) < _FEWEST:
        note = _too_few(n, "The test of the difference of AUCs")
        return ClusteredAucDifference(difference, None, None, None, None, None, n, notes=(note,))
    se = sqrt(_variance(of_positives, of_negatives, truth, cluster))
    if se == 0 and difference != 0:
        text = "The AUCs differ without any variance between patients, so no test can be made."
        note = Note("zero_variance", text)
        return ClusteredAucDifference(difference, se, None, None, None, None, n, notes=(note,))
    z = difference / se if se > 0 else 0.0
    low, high = difference - Z95 * se, difference + Z95 * se
    return ClusteredAucDifference(difference, se, z, two_sided_normal(z), low, high, n)


def _variance(
    of_positives: Floats, of_negatives: Floats, truth: Bools, cluster: Sequence[str]
) -> float:
    """S10/m + S01/n + 2 S11/(mn) of [1]_, of placements (as counts) or of their differences."""
    number = cluster_numbers(cluster)
    patients = int(number.max()) + 1
    m, n = of_positives.size, of_negatives.size
    positive = _sums(of_positives, number[truth], patients) / (m * n)  # (I,)
    negative = _sums(of_negatives, number[~truth], patients) / (m * n)  # (I,)
    with_positives, with_negatives = (np.unique(number[chosen]).size for chosen in (truth, ~truth))
    return float(
        with_positives / (with_positives - 1) * (positive**2).sum()
        + with_negatives / (with_negatives - 1) * (negative**2).sum()
        + 2 * patients / (patients - 1) * (positive * negative).sum()
    )


def _sums(values: Floats, number: Integers, patients: int) -> Floats:
    """Sum of the deviations from the mean over each patient, (I,)."""
    # Equal counts are exactly equal: a variance of rounding errors must not become a z value.
    deviations = np.zeros_like(values) if np.ptp(values) == 0 else values - values.mean()
    return np.bincount(number, deviations, patients).astype(np.float64)


def _too_few(n: Counts, what: str) -> Note:
    text = (
        f"{what} is undefined with {n.positive_images} positive images of {n.positive_patients} "
        f"patients and {n.negative_images} negative images of {n.negative_patients} patients: at "
        "least two patients of each are needed for a variance, one image of each for an area."
    )
    return Note("too_few_patients", text)
