"""Enrol readers and draw each one's order: once, stored, hashed, never drawn again."""

from uuid import UUID

from app.db import allocations, studies
from app.db.session import Connection
from app.domain.allocation import ALGORITHMS, allocate, order_sha256
from app.domain.errors import Conflict, NotFound


def enrol_reader(connection: Connection, *, study: UUID, reader: UUID) -> None:
    """Enrol a reader; their order is drawn now if the study is open, else when it opens."""
    found = allocations.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.state not in {"draft", "open"}:
        raise Conflict(f'The study "{found.code}" is {found.state}; no reader can join it.')
    studies.enrol(connection, study=study, reader=reader)
    if found.state == "open":
        draw_missing_orders(connection, study=study)


def draw_missing_orders(connection: Connection, *, study: UUID) -> None:
    """Draw the order of every enrolled reader who has none yet, in the order of enrolment."""
    found = allocations.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.algorithm not in ALGORITHMS:
        known = " and ".join(sorted(ALGORITHMS))
        raise Conflict(
            f"The study's order is drawn by {found.algorithm}; this version knows {known}."
        )
    plan = allocations.plan_of(connection, study, found)
    for waiting in allocations.waiting_enrolments(connection, study, found.algorithm):
        order = allocate(plan, reader=waiting.reader_id, number=waiting.number)
        allocations.store_order(
            connection,
            study=study,
            waiting=waiting,
            plan=plan,
            order=order,
            digest=order_sha256(order, plan.algorithm),
        )
