"""Orders of readers: what they are drawn from, and as they are stored."""

from dataclasses import dataclass
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one
from app.domain.allocation import FIRST_ALGORITHM, Assigned, Plan
from app.domain.study_design import Design


@dataclass(frozen=True)
class AllocationInput:
    """What of a study its orders are drawn from."""

    code: str
    state: str
    seed: int
    algorithm: str
    design: Design
    unaided_only_percent: int
    repeats: int


@dataclass(frozen=True)
class Waiting:
    """An enrolled reader without an order; `number` is the one they get, where arms need it."""

    enrolment_id: UUID
    reader_id: UUID
    number: int | None


def allocation_input(connection: Connection, study: UUID) -> AllocationInput | None:
    """Return what a study's orders are drawn from, its cases apart."""
    return fetch_one(
        connection,
        AllocationInput,
        """SELECT code, state, seed, allocation_algorithm AS algorithm, design,
               unaided_only_percent, repeats FROM study WHERE id = %s""",
        [study],
    )


def plan_of(connection: Connection, study: UUID, found: AllocationInput) -> Plan:
    """Return what all orders of the study are drawn from, its cases included."""
    cases = connection.execute(
        """SELECT c.id, c.purpose, x.case_id IS NOT NULL AS left_out
           FROM study_case c JOIN study s ON s.id = c.study_id
           LEFT JOIN case_exclusion x ON x.case_id = c.id
           WHERE c.study_id = %s AND (x.made_at IS NULL OR x.made_at > s.opened_at)""",
        [study],
    ).fetchall()
    return Plan(
        algorithm=found.algorithm,
        seed=found.seed,
        design=found.design,
        unaided_only_percent=found.unaided_only_percent,
        repeats=found.repeats,
        training=frozenset(case for case, purpose, _ in cases if purpose == "training"),
        counted=frozenset(case for case, purpose, _ in cases if purpose == "counted"),
        left_out=frozenset(case for case, _, left_out in cases if left_out),
    )


def waiting_enrolments(connection: Connection, study: UUID, algorithm: str) -> list[Waiting]:
    """Return the readers who have no order yet, first enrolled first.

    Their numbers are free until this transaction ends: others who draw wait for it.
    """
    connection.execute("SELECT pg_advisory_xact_lock(7004, hashtext(%s))", [str(study)])
    return fetch_all(
        connection,
        Waiting,
        """SELECT e.id AS enrolment_id, e.reader_id,
               CASE WHEN %(algorithm)s <> %(first)s THEN
                   (SELECT coalesce(max(reader_number), 0) FROM allocation
                    WHERE study_id = %(study)s)
                   + row_number() OVER (ORDER BY e.enrolled_at, e.id) END AS number
           FROM enrolment e WHERE e.study_id = %(study)s
           AND NOT EXISTS (SELECT FROM allocation l WHERE l.enrolment_id = e.id)
           ORDER BY e.enrolled_at, e.id""",
        {"study": study, "algorithm": algorithm, "first": FIRST_ALGORITHM},
    )


def store_order(
    connection: Connection,
    *,
    study: UUID,
    waiting: Waiting,
    plan: Plan,
    order: list[Assigned],
    digest: str,
) -> None:
    """Store a reader's order: once, never changed."""
    connection.execute(
        """INSERT INTO allocation (enrolment_id, study_id, reader_id, seed, algorithm,
               reader_number, cases, order_sha256)
           VALUES (%s, %s, %s, %s, %s, %s, %s, %s)""",
        [
            waiting.enrolment_id,
            study,
            waiting.reader_id,
            plan.seed,
            plan.algorithm,
            waiting.number,
            len(order),
            digest,
        ],
    )
    enrolment, reader = waiting.enrolment_id, waiting.reader_id
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position, arm,
                   session, occasion, purpose)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (enrolment, study, reader, entry.case, position, entry.arm, entry.session,
                 entry.occasion, "training" if entry.case in plan.training else "counted")
                for position, entry in enumerate(order, start=1)
            ],
        )  # fmt: skip
