"""No step of a reading goes over a whole table: seen in a filled database, in the real actions.

What is counted is what Postgres itself counts in the transaction: the statements of the actions,
the policies, the guards, the functions they call and the log's triggers.
"""

from collections.abc import Callable
from uuid import uuid4

import psycopg
import pytest

from app.actions import read_case
from app.db.session import Connection, Role
from app.domain.reading import ReadingState, Submission
from tests.conftest import Cast
from tests.reading.steps import at, bring_to

BIG = {"assignment", "served", "reading", "reveal", "image", "study_case", "prediction",
       "case_prediction", "reference_diagnosis", "audit_event"}  # fmt: skip
READERS, CASES = 150, 150

# 22,500 cases of others, read to the end. Guards and foreign keys are off: this is for the planner.
FILL = """
    CREATE TEMP TABLE other AS SELECT gen_random_uuid() AS id, gen_random_uuid() AS case_id,
        gen_random_uuid() AS image_id, gen_random_uuid() AS prediction_id, r.id AS reader_id,
        r.enrolment_id, c AS position
        FROM (SELECT gen_random_uuid() AS id, gen_random_uuid() AS enrolment_id
              FROM generate_series(1, %(readers)s)) r, generate_series(1, %(cases)s) c;
    INSERT INTO study_case (id, study_id, code) SELECT case_id, %(study)s, 'x' || case_id FROM other;
    INSERT INTO image (id, study_id, case_id, position, modality, storage_key, sha256, width, height, synthetic)
        SELECT image_id, %(study)s, case_id, 1, 'other', image_id, repeat('0', 64), 9, 9, true FROM other;
    INSERT INTO prediction (study_id, image_id, model_version_id, probability, overlay_key, overlay_sha256, device)
        SELECT %(study)s, image_id, gen_random_uuid(), 0.5, image_id, repeat('0', 64), 'none' FROM other;
    INSERT INTO case_prediction (id, study_id, case_id, model_version_id, probability, call, images)
        SELECT prediction_id, %(study)s, case_id, gen_random_uuid(), 0.5, 'BCC', 1 FROM other;
    INSERT INTO assignment (id, enrolment_id, study_id, reader_id, case_id, position)
        SELECT id, enrolment_id, %(study)s, reader_id, case_id, position FROM other;
    INSERT INTO served (assignment_id, study_id, reader_id) SELECT id, %(study)s, reader_id FROM other;
    INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence, submission_id)
        SELECT id, %(study)s, reader_id, phase, 'BCC', 50, gen_random_uuid()
        FROM other, unnest(ARRAY['unaided', 'aided']) AS phase;
    INSERT INTO reveal (assignment_id, study_id, reader_id, case_id, case_prediction_id, software_version)
        SELECT id, %(study)s, reader_id, case_id, prediction_id, 'none' FROM other;
    INSERT INTO audit_event SELECT %(study)s, 1000000 + row_number() OVER (), now(), 1, '', '', '', '', '', '', '',
        repeat('0', 64) FROM other, generate_series(1, 4);
"""  # noqa: E501


@pytest.fixture
def filled(cast: Cast) -> Cast:
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        for name in sorted(BIG):
            owner.execute(f"ALTER TABLE {name} DISABLE TRIGGER ALL")
        place = {"study": cast.study.id, "readers": READERS, "cases": CASES}
        for statement in FILL.strip().rstrip(";").split(";\n"):
            owner.execute(statement, place)
        for name in sorted(BIG):
            owner.execute(f"ALTER TABLE {name} ENABLE TRIGGER ALL")
        guards = owner.execute(
            """SELECT c.relname, g.tgname FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
               WHERE NOT g.tgisinternal AND c.relname = ANY(%s)""",
            [list(BIG)],
        ).fetchall()
        for table, trigger in guards:
            owner.execute(f'ALTER TABLE {table} ENABLE ALWAYS TRIGGER "{trigger}"')
    with psycopg.connect(cast.database.url, autocommit=True) as owner:
        owner.execute("ANALYZE")
    return cast


def scanned(connection: Connection) -> set[str]:
    """The big tables that this transaction has gone over as a whole, its commit's work included."""
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    found = connection.execute(
        "SELECT relname FROM pg_stat_xact_user_tables WHERE schemaname = 'reread' AND seq_scan > 0"
    )
    return {row[0] for row in found} & BIG


def submission() -> Submission:
    return Submission(
        call="BCC", confidence=70, submission_id=uuid4(), active_milliseconds=None,
        management=None, comment=None,
    )  # fmt: skip


def look(connection: Connection, cast: Cast) -> None:
    study = read_case.find_reader_study(connection, code=cast.study.code)
    case = read_case.current_case(connection, study=study.id)
    assert case is not None
    if case.images:
        assignment = case.assignment.id
        assert read_case.image_key(connection, assignment_id=assignment, position=1)


def test_no_step_of_a_reading_goes_over_a_whole_table(filled: Cast) -> None:
    cast, study = filled, filled.study.id
    bring_to(cast, cast.rita, ReadingState.ASSIGNED)
    assignment = at(cast, cast.rita).assignment.id
    steps: dict[str, Callable[[Connection], None]] = {
        "serve": lambda c: read_case.serve_next(c, study=study),
        "page": lambda c: look(c, cast),
        "lock unaided": lambda c: read_case.lock_unaided(
            c, assignment_id=assignment, submission=submission()
        ),
        "reveal": lambda c: read_case.reveal(c, assignment_id=assignment),
        "page with AI": lambda c: look(c, cast),
        "lock aided": lambda c: read_case.lock_aided(
            c, assignment_id=assignment, submission=submission()
        ),
    }
    found: dict[str, set[str]] = {}
    for name, step in steps.items():
        with cast.begin(Role.READER, cast.rita) as connection:
            step(connection)
            found[name] = scanned(connection)
    assert found == {name: set() for name in steps}


def test_what_goes_over_a_whole_table_is_noticed(filled: Cast) -> None:
    """The control: a query without an index to help it."""
    with psycopg.connect(filled.database.url, options="-c search_path=reread") as connection:
        connection.execute("SELECT count(*) FROM reading WHERE active_milliseconds > 5").fetchone()
        assert scanned(connection) == {"reading"}
