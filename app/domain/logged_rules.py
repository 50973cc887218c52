"""Rules of the protocol that follow from a study's log alone, in every design.

The steps of one reading are checked with the chain (audit_chain); these are about several: cases
are served in their order, a second session waits for its washout, confidence keeps to the study's
scale, and rows name the version of the protocol that was in force.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.domain.audit_chain import AuditEvent
from app.domain.logged_orders import LoggedOrders
from app.domain.study_design import FIVE_STEPS

Row = dict[str, Any]
_EXCLUDING = {
    "case_exclusion.insert": set[str].add,
    "case_readmission.insert": set[str].discard,
}


@dataclass
class _Reader:
    """What the log has told of a reader so far."""

    position: int = 0  # the last one reached
    passed: set[int] = field(default_factory=set[int])  # before it, and never served: excluded
    session_of: dict[str, int] = field(default_factory=dict[str, int])  # assignment -> session
    first_ends: datetime | None = None  # last lock of the first session
    washout: int | None = None  # days, where there is an override


def broken_rules(events: Iterable[AuditEvent], orders: LoggedOrders) -> list[str]:
    """Return where the log contradicts the rules; KeyError and ValueError as orders_of_log."""
    problems: list[str] = []
    readers: dict[str, _Reader] = {}
    excluded: set[str] = set()
    settings: Row = {"washout_days": 28}
    version = 0
    for event in events:
        if event.action in _EXCLUDING:
            _EXCLUDING[event.action](excluded, json.loads(event.payload)["case_id"])
        elif event.action == "protocol_version.insert":
            version += 1
        elif event.action == "study.update":
            settings |= json.loads(event.payload)["new"]
        elif event.action in {"washout_override.insert", "served.insert", "reading.insert"}:
            row: Row = json.loads(event.payload)
            reader = readers.setdefault(row["reader_id"], _Reader())
            if event.action == "washout_override.insert":
                reader.washout = row["days"]
                continue
            if row.get("protocol_version") not in {None, version}:
                problems.append(
                    f"event {event.seq}: version {version} of the protocol was in force"
                )
            if event.action == "served.insert":
                problems += _served(event.seq, row, reader, orders, excluded, settings)
            else:
                problems += _locked(event.seq, row, reader, settings)
    return problems


def _locked(seq: int, row: Row, reader: _Reader, settings: Row) -> Iterable[str]:
    if reader.session_of.get(row["assignment_id"]) == 1:
        reader.first_ends = datetime.fromisoformat(row["locked_at"])
    # Studies of before the scales have it not in their log: theirs is in per cent.
    if settings.get("confidence_scale") == "five_steps" and row["confidence"] not in FIVE_STEPS:
        yield f"event {seq}: {row['confidence']} % is none of the five steps of this study"


def _served(
    seq: int, row: Row, reader: _Reader, orders: LoggedOrders, excluded: set[str], settings: Row
) -> Iterable[str]:
    order = orders.orders.get(row["reader_id"], [])
    position = row.get("position") or reader.position + 1
    if position not in reader.passed and not reader.position < position <= len(order):
        yield f"event {seq}: position {position} of the order was served out of turn"
        return
    # A case that was passed over while it was excluded may have been brought back since.
    reader.passed.update(range(reader.position + 1, position))
    reader.passed.discard(position)
    reader.position = max(reader.position, position)
    if any(str(order[p - 1].case) not in excluded for p in reader.passed if p < position):
        yield f"event {seq}: position {position} was served before those before it"
    session = order[position - 1].session
    reader.session_of[row["assignment_id"]] = session
    days = settings["washout_days"] if reader.washout is None else reader.washout
    washout = timedelta(days=days)
    if session == 1 or reader.first_ends is None:
        return
    if datetime.fromisoformat(row["served_at"]) < reader.first_ends + washout:
        yield f"event {seq}: the second session began before {washout.days} days had passed"
