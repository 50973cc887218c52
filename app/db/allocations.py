"""Orders of readers: what they are drawn from, and as they are stored."""

from dataclasses import dataclass
from uuid import UUID

from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.allocation import FIRST_ALGORITHM, Assigned, Plan, plan_of_addition
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


@dataclass(frozen=True)
class Plans:
    """What orders are drawn from: at opening, and for each addition of cases since."""

    opening: Plan
    additions: list[Plan]  # the first one first


def draw_alone(connection: Connection, study: UUID) -> None:
    """Let nobody else draw orders of this study until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(7004, hashtext(%s))", [str(study)])


def plans_of(connection: Connection, study: UUID, found: AllocationInput) -> Plans:
    """Return what all orders of the study are drawn from, its cases included.

    Cases that wait to be added are in none of it, nor those that were excluded before they
    became part of the study.
    """
    cases = connection.execute(
        """SELECT c.id, c.purpose, c.addition, x.case_id IS NOT NULL AS left_out
           FROM study_case c JOIN study s ON s.id = c.study_id
           LEFT JOIN case_addition n ON n.study_id = c.study_id AND n.number = c.addition
           LEFT JOIN standing_exclusion x ON x.case_id = c.id
           WHERE c.study_id = %s AND (c.addition = 0 OR n.number IS NOT NULL)
           AND (x.made_at IS NULL OR x.made_at > coalesce(n.added_at, s.opened_at))""",
        [study],
    ).fetchall()

    def of(wanted: str, number: int) -> frozenset[UUID]:
        return frozenset(
            case for case, purpose, addition, _ in cases if purpose == wanted and addition == number
        )

    opening = Plan(
        algorithm=found.algorithm,
        seed=found.seed,
        design=found.design,
        unaided_only_percent=found.unaided_only_percent,
        repeats=found.repeats,
        training=of("training", 0),
        counted=of("counted", 0),
        left_out=frozenset(case for case, _, _, left_out in cases if left_out),
    )
    newest: int = fetch_value(
        connection,
        "SELECT coalesce(max(number), 0) FROM case_addition WHERE study_id = %s",
        [study],
    )
    added = [of("counted", number) for number in range(1, newest + 1)]
    return Plans(opening, [plan_of_addition(opening, cases) for cases in added])


def waiting_enrolments(connection: Connection, study: UUID, algorithm: str) -> list[Waiting]:
    """Return the readers who have no order yet, first enrolled first.

    The caller draws alone, so that their numbers are free until this transaction ends.
    """
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
    _store_places(
        connection,
        study=study,
        enrolment=waiting.enrolment_id,
        reader=waiting.reader_id,
        plan=plan,
        order=order,
        first=1,
    )


@dataclass(frozen=True)
class Behind:
    """A reader whose order lacks the parts of some additions."""

    enrolment_id: UUID
    reader_id: UUID
    reader_number: int | None
    places: int  # drawn so far
    parts: int  # additions that are in it


def orders_behind(connection: Connection, study: UUID) -> list[Behind]:
    """Return the orders that do not have all additions of the study, in the order of drawing."""
    return fetch_all(
        connection,
        Behind,
        """SELECT * FROM (
               SELECT l.enrolment_id, l.reader_id, l.reader_number,
                   (SELECT count(*) FROM assignment a WHERE a.enrolment_id = l.enrolment_id)
                       AS places,
                   (SELECT count(*) FROM order_extension e WHERE e.enrolment_id = l.enrolment_id)
                       AS parts
               FROM allocation l WHERE l.study_id = %(study)s) AS drawn
           WHERE parts < (SELECT count(*) FROM case_addition WHERE study_id = %(study)s)
           ORDER BY reader_number, enrolment_id""",
        {"study": study},
    )


def store_extension(
    connection: Connection,
    *,
    study: UUID,
    behind: Behind,
    number: int,
    plan: Plan,
    part: list[Assigned],
    first: int,
    digest: str,
) -> None:
    """Append an addition's part to a reader's order, from position `first` on."""
    connection.execute(
        """INSERT INTO order_extension
               (enrolment_id, study_id, reader_id, number, cases, order_sha256)
           VALUES (%s, %s, %s, %s, %s, %s)""",
        [behind.enrolment_id, study, behind.reader_id, number, len(part), digest],
    )
    _store_places(
        connection,
        study=study,
        enrolment=behind.enrolment_id,
        reader=behind.reader_id,
        plan=plan,
        order=part,
        first=first,
    )


def _store_places(
    connection: Connection,
    *,
    study: UUID,
    enrolment: UUID,
    reader: UUID,
    plan: Plan,
    order: list[Assigned],
    first: int,
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position, arm,
                   session, occasion, purpose)
               VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)""",
            [
                (enrolment, study, reader, entry.case, position, entry.arm, entry.session,
                 entry.occasion, "training" if entry.case in plan.training else "counted")
                for position, entry in enumerate(order, start=first)
            ],
        )  # fmt: skip
