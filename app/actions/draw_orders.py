"""Enrol readers and draw each one's order: once, stored, hashed, never drawn again."""

from uuid import UUID

from app.db import studies
from app.db.session import Connection
from app.domain.allocation import ALGORITHM, order_cases, order_digest
from app.domain.errors import Conflict, NotFound


def enrol_reader(connection: Connection, *, study: UUID, reader: UUID) -> None:
    """Enrol a reader; their order is drawn now if the study is open, else when it opens."""
    found = studies.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.state not in {"draft", "open"}:
        raise Conflict(f'The study "{found.code}" is {found.state}; no reader can join it.')
    studies.enrol(connection, study=study, reader=reader)
    if found.state == "open":
        draw_missing_orders(connection, study=study)


def draw_missing_orders(connection: Connection, *, study: UUID) -> None:
    """Draw the order of every enrolled reader who has none yet."""
    found = studies.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.algorithm != ALGORITHM:
        raise Conflict(
            f"The study's order is drawn by {found.algorithm}; this version knows {ALGORITHM}."
        )
    cases = studies.case_ids(connection, study)
    for enrolment, reader in studies.waiting_enrolments(connection, study):
        order = order_cases(cases, seed=found.seed, reader=reader)
        studies.store_order(
            connection,
            study=study,
            enrolment=enrolment,
            reader=reader,
            seed=found.seed,
            algorithm=ALGORITHM,
            cases=order,
            digest=order_digest(order),
        )
