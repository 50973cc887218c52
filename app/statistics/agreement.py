"""Agreement on calls: between two readers, among all of them, and with the model.

Kappa falls with the prevalence of a class at the same raw agreement; per cent agreement,
prevalence and Gwet's AC1, which does not fall so, therefore stand beside it.

References
----------
.. [1] Cohen J. A coefficient of agreement for nominal scales. Educational and Psychological
   Measurement 1960;20:37-46.
.. [2] Fleiss JL, Cohen J, Everitt BS. Large sample standard errors of kappa and weighted kappa.
   Psychological Bulletin 1969;72:323-327.
.. [3] Fleiss JL. Measuring nominal scale agreement among many raters. Psychological Bulletin
   1971;76:378-382.
.. [4] Gwet KL. Computing inter-rater reliability and its variance in the presence of high
   agreement. British Journal of Mathematical and Statistical Psychology 2008;61:29-48.
.. [5] Gwet KL. Handbook of Inter-Rater Reliability, 4th edition. Advanced Analytics 2014 (AC2).
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from app.statistics.arrays import Bools, Floats
from app.statistics.notes import Note
from app.statistics.tails import Z95


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A chance-corrected coefficient with a 95% interval over cases."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None
    method: str
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two or more readers on the same `n` cases.

    `observed` is the share of agreeing pairs of calls, `prevalence` the share of positive calls.
    `kappa` is Cohen's for two readers and Fleiss's for more. "Readers" may also be
    the model, or the two occasions on which one reader read the same cases.
    """

    readers: tuple[str, ...]
    n: int
    observed: float
    prevalence: float
    kappa: Coefficient
    ac1: Coefficient


def _coefficient(value: float | None, variance: float, method: str) -> Coefficient:
    if value is None:
        text = "All calls are the same, so agreement beyond chance is undefined."
        return Coefficient(None, None, None, None, method, (Note("constant_calls", text),))
    se = sqrt(max(0.0, variance))
    return Coefficient(value, se, max(-1.0, value - Z95 * se), min(1.0, value + Z95 * se), method)


def cohen_kappa(first: Bools, second: Bools) -> Coefficient:
    """Cohen's kappa [1]_ of two calls (N,), standard error by [2]_."""
    n = first.size
    table = np.array(
        [[(~first & ~second).sum(), (~first & second).sum()],
         [(first & ~second).sum(), (first & second).sum()]], dtype=np.float64
    ) / n  # fmt: skip
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    chance = float(rows @ columns)
    if chance == 1:
        return _coefficient(None, 0.0, "Cohen 1960")
    observed = float(np.trace(table))
    kappa = (observed - chance) / (1 - chance)
    crossed = columns[:, None] + rows[None, :]  # p_.i + p_j.
    on = np.diag(table) @ (1 - np.diag(crossed) * (1 - kappa)) ** 2
    off_cells = table * crossed**2
    off = (1 - kappa) ** 2 * (off_cells.sum() - np.trace(off_cells))
    rest = (kappa - chance * (1 - kappa)) ** 2
    return _coefficient(kappa, float(on + off - rest) / (n * (1 - chance) ** 2), "Cohen 1960")


def fleiss_kappa(calls: Bools) -> Coefficient:
    """Fleiss's kappa [3]_ of calls (R, N), standard error over cases as in [4]_."""
    agreed, share = _per_case(calls)
    mean_share = float(share.mean())
    chance = mean_share**2 + (1 - mean_share) ** 2
    if chance == 1:
        return _coefficient(None, 0.0, "Fleiss 1971")
    kappa = (float(agreed.mean()) - chance) / (1 - chance)
    # [4]: each case's value, its share in the chance agreement taken along.
    own_chance = share * mean_share + (1 - share) * (1 - mean_share)
    own = (agreed - chance) / (1 - chance) - 2 * (1 - kappa) * (own_chance - chance) / (1 - chance)
    return _coefficient(kappa, _variance_of_mean(own, kappa), "Fleiss 1971")


def gwet_ac1(calls: Bools) -> Coefficient:
    """Gwet's AC1 [4]_ of calls (R, N), standard error over cases."""
    agreed, share = _per_case(calls)
    mean_share = float(share.mean())
    chance = 2 * mean_share * (1 - mean_share)
    ac1 = (float(agreed.mean()) - chance) / (1 - chance)
    own_chance = share * (1 - mean_share) + (1 - share) * mean_share
    own = (agreed - chance) / (1 - chance) - 2 * (1 - ac1) * (own_chance - chance) / (1 - chance)
    return _coefficient(ac1, _variance_of_mean(own, ac1), "Gwet 2008")


def gwet_ac2(scores: Floats, scale: Floats) -> Coefficient:
    """Gwet's AC2 [5]_ of scores (R, N) on an ordinal `scale` (Q,), Q >= 2, rising.

    Quadratic weights 1 - (x - y)^2 / (range of the scale)^2, over all values of the scale whether
    they were used or not; standard error over cases as in [4]_. With two values it is the AC1.
    """
    place = scale / np.abs(scale).max()  # scores may be too large to be squared
    weights = 1 - (place[:, None] - place[None, :]) ** 2 / (place[-1] - place[0]) ** 2
    q, readers = scale.size, scores.shape[0]
    used = (scores[:, :, None] == scale).sum(axis=0).astype(np.float64)  # (N, Q)
    # Each pair of readers once both ways; a reader does not agree with itself.
    agreed = ((used @ weights) * used).sum(axis=1) - readers
    agreed /= readers * (readers - 1)
    share = used / readers
    mean_share = share.mean(axis=0)
    spread = float(weights.sum()) / (q * (q - 1))
    chance = spread * float((mean_share * (1 - mean_share)).sum())
    ac2 = (float(agreed.mean()) - chance) / (1 - chance)
    own_chance = spread * (share * (1 - mean_share)).sum(axis=1)
    own = (agreed - chance) / (1 - chance) - 2 * (1 - ac2) * (own_chance - chance) / (1 - chance)
    return _coefficient(ac2, _variance_of_mean(own, ac2), "Gwet 2014, quadratic weights")


def _per_case(calls: Bools) -> tuple[Floats, Floats]:
    """Share of agreeing pairs of readers, and share of positive calls, of each case (N,)."""
    readers = calls.shape[0]
    positive = calls.sum(axis=0).astype(np.float64)
    negative = readers - positive
    pairs = positive * (positive - 1) + negative * (negative - 1)
    return pairs / (readers * (readers - 1)), positive / readers


def _variance_of_mean(values: Floats, mean: float) -> float:
    n = values.size
    return float(((values - mean) ** 2).sum()) / (n * (n - 1)) if n > 1 else 0.0


def agreement(readers: tuple[str, ...], calls: Bools) -> Agreement:
    """Agreement of calls (R, N) of R >= 2 readers on N >= 1 cases; ValueError otherwise."""
    if calls.shape[0] < 2 or calls.shape[1] == 0:  # noqa: PLR2004 - agreement is between two
        raise ValueError("Agreement needs two readers and a case that both read.")
    agreed, _ = _per_case(calls)
    kappa = cohen_kappa(*calls) if calls.shape[0] == 2 else fleiss_kappa(calls)  # noqa: PLR2004
    return Agreement(
        readers,
        calls.shape[1],
        float(agreed.mean()),
        float(calls.mean()),
        kappa,
        gwet_ac1(calls),
    )
