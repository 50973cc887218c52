"""What a model does on one part of its images: areas, sensitivity, specificity, by patient."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.statistics.clustered import ClusteredAuc, clustered_auc
from app.statistics.clustered_means import ClusteredProportion, clustered_proportion


@dataclass(frozen=True)
class Measured:
    """The images of one part: truth (N,), patient (N), calibrated probability of BCC (N,)."""

    truth: npt.NDArray[np.integer[Any]]  # 1 for BCC
    patients: Sequence[str]
    probability: npt.NDArray[np.float64]


def performance(
    part: Measured, scores: Mapping[str, npt.NDArray[np.floating[Any]]], threshold: float
) -> dict[str, Any]:
    """Measure each scoring (N,) by its area, and the calls at the threshold; ready for JSON."""
    positive = part.truth == 1
    areas = {
        name: clustered_auc(np.asarray(values, dtype=np.float64), positive, part.patients)
        for name, values in scores.items()
    }
    called = part.probability >= threshold
    return {
        "n": asdict(next(iter(areas.values())).n),
        "areas": {name: _area(area) for name, area in areas.items()},
        "sensitivity": _share(clustered_proportion(called, positive, part.patients)),
        "specificity": _share(clustered_proportion(~called, ~positive, part.patients)),
    }


def _area(area: ClusteredAuc) -> dict[str, Any]:
    interval = area.to_read
    return {
        "estimate": area.value,
        "low": interval and interval.low,
        "high": interval and interval.high,
        "n": area.n.images,
        "patients": area.n.patients,
        "method": interval.method if interval else area.method,
        "notes": [note.text for note in area.notes],
    }


def _share(share: ClusteredProportion) -> dict[str, Any]:
    return {
        "estimate": share.value,
        "low": share.low,
        "high": share.high,
        "right": share.numerator,
        "of": share.denominator,
        "method": share.method,
        "notes": [note.text for note in share.notes],
    }
