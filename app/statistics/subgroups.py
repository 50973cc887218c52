"""The same analysis on parts of the cases, by a characteristic that each case has one value of."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from app.statistics.notes import Warning  # noqa: A004 - the word of the results
from app.statistics.study import analyse
from app.statistics.study_results import StudyAnalysis, Subgroup, Subgroups
from app.statistics.table import ReadingTable, natural_key

MOST_VALUES = 20


class SubgroupError(ValueError):
    """The characteristic makes no subgroups; the sentence says why."""


def with_subgroups(
    results: StudyAnalysis,
    table: ReadingTable,
    *,
    column: str,
    values: Mapping[str, str],
    cutoffs: tuple[float, ...] = (),
) -> StudyAnalysis:
    """Add the results per value of `column`; `values` gives each case's value ("" unknown).

    `table` is the one that `results` came from. Without bootstrap. SubgroupError for fewer than
    two values or more than twenty.
    """
    names = sorted({values.get(case, "") for case in table.cases} - {""}, key=natural_key)
    if not 2 <= len(names) <= MOST_VALUES:  # noqa: PLR2004 - one group is no subgroup
        raise SubgroupError(
            f"{column} has {len(names)} values; subgroups need 2 to {MOST_VALUES} of them."
        )
    baseline, comparison = (*results.modalities, *results.modalities)[:2]
    found: list[Subgroup] = []
    for name in names:
        chosen = np.array([values.get(case, "") == name for case in table.cases])
        part = analyse(
            table.of_cases(chosen),
            positive=results.positive,
            baseline=baseline,
            comparison=comparison,
            threshold=results.threshold,
            cutoffs=cutoffs,
            bootstrap=0,
        )
        found.append(Subgroup(name, part.data, part.readers, part.mrmc))
    unknown = sum(values.get(case, "") == "" for case in table.cases)
    text = (
        f"{len(names)} subgroups by {column}, {unknown} cases without a value: no test between "
        "subgroups is made, intervals are not adjusted for their number, and a difference that "
        "shows in one subgroup only is no evidence that the subgroups differ."
    )
    return replace(
        results,
        subgroups=Subgroups(column, tuple(found)),
        warnings=(*results.warnings, Warning("subgroups", column, text)),
    )
