"""CSV files of readings as raw rows: long form, and wide form with columns per modality."""

import csv
import io
from collections.abc import Iterator, Mapping

from app.domain.readings_rows import Problems, RawRow, missing

SYNONYMS: Mapping[str, str] = {
    "readerid": "reader",
    "reader": "reader",
    "caseid": "case",
    "case": "case",
    "truth": "truth",
    "y": "truth",
    "modality": "modality",
    "modalityid": "modality",
    "treatment": "modality",
    "call": "call",
    "score": "score",
    "rating": "score",
    "aiprobability": "ai_probability",
    "aicall": "ai_call",
    "simulated": "simulated",
    "occasion": "occasion",
    "repeat": "occasion",
    "replicate": "occasion",
}
"""Headers, written without case, spaces and underscores, and the column each stands for."""

OWN_EXPORT = frozenset({"aiprobability", "modelversion"})
"""Headers by which this project's own export is known: its scores are malignancy in [0, 1]."""

ONE_READER = "reader"
"""The name of the only reader of a wide file that names none."""


def plain(header: str) -> str:
    """Return a header without case, spaces, hyphens and underscores."""
    return "".join(letter for letter in header.casefold() if letter.isalnum())


def csv_rows(
    text: str, problems: Problems, subgroup: str | None = None
) -> tuple[str, bool, list[RawRow]]:
    """Return the form ("long CSV", "wide CSV"), whether it is our own export, and the raw rows.

    `subgroup` names a further column to be kept, one value for each case.
    """
    lines = _lines(text, problems)
    _, first = next(lines, (0, None))
    if first is None:
        problems.add("The file is empty.")
        return "long CSV", False, []
    headers = [header.strip() for header in first]
    plain_headers = [plain(header) for header in headers]
    own = bool(OWN_EXPORT & set(plain_headers))
    columns = _columns(headers, plain_headers, problems)
    if subgroup is not None:
        _keep_subgroup(subgroup, plain_headers, columns, problems)
    if "modality" in columns.values() or _lacks(columns, ("call", "score")) is None:
        return "long CSV", own, list(_long(lines, headers, columns, problems))
    return "wide CSV", own, list(_wide(lines, headers, columns, problems))


def _lines(text: str, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Give the records, the header first, with the line on which each ends.

    One after the other: all columns of a large export at once would be the most of its memory.
    """
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max((",", ";", "\t"), key=first.count)
    # Not StringIO, which takes four bytes a letter.
    source = io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8", newline="")
    reader = csv.reader(source, delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if any(record):
                yield reader.line_num, record
    except csv.Error as error:
        problems.add(f"The line cannot be split into columns: {error}.", reader.line_num)


def _columns(headers: list[str], plain_headers: list[str], problems: Problems) -> dict[int, str]:
    """Return our column of each position; columns nobody needs are left out."""
    columns: dict[int, str] = {}
    for position, header in enumerate(plain_headers):
        column = SYNONYMS.get(header)
        if column is None:
            continue
        if column in columns.values():
            problems.add(f"A second column for the {column}.", 1, headers[position])
            continue
        columns[position] = column
    return columns


def _keep_subgroup(
    name: str, plain_headers: list[str], columns: dict[int, str], problems: Problems
) -> None:
    if plain(name) not in plain_headers:
        problems.add(f"There is no column {name} to make subgroups of.", 1)
        return
    position = plain_headers.index(plain(name))
    if position in columns:
        problems.add(f"The column {name} is no characteristic of the cases.", 1, name)
        return
    columns[position] = "subgroup"


def _lacks(columns: dict[int, str], wanted: tuple[str, ...]) -> str | None:
    """Return the wanted columns where none of them is there."""
    return None if set(wanted) & set(columns.values()) else " or ".join(wanted)


def _long(
    lines: Iterator[tuple[int, list[str]]],
    headers: list[str],
    columns: dict[int, str],
    problems: Problems,
) -> Iterator[RawRow]:
    needs = (("reader",), ("case",), ("truth",), ("modality",), ("call", "score"))
    lacking = [lack for wanted in needs if (lack := _lacks(columns, wanted)) is not None]
    for lack in lacking:
        problems.add(f"There is no column for {lack}.", 1)
    if lacking:
        return
    names = {column: headers[position] for position, column in columns.items()}
    seen: dict[str, str] = {}  # a text that comes again is not kept again
    for line, record in lines:
        if _ragged(line, record, headers, problems):
            continue
        texts = {column: record[position].strip() for position, column in columns.items()}
        kept = {column: seen.setdefault(text, text) for column, text in texts.items()}
        yield RawRow(line, kept, names)


def _ragged(line: int, record: list[str], headers: list[str], problems: Problems) -> bool:
    if len(record) == len(headers):
        return False
    problems.add(f"The row has {len(record)} columns, the header {len(headers)}.", line)
    return True


def _wide(
    lines: Iterator[tuple[int, list[str]]],
    headers: list[str],
    columns: dict[int, str],
    problems: Problems,
) -> Iterator[RawRow]:
    """Columns NAME_call and NAME_score, or NAME alone for a score, one pair per modality."""
    for wanted in ("case", "truth"):
        if wanted not in columns.values():
            problems.add(f"There is no column for {wanted}.", 1)
    arms = _arms(headers, columns)
    if not arms:
        problems.add("There is no column for modality, and no column per modality either.", 1)
    if problems.found:
        return
    for line, record in lines:
        if _ragged(line, record, headers, problems):
            continue
        shared = {column: record[position].strip() for position, column in columns.items()}
        for arm, positions in arms.items():
            texts = {kind: record[position].strip() for kind, position in positions.items()}
            if all(missing(text) for text in texts.values()):
                continue
            names = {column: headers[position] for position, column in columns.items()}
            names |= {kind: headers[position] for kind, position in positions.items()}
            yield RawRow(line, {"reader": ONE_READER} | shared | texts | {"modality": arm}, names)


def _arms(headers: list[str], columns: dict[int, str]) -> dict[str, dict[str, int]]:
    """Return the position of call and score of each modality."""
    arms: dict[str, dict[str, int]] = {}
    for position, header in enumerate(headers):
        if position in columns:
            continue
        name, _, kind = header.rpartition("_")
        if name and kind.casefold() in {"call", "score", "rating"}:
            kind = "call" if kind.casefold() == "call" else "score"
            arms.setdefault(name, {})[kind] = position
        else:
            arms.setdefault(header, {})["score"] = position
    return arms
