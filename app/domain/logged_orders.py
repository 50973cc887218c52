"""Every reader's order derived again from a study's log alone.

The plan at the moment of a draw follows from the events before it: the study's settings, the cases
that were there at opening or came with an addition, and those excluded since.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.domain.allocation import (
    Assigned,
    Plan,
    allocate,
    order_sha256,
    plan_of_addition,
)
from app.domain.audit_chain import AuditEvent
from app.domain.study_design import AnalysedReadings, Design


@dataclass
class LoggedOrders:
    """Orders by reader, the design they are of, and what contradicts the log itself."""

    design: Design = "sequential"
    analysed: AnalysedReadings = "corrected"  # as studies did that do not say
    orders: dict[str, list[Assigned]] = field(default_factory=dict[str, list[Assigned]])
    digests: dict[str, str] = field(default_factory=dict[str, str])  # of the first draw, as logged
    # What additions appended: reader -> first position and digest of each part, as logged.
    appended: dict[str, list[tuple[int, str]]] = field(
        default_factory=dict[str, list[tuple[int, str]]]
    )
    training: set[str] = field(default_factory=set[str])  # case ids
    problems: list[str] = field(default_factory=list[str])


def orders_of_log(events: Iterable[AuditEvent]) -> LoggedOrders:
    """Derive every order; raises KeyError or ValueError where events are not what they claim."""
    found = LoggedOrders()
    study: dict[str, Any] = {}
    cases = _Cases()
    drawn: dict[str, dict[str, Any]] = {}  # reader -> the row of their order
    for event in events:
        if event.action in {"study.insert", "study.update"}:
            payload = json.loads(event.payload)
            study = payload["new"] if event.action == "study.update" else payload
            found.design = study.get("design", "sequential")
            found.analysed = study.get("analysed_readings", "corrected")
        elif event.action == "study_case.insert":
            row = json.loads(event.payload)
            cases.purposes[row["id"]] = row.get("purpose", "counted")
            cases.additions[row["id"]] = row.get("addition", 0)
            if cases.purposes[row["id"]] == "training":
                found.training.add(row["id"])
        elif event.action == "case_addition.insert":
            cases.newest = json.loads(event.payload)["number"]
        elif event.action == "case_exclusion.insert":
            case = json.loads(event.payload)["case_id"]
            cases.excluded_when(case, study).add(case)
        elif event.action == "case_readmission.insert":
            case = json.loads(event.payload)["case_id"]
            # One left out of the draw cannot come back: it is in none of these orders.
            cases.excluded_when(case, study).discard(case)
        elif event.action == "allocation.insert":
            row = json.loads(event.payload)
            drawn[row["reader_id"]] = row
            _derive(row, _plan(row, study, cases), found)
        elif event.action == "order_extension.insert":
            row = json.loads(event.payload)
            base = drawn[row["reader_id"]]
            plan = plan_of_addition(_plan(base, study, cases), cases.of("counted", row["number"]))
            _append(row, base, plan, found)
    return found


@dataclass
class _Cases:
    """The cases as the log has told of them so far, by id."""

    purposes: dict[str, str] = field(default_factory=dict[str, str])
    additions: dict[str, int] = field(default_factory=dict[str, int])  # 0: there at opening
    newest: int = 0  # the last addition made
    never_in: set[str] = field(default_factory=set[str])  # excluded before they were part
    left_out: set[str] = field(default_factory=set[str])  # excluded since

    def excluded_when(self, case: str, study: dict[str, Any]) -> set[str]:
        """Return where a case stands that is excluded at this moment of the log."""
        waits = study["state"] == "draft" or self.additions[case] > self.newest
        return self.never_in if waits else self.left_out

    def of(self, purpose: str, addition: int) -> frozenset[UUID]:
        """Return the cases that became part of the study at opening (0) or with an addition."""
        return frozenset(
            UUID(case)
            for case, its in self.purposes.items()
            if its == purpose and self.additions[case] == addition and case not in self.never_in
        )


def _plan(row: dict[str, Any], study: dict[str, Any], cases: _Cases) -> Plan:
    return Plan(
        algorithm=row["algorithm"],
        seed=row["seed"],
        design=study.get("design", "sequential"),
        unaided_only_percent=study.get("unaided_only_percent", 0),
        repeats=study.get("repeats", 0),
        training=cases.of("training", 0),
        counted=cases.of("counted", 0),
        left_out=frozenset(map(UUID, cases.left_out)),
    )


def _derive(row: dict[str, Any], plan: Plan, found: LoggedOrders) -> None:
    reader = row["reader_id"]
    found.digests[reader] = row["order_sha256"]
    try:
        order = allocate(plan, reader=UUID(reader), number=row.get("reader_number"))
    except ValueError:
        order = []
    found.orders[reader] = order
    if not order or order_sha256(order, plan.algorithm) != row["order_sha256"]:
        found.problems.append(f"the order of reader {reader} does not follow from its seed")


def _append(row: dict[str, Any], base: dict[str, Any], plan: Plan, found: LoggedOrders) -> None:
    """Append the part of an addition to a reader's order, as the log says it was."""
    reader, first = row["reader_id"], len(found.orders[row["reader_id"]]) + 1
    part = allocate(plan, reader=UUID(reader), number=base.get("reader_number"))
    found.orders[reader] = found.orders[reader] + part
    found.appended.setdefault(reader, []).append((first, row["order_sha256"]))
    if (
        row["first_position"] != first
        or order_sha256(part, plan.algorithm, first=first) != row["order_sha256"]
    ):
        found.problems.append(
            f"what addition {row['number']} appended to the order of reader {reader} does not "
            "follow from its seed"
        )
