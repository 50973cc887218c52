"""readings.csv turned wide: one row per reader and case, the two phases side by side."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class WideColumn:
    """A column of the wide file and the column of readings.csv that fills it.

    `phase` is the row it comes from; None takes it from the first row that has it.
    """

    name: str
    source: str
    phase: str | None
    meaning: str
    values: str


def _of_phase(phase: str, when: str) -> tuple[WideColumn, ...]:
    return (
        WideColumn(f"{phase}_call", "call", phase, f"The call locked {when}", "BCC, SK, or empty"),
        WideColumn(
            f"{phase}_confidence",
            "confidence",
            phase,
            f"Confidence in the call {when}",
            "0 to 100 per cent, or empty",
        ),
        WideColumn(
            f"{phase}_score",
            "score",
            phase,
            f"Malignancy score of the call {when}",
            "0 to 1, higher means BCC, or empty",
        ),
        WideColumn(
            f"{phase}_locked_at",
            "locked_at",
            phase,
            f"When the call {when} was locked",
            "ISO 8601, UTC, or empty",
        ),
        WideColumn(
            f"{phase}_active_milliseconds",
            "active_milliseconds",
            phase,
            f"Time the browser counted as active {when}; not verified",
            "milliseconds, or empty",
        ),
    )


WIDE: tuple[WideColumn, ...] = (
    WideColumn("reader_id", "reader_id", None, "Reader (pseudonym)", "R01, R02, ..."),
    WideColumn("case_id", "case_id", None, "Case, as named at import", "text"),
    WideColumn("truth", "truth", None, "Reference diagnosis", "BCC or SK"),
    WideColumn(
        "position", "position", None, "Place of the case in this reader's order", "1, 2, ..."
    ),
    WideColumn("served_at", "served_at", None, "Case shown (t0)", "ISO 8601, UTC"),
    *_of_phase("unaided", "before the AI was seen"),
    WideColumn(
        "revealed_at", "revealed_at", "aided", "AI output released (t2)", "ISO 8601, UTC, or empty"
    ),
    WideColumn(
        "ai_probability",
        "ai_probability",
        "aided",
        "The model's probability of BCC, shown or not by the protocol",
        "0 to 1, or empty",
    ),
    WideColumn(
        "ai_call",
        "ai_call",
        "aided",
        "The model's call, shown or not by the protocol",
        "BCC, SK, or empty",
    ),
    *_of_phase("aided", "after it"),
    WideColumn("occasion", "occasion", None, "First reading of the case, or repeat", "1 or 2"),
    WideColumn(
        "simulated", "simulated", None, "Whether the reader is a program and no person", "yes or no"
    ),
)

# What makes two rows of readings.csv one row here.
SAME = ("reader_id", "case_id", "occasion")


def wide_rows(rows: Iterable[Mapping[str, str]]) -> Iterator[list[str]]:
    """Give the wide rows in the order of the long ones, which stand reader by reader.

    In a crossover the two calls of a case stand far apart: a reader's rows are kept until the next.
    """
    reader: str | None = None
    found: dict[tuple[str, ...], dict[str, Mapping[str, str]]] = {}
    for row in rows:
        if row["reader_id"] != reader:
            yield from map(_wide, found.values())
            reader, found = row["reader_id"], {}
        found.setdefault(tuple(row[name] for name in SAME), {})[row["modality"]] = row
    yield from map(_wide, found.values())


def _wide(phases: Mapping[str, Mapping[str, str]]) -> list[str]:
    first = next(iter(phases.values()))
    return [
        first[column.source]
        if column.phase is None
        else phases.get(column.phase, {}).get(column.source, "")
        for column in WIDE
    ]
