"""A database filled under the first schema, brought to the newest one: nothing in it is changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID, uuid4

import psycopg
import pytest

from app.actions.draw_orders import enrol_reader
from app.actions.read_case import current_case, lock_unaided, reveal, serve_next
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.migrate import migrate, revisions
from app.db.results import current_data_sha256
from app.db.session import Database, Role
from app.domain.allocation import order_cases
from app.domain.reading import ReadingState
from tests.conftest import on_database
from tests.reading.steps import call

TABLES = ("study_case", "enrolment", "allocation", "assignment", "served", "reading", "reveal")
OLD_COLUMNS = {
    "assignment": "id, enrolment_id, study_id, reader_id, case_id, position",
    "allocation": "enrolment_id, study_id, reader_id, seed, cases, order_sha256, drawn_at",
    "reading": "id, assignment_id, phase, call, confidence, submission_id, locked_at",
    "served": "assignment_id, study_id, reader_id, served_at",
    "reveal": "assignment_id, case_prediction_id, software_version, revealed_at",
    "enrolment": "id, study_id, reader_id, enrolled_at",
    "study_case": "id, study_id, code, imported_at",
}


@pytest.fixture
def old(postgres: str) -> Iterator[str]:
    """A database of the first schema."""
    name = f"old_{uuid4().hex}"
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    url = on_database(postgres, name)
    migrate(url, secret=None, to="0001")
    yield url
    with psycopg.connect(on_database(postgres, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def acting(url: str, actor: UUID | None) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, options="-c search_path=reread -c timezone=UTC") as connection:
        connection.execute("SELECT set_config('reread.actor', %s, true)", [str(actor or "")])
        yield connection


def fill(url: str) -> tuple[UUID, UUID, UUID]:
    """Make an open study of three cases, one of them read, and a draft; (study, cora, rita)."""
    with acting(url, None) as owner:
        cora, rita = (
            owner.execute(
                "INSERT INTO account (email, name, role) VALUES (%s, %s, %s) RETURNING id",
                [f"{name}@example.org", name.title(), role],
            ).fetchone()[0]
            for name, role in (("cora", "coordinator"), ("rita", "reader"))
        )
        study, draft = (
            owner.execute(
                """INSERT INTO study (code, title, seed, allocation_algorithm, created_by)
                   VALUES (%s, 'Old', 3, 'sha256-sort-1', %s) RETURNING id""",
                [code, cora],
            ).fetchone()[0]
            for code in ("old", "old-draft")
        )
        assert draft != study
        model = owner.execute(
            """INSERT INTO model_version (name, backbone, weights_sha256, preprocessing, threshold,
                   map_scale, map_rows, map_columns, demonstration, card)
               VALUES ('m', 'b', repeat('0', 64), 'p', 0.5, 1, 1, 1, true, '') RETURNING id"""
        ).fetchone()[0]
        for number in range(3):
            case = owner.execute(
                "INSERT INTO study_case (study_id, code) VALUES (%s, %s) RETURNING id",
                [study, f"c{number}"],
            ).fetchone()[0]
            image = owner.execute(
                """INSERT INTO image (study_id, case_id, position, modality, storage_key, sha256,
                       width, height, synthetic)
                   VALUES (%s, %s, 1, 'other', %s, repeat('0', 64), 9, 9, true) RETURNING id""",
                [study, case, f"k{number}"],
            ).fetchone()[0]
            owner.execute(
                """INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source,
                       recorded_by) VALUES (%s, %s, 'BCC', 'generated', %s)""",
                [case, study, cora],
            )
            owner.execute(
                """INSERT INTO prediction (study_id, image_id, model_version_id, probability,
                       overlay_key, overlay_sha256, device)
                   VALUES (%s, %s, %s, 0.7, %s, repeat('0', 64), 'none')""",
                [study, image, model, f"o{number}"],
            )
            owner.execute(
                """INSERT INTO case_prediction (study_id, case_id, model_version_id, probability,
                       call, images) VALUES (%s, %s, %s, 0.7, 'BCC', 1)""",
                [study, case, model],
            )
    with acting(url, cora) as owner:
        owner.execute(
            "UPDATE study SET state = 'open', opened_by = %s, model_version_id = %s WHERE id = %s",
            [cora, model, study],
        )
        enrolment = owner.execute(
            "INSERT INTO enrolment (study_id, reader_id) VALUES (%s, %s) RETURNING id",
            [study, rita],
        ).fetchone()[0]
        cases = [row[0] for row in owner.execute("SELECT id FROM study_case")]
        order = order_cases(cases, seed=3, reader=rita)
        owner.execute(
            """INSERT INTO allocation (enrolment_id, study_id, reader_id, seed, algorithm, cases,
                   order_sha256)
               VALUES (%s, %s, %s, 3, 'sha256-sort-1', 3,
                   encode(sha256(convert_to(%s, 'UTF8')), 'hex'))""",
            [enrolment, study, rita, "\n".join(map(str, order))],
        )
        for position, case in enumerate(order, start=1):
            owner.execute(
                """INSERT INTO assignment (enrolment_id, study_id, reader_id, case_id, position)
                   VALUES (%s, %s, %s, %s, %s)""",
                [enrolment, study, rita, case, position],
            )
    reading = """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
                     submission_id)
                 SELECT id, study_id, reader_id, %s, 'BCC', 60, gen_random_uuid() FROM assignment
                 WHERE position = 1"""
    with acting(url, rita) as owner:
        owner.execute(
            """INSERT INTO served (assignment_id, study_id, reader_id)
               SELECT id, study_id, reader_id FROM assignment WHERE position = 1"""
        )
    with acting(url, rita) as owner:
        owner.execute(reading, ["unaided"])
    with acting(url, rita) as owner:
        owner.execute("SELECT reveal_ai(id, 'old') FROM assignment WHERE position = 1")
    with acting(url, rita) as owner:
        owner.execute(reading, ["aided"])
    return study, cora, rita


def snapshot(url: str) -> dict[str, list[tuple]]:
    with acting(url, None) as owner:
        found = {
            table: owner.execute(
                f"SELECT {OLD_COLUMNS[table]} FROM {table} ORDER BY 1, 2"  # noqa: S608 - ours
            ).fetchall()
            for table in TABLES
        }
        found["log"] = owner.execute(
            "SELECT chain, seq, hash FROM audit_event ORDER BY chain, seq"
        ).fetchall()
    return found


def test_r5_a_study_of_the_first_schema_keeps_its_readings_orders_and_chain(old: str) -> None:
    study, _cora, rita = fill(old)
    before = snapshot(old)
    migrate(old, secret=None)
    after = snapshot(old)
    assert {table: after[table] for table in TABLES} == {table: before[table] for table in TABLES}
    assert [row for row in after["log"] if row in before["log"]] == before["log"]
    assert verify_study(records_of(old, "old")).problems == ()
    with acting(old, None) as owner:
        assert owner.execute(
            "SELECT design, allocation_algorithm FROM study ORDER BY code"
        ).fetchall() == [("sequential", "sha256-sort-1"), ("sequential", "sha256-design-1")]
        versions = owner.execute("SELECT study_id, number, author FROM protocol_version").fetchall()
        bound = owner.execute("SELECT study_id, name, weights_sha256 FROM study_model").fetchall()
        assert (
            bound
            == owner.execute(
                """SELECT s.id, m.name, m.weights_sha256 FROM study s
               JOIN model_version m ON m.id = s.model_version_id WHERE s.state = 'open'"""
            ).fetchall()
        )
        assert owner.execute("SELECT simulated FROM enrolment").fetchall() == [(None,)]
    assert versions == [(study, 1, None)]
    database = Database(old, secret=None)
    with database.begin(Role.READER, actor=rita) as connection:
        serve_next(connection, study=study)
        case = current_case(connection, study=study)
    assert (case.assignment.position, case.state) == (2, ReadingState.SERVED)
    with database.begin(Role.READER, actor=rita) as connection:
        lock_unaided(connection, assignment_id=case.assignment.id, submission=call())
    with database.begin(Role.READER, actor=rita) as connection:
        reveal(connection, assignment_id=case.assignment.id)
    database.close()
    assert verify_study(records_of(old, "old")).problems == ()


def test_r5_no_revision_on_the_way_changes_a_reading_an_order_or_an_event(old: str) -> None:
    """Revision by revision, those to come included: readings the same, the log only longer."""
    fill(old)
    before = snapshot(old)
    passed = revisions()
    assert passed[0] == "0001"
    for revision in passed[1:]:
        migrate(old, secret=None, to=revision)
        after = snapshot(old)
        for table in TABLES:
            assert after[table] == before[table], (revision, table)
        assert [row for row in after["log"] if row in before["log"]] == before["log"], revision
    assert verify_study(records_of(old, "old")).problems == ()


def test_r5_a_reader_joins_a_study_of_the_first_schema_by_its_own_algorithm(old: str) -> None:
    study, cora, _rita = fill(old)
    migrate(old, secret=None)
    with acting(old, None) as owner:
        rolf = owner.execute(
            """INSERT INTO account (email, name, role) VALUES ('rolf@example.org', 'Rolf', 'reader')
               RETURNING id"""
        ).fetchone()[0]
    database = Database(old, secret=None)
    with database.begin(Role.COORDINATOR, actor=cora) as connection:
        enrol_reader(connection, study=study, reader=rolf)
    database.close()
    with acting(old, None) as owner:
        drawn = owner.execute(
            "SELECT algorithm, reader_number FROM allocation WHERE reader_id = %s", [rolf]
        ).fetchone()
    assert drawn == ("sha256-sort-1", None)
    assert verify_study(records_of(old, "old")).problems == ()


def test_r5_the_digest_frozen_at_unblinding_is_still_that_of_the_readings(old: str) -> None:
    study, cora, _rita = fill(old)
    unblinding = "state = 'unblinded', unblinded_by = %s, unblinding_reason = 'Done.'"
    for change in ("state = 'closed', closed_by = %s", unblinding):
        with acting(old, cora) as owner:
            owner.execute(f"UPDATE study SET {change} WHERE code = 'old'", [cora])  # noqa: S608
    migrate(old, secret=None)
    database = Database(old, secret=None)
    with database.begin(Role.ANALYST, actor=cora) as connection:
        frozen = connection.execute(
            "SELECT data_sha256 FROM study WHERE id = %s", [study]
        ).fetchone()[0]
        assert current_data_sha256(connection, study) == frozen
    database.close()
