"""Enrol readers and draw each one's order: once, stored, hashed, never drawn again."""

from uuid import UUID

from app.db import allocations, studies
from app.db.session import Connection
from app.domain.allocation import ALGORITHMS, allocate, order_sha256
from app.domain.errors import Conflict, NotFound
from app.domain.sentences import said
from app.domain.study_states import state_in_words


def enrol_reader(connection: Connection, *, study: UUID, reader: UUID) -> None:
    """Enrol a reader; their order is drawn now if the study is open, else when it opens."""
    found = allocations.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.state not in {"draft", "open"}:
        raise Conflict(
            said(
                'The study "{code}" is {state}; no reader can join it.',
                code=found.code,
                state=state_in_words(found.state),
            )
        )
    studies.enrol(connection, study=study, reader=reader)
    if found.state == "open":
        draw_missing_orders(connection, study=study)


def draw_missing_orders(connection: Connection, *, study: UUID) -> None:
    """Draw the order of every enrolled reader who has none yet, in the order of enrolment.

    What additions of cases append is drawn behind it; a place drawn before never moves.
    """
    allocations.draw_alone(connection, study)
    found = allocations.allocation_input(connection, study)
    if found is None:
        raise NotFound("There is no such study.")
    if found.algorithm not in ALGORITHMS:
        known = " and ".join(sorted(ALGORITHMS))
        raise Conflict(
            said(
                "The study's order is drawn by {algorithm}; this version knows {known}.",
                algorithm=found.algorithm,
                known=known,
            )
        )
    plans = allocations.plans_of(connection, study, found)
    plan = plans.opening
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
    for behind in allocations.orders_behind(connection, study):
        first = behind.places + 1
        for number, added in list(enumerate(plans.additions, start=1))[behind.parts :]:
            part = allocate(added, reader=behind.reader_id, number=behind.reader_number)
            allocations.store_extension(
                connection,
                study=study,
                behind=behind,
                number=number,
                plan=added,
                part=part,
                first=first,
                digest=order_sha256(part, added.algorithm, first=first),
            )
            first += len(part)
