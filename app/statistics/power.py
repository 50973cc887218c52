"""Power of a reader study from the variance components of a pilot.

References
----------
.. [1] Hillis SL, Obuchowski NA, Berbaum KS. Power estimation for multireader ROC methods: an
   updated and unified approach. Academic Radiology 2011;18:129-142.
"""

from dataclasses import dataclass
from typing import Literal

from app.statistics.obuchowski_rockette import Components
from app.statistics.tails import (
    f_quantile,
    noncentral_chi2_survival,
    noncentral_f_survival,
    normal_quantile,
)

Population = Literal[
    "random_readers_random_cases", "fixed_readers_random_cases", "random_readers_fixed_cases"
]
_ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Pilot:
    """What a pilot gives: Obuchowski-Rockette components, and its number of cases."""

    var: float
    cov1: float
    cov2: float
    cov3: float
    var_modality_reader: float
    cases: int


@dataclass(frozen=True, slots=True)
class Power:
    """Power of the two-sided test of a difference, at `alpha`.

    `df2` is None where readers are fixed: that test is a chi-squared test.
    """

    readers: int
    cases: int
    difference: float
    power: float
    df2: float | None
    noncentrality: float
    population: Population
    alpha: float
    method: str = "Hillis, Obuchowski and Berbaum 2011"


def pilot_of(parts: Components, cases: int) -> Pilot:
    """Take the components of an analysed pilot; ValueError when it had one reader only."""
    if parts.var_modality_reader is None:
        raise ValueError("A pilot needs at least two readers.")
    return Pilot(parts.var, parts.cov1, parts.cov2, parts.cov3, parts.var_modality_reader, cases)


def power(
    pilot: Pilot,
    *,
    readers: int,
    cases: int,
    difference: float,
    population: Population = "random_readers_random_cases",
    alpha: float = _ALPHA,
) -> Power:
    """Power to find `difference` between two modalities with `readers` and `cases` [1]_.

    Covariances shrink in proportion to the cases; ValueError for fewer than two readers where
    readers are random, fewer than two cases, or a pilot without any variance.
    """
    random_readers = population != "fixed_readers_random_cases"
    if readers < 1 + random_readers or cases < 2:  # noqa: PLR2004
        raise ValueError("The study needs at least two readers and two cases.")
    shrink = pilot.cases / cases
    between = max(pilot.cov2 - pilot.cov3, 0.0)
    interaction = max(pilot.var_modality_reader, 0.0)
    # [1]: the variance of one reader's difference, and the part readers do not share.
    of_cases = shrink * (pilot.var - pilot.cov1 + (readers - 1) * between)
    of_reader = interaction + shrink * (pilot.var - pilot.cov1 - between)
    if population == "fixed_readers_random_cases":
        variance, df2 = of_cases, None
    elif population == "random_readers_fixed_cases":
        variance, df2 = of_reader, float(readers - 1)
    else:
        variance = interaction + of_cases
        df2 = variance**2 / (of_reader**2 / (readers - 1)) if of_reader > 0 else 0.0
    if variance <= 0 or df2 == 0:
        raise ValueError("The pilot's components leave no variance for the difference.")
    noncentrality = readers * difference**2 / (2 * variance)
    if df2 is None:
        critical = normal_quantile(1 - alpha / 2) ** 2
        reached = noncentral_chi2_survival(critical, 1, noncentrality)
    else:
        critical = f_quantile(1 - alpha, 1, df2)
        reached = noncentral_f_survival(critical, 1, df2, noncentrality)
    return Power(
        readers,
        cases,
        difference,
        reached,
        df2,
        noncentrality,
        population,
        alpha,
    )


def power_table(
    pilot: Pilot,
    *,
    readers: tuple[int, ...],
    cases: tuple[int, ...],
    difference: float,
    population: Population = "random_readers_random_cases",
) -> tuple[tuple[Power, ...], ...]:
    """Power for each number of readers (rows) and cases (columns)."""
    return tuple(
        tuple(
            power(pilot, readers=reader, cases=case, difference=difference, population=population)
            for case in cases
        )
        for reader in readers
    )


def cases_needed(
    pilot: Pilot,
    *,
    readers: int,
    difference: float,
    target: float = 0.8,
    population: Population = "random_readers_random_cases",
    most: int = 100_000,
) -> int | None:
    """Smallest number of cases that reaches `target`, or None when `most` cases do not."""

    def reached(cases: int) -> bool:
        found = power(
            pilot, readers=readers, cases=cases, difference=difference, population=population
        )
        return found.power >= target

    low, high = 2, most
    if not reached(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle + 1, high)
    return low
