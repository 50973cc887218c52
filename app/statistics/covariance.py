"""Covariance of the areas of several readers and modalities on the same cases.

References
----------
.. [1] DeLong ER, DeLong DM, Clarke-Pearson DL. Biometrics 1988;44:837-845.
.. [2] Hillis SL, Obuchowski NA, Schartz KM, Berbaum KS. A comparison of the Dorfman-Berbaum-Metz
   and Obuchowski-Rockette methods for receiver operating characteristic (ROC) data. Statistics in
   Medicine 2005;24:1579-1607.
.. [3] Gallas BD, Pennello GA, Myers KJ. Multireader multicase variance analysis for binary data.
   Journal of the Optical Society of America A 2007;24:B70-B80.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.roc import placements

Method = Literal["delong", "jackknife", "unbiased"]
_ONE_THREAD = 200_000  # multiplications
_AT_ONCE = 1_000_000  # pairs of cases, of all readings together: 8 MB
METHODS: tuple[Method, ...] = ("delong", "jackknife", "unbiased")


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """Estimates (K,) of K readings of the same cases, and their covariance (K, K) per method."""

    values: Floats
    covariance: dict[Method, Floats]
    cases: int


class Crossed:
    """Success scores of K score vectors on the same m positive and n negative cases."""

    def __init__(self, truth: Bools, scores: Floats) -> None:
        """Take truth (N,) and scores (K, N); ValueError with fewer than two cases in a class."""
        self.positive, self.negative = scores[:, truth], scores[:, ~truth]
        self.m, self.n = self.positive.shape[1], self.negative.shape[1]
        if min(self.m, self.n) < 2:  # noqa: PLR2004 - a variance needs two
            raise ValueError(
                f"A covariance needs two cases of each class, not {self.m} and {self.n}."
            )
        placed = [placements(truth, row) for row in scores]
        self.v10 = np.stack([p.of_positives for p in placed]) / self.n  # (K, m)
        self.v01 = np.stack([p.of_negatives for p in placed]) / self.m  # (K, n)
        self.areas = np.array([p.area for p in placed])  # (K,)

    def delong(self) -> Floats:
        """S10/m + S01/n of [1]_, (K, K)."""
        return sample_covariance(self.v10) / self.m + sample_covariance(self.v01) / self.n

    def jackknife(self) -> Floats:
        """(N - 1)/N times the sum of squares of the leave-one-out areas [2]_, in closed form.

        Without positive i the area is (m A - V10_i) / (m - 1); negatives likewise.
        """
        areas = self.areas[:, None]
        without_positive = (self.m * areas - self.v10) / (self.m - 1)
        without_negative = (self.n * areas - self.v01) / (self.n - 1)
        left_out = np.concatenate((without_positive, without_negative), axis=1)  # (K, N)
        count = self.m + self.n
        return sample_covariance(left_out) * (count - 1) ** 2 / count

    def unbiased(self) -> Floats:
        """A_a A_b minus the unbiased estimate of E[A_a] E[A_b], from pairs sharing no case [3]_."""
        m, n = self.m, self.n
        count = self.areas.size
        same_both = np.zeros((count, count))
        step = max(1, _AT_ONCE // (count * n))
        for start in range(0, m, step):
            kernel = _kernel(self.positive[:, start : start + step], self.negative)
            same_both += _gram(kernel.reshape(count, -1))
        same_positive = n * n * (self.v10 @ self.v10.T)
        same_negative = m * m * (self.v01 @ self.v01.T)
        product = np.outer(self.areas, self.areas)
        every = (m * n) ** 2 * product
        none_shared = every - same_positive - same_negative + same_both
        return product - none_shared / (m * (m - 1) * n * (n - 1))


def _kernel(positive: Floats, negative: Floats) -> Floats:
    """1 where the positive (K, m) scores higher, one half at a tie with the negative (K, n)."""
    # Compared, not subtracted: the difference of two large ratings could overflow.
    positive, negative = positive[:, :, None], negative[:, None, :]
    return (1.0 + (positive > negative) - (positive < negative)) / 2


def _gram(rows: Floats) -> Floats:
    """Return rows @ rows.T for few long rows (K, L).

    In small blocks, which BLAS multiplies within one thread: on a busy machine its threads wait
    for each other a hundred times longer than this product takes.
    """
    count = rows.shape[0]
    block = max(1, _ONE_THREAD // count**2)
    total = np.zeros((count, count))
    for start in range(0, rows.shape[1], block):
        part = rows[:, start : start + block]
        total += part @ part.T
    return total


def sample_covariance(rows: Floats) -> Floats:
    """Covariance (K, K) of rows (K, N), divided by N - 1."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return centred @ centred.T / (rows.shape[1] - 1)


def area_estimates(truth: Bools, scores: Floats) -> Estimates:
    """Areas of scores (K, N) on truth (N,) with their covariance by all three methods."""
    crossed = Crossed(truth, scores)
    return Estimates(
        crossed.areas,
        {
            "delong": crossed.delong(),
            "jackknife": crossed.jackknife(),
            "unbiased": crossed.unbiased(),
        },
        truth.size,
    )


def share_estimates(right: Bools) -> Estimates:
    """Shares of right calls (K, N), as a sensitivity over N positives.

    For a mean the three methods are one: the sample covariance over N. ValueError when N < 2.
    """
    if right.shape[1] < 2:  # noqa: PLR2004 - a variance needs two
        raise ValueError(f"A covariance needs two cases, not {right.shape[1]}.")
    values = right.astype(np.float64)
    covariance = sample_covariance(values) / right.shape[1]
    return Estimates(
        values.mean(axis=1),
        {"delong": covariance, "jackknife": covariance, "unbiased": covariance},
        right.shape[1],
    )
