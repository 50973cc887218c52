"""The rows of the study's tables as its log holds them, each as it was written."""

import json
from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

from app.domain.audit_chain import AuditEvent

Row = Mapping[str, Any]


def rows_of_log(events: Iterable[AuditEvent]) -> dict[str, list[Row]]:
    """Return table -> its rows as they were written."""
    rows: dict[str, list[Row]] = {}
    for event in events:
        table, _, verb = event.action.partition(".")
        if verb == "insert":
            row = json.loads(event.payload, object_pairs_hook=_with_shared_names)
            rows.setdefault(table, []).append(row)
    return rows


def _with_shared_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep each name once: in a large log the names would be most of the rows' memory."""
    return {intern(name): value for name, value in pairs}
