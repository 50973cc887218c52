"""Draft, open, closed, unblinded: what each allows, held by the database (B10, D10, D13)."""

import threading
from contextlib import contextmanager
from uuid import UUID

import psycopg
import pytest

from app.actions.draw_orders import enrol_reader
from app.actions.export_study import check_frozen
from app.actions.read_case import lock_aided, lock_unaided, reveal, serve_next
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.allocations import allocation_input, plans_of
from app.db.readings import current_assignment
from app.db.results import current_data_sha256
from app.db.session import Database, Role
from app.domain.allocation import ALGORITHM, Assigned, allocate, order_sha256
from app.domain.errors import Conflict, NotAllowed
from tests.conftest import Cast, make_account, score_by_hand
from tests.reading.steps import call, close, finish, lock, serve, superuser, unblind


@contextmanager
def refused(cast: Cast, sentence: str, role: Role = Role.COORDINATOR, actor: str = "cora"):
    """A transaction that the database must refuse with this sentence."""
    with (
        pytest.raises(Conflict, match=sentence),
        cast.begin(role, getattr(cast, actor)) as connection,
    ):
        yield connection


# ---------------------------------------------------------------- opening


def test_b10_a_study_without_a_model_does_not_open(draft: Cast) -> None:
    with refused(draft, "cannot open: case c000 lacks") as connection:
        connection.execute("UPDATE study SET state = 'open', opened_by = %s", [draft.cora.id])


@pytest.mark.parametrize("lost", ["prediction", "case_prediction"])
def test_b10_a_study_with_one_prediction_missing_does_not_open_and_names_the_case(
    draft: Cast, lost: str
) -> None:
    score_by_hand(draft.database, draft.storage, draft.study)
    with superuser(draft) as owner:  # as if the worker had never come to the last case
        owner.execute(f"ALTER TABLE {lost} DISABLE TRIGGER no_change")
        if lost == "prediction":
            owner.execute(
                """DELETE FROM prediction WHERE image_id = (SELECT i.id FROM image i
                   JOIN study_case c ON c.id = i.case_id WHERE c.code = 'c005')"""
            )
        else:
            owner.execute(
                """DELETE FROM case_prediction
                   WHERE case_id = (SELECT id FROM study_case WHERE code = 'c005')"""
            )
        owner.execute(f"ALTER TABLE {lost} ENABLE ALWAYS TRIGGER no_change")
    with refused(draft, "cannot open: case c005 lacks") as connection:
        connection.execute("UPDATE study SET state = 'open', opened_by = %s", [draft.cora.id])


def test_b10_predictions_of_another_model_do_not_count(draft: Cast) -> None:
    score_by_hand(draft.database, draft.storage, draft.study)
    with superuser(draft) as owner:
        owner.execute(
            """INSERT INTO model_version (name, backbone, weights_sha256, preprocessing, threshold,
                   map_scale, map_rows, map_columns, demonstration, card)
               SELECT 'another', backbone, weights_sha256, preprocessing, threshold, map_scale,
                   map_rows, map_columns, demonstration, card FROM model_version"""
        )
    with refused(draft, "cannot open") as connection:
        connection.execute(
            """UPDATE study SET state = 'open', opened_by = %s,
                   model_version_id = (SELECT id FROM model_version WHERE name = 'another')""",
            [draft.cora.id],
        )


def test_b10_an_empty_study_does_not_open(draft: Cast) -> None:
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        connection.execute(
            """INSERT INTO study (code, title, seed, allocation_algorithm, created_by)
               VALUES ('empty', 'Empty', 1, 'sha256-sort-1', %s)""",
            [draft.cora.id],
        )
    with refused(draft, "has no cases") as connection:
        connection.execute(
            "UPDATE study SET state = 'open', opened_by = %s WHERE code = 'empty'",
            [draft.cora.id],
        )


# ---------------------------------------------------------------- frozen

FROZEN = {
    "id": "gen_random_uuid()",
    "code": "'other'",
    "positive_class": "'SK'",
    "seed": "seed + 1",
    "allocation_algorithm": "'mine'",
    "model_version_id": "NULL",
    "instructions": "'Call everything BCC.'",
    "demonstration": "NOT demonstration",
    "created_by": "(SELECT id FROM account WHERE name = 'Olga')",
    "created_at": "'2001-01-01'",
    "opened_by": "(SELECT id FROM account WHERE name = 'Olga')",
    "closed_by": "(SELECT id FROM account WHERE name = 'Cora')",
    "unblinded_by": "(SELECT id FROM account WHERE name = 'Cora')",
    "unblinding_reason": "'Because.'",
    "analysed_readings": "'corrected'",
}


@pytest.mark.parametrize("replica", [False, True], ids=["", "without triggers"])
@pytest.mark.parametrize("column", FROZEN)
def test_d13_an_open_study_is_frozen_for_the_superuser_too(
    open_copy: Cast, column: str, *, replica: bool
) -> None:
    with (
        pytest.raises(psycopg.Error, match=r"frozen|written down as it happens") as refusal,
        superuser(open_copy, actor=open_copy.cora, replica=replica) as owner,
    ):
        owner.execute(f"UPDATE study SET {column} = {FROZEN[column]}")  # noqa: S608 - ours
    assert refusal.value.sqlstate == "RR409"


@pytest.mark.parametrize("column", ["opened_at", "closed_at", "unblinded_at", "data_sha256"])
def test_d8_the_studys_times_and_digest_are_not_the_clients_to_set(
    open_copy: Cast, column: str
) -> None:
    value = "'x'" if column == "data_sha256" else "'2001-01-01'"
    with superuser(open_copy, actor=open_copy.cora) as owner:
        before = owner.execute(f"SELECT {column} FROM study").fetchone()  # noqa: S608 - ours
        owner.execute(f"UPDATE study SET {column} = {value}")  # noqa: S608 - ours
        assert owner.execute(f"SELECT {column} FROM study").fetchone() == before  # noqa: S608


def test_d13_no_image_truth_or_prediction_joins_a_case_of_an_open_study(cast: Cast) -> None:
    arrivals = [
        """INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256, width,
               height, synthetic)
           SELECT study_id, case_id, 2, modality, 'k', sha256, 1, 1, true FROM image LIMIT 1""",
        """INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source, recorded_by)
           SELECT c.id, s.id, 'SK', 'late', s.created_by FROM study_case c, study s LIMIT 1""",
        """INSERT INTO prediction (study_id, image_id, model_version_id, probability, overlay_key,
               overlay_sha256, device)
           SELECT study_id, image_id, model_version_id, 1, 'k', overlay_sha256, '' FROM prediction
           LIMIT 1""",
        """INSERT INTO case_prediction (study_id, case_id, model_version_id, probability, call,
               images)
           SELECT study_id, case_id, model_version_id, 1, 'BCC', 1 FROM case_prediction LIMIT 1""",
    ]
    for statement in arrivals:
        for replica in (False, True):
            with (
                pytest.raises(psycopg.Error, match="cases and predictions are frozen"),
                superuser(cast, replica=replica) as owner,
            ):
                owner.execute(statement)


def test_d7_an_order_is_not_drawn_while_the_study_is_a_draft(draft: Cast) -> None:
    with refused(draft, "nothing more is recorded") as connection:
        connection.execute(
            """INSERT INTO allocation
                   (enrolment_id, study_id, reader_id, seed, algorithm, cases, order_sha256)
               SELECT id, study_id, reader_id, 1, 'mine', 1, repeat('0', 64)
               FROM enrolment LIMIT 1"""
        )


@pytest.mark.parametrize(
    "jump", ["open to draft", "open to unblinded", "closed to open", "closed to draft",
             "unblinded to closed", "unblinded to open", "unblinded to draft"]
)  # fmt: skip
def test_d10_a_study_goes_one_way_only(cast: Cast, jump: str) -> None:
    before, after = jump.split(" to ")
    {"open": lambda _: None, "closed": close, "unblinded": unblind}[before](cast)
    with (
        pytest.raises(psycopg.Error, match=r"it cannot become|written down as it happens"),
        superuser(cast, actor=cast.cora) as owner,
    ):
        owner.execute(
            """UPDATE study SET state = %s,
                   unblinded_by = coalesce(unblinded_by, %s), unblinding_reason = 'Because.'""",
            [after, cast.cora.id],
        )


@pytest.mark.parametrize(
    "jump", ["closed to open", "unblinded to closed", "unblinded to open", "unblinded to draft"]
)
def test_d10_s7_nor_where_nothing_but_the_state_is_changed(cast: Cast, jump: str) -> None:
    """The step alone, by the one who opened, closed and unblinded: no other guard is in its way."""
    before, after = jump.split(" to ")
    {"closed": close, "unblinded": unblind}[before](cast)
    with (
        pytest.raises(psycopg.Error, match="it cannot become"),
        superuser(cast, actor=cast.cora) as owner,
    ):
        owner.execute("UPDATE study SET state = %s", [after])


def test_a14_a_coordinator_closes_in_their_own_name(cast: Cast) -> None:
    with (
        pytest.raises(NotAllowed, match="by the one who does it"),
        cast.begin(Role.COORDINATOR, cast.cora) as connection,
    ):
        connection.execute("UPDATE study SET state = 'closed', closed_by = %s", [cast.olga.id])


# ---------------------------------------------------------------- closing


def test_d10_after_closing_nothing_is_recorded_at_any_step(cast: Cast) -> None:
    served = serve(cast, cast.rita)
    locked = lock(cast, cast.rolf)
    close(cast)
    with refused(cast, "nothing more is recorded", Role.READER, "rita") as connection:
        lock_unaided(connection, assignment_id=served, submission=call())
    with refused(cast, "nothing more is recorded", Role.READER, "rolf") as connection:
        reveal(connection, assignment_id=locked)
    with refused(cast, "no reader can join") as connection:
        enrol_reader(connection, study=cast.study.id, reader=cast.olga.id)


def test_d10_after_closing_no_further_case_is_served(cast: Cast) -> None:
    close(cast)
    with refused(cast, "nothing more is recorded", Role.READER, "rita") as connection:
        serve_next(connection, study=cast.study.id)


def read_until_refused(database: Database, study: UUID, reader: UUID, done: list[str]) -> None:
    """Read as fast as one can, until the database says that the study is closed."""
    try:
        while True:
            with database.begin(Role.READER, actor=reader) as connection:
                serve_next(connection, study=study)
                assignment = current_assignment(connection, study)
            if assignment is None:
                return
            with database.begin(Role.READER, actor=reader) as connection:
                lock_unaided(connection, assignment_id=assignment.id, submission=call())
            with database.begin(Role.READER, actor=reader) as connection:
                reveal(connection, assignment_id=assignment.id)
            with database.begin(Role.READER, actor=reader) as connection:
                lock_aided(connection, assignment_id=assignment.id, submission=call("SK"))
    except Conflict as refusal:
        done.append(str(refusal))


def test_d10_closing_while_eight_readers_write_leaves_no_reading_after_it(cast: Cast) -> None:
    """In the order of the audit log, which no clock decides."""
    readers = []
    for number in range(8):
        readers.append(make_account(cast.database, f"reader{number}@example.org", "reader"))
        with cast.begin(Role.COORDINATOR, cast.cora) as connection:
            enrol_reader(connection, study=cast.study.id, reader=readers[-1].id)
    done: list[str] = []
    threads = [
        threading.Thread(
            target=read_until_refused, args=(cast.database, cast.study.id, reader.id, done)
        )
        for reader in readers
    ]
    for thread in threads:
        thread.start()
    close_when_readings_come(cast, at_least=20)
    for thread in threads:
        thread.join()
    with superuser(cast) as owner:
        actions = [
            row[0]
            for row in owner.execute(
                """SELECT CASE WHEN payload::jsonb -> 'new' ->> 'state' = 'closed' THEN 'closed'
                   ELSE action END FROM audit_event WHERE chain = %s ORDER BY seq""",
                [cast.study.id],
            )
        ]
        rows = owner.execute("SELECT count(*) FROM reading").fetchone()[0]
    closing = actions.index("closed")
    recorded = [a for a in actions if a in {"served.insert", "reading.insert", "reveal.insert"}]
    assert [a for a in actions[closing:] if a in recorded] == []
    assert rows == actions.count("reading.insert") >= 20
    assert verify_study(records_of(cast.database.url, "bcc-sk")).problems == ()
    assert done, "nobody was writing any more when the study closed: nothing was tried"
    assert all("nothing more is recorded" in sentence for sentence in done)


def close_when_readings_come(cast: Cast, *, at_least: int) -> None:
    with superuser(cast) as owner:
        owner.autocommit = True
        while owner.execute("SELECT count(*) < %s FROM reading", [at_least]).fetchone()[0]:
            pass
    close(cast)


# ---------------------------------------------------------------- unblinding


def test_b9_unblinding_freezes_the_readings_by_their_digest(cast: Cast) -> None:
    finish(cast, cast.rita)
    unblind(cast)
    frozen = cast.reload().data_sha256
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        assert current_data_sha256(connection, cast.study.id) == frozen
        assert check_frozen(connection, study=cast.reload()) == frozen
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE reading DISABLE TRIGGER no_change")
        owner.execute("UPDATE reading SET confidence = 99 WHERE phase = 'aided'")
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        assert current_data_sha256(connection, cast.study.id) != frozen
        with pytest.raises(Conflict, match="no longer those that were frozen at unblinding"):
            check_frozen(connection, study=cast.reload())  # before every result and every file


# ---------------------------------------------------------------- orders


def test_d7_every_order_is_derived_again_from_its_seed_and_matches_its_digest(cast: Cast) -> None:
    with superuser(cast) as owner:
        plan = plans_of(owner, cast.study.id, allocation_input(owner, cast.study.id)).opening
        drawn = owner.execute(
            """SELECT l.reader_id, l.reader_number, l.seed, l.order_sha256,
                   array_agg(a.case_id ORDER BY a.position) FROM allocation l
               JOIN assignment a USING (enrolment_id) GROUP BY 1, 2, 3, 4"""
        ).fetchall()
    assert {reader for reader, *_ in drawn} == {cast.rita.id, cast.rolf.id}
    for reader, number, seed, digest, stored in drawn:
        assert seed == cast.study.seed
        order = allocate(plan, reader=reader, number=number)
        assert [entry.case for entry in order] == stored
        assert order_sha256(order, ALGORITHM) == digest
    assert drawn[0][4] != drawn[1][4], "each reader has an order of their own"


def digest_of(cases: list[UUID]) -> str:
    return order_sha256([Assigned(case) for case in cases], ALGORITHM)


def draw(connection: psycopg.Connection, cast: Cast, order: list[UUID], **said: object) -> None:
    """Draw an order for Olga, who is enrolled as a reader for this, and say of it what we like."""
    allocation: dict[str, object] = {
        "enrolment": connection.execute(
            "INSERT INTO enrolment (study_id, reader_id) VALUES (%s, %s) RETURNING id",
            [cast.study.id, cast.olga.id],
        ).fetchone()[0],
        "cases": len(order),
        "digest": digest_of(order),
        **said,
    }
    connection.execute(
        """INSERT INTO allocation (enrolment_id, study_id, reader_id, seed, algorithm,
               reader_number, cases, order_sha256)
           VALUES (%(enrolment)s, %(study)s, %(reader)s, 1, %(algorithm)s, 3, %(cases)s,
               %(digest)s)""",
        {
            **allocation,
            "study": cast.study.id,
            "reader": cast.olga.id,
            "algorithm": cast.study.allocation_algorithm,
        },
    )
    for position, case in enumerate(order, start=1):
        connection.execute(
            """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position)
               VALUES (%s, %s, %s, %s, %s)""",
            [allocation["enrolment"], cast.study.id, cast.olga.id, case, position],
        )


def all_cases(cast: Cast) -> list[UUID]:
    with superuser(cast) as owner:
        return [row[0] for row in owner.execute("SELECT id FROM study_case")]


def test_d7_an_order_is_stored_with_its_true_digest(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        draw(connection, cast, all_cases(cast))
    with superuser(cast) as owner:
        drawn = owner.execute(
            "SELECT count(*) FROM assignment WHERE reader_id = %s", [cast.olga.id]
        ).fetchone()
    assert drawn == (6,)


@pytest.mark.parametrize(
    "said", [{"digest": "0" * 64}, {"cases": 5}, {"digest": digest_of([])}], ids=str
)
def test_d7_an_order_that_is_not_what_it_says_is_not_stored(
    cast: Cast, said: dict[str, object]
) -> None:
    with refused(cast, "not the one its digest") as connection:
        draw(connection, cast, all_cases(cast), **said)


def test_d7_an_order_without_some_of_the_cases_is_not_stored(cast: Cast) -> None:
    with refused(cast, "not the one its digest") as connection:
        draw(connection, cast, all_cases(cast)[:-1])


def test_d7_nothing_is_added_to_an_order_afterwards(cast: Cast) -> None:
    """Not even in a transaction that says it is the one that drew it."""
    statement = """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position)
                   SELECT enrolment_id, study_id, reader_id, case_id, position + 100
                   FROM assignment LIMIT 1"""
    with refused(cast, "drawn once and as a whole") as connection:
        connection.execute(statement)
    with (
        pytest.raises(psycopg.Error, match="drawn once and as a whole"),
        superuser(cast, replica=True) as owner,
    ):
        owner.execute(statement)


def test_d7_a_case_stands_once_in_an_order(cast: Cast) -> None:
    cases = all_cases(cast)
    with superuser(cast) as owner, pytest.raises(psycopg.errors.UniqueViolation):
        draw(owner, cast, [*cases, cases[0]])


def test_d7_a_place_in_an_order_is_taken_once(cast: Cast) -> None:
    with superuser(cast) as owner:
        draw(owner, cast, all_cases(cast))
        with pytest.raises(psycopg.errors.UniqueViolation):
            owner.execute(
                """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position)
                   SELECT enrolment_id, study_id, reader_id, gen_random_uuid(), 1
                   FROM assignment WHERE reader_id = %s LIMIT 1""",
                [cast.olga.id],
            )


def test_d2_a_submission_id_locks_one_call_only(cast: Cast) -> None:
    """Two readers cannot share one, nor two cases."""
    submission = call()
    lock(cast, cast.rita, submission)
    assignment = serve(cast, cast.rolf)
    with pytest.raises(psycopg.errors.UniqueViolation), superuser(cast, actor=cast.rolf) as owner:
        owner.execute(
            """INSERT INTO reading
                   (assignment_id, study_id, reader_id, phase, call, confidence, submission_id)
               VALUES (%s, %s, %s, 'unaided', 'BCC', 70, %s)""",
            [assignment, cast.study.id, cast.rolf.id, submission.submission_id],
        )
