"""readings.csv of an unblinded study: the file that every result is computed from.

The same frozen study gives the same bytes, so the file's SHA-256 names the data set. What does not
count (training, excluded cases, voided readings) is in a file of its own, so that nobody analyses
it by accident.
"""

import csv
import hashlib
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.counted import (
    MEANING,
    Place,
    Uncounted,
    beside,
    repeats_alone,
    why_not_counted,
)
from app.domain.errors import Conflict
from app.domain.scores import malignancy_score
from app.domain.sentences import said
from app.domain.study_states import state_in_words

Cell = Callable[[results.ExportedReading], object]


@dataclass(frozen=True)
class Column:
    """A column of readings.csv: its name, what it means, and where its value comes from."""

    name: str
    meaning: str
    values: str
    cell: Cell


def reader_code(number: int) -> str:
    """Return the pseudonym of a reader in every file: R01, R02, ... in order of enrolment."""
    return f"R{number:02}"


def _time(value: datetime | None) -> str:
    return "" if value is None else value.isoformat(timespec="microseconds")


COLUMNS = (
    Column("reader_id", "Reader (pseudonym)", "R01, R02, ...", lambda r: reader_code(r.reader)),
    Column("case_id", "Case, as named at import", "text", lambda r: r.case_code),
    Column("truth", "Reference diagnosis", "BCC or SK", lambda r: r.truth),
    Column(
        "modality",
        "Whether the reader had seen the AI: unaided (before) or aided (after)",
        "unaided or aided",
        lambda r: r.phase,
    ),
    Column("call", "The reader's locked call", "BCC or SK", lambda r: r.call),
    Column(
        "score",
        "Malignancy score: (100 + confidence)/200 for BCC, (100 - confidence)/200 for SK",
        "0 to 1, higher means BCC",
        lambda r: malignancy_score(r.call, r.confidence),
    ),
    Column("confidence", "Confidence in the call", "0 to 100 per cent", lambda r: r.confidence),
    Column(
        "position", "Place of the case in this reader's order", "1, 2, ...", lambda r: r.position
    ),
    Column(
        "served_at", "Case shown (t0), server clock", "ISO 8601, UTC", lambda r: _time(r.served_at)
    ),
    Column(
        "revealed_at",
        "AI output released (t2); aided rows only",
        "ISO 8601, UTC, or empty",
        lambda r: _time(r.revealed_at),
    ),
    Column(
        "locked_at",
        "Call locked (t1 unaided, t3 aided), server clock",
        "ISO 8601, UTC",
        lambda r: _time(r.locked_at),
    ),
    Column(
        "active_milliseconds",
        "Time the reader's browser counted as active in this phase; not verified",
        "milliseconds, or empty",
        lambda r: "" if r.active_milliseconds is None else r.active_milliseconds,
    ),
    Column("model_version", "Model whose output was shown", "name", lambda r: r.model_name or ""),
    Column(
        "model_weights_sha256",
        "SHA-256 of that model's weights",
        "hexadecimal, or empty",
        lambda r: r.weights_sha256 or "",
    ),
    Column(
        "ai_probability",
        "The model's probability of BCC for the case, shown or not by the protocol; aided rows",
        "0 to 1, or empty",
        lambda r: "" if r.ai_probability is None else r.ai_probability,
    ),
    Column(
        "ai_call",
        "The model's call, shown or not by the protocol; aided rows only",
        "BCC, SK or empty",
        lambda r: r.ai_call or "",
    ),
    Column(
        "reference_source",
        "How the reference diagnosis was made",
        "text",
        lambda r: r.reference_source,
    ),
    Column(
        "simulated",
        "Whether the reader is a program and no person",
        "yes or no",
        lambda r: "yes" if r.simulated else "no",
    ),
    Column("reading_id", "This reading in the audit log", "UUID", lambda r: r.reading_id),
    Column(
        "arm",
        "Whether this reading of the case was to show AI",
        "with_ai or without_ai",
        lambda r: r.arm,
    ),
    Column("session", "Session of a crossover", "1 or 2", lambda r: r.session),
    Column("occasion", "First reading of the case, or its repeat", "1 or 2", lambda r: r.occasion),
    Column("purpose", "What the case is for", "counted or training", lambda r: r.purpose),
    Column(
        "management",
        "What the reader would do, where it is asked",
        "biopsy, no_biopsy or empty",
        lambda r: r.management or "",
    ),
    Column("comment", "The reader's comment, where it is asked", "text", lambda r: r.comment or ""),
    Column(
        "protocol_version",
        "Version of the protocol the call was locked under",
        "1, 2, ..., or empty in studies older than versions",
        lambda r: "" if r.protocol_version is None else r.protocol_version,
    ),
    Column(
        "corrected",
        "Whether a coordinator's correction counts here; the other call is in "
        "readings_not_counted.csv",
        "yes or no",
        lambda r: "yes" if r.correction == "correct" else "no",
    ),
)
WHY = Column(
    "not_counted_because",
    "Why the row is not in readings.csv",
    "; ".join(f"{why}: {meaning}" for why, meaning in MEANING.items()),
    lambda _: "",
)


@dataclass(frozen=True)
class Readings:
    """The readings of a study: those that count, and those that do not with the reason."""

    counted: list[results.ExportedReading]
    others: list[tuple[results.ExportedReading, Uncounted]]


def readings_of(connection: Connection, *, study: Study) -> Readings:
    """Return the readings of an unblinded study; Conflict as `check_frozen` says.

    They are as locked or as corrected: as the study's protocol has it from its opening.
    """
    check_frozen(connection, study=study)
    corrects = study.analysed_readings == "corrected"
    reasons: dict[str, Uncounted] = {}
    places: dict[str, Place] = {}
    rows = results.exported_readings(connection, study.id)
    for row in rows:
        why = why_not_counted(
            design=study.design,
            arm=row.arm,
            phase=row.phase,
            purpose=row.purpose,
            excluded=row.excluded,
            void=row.correction == "void" and corrects,
        )
        name = str(row.reading_id)
        if why is None:
            places[name] = Place(str(row.reader), row.case_code, row.phase, row.occasion)
        else:
            reasons[name] = why
    reasons |= dict.fromkeys(repeats_alone(places), "repeat_alone")
    found = Readings([], [])
    for row in rows:
        why = reasons.get(str(row.reading_id))
        # Most rows have no correction: they are kept as they are, not copied.
        locked = row if corrects or row.correction is None else replace(row, correction=None)
        used, other = (_as_corrected(row), locked) if corrects else (locked, _as_corrected(locked))
        if why is None:
            found.counted.append(used)
        else:
            found.others.append((used, why))
        if second := beside(study.analysed_readings, row.correction):
            found.others.append((other, second))
    return found


def _as_corrected(row: results.ExportedReading) -> results.ExportedReading:
    if row.corrected_call is None or row.corrected_confidence is None:
        return row
    return replace(
        row,
        call=row.corrected_call,
        confidence=row.corrected_confidence,
        management=row.corrected_management or row.management,
    )


def readings_csv(connection: Connection, *, study: Study) -> bytes:
    """Return readings.csv of an unblinded study: the readings that count, and no other."""
    return counted_csv(readings_of(connection, study=study))


def counted_csv(found: Readings) -> bytes:
    """Return the bytes of readings.csv."""
    return table_csv(
        [column.name for column in COLUMNS],
        ([column.cell(row) for column in COLUMNS] for row in found.counted),
    )


def others_csv(found: Readings) -> bytes:
    """Return the bytes of readings_not_counted.csv: the same columns, and the reason."""
    return table_csv(
        [*(column.name for column in COLUMNS), WHY.name],
        ([*(column.cell(row) for column in COLUMNS), why] for row, why in found.others),
    )


def check_frozen(connection: Connection, *, study: Study) -> str:
    """Return the SHA-256 of an unblinded study's readings.

    Raises Conflict before unblinding, and when the readings are no longer those frozen then.
    """
    if study.state != "unblinded":
        raise Conflict(
            said(
                'The study "{code}" is {state}. Readings with truth leave the system only after '
                "unblinding.",
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    digest = results.current_data_sha256(connection, study.id)
    if digest != study.data_sha256:
        raise Conflict(
            "The readings are no longer those that were frozen at unblinding. They are withheld; "
            "run `reread verify` and keep this database as it is."
        )
    return digest


def record_export(
    connection: Connection, *, study: Study, what: str, content: bytes, by: Account
) -> None:
    """Write down that data with truth left the system, and which bytes."""
    digest = hashlib.sha256(content).hexdigest()
    results.record_event(
        connection,
        study=study.id,
        action="export.made",
        details={"file": what, "sha256": digest, "by": str(by.id)},
    )


# What spreadsheets take for the beginning of a formula, or skip on the way to one; the last four
# are the wide forms of the first four, which some of them take for the same.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table_csv(header: list[str], rows: Iterable[list[object]]) -> bytes:
    """Return a table as CSV bytes."""
    out = io.StringIO()
    write = row_writer(out)
    write(header)
    for row in rows:
        write([safe_cell(value) for value in row])
    return out.getvalue().encode()


def row_writer(out: io.StringIO) -> Callable[[Sequence[object]], None]:
    """Return what writes rows of a CSV with line feeds.

    A carriage return within a cell is quoted: bare, it would end the row for a spreadsheet, and
    what follows it would begin one, a formula perhaps. The library quotes line feeds alone.
    """
    plain = csv.writer(out, lineterminator="\n")
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)

    def write(row: Sequence[object]) -> None:
        broken = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if broken else plain).writerow(row)

    return write


def safe_cell(value: object) -> object:
    """Keep a spreadsheet from taking text for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA):
        return "'" + value
    return value


def record_log_export(connection: Connection, *, study: UUID, up_to: int, by: Account) -> None:
    """Write down that the log left the system, up to which event."""
    results.record_event(
        connection,
        study=study,
        action="export.made",
        details={"file": "audit.jsonl", "events": up_to, "by": str(by.id)},
    )
