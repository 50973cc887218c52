"""The readings of a study as its log alone tells them, for comparison with an exported file.

Nothing of the file is used: the order of a reader is derived from the logged seed, a case's place
in it is the one that was served, the case's code, truth and prediction come from their own events.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from app.domain.allocation import Assigned
from app.domain.audit_chain import AuditEvent
from app.domain.counted import (
    Place,
    Uncounted,
    beside,
    excluded_cases,
    repeats_alone,
    why_not_counted,
)
from app.domain.logged_orders import LoggedOrders
from app.domain.logged_rows import Row
from app.domain.logged_rules import broken_rules
from app.domain.scores import malignancy_score

# Column of readings.csv -> value; and the id of the model shown, whose name the log does not hold.
Cells = dict[str, object]


@dataclass
class LoggedReadings:
    """What the log tells; `problems` where it contradicts itself.

    `cells` holds the rows that count, `others` those that do not, by reading id and reason.
    """

    cells: dict[str, Cells] = field(default_factory=dict[str, Cells])  # by reading id
    others: dict[tuple[str, str], Cells] = field(default_factory=dict[tuple[str, str], Cells])
    problems: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class _Place:
    entry: Assigned
    position: int
    served_at: str


def readings_of_log(
    events: Iterable[AuditEvent], rows: Mapping[str, list[Row]], orders: LoggedOrders
) -> LoggedReadings:
    """Derive the readings; the chain is verified elsewhere (audit_chain.verify_chain).

    `rows` and `orders` are those of the same events.
    """
    found = LoggedReadings(problems=[*orders.problems, *broken_rules(events, orders)])
    cases = {row["id"]: row for row in rows.get("study_case", [])}
    truth = {row["case_id"]: row for row in rows.get("reference_diagnosis", [])}
    predictions = {row["id"]: row for row in rows.get("case_prediction", [])}
    reveals = {row["assignment_id"]: row for row in rows.get("reveal", [])}
    excluded = excluded_cases(rows)
    corrections = {row["reading_id"]: row for row in rows.get("reading_correction", [])}
    places = _places(rows, orders)
    readers = reader_numbers(rows)
    counted: dict[str, Place] = {}
    found.problems += _shown_without_ai(reveals, places)
    for row in rows.get("reading", []):
        assignment = row["assignment_id"]
        place = places.get(assignment)
        if place is None or str(place.entry.case) not in truth:
            found.problems.append(f"reading {row['id']} is of a case that was never served")
            continue
        case = str(place.entry.case)
        reveal = reveals.get(assignment) if row["phase"] == "aided" else None
        shown = predictions.get(reveal["case_prediction_id"]) if reveal else None
        if reveal and (shown is None or {reveal["case_id"], shown["case_id"]} != {case}):
            found.problems.append(f"reading {row['id']}: the output shown is of another case")
        correction = corrections.get(row["id"])
        kind = correction["kind"] if correction else None
        corrects = orders.analysed == "corrected"
        cells: Cells = {
            "reader_id": f"R{readers[row['reader_id']]:02}",
            "case_id": cases[case]["code"],
            "truth": truth[case]["diagnosis"],
            "modality": row["phase"],
            "management": "",
            **_answers(row),
            "position": place.position,
            "served_at": _moment(place.served_at),
            "revealed_at": _moment(reveal["revealed_at"]) if reveal else "",
            "locked_at": _moment(row["locked_at"]),
            "active_milliseconds": _or_empty(row["active_milliseconds"]),
            "ai_probability": float(shown["probability"]) if shown else "",
            "ai_call": shown["call"] if shown else "",
            "model_version_id": shown["model_version_id"] if shown else "",
            "reference_source": truth[case]["source"],
            "arm": place.entry.arm,
            "session": place.entry.session,
            "occasion": place.entry.occasion,
            "purpose": "training" if case in orders.training else "counted",
            "comment": _or_empty(row.get("comment")),
            "protocol_version": _or_empty(row.get("protocol_version")),
            "corrected": "yes" if kind == "correct" and corrects else "no",
        }
        voided = kind == "void" and corrects
        why = _why(orders, place.entry, row, excluded=case in excluded, void=voided)
        meant = cells | _answers(correction) if correction and kind == "correct" else cells
        used = meant if corrects else cells
        if why is None:
            found.cells[row["id"]] = used
            counted[row["id"]] = Place(row["reader_id"], case, row["phase"], place.entry.occasion)
        else:
            found.others[row["id"], why] = used
        if second := beside(orders.analysed, kind):
            found.others[row["id"], second] = cells if corrects else meant
    for reading in repeats_alone(counted):
        found.others[reading, "repeat_alone"] = found.cells.pop(reading)
    return found


def _shown_without_ai(reveals: Mapping[str, Row], places: Mapping[str, _Place]) -> list[str]:
    return [
        f"AI was shown for {assignment}, a case without AI"
        for assignment in reveals
        if assignment in places and places[assignment].entry.arm != "with_ai"
    ]


def _answers(row: Row) -> Cells:
    answers: Cells = {
        "call": row["call"],
        "score": malignancy_score(row["call"], row["confidence"]),
        "confidence": row["confidence"],
    }
    # Corrections of before said nothing of it, and leave it as it was locked.
    if row.get("management") is not None:
        answers["management"] = row["management"]
    return answers


def _why(
    orders: LoggedOrders, entry: Assigned, row: Row, *, excluded: bool, void: bool
) -> Uncounted | None:
    return why_not_counted(
        design=orders.design,
        arm=entry.arm,
        phase=row["phase"],
        purpose="training" if str(entry.case) in orders.training else "counted",
        excluded=excluded,
        void=void,
    )


def _places(rows: Mapping[str, list[Row]], orders: LoggedOrders) -> dict[str, _Place]:
    """Return assignment -> place in its reader's order.

    Rows of the first schema do not tell it: there the n-th case served is the n-th of the order.
    """
    served: dict[str, int] = {}
    places: dict[str, _Place] = {}
    for row in rows.get("served", []):
        reader = row["reader_id"]
        position = served[reader] = row.get("position") or served.get(reader, 0) + 1
        order = orders.orders.get(reader, [])
        if position <= len(order):
            places[row["assignment_id"]] = _Place(order[position - 1], position, row["served_at"])
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
