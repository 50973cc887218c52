"""How many readers and cases a study needs, from a pilot's file or from stated components."""

from dataclasses import astuple, dataclass
from math import isfinite
from pathlib import Path

from app.actions.analyse_file import AnalysisOptions, analyse_file
from app.domain.errors import InvalidInput
from app.statistics.covariance import Method
from app.statistics.power import Pilot, Population, Power, cases_needed, pilot_of, power_table


@dataclass(frozen=True, slots=True)
class PowerPlan:
    """Power for each number of readers (rows of `table`) and of cases (columns).

    `needed` gives, per number of readers, the cases that reach `target`; None where none do.
    """

    pilot: Pilot
    difference: float
    target: float
    population: Population
    readers: tuple[int, ...]
    cases: tuple[int, ...]
    table: tuple[tuple[Power, ...], ...]
    needed: tuple[int | None, ...]


def pilot_from_file(
    path: Path, options: AnalysisOptions | None = None, *, covariance: Method = "jackknife"
) -> tuple[Pilot, float]:
    """Return the components of a pilot's AUC, and its observed difference.

    Raises InvalidInput for a file that cannot be analysed, or has fewer than two readers.
    """
    study = analyse_file(path, options)
    together = study.mrmc.auc.obuchowski_rockette if study.mrmc is not None else None
    if together is None or study.mrmc is None:
        raise InvalidInput("A pilot needs scores of the same cases in two modalities.")
    found = together[covariance]
    try:
        pilot = pilot_of(found.components, study.mrmc.auc.cases)
    except ValueError as refused:
        raise InvalidInput(str(refused)) from refused
    return pilot, found.fixed_readers_random_cases.difference


def stated_pilot(
    *, var: float, cov1: float, cov2: float, cov3: float, var_modality_reader: float, cases: int
) -> Pilot:
    """Return components as stated, of a pilot of `cases` cases; InvalidInput if they cannot be."""
    pilot = Pilot(var, cov1, cov2, cov3, var_modality_reader, cases)
    if not all(map(isfinite, astuple(pilot))) or var <= 0 or cases < 2:  # noqa: PLR2004
        raise InvalidInput(
            "The components have to be finite numbers, var above 0, of two cases or more."
        )
    return pilot


def plan_power(
    pilot: Pilot,
    *,
    difference: float,
    readers: tuple[int, ...],
    cases: tuple[int, ...],
    target: float = 0.8,
    population: Population = "random_readers_random_cases",
) -> PowerPlan:
    """Power of every combination; InvalidInput where the numbers make no study."""
    if not 0 < abs(difference) <= 1:
        raise InvalidInput("The difference of AUC has to lie between 0 and 1, and not be 0.")
    if not 0 < target < 1:
        raise InvalidInput("The target has to be a power between 0 and 1.")
    try:
        return PowerPlan(
            pilot,
            difference,
            target,
            population,
            readers,
            cases,
            power_table(
                pilot,
                readers=readers,
                cases=cases,
                difference=difference,
                population=population,
            ),
            tuple(
                cases_needed(
                    pilot,
                    readers=reader,
                    difference=difference,
                    target=target,
                    population=population,
                )
                for reader in readers
            ),
        )
    except ValueError as refused:
        raise InvalidInput(str(refused)) from refused


def as_lines(plan: PowerPlan) -> list[str]:
    """Return the plan as a table for a terminal."""
    place = plan.population.replace("_", " ")
    lines = [
        f"Power to find a difference of AUC of {plan.difference:.4g} at the 5% level, {place}",
        "(Hillis, Obuchowski and Berbaum 2011); the cases have the pilot's share of positives.",
        "readers "
        + "".join(f"{count:>8}" for count in plan.cases)
        + f"   cases for {plan.target:g}",
    ]
    for reader, row, needed in zip(plan.readers, plan.table, plan.needed, strict=True):
        cells = "".join(f"{cell.power:8.4f}" for cell in row)
        lines.append(f"{reader:>7} {cells}   {'not reached' if needed is None else needed}")
    return lines
