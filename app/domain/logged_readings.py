"""The readings of a study as its log alone tells them, for comparison with an exported file.

Nothing of the file is used: a case's place in a reader's order is the number of cases served to
that reader before it, the order itself is derived from the logged seed, the case's code, truth and
prediction come from their own events.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.domain.allocation import ALGORITHM, order_cases, order_digest
from app.domain.audit_chain import AuditEvent
from app.domain.scores import malignancy_score

Row = Mapping[str, Any]
# Column of readings.csv -> value; and the id of the model shown, whose name the log does not hold.
Cells = dict[str, object]


@dataclass
class LoggedReadings:
    """What the log tells; `problems` where it contradicts itself."""

    cells: dict[str, Cells] = field(default_factory=dict[str, Cells])  # by reading id
    problems: list[str] = field(default_factory=list[str])


def readings_of_log(events: Iterable[AuditEvent]) -> LoggedReadings:
    """Derive the readings; the chain is verified elsewhere (audit_chain.verify_chain)."""
    rows: dict[str, list[Row]] = {}
    for event in events:
        table, _, verb = event.action.partition(".")
        if verb == "insert":
            rows.setdefault(table, []).append(json.loads(event.payload))
    found = LoggedReadings()
    cases = {row["id"]: row for row in rows.get("study_case", [])}
    truth = {row["case_id"]: row for row in rows.get("reference_diagnosis", [])}
    predictions = {row["id"]: row for row in rows.get("case_prediction", [])}
    reveals = {row["assignment_id"]: row for row in rows.get("reveal", [])}
    places = _places(rows, list(cases), found)
    readers = reader_numbers(rows)
    for row in rows.get("reading", []):
        assignment = row["assignment_id"]
        place = places.get(assignment)
        if place is None or place.case not in truth:
            found.problems.append(f"reading {row['id']} is of a case that was never served")
            continue
        reveal = reveals.get(assignment) if row["phase"] == "aided" else None
        shown = predictions.get(reveal["case_prediction_id"]) if reveal else None
        if reveal and (shown is None or {reveal["case_id"], shown["case_id"]} != {place.case}):
            found.problems.append(f"reading {row['id']}: the output shown is of another case")
        found.cells[row["id"]] = {
            "reader_id": f"R{readers[row['reader_id']]:02}",
            "case_id": cases[place.case]["code"],
            "truth": truth[place.case]["diagnosis"],
            "modality": row["phase"],
            "call": row["call"],
            "score": malignancy_score(row["call"], row["confidence"]),
            "confidence": row["confidence"],
            "position": place.position,
            "served_at": _moment(place.served_at),
            "revealed_at": _moment(reveal["revealed_at"]) if reveal else "",
            "locked_at": _moment(row["locked_at"]),
            "active_milliseconds": _or_empty(row["active_milliseconds"]),
            "ai_probability": float(shown["probability"]) if shown else "",
            "ai_call": shown["call"] if shown else "",
            "model_version_id": shown["model_version_id"] if shown else "",
            "reference_source": truth[place.case]["source"],
        }
    return found


@dataclass(frozen=True)
class _Place:
    case: str
    position: int
    served_at: str


def _places(
    rows: Mapping[str, list[Row]], cases: list[str], found: LoggedReadings
) -> dict[str, _Place]:
    """Return assignment -> case and position: the n-th case served is the n-th of the order."""
    orders: dict[str, list[UUID]] = {}
    for row in rows.get("allocation", []):
        order = order_cases(map(UUID, cases), seed=row["seed"], reader=UUID(row["reader_id"]))
        if row["algorithm"] != ALGORITHM or order_digest(order) != row["order_sha256"]:
            found.problems.append(
                f"the order of reader {row['reader_id']} does not follow from its seed"
            )
        orders[row["reader_id"]] = order
    served: dict[str, int] = {}
    places: dict[str, _Place] = {}
    for row in rows.get("served", []):
        reader = row["reader_id"]
        position = served[reader] = served.get(reader, 0) + 1
        order = orders.get(reader, [])
        if position <= len(order):
            case = str(order[position - 1])
            places[row["assignment_id"]] = _Place(case, position, row["served_at"])
    return places


def reader_numbers(rows: Mapping[str, list[Row]]) -> dict[str, int]:
    """Return reader -> 1, 2, ... in the order of enrolment, as the export numbers them."""
    enrolled = sorted(
        rows.get("enrolment", []), key=lambda row: (_moment(row["enrolled_at"]), row["id"])
    )
    return {row["reader_id"]: number for number, row in enumerate(enrolled, start=1)}


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")


def _or_empty(value: object) -> object:
    return "" if value is None else value
