"""What a CSV file says of its cases besides their readings: age, sex, site and the like.

Any file with a row a case will do: our export's cases.csv, a case file as it was imported, or
another. A column is one of numbers where every filled cell is a number, else one of categories.
"""

import re
from dataclasses import dataclass

from app.domain.case_columns import ALL_NAMES, IMAGE_SUFFIX, MISSING
from app.domain.csv_table import Row, read_table
from app.domain.errors import Problem
from app.domain.sentences import said

IDS = ("case_id", "case", "caseid", "isic_id", "img_id", "image")
"""Columns that name the case, the best first."""

GROUPS = ("truth", "diagnosis", "diagnostic")
"""Columns that hold the reference diagnosis, as files call them."""

NO_CHARACTERISTICS = frozenset(
    {
        *IDS,
        *("patient_id", "lesion_id", "diagnosis_confirm", "synthetic"),
        *(
            "reference_recorded_at",
            "imported_at",
            "images",
            "addition",
        ),  # of our cases.csv
    }
)
CODES = frozenset({"fitzpatrick", "fitzpatrick_skin_type", "fitspatrick"})
"""Columns whose numbers are names of categories."""

MOST_CATEGORIES = 30
LARGEST = 1e12  # a larger number measures nothing of a patient
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Characteristic:
    """One column: each case's text, "" where it is missing, and whether the texts are numbers."""

    name: str
    values: tuple[str, ...]
    numeric: bool


@dataclass(frozen=True, slots=True)
class CaseCharacteristics:
    """The cases of a file; with a problem there is no case.

    `group` holds each case's value of the column that parts the cases, empty where none was found.
    `left_out` names columns that are neither numbers nor categories.
    """

    cases: tuple[str, ...]
    group: tuple[str, ...]
    columns: tuple[Characteristic, ...]
    left_out: tuple[str, ...]
    problems: tuple[Problem, ...]


def parse_characteristics(
    content: bytes,
    *,
    file: str,
    group: str | None = None,
    categories: frozenset[str] = frozenset(),
) -> CaseCharacteristics:
    """Read a file's bytes; `file` names it in the problems.

    `group` names the column that parts the cases, else one of `GROUPS`; `categories` the columns
    whose numbers are codes. A case named twice is a problem.
    """
    table = read_table(content, name=file, known=ALL_NAMES | set(IDS) | set(GROUPS))
    problems = list(table.problems)
    asked = sorted(categories) if group is None else [group, *sorted(categories)]
    problems += [
        Problem(file, table.header_row, None, said("there is no column {name}", name=name))
        for name in asked
        if _plain(name) not in table.columns
    ]
    by = _plain(group) if group else next((each for each in GROUPS if each in table.columns), "")
    cases = _cases(table.rows, table.columns)
    problems += _twice(file, table.rows, cases)
    if problems:
        return CaseCharacteristics((), (), (), (), tuple(problems))
    columns: list[Characteristic] = []
    left_out: list[str] = []
    codes = CODES | {_plain(name) for name in categories}
    for name in table.columns:
        if name == by or name in NO_CHARACTERISTICS or name in GROUPS:
            continue
        found = _characteristic(name, table.rows, coded=name in codes)
        if any(found.values):
            is_text = not found.numeric and len(set(found.values)) > MOST_CATEGORIES
            (left_out.append(name) if is_text else columns.append(found))
    grouped = tuple(_known(row.cells.get(by, "")) for row in table.rows) if by else ()
    return CaseCharacteristics(cases, grouped, tuple(columns), tuple(left_out), ())


def _plain(name: str) -> str:
    """Return a column's name as `read_table` writes it."""
    return re.sub(r"[\s_-]+", "_", name.strip().lower())


def _known(text: str) -> str:
    return "" if text.casefold() in MISSING else text


def _cases(rows: tuple[Row, ...], columns: tuple[str, ...]) -> tuple[str, ...]:
    column = next((name for name in IDS if name in columns), "")
    return tuple(
        IMAGE_SUFFIX.sub("", row.cells.get(column, "")) or f"row {row.number}" for row in rows
    )


def _twice(file: str, rows: tuple[Row, ...], cases: tuple[str, ...]) -> list[Problem]:
    seen: dict[str, int] = {}
    found: list[Problem] = []
    for row, case in zip(rows, cases, strict=True):
        first = seen.setdefault(case, row.number)
        if first != row.number:
            sentence = f"case {case} is already in row {first}; one row a case is needed"
            found.append(Problem(file, row.number, None, sentence))
    return found


def _characteristic(name: str, rows: tuple[Row, ...], *, coded: bool) -> Characteristic:
    values = tuple(_known(row.cells.get(name, "")) for row in rows)
    numeric = not coded and all(_is_number(value) for value in values if value)
    if numeric:
        return Characteristic(name, values, numeric=True)
    # "Male" and "male" are one category, spelt as the first row does.
    spelt: dict[str, str] = {}
    named = tuple(spelt.setdefault(value.casefold(), value) for value in values)
    return Characteristic(name, named, numeric=False)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None and abs(float(text)) < LARGEST
