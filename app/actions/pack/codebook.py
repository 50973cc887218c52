"""The codebook: every column of every table in a pack."""

from collections.abc import Iterator

from app.actions.export_study import COLUMNS, WHY
from app.actions.pack.tables import (
    ALLOCATION,
    CASES,
    PREDICTIONS,
    READERS,
    VIEWING,
    csv_chunks,
)
from app.domain.wide_readings import WIDE

Described = tuple[str, str, str]

# File -> its columns: name, meaning, values.
TABLES: dict[str, tuple[Described, ...]] = {
    "readings.csv": tuple((c.name, c.meaning, c.values) for c in COLUMNS),
    "readings_not_counted.csv": tuple((c.name, c.meaning, c.values) for c in (*COLUMNS, WHY)),
    "readings-wide.csv": tuple((c.name, c.meaning, c.values) for c in WIDE),
    "cases.csv": tuple((c.name, c.meaning, c.values) for c in CASES),
    "predictions.csv": tuple((c.name, c.meaning, c.values) for c in PREDICTIONS),
    "allocation.csv": tuple((c.name, c.meaning, c.values) for c in ALLOCATION),
    "readers.csv": tuple((c.name, c.meaning, c.values) for c in READERS),
    "viewing.csv": tuple((c.name, c.meaning, c.values) for c in VIEWING),
}


def codebook_chunks() -> Iterator[bytes]:
    """Write codebook.csv."""
    rows = ((file, *column) for file, columns in TABLES.items() for column in columns)
    return csv_chunks(["file", "column", "meaning", "values"], rows)


def codebook_csv() -> bytes:
    """Return the bytes of codebook.csv."""
    return b"".join(codebook_chunks())
