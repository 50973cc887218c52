"""Proportions and means over images that come in clusters: several images of one patient.

A share such as the PPV is a ratio: images called right over images called, both sums over patients
and both by chance. Its variance is that of a ratio with the patient as the unit.

References
----------
.. [1] Cochran WG. Sampling Techniques. 3rd ed. Wiley 1977, section 3.12 (ratio estimator for
   proportions over clusters).
.. [2] Rao JNK, Scott AJ. A simple method for the analysis of clustered binary data. Biometrics
   1992;48:577-585 (counts divided by the design effect).
.. [3] Saha KK, Miller D, Wang S. A comparison of some approximate confidence intervals for a single
   proportion for clustered binary outcome data. International Journal of Biostatistics 2016;12(2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.clustered import cluster_numbers
from app.statistics.notes import Note
from app.statistics.proportions import wilson_interval
from app.statistics.tails import t_quantile

_FEWEST = 2


@dataclass(frozen=True, slots=True)
class ClusteredProportion:
    """A proportion of images with its standard error and 95% interval by patient.

    `design_effect` is its variance over that of as many independent images; the interval is
    Wilson's on counts divided by it (never by less than 1).
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    numerator: int
    denominator: int
    patients: int
    design_effect: float | None
    method: str = "ratio over patients (Rao and Scott 1992), Wilson interval"
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusteredMean:
    """A mean over images with its standard error and 95% interval by patient.

    The interval is Student's, with one degree of freedom less than there are patients.
    """

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    images: int
    patients: int
    method: str = "ratio over patients (Cochran 1977), Student's t"
    notes: tuple[Note, ...] = ()


def clustered_proportion(right: Bools, among: Bools, cluster: Sequence[str]) -> ClusteredProportion:
    """Share of `right` (N,) among the images chosen by `among` (N,), of patients `cluster` (N).

    Where every patient has one image the interval is Wilson's. At a share of 0 or 1 no design
    effect can be seen, and the patients stand in for the images. One patient has no interval.
    """
    hits = right[among]
    number = cluster_numbers(cluster)[among]
    images, patients = hits.size, np.unique(number).size
    numerator = int(hits.sum())
    if images == 0:
        note = Note("no_images", "There is no image that this share could be taken of.")
        return ClusteredProportion(None, None, None, None, 0, 0, 0, None, notes=(note,))
    share = numerator / images
    if patients < _FEWEST:
        note = Note("one_patient", "All images are of one patient, so there is no interval.")
        return ClusteredProportion(
            *(share, None, None, None, numerator, images, patients, None), notes=(note,)
        )
    if share in {0.0, 1.0}:
        low, high = wilson_interval(share, patients)
        return ClusteredProportion(share, 0.0, low, high, numerator, images, patients, None)
    variance = _variance(hits.astype(np.float64), number)
    effect = variance / (share * (1 - share) / (images - 1))
    low, high = wilson_interval(share, images / max(1.0, effect))
    return ClusteredProportion(
        share, sqrt(variance), low, high, numerator, images, patients, effect
    )


def clustered_mean(values: Floats, cluster: Sequence[str]) -> ClusteredMean:
    """Mean of values (N,) over images of patients `cluster` (N), for example the Brier score."""
    number = cluster_numbers(cluster)
    patients = np.unique(number).size
    if values.size == 0:
        note = Note("no_images", "There is no image that this mean could be taken of.")
        return ClusteredMean(None, None, None, None, 0, 0, notes=(note,))
    mean = float(values.mean())
    if patients < _FEWEST:
        note = Note("one_patient", "All images are of one patient, so there is no interval.")
        return ClusteredMean(mean, None, None, None, values.size, patients, notes=(note,))
    se = sqrt(_variance(values, number))
    half = t_quantile(patients - 1) * se
    return ClusteredMean(mean, se, mean - half, mean + half, values.size, patients)


def _variance(values: Floats, number: np.ndarray) -> float:
    """I/(I - 1) sum over patients of (their sum - their images x mean)^2, over N^2 [1]_."""
    residuals = np.zeros_like(values) if np.ptp(values) == 0 else values - values.mean()
    sums = np.bincount(np.unique(number, return_inverse=True)[1], residuals)
    return float(sums.size / (sums.size - 1) * (sums**2).sum() / values.size**2)
