"""readings.csv of an unblinded study: the file that every result is computed from.

The same frozen study gives the same bytes, so the file's SHA-256 names the data set.
"""

import csv
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict
from app.domain.scores import malignancy_score

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
        "Probability of BCC as shown with the reveal; aided rows only",
        "0 to 1, or empty",
        lambda r: "" if r.ai_probability is None else r.ai_probability,
    ),
    Column("ai_call", "The model's call as shown", "BCC, SK or empty", lambda r: r.ai_call or ""),
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
)


def readings_csv(connection: Connection, *, study: Study) -> bytes:
    """Return readings.csv of an unblinded study; raises Conflict as `check_frozen` does."""
    check_frozen(connection, study=study)
    rows = results.exported_readings(connection, study.id)
    return table_csv(
        [column.name for column in COLUMNS],
        [[column.cell(row) for column in COLUMNS] for row in rows],
    )


def check_frozen(connection: Connection, *, study: Study) -> str:
    """Return the SHA-256 of an unblinded study's readings.

    Raises Conflict before unblinding, and when the readings are no longer those frozen then.
    """
    if study.state != "unblinded":
        raise Conflict(
            f'The study "{study.code}" is {study.state}. Readings with truth leave the system '
            "only after unblinding."
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


def table_csv(header: list[str], rows: list[list[object]]) -> bytes:
    """Return a table as CSV bytes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([safe_cell(value) for value in row] for row in rows)
    return out.getvalue().encode()


def safe_cell(value: object) -> object:
    """Keep a spreadsheet from taking text for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
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
