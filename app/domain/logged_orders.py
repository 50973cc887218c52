"""Every reader's order derived again from a study's log alone.

The plan at the moment of a draw follows from the events before it: the study's settings, the cases
that were there at opening, and those excluded since.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.domain.allocation import Assigned, Plan, allocate, order_sha256
from app.domain.audit_chain import AuditEvent
from app.domain.study_design import Design


@dataclass
class LoggedOrders:
    """Orders by reader, the design they are of, and what contradicts the log itself."""

    design: Design = "sequential"
    orders: dict[str, list[Assigned]] = field(default_factory=dict[str, list[Assigned]])
    digests: dict[str, str] = field(default_factory=dict[str, str])  # as logged
    training: set[str] = field(default_factory=set[str])  # case ids
    problems: list[str] = field(default_factory=list[str])


def orders_of_log(events: Iterable[AuditEvent]) -> LoggedOrders:
    """Derive every order; raises KeyError or ValueError where events are not what they claim."""
    found = LoggedOrders()
    study: dict[str, Any] = {}
    cases: dict[str, str] = {}  # id -> purpose
    excluded_before: set[str] = set()
    excluded_since: set[str] = set()
    for event in events:
        if event.action in {"study.insert", "study.update"}:
            payload = json.loads(event.payload)
            study = payload["new"] if event.action == "study.update" else payload
            found.design = study.get("design", "sequential")
        elif event.action == "study_case.insert":
            row = json.loads(event.payload)
            cases[row["id"]] = row.get("purpose", "counted")
            if cases[row["id"]] == "training":
                found.training.add(row["id"])
        elif event.action == "case_exclusion.insert":
            case = json.loads(event.payload)["case_id"]
            (excluded_before if study["state"] == "draft" else excluded_since).add(case)
        elif event.action == "allocation.insert":
            row = json.loads(event.payload)
            plan = _plan(row, study, cases, excluded_before, excluded_since)
            _derive(row, plan, found)
    return found


def _plan(
    row: dict[str, Any],
    study: dict[str, Any],
    cases: dict[str, str],
    excluded_before: set[str],
    excluded_since: set[str],
) -> Plan:
    def of(purpose: str) -> frozenset[UUID]:
        return frozenset(
            UUID(case)
            for case, its in cases.items()
            if its == purpose and case not in excluded_before
        )

    return Plan(
        algorithm=row["algorithm"],
        seed=row["seed"],
        design=study.get("design", "sequential"),
        unaided_only_percent=study.get("unaided_only_percent", 0),
        repeats=study.get("repeats", 0),
        training=of("training"),
        counted=of("counted"),
        left_out=frozenset(map(UUID, excluded_since)),
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
