"""Measures on cached image features: area under the curve and a linear probe."""

import numpy as np
import numpy.typing as npt


def area_under_curve(scores: npt.NDArray[np.floating], truth: npt.NDArray[np.integer]) -> float:
    """Probability that a positive scores above a negative, ties counting half.

    Mann-Whitney form (Hanley & McNeil 1982). scores (N,), truth (N,) of 0 and 1.
    """
    positive, negative = scores[truth == 1], scores[truth == 0]
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, side="left")
    not_above = np.searchsorted(ordered, positive, side="right")
    return float((below + not_above).mean() / 2 / len(negative))
