"""Characteristics of cases: the baseline table, and the groups into which a column parts them."""

from collections.abc import Mapping
from statistics import median

import numpy as np

from app.domain.case_characteristics import CaseCharacteristics, parse_characteristics
from app.domain.errors import InvalidInput
from app.statistics.baseline import CategoricalBaseline, GroupSummary, NumericBaseline
from app.statistics.baseline_table import BaselineTable, baseline_table
from app.statistics.subgroups import MOST_VALUES
from app.statistics.table import ReadingTable

SMALLEST_P = 0.001


def read_characteristics(
    content: bytes,
    name: str,
    *,
    group: str | None = None,
    categories: frozenset[str] = frozenset(),
) -> CaseCharacteristics:
    """Parse the bytes; InvalidInput, listing the problems, when there is any."""
    found = parse_characteristics(content, file=name, group=group, categories=categories)
    if found.problems:
        listed = "\n".join(str(problem) for problem in found.problems)
        raise InvalidInput(f"The cases cannot be described.\n{listed}", found.problems)
    return found


def baseline_of_cases(found: CaseCharacteristics, name: str) -> BaselineTable:
    """Compare the two groups that the file itself names; InvalidInput where it names no two."""
    groups = sorted(set(found.group) - {""}, key=lambda each: (each.casefold() != "bcc", each))
    if len(groups) != 2:  # noqa: PLR2004 - a comparison is of two
        said = ", ".join(groups[:5]) or "nothing"
        raise InvalidInput(
            f"The cases of {name} are to be compared in two groups, but the column that parts them "
            f"holds {said}. Name a column of two values with --group."
        )
    known = [place for place, group in enumerate(found.group) if group]
    first = np.array([found.group[place] == groups[0] for place in known])
    columns = [
        (column.name, [column.values[place] for place in known], column.numeric)
        for column in found.columns
    ]
    return baseline_table(columns, first, (groups[0], groups[1]))


def baseline_of_readings(
    found: CaseCharacteristics, table: ReadingTable, *, positive: str, negative: str
) -> tuple[BaselineTable, int]:
    """Compare the true classes of the cases that were read; also return how many are unknown.

    Raises InvalidInput where no case of the readings has a row.
    """
    place = {case: index for index, case in enumerate(found.cases)}
    unknown = [case for case in table.cases if case not in place]
    if len(unknown) == len(table.cases):
        raise InvalidInput(
            f"No case of the readings has a row in the file of cases: {unknown[0]} is not there."
        )
    columns = [
        (
            column.name,
            [column.values[place[case]] if case in place else "" for case in table.cases],
            column.numeric,
        )
        for column in found.columns
    ]
    index = table.classes.index(positive) if positive in table.classes else -1
    return baseline_table(columns, table.truth == index, (positive, negative)), len(unknown)


def subgroup_values(found: CaseCharacteristics, name: str) -> Mapping[str, str]:
    """Return each case's value of a column; numbers of many values are parted at their median."""
    column = next((each for each in found.columns if each.name == name), None)
    if column is None:
        listed = ", ".join(each.name for each in found.columns)
        raise InvalidInput(f"The file of cases has no {name} to make subgroups of, but {listed}.")
    values = column.values
    if column.numeric and len(set(values)) > MOST_VALUES:
        middle = median(float(value) for value in values if value)
        low, high = f"{middle:g} and below", f"above {middle:g}"
        values = tuple(value and (low if float(value) <= middle else high) for value in values)
    return dict(zip(found.cases, values, strict=True))


def as_lines(table: BaselineTable) -> list[str]:
    """Write the table for a terminal, a characteristic or a category a line."""
    lines = [f"{group}: {n} cases." for group, n in zip(table.groups, table.n, strict=True)]
    lines.append(f"{table.method}.")
    for row in table.rows:
        unknown = f"; unknown of {row.missing[0]} and {row.missing[1]}" if any(row.missing) else ""
        found = row.numeric or row.categorical
        if found is None:
            lines.append(f"{row.characteristic}: {row.notes[0].text}")
            continue
        lines.append(f"{row.characteristic}: {_tested(found)}{unknown}")
        if row.numeric is not None:
            groups = zip(table.groups, (row.numeric.first, row.numeric.second), strict=True)
            lines += [f"  {group}: {_summary(each)}" for group, each in groups]
        if row.categorical is not None:
            lines += _counts(row.categorical)
        lines += [f"  {note.text}" for note in found.notes]
    return lines


def _tested(found: NumericBaseline | CategoricalBaseline) -> str:
    p = "undefined" if found.p is None else "< 0.001" if found.p < SMALLEST_P else f"{found.p:.3f}"
    return f"{found.test}, p {p}, SMD {'undefined' if found.smd is None else f'{found.smd:.2f}'}"


def _summary(group: GroupSummary) -> str:
    sd = "undefined" if group.sd is None else f"{group.sd:.1f}"
    spread = f"median {group.median:.1f} ({group.q1:.1f} to {group.q3:.1f})"
    return f"mean {group.mean:.1f}, SD {sd}, {spread}, n {group.n}"


def _counts(found: CategoricalBaseline) -> list[str]:
    totals = [sum(counts) for counts in zip(*found.counts, strict=True)]
    return [
        f"  {category}: "
        + ", ".join(_share(count, total) for count, total in zip(counts, totals, strict=True))
        for category, counts in zip(found.categories, found.counts, strict=True)
    ]


def _share(count: int, total: int) -> str:
    return f"{count}/{total}" + (f" ({100 * count / total:.1f} %)" if total else "")
