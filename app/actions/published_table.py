"""A published table as a CSV file: figures as printed, one row a reader and modality."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import InvalidInput
from app.statistics.published import FIGURES, PublishedRow
from app.statistics.published_change import PublishedChange

COMPARED = ("nri", "nri_p", "idi")
COLUMNS = ("row", *FIGURES, "against", *COMPARED)
_SPAN = {"nri": 2.0, "idi": 2.0}  # how far from 0; all others lie between 0 and 1


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """A table as printed: its rows, and its comparisons of two of them."""

    rows: tuple[PublishedRow, ...]
    changes: tuple[PublishedChange, ...]


def read_table(path: Path) -> PublishedTable:
    """Read a CSV file with the columns of `COLUMNS`; a figure not printed stays empty.

    Raises InvalidInput for a column it does not know, a file without rows, a figure that cannot
    be, two rows of one name, or a comparison with a row that is not there.
    """
    rows: dict[str, PublishedRow] = {}
    changes: list[PublishedChange] = []
    for line, record in _records(path):
        where = f"{path.name}, row {line}"
        _check_figures(where, record)
        row = PublishedRow(
            record.get("row") or f"row {line}",
            {column: record[column] for column in FIGURES if record.get(column)},
        )
        if row.name in rows:
            raise InvalidInput(f"{where}: there is a second row named {row.name}.")
        if not row.figures:
            raise InvalidInput(f"{where} prints none of {', '.join(FIGURES)}.")
        rows[row.name] = row
        compared = [record.get(column) or None for column in COMPARED]
        if record.get("against"):
            changes.append(PublishedChange(row.name, record["against"], *compared))
        elif any(compared):
            raise InvalidInput(f"{where}: name the row it is compared with in the column against.")
    if not rows:
        raise InvalidInput(f"{path.name} holds no row.")
    for change in changes:
        if change.against not in rows.keys() - {change.row}:
            raise InvalidInput(f"{change.row} is compared with {change.against}, which is no row.")
    return PublishedTable(tuple(rows.values()), tuple(changes))


def _check_figures(where: str, record: dict[str, str]) -> None:
    for column in (*FIGURES, *COMPARED):
        text = record.get(column)
        if text and not _can_be(column, text):
            raise InvalidInput(
                f"{where}, column {column}: {text} cannot be one; a figure is written in digits, "
                "as printed."
            )


def _records(path: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path.name} is not UTF-8 text; save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text))
    header = [column.strip().casefold() for column in next(reader, list[str]())]
    strange = [column for column in header if column not in COLUMNS]
    if strange or len(set(header)) != len(header):
        listed = ", ".join(COLUMNS)
        raise InvalidInput(
            f"{path.name}: each column of the header has to be one of {listed}, and only once."
        )
    found: list[tuple[int, dict[str, str]]] = []
    for record in reader:
        cells = [cell.strip() for cell in record]
        if len(cells) > len(header):
            raise InvalidInput(f"{path.name}, row {reader.line_num}: more cells than columns.")
        if any(cells):
            found.append((reader.line_num, dict(zip(header, cells, strict=False))))
    return found


def _can_be(column: str, text: str) -> bool:
    """Whether a printed text can be this figure: plain digits, since their number says the rest."""
    span = _SPAN.get(column)
    digits = text.removeprefix("-") if span is not None else text
    digits = digits.replace(".", "", 1)
    return digits.isascii() and digits.isdecimal() and abs(float(text)) <= (span or 1.0)
