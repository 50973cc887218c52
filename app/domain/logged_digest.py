"""The digest of a study's data, computed from its log alone: what unblinding froze.

The database's own is `data_digest` (migration 0036); this is the same text, line by line.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from app.domain.counted import excluded_cases

Row = Mapping[str, Any]
NOT_FROZEN = "its readings are not those that unblinding froze (their SHA-256 is another)"


def data_sha256_of_log(rows: Mapping[str, Sequence[Row]]) -> str:
    """Return the SHA-256 of the readings, corrections and standing exclusions; `rows` by table.

    Raises KeyError and ValueError where rows are not what they claim.
    """
    readings = sorted(rows.get("reading", []), key=lambda row: (row["assignment_id"], row["phase"]))
    corrections = sorted(
        rows.get("reading_correction", []),
        key=lambda row: (datetime.fromisoformat(row["made_at"]), row["id"]),
    )
    lines = [_reading(row) for row in readings] or [""]
    lines += [
        _line(row["reading_id"], row["kind"], row["call"], row["confidence"], row.get("management"))
        for row in corrections
    ]
    lines += [_line("excluded", case) for case in sorted(excluded_cases(rows))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _reading(row: Row) -> str:
    comment = row.get("comment")
    return _line(
        row["assignment_id"],
        row["phase"],
        row["call"],
        row["confidence"],
        row["submission_id"],
        row.get("management"),
        None if comment is None else hashlib.sha256(comment.encode()).hexdigest(),
    )


def _line(*values: object) -> str:
    """Join as Postgres does with concat_ws: what is NULL leaves no trace."""
    return ",".join(str(value) for value in values if value is not None)
