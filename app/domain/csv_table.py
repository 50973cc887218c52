"""A delimited text file, from bytes to rows of cells, with every flaw listed and none raised."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from app.domain.errors import Problem
from app.domain.sentences import said

MAX_BYTES = 20 * 1024 * 1024
MAX_ROWS = 20_000
MAX_PROBLEMS = 20_000
SEPARATORS = (",", ";", "\t")

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd\ud800-\udfff]")
# What people send when they mean a table, by the bytes such a file begins with.
_NOT_TEXT = (
    (
        b"PK\x03\x04",
        said("the file is a ZIP file or an Excel workbook; in Excel choose Save as, CSV UTF-8"),
    ),
    (
        b"\xd0\xcf\x11\xe0",
        said("the file is an old Excel workbook; in Excel choose Save as, CSV UTF-8"),
    ),
    (b"%PDF", said("the file is a PDF; the cases are needed as a CSV file")),
    (b"\x89PNG", said("the file is a picture; the cases are needed as a CSV file")),
    (b"\xff\xd8\xff", said("the file is a picture; the cases are needed as a CSV file")),
    (b"\x1f\x8b", said("the file is compressed; unpack it first")),
)


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet shows it, and its cells by column name."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """The named columns, the rows that are not blank, and everything wrong with the file."""

    header_row: int = 1
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass
class _Reading:
    """What has been gathered so far from one file."""

    name: str
    problems: list[Problem] = field(default_factory=list[Problem])

    def problem(self, sentence: str, row: int | None = None, column: str | None = None) -> None:
        self.problems.append(Problem(self.name, row, column, sentence))


def read_table(data: bytes, *, name: str, known: frozenset[str]) -> Table:
    """Read a comma, semicolon or tab separated file; never raises.

    `known` holds the column names the caller understands: the separator is the one under which
    the header shows most of them. Column names come back in lower case, words joined by `_`.
    """
    reading = _Reading(name)
    text = _decode(data, reading)
    if text is None:
        return Table(problems=tuple(reading.problems))
    records = _records(text, _separator(text, known), reading)
    nothing: tuple[int, list[str]] = (1, [])
    header_row, header = next((record for record in records if any(record[1])), nothing)
    if not header:
        reading.problem(said("the file has no rows; its first row must name the columns"))
        return Table(problems=tuple(reading.problems))
    columns = _columns(header, header_row, reading)
    rows = tuple(_rows(records, columns, reading))
    if not rows:
        reading.problem(said("there is no row below the column names"))
    named = tuple(dict.fromkeys(column for column in columns if column))
    return Table(header_row, named, rows, tuple(reading.problems))


def _decode(data: bytes, reading: _Reading) -> str | None:
    """Text of the file, or nothing where it is not text at all."""
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        reading.problem(said("the file is empty"))
        return None
    if len(data) > MAX_BYTES:
        reading.problem(
            said("the file is larger than {size} MB; split it", size=MAX_BYTES // 1024**2)
        )
        return None
    for start, sentence in _NOT_TEXT:
        if data.startswith(start):
            reading.problem(sentence)
            return None
    # A byte that does not decode is shown as U+FFFD, which is then reported row by row.
    text = data.decode(_encoding(data), errors="replace").removeprefix("\ufeff")
    if len(_UNREADABLE.findall(text[:4096])) > min(len(text), 4096) // 10:
        reading.problem(said("the file is not text in UTF-8; in Excel choose Save as, CSV UTF-8"))
        return None
    return text


def _encoding(data: bytes) -> str:
    if data.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    # Without a mark, plain letters in UTF-16 show as a zero in every second byte.
    start = data[:1000]
    if start[1::2].count(0) * 3 > len(start):
        return "utf-16-le"
    if start[0::2].count(0) * 3 > len(start):
        return "utf-16-be"
    return "utf-8"


def _separator(text: str, known: frozenset[str]) -> str:
    first = next((line for line in text.splitlines() if line.strip(" \t,;")), "")

    def names_found(separator: str) -> tuple[int, int]:
        names = [_column_name(cell.strip('"')) for cell in first.split(separator)]
        return len(known.intersection(names)), len(names)

    return max(SEPARATORS, key=names_found)


def _column_name(cell: str) -> str:
    return re.sub(r"[\s_-]+", "_", cell.strip().lower())


def _records(text: str, separator: str, reading: _Reading) -> Iterator[tuple[int, list[str]]]:
    """Every row with its number, blank ones too: a quoted line break stays in its row."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number = 0
    while len(reading.problems) < MAX_PROBLEMS:
        number += 1
        try:
            yield number, [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:
            reading.problem(
                said(
                    "a quotation mark is opened and not closed, or stands inside a cell; "
                    'put the cell in quotation marks and double those inside it ("")'
                ),
                number,
            )


def _columns(header: list[str], number: int, reading: _Reading) -> list[str]:
    columns = [_column_name(cell) for cell in header]
    for name in dict.fromkeys(columns):
        if name and columns.count(name) > 1:
            reading.problem(said("two columns have this name; rename or remove one"), number, name)
    if any(_UNREADABLE.search(name) for name in columns):
        reading.problem(said("a column name holds characters that are not text"), number)
    return columns


def _rows(
    records: Iterator[tuple[int, list[str]]], columns: list[str], reading: _Reading
) -> Iterator[Row]:
    count = 0
    unnamed: set[int] = set()
    for number, cells in records:
        if not any(cells):
            continue
        count += 1
        if count > MAX_ROWS:
            reading.problem(
                said("there are more than {count:,} rows; split the file", count=MAX_ROWS), number
            )
            return
        _check_cells(cells, columns, number, unnamed, reading)
        # The first of two columns of one name counts; the second is already reported.
        pairs = zip(reversed(columns), reversed(_padded(cells, len(columns))), strict=True)
        yield Row(number, {name: cell for name, cell in pairs if name})


def _padded(cells: list[str], length: int) -> list[str]:
    return cells[:length] + [""] * (length - len(cells))


def _check_cells(
    cells: list[str], columns: list[str], number: int, unnamed: set[int], reading: _Reading
) -> None:
    if any(cells[len(columns) :]):
        reading.problem(
            said(
                "the row has {cells} cells and the header {columns}; put a text that holds the "
                "separator in quotation marks",
                cells=len(cells),
                columns=len(columns),
            ),
            number,
        )
    for place, (name, cell) in enumerate(zip(columns, cells, strict=False), start=1):
        if _UNREADABLE.search(cell):
            reading.problem(
                said("the cell holds characters that are not text; save the file as CSV UTF-8"),
                number,
                name or None,
            )
        if cell and not name and place not in unnamed:
            unnamed.add(place)
            reading.problem(
                said(
                    "column {place} from the left has cells but no name; name or remove it",
                    place=place,
                ),
                number,
            )
