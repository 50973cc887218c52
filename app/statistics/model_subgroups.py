"""A model's accuracy on parts of a cohort: no test between parts, no number for a small part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.clustered import ClusteredAuc, Counts, clustered_auc, counts
from app.statistics.clustered_means import ClusteredProportion, clustered_proportion
from app.statistics.notes import Note
from app.statistics.table import natural_key

FEWEST_PATIENTS = 10
"""A number is given for a part with at least so many patients of each class that it needs."""


@dataclass(frozen=True, slots=True)
class CohortPart:
    """The images with one value of a characteristic; None where there are too few patients."""

    n: Counts
    auc: ClusteredAuc | None
    sensitivity: ClusteredProportion | None
    specificity: ClusteredProportion | None


@dataclass(frozen=True, slots=True)
class CohortParts:
    """All parts by one characteristic, and the images whose value is not known.

    Where a value is missing more often in one class, the parts stand for fewer of that class.
    """

    parts: Mapping[str, CohortPart]
    unknown: Counts
    notes: tuple[Note, ...] = ()


def cohort_parts(
    margins: Floats,
    called: Bools,
    truth: Bools,
    cluster: Sequence[str],
    values: Sequence[str | None],
) -> CohortParts:
    """Accuracy for each of `values` (N), which name the part of each image; None: not known.

    `margins` (N,) are log odds, `called` (N,) True where the model says positive.
    """
    found: dict[str, CohortPart] = {}
    for name in sorted({value for value in values if value is not None}, key=natural_key):
        chosen = np.array([value == name for value in values])
        inside = [one for one, keep in zip(cluster, chosen, strict=True) if keep]
        found[name] = _part(margins[chosen], called[chosen], truth[chosen], inside)
    missing = np.array([value is None for value in values])
    of = [one for one, keep in zip(cluster, missing, strict=True) if keep]
    return CohortParts(found, counts(truth[missing], of), _notes(found))


def _part(margins: Floats, called: Bools, truth: Bools, cluster: Sequence[str]) -> CohortPart:
    n = counts(truth, cluster)
    positives = n.positive_patients >= FEWEST_PATIENTS
    negatives = n.negative_patients >= FEWEST_PATIENTS
    return CohortPart(
        n,
        clustered_auc(margins, truth, cluster) if positives and negatives else None,
        clustered_proportion(called, truth, cluster) if positives else None,
        clustered_proportion(~called, ~truth, cluster) if negatives else None,
    )


def _notes(parts: Mapping[str, CohortPart]) -> tuple[Note, ...]:
    small = [name for name, part in parts.items() if part.auc is None]
    if not small:
        return ()
    text = (
        f"Fewer than {FEWEST_PATIENTS} patients of a class in: {', '.join(small)}. What would rest "
        "on them is not computed."
    )
    return (Note("small_group", text),)


def age_group(age: int | None) -> str | None:
    """Name the group of an age in years."""
    if age is None:
        return None
    groups: Mapping[int, str] = {50: "0 to 49", 65: "50 to 64", 80: "65 to 79"}
    return next((name for limit, name in groups.items() if age < limit), "80 and over")
