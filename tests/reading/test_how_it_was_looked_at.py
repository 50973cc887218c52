"""What stands beside a call, and the next case's images ahead of their turn."""

import json
from uuid import UUID

import psycopg
import pytest

from app.actions.between_cases import between_cases
from app.actions.read_case import (
    find_reader_study,
    image_key,
    images_ahead,
    lock_aided,
    lock_unaided,
    reveal,
)
from app.db import readings
from app.db.session import Role
from app.domain.access import Account
from app.domain.errors import Conflict, NotFound
from app.domain.reading import Phase, ReadingState, Submission, Viewing
from app.domain.study_design import StudyDesign
from tests.conftest import Cast
from tests.reading.designs import DESIGNS, arm_of, opened
from tests.reading.steps import at, bring_to, call, finish, lock, serve, show_ai, superuser


def with_look(milliseconds: int | None, zoom: float | None) -> Submission:
    plain = call()
    look = Viewing(milliseconds, zoom)
    return Submission(plain.call, plain.confidence, plain.submission_id, None, viewing=look)


def ahead(cast: Cast, reader: Account) -> list[tuple[UUID, int]]:
    with cast.begin(Role.READER, reader) as connection:
        study = find_reader_study(connection, code="bcc-sk")
        case = at(cast, reader)
        found = images_ahead(connection, study=study, case=case)
    return [(image.assignment_id, image.image_position) for image in found]


def release(cast: Cast, assignment: UUID) -> None:
    with cast.begin(Role.READER, cast.rita) as connection:
        reveal(connection, assignment_id=assignment)


def looks(cast: Cast) -> list[tuple[object, ...]]:
    with superuser(cast) as owner:
        return owner.execute(
            """SELECT r.phase, v.map_milliseconds, round(v.greatest_zoom::numeric, 1)::float
               FROM viewing v JOIN reading r ON r.id = v.reading_id ORDER BY r.locked_at"""
        ).fetchall()


def test_how_a_case_was_looked_at_is_kept_beside_its_call_and_in_the_log(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(log_zoom=True))
    assignment = show_ai(cast, cast.rita, with_look(9000, 2.5))
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_aided(connection, assignment_id=assignment, submission=with_look(4200, None))
    # There was no map before the reveal, whatever the browser says.
    assert looks(cast) == [("unaided", None, 2.5), ("aided", 4200, None)]
    with superuser(cast) as owner:
        logged = owner.execute(
            "SELECT count(*) FROM audit_event WHERE action = 'viewing.insert'"
        ).fetchone()
    assert logged == (2,)


def test_d11_the_zoom_is_written_down_only_where_the_study_says_so(cast: Cast) -> None:
    assignment = serve(cast, cast.rita)
    with (
        pytest.raises(Conflict, match="does not log the zoom"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        lock_unaided(connection, assignment_id=assignment, submission=with_look(None, 3.0))
    assert at(cast, cast.rita).state is ReadingState.SERVED


def test_d4_nothing_is_written_down_beside_a_call_of_before(cast: Cast) -> None:
    assignment = lock(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        held = readings.assignment_by_id(connection, assignment)
        reading = connection.execute("SELECT id FROM reading").fetchone()[0]
    with (
        pytest.raises(Conflict, match="written down with its call"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        readings.insert_viewing(connection, reading, held, Viewing(1, None))


def test_d7_the_next_images_are_there_once_the_reveal_is_and_nothing_is_served_by_it(
    cast: Cast,
) -> None:
    assert ahead(cast, cast.rita) == [], "nobody has begun"
    for step in (serve, lock):
        step(cast, cast.rita)
        assert ahead(cast, cast.rita) == [], "the first case is not revealed"
    release(cast, at(cast, cast.rita).assignment.id)
    [(coming, position)] = ahead(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        before = connection.execute("SELECT count(*) FROM served").fetchone()
        key = image_key(connection, assignment_id=coming, position=position)
        assert connection.execute("SELECT count(*) FROM served").fetchone() == before == (1,)
        places = connection.execute(
            "SELECT id FROM assignment WHERE position > 2 ORDER BY position"
        ).fetchall()
    assert cast.storage.get(key)[:2] == b"\xff\xd8"
    for (later,) in places:
        with (
            pytest.raises(NotFound),
            cast.begin(Role.READER, cast.rita) as connection,
        ):
            image_key(connection, assignment_id=later, position=1)
    finish_at = at(cast, cast.rita).assignment.id
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_aided(connection, assignment_id=finish_at, submission=call())
    assert at(cast, cast.rita).assignment.id == coming


def test_b1_ahead_of_its_turn_no_call_is_taken_and_no_ai_given(cast: Cast) -> None:
    show_ai(cast, cast.rita)
    [(coming, _position)] = ahead(cast, cast.rita)
    for act in (
        lambda connection: readings.release_ai(connection, coming, software_version="x"),
        lambda connection: lock_unaided(connection, assignment_id=coming, submission=call()),
    ):
        with pytest.raises(Conflict), cast.begin(Role.READER, cast.rita) as connection:
            act(connection)
    with cast.begin(Role.READER, cast.rita) as connection:
        assert readings.shown_ai(connection, coming) == []


def test_d6_nothing_comes_ahead_over_the_end_of_a_sitting(draft: Cast) -> None:
    cast = opened(draft, StudyDesign(cases_per_sitting=2))
    finish(cast, cast.rita)
    show_ai(cast, cast.rita)
    assert ahead(cast, cast.rita) == []


def test_d7_nothing_comes_ahead_over_the_end_of_a_session_nor_in_the_washout(draft: Cast) -> None:
    cast = opened(draft, DESIGNS["crossover"])
    session = at(cast, cast.rita).assignment.session
    while at(cast, cast.rita).assignment.session == session:
        assignment = serve(cast, cast.rita)
        last = at(cast, cast.rita).assignment
        lock(cast, cast.rita)
        if arm_of(cast, assignment) == "with_ai":
            release(cast, assignment)
            coming = [found for found, _position in ahead(cast, cast.rita)]
            with cast.begin(Role.READER, cast.rita) as connection:
                lock_aided(connection, assignment_id=assignment, submission=call())
            following = at(cast, cast.rita).assignment
            assert coming == ([following.id] if following.session == last.session else [])
    with cast.begin(Role.READER, cast.rita) as connection:
        study = find_reader_study(connection, code="bcc-sk")
        assert between_cases(connection, study=study).waits_until is not None
    assert ahead(cast, cast.rita) == []


def test_b1_a_lock_that_can_be_taken_back_brings_nothing_ahead(draft: Cast) -> None:
    """Else: lock, look whether the next case comes, roll back would tell the arm."""
    cast = opened(draft, DESIGNS["hidden_share"])
    while arm_of(cast, assignment := serve(cast, cast.rita)) == "with_ai":
        finish(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        held = readings.assignment_by_id(connection, assignment)
        readings.insert_reading(connection, held, Phase.UNAIDED, call())
        assert readings.images_ahead(connection, cast.study.id) == []
        connection.rollback()
    bring_to(cast, cast.rita, ReadingState.LOCKED)
    assert len(ahead(cast, cast.rita)) == 1


def test_b3_another_readers_next_images_are_as_absent_as_any(cast: Cast) -> None:
    show_ai(cast, cast.rita)
    [(coming, position)] = ahead(cast, cast.rita)
    with pytest.raises(NotFound), cast.begin(Role.READER, cast.rolf) as connection:
        image_key(connection, assignment_id=coming, position=position)


def test_d13_whether_the_zoom_is_logged_is_frozen_for_the_superuser_too(cast: Cast) -> None:
    with pytest.raises(psycopg.DatabaseError, match=r"fro[z]en|fixed"), superuser(cast) as owner:
        owner.execute("UPDATE study SET log_zoom = true")


@pytest.mark.parametrize("shows", [True, False])
def test_b1_the_models_own_record_comes_with_the_reveal_and_only_where_the_study_shows_it(
    draft: Cast,
    shows: bool,  # noqa: FBT001
) -> None:
    record = {"sensitivity": {"estimate": 0.9}, "specificity": {"estimate": 0.8}}
    cast = opened(draft, StudyDesign(show_performance=shows))
    with superuser(cast) as owner:
        owner.execute("ALTER TABLE model_version DISABLE TRIGGER USER")
        owner.execute("UPDATE model_version SET performance = %s", [json.dumps(record)])
        owner.execute("ALTER TABLE model_version ENABLE TRIGGER USER")
    lock(cast, cast.rita)
    assert at(cast, cast.rita).ai == []
    release(cast, at(cast, cast.rita).assignment.id)
    [shown] = at(cast, cast.rita).ai
    assert shown.performance == (record if shows else None)


def test_b1_nothing_comes_ahead_for_a_reader_whose_part_has_ended(cast: Cast) -> None:
    show_ai(cast, cast.rita)
    assert ahead(cast, cast.rita)
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        connection.execute(
            """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
               VALUES (%s, %s, 'reader', false, 'On leave.', %s)""",
            [cast.study.id, cast.rita.id, cast.cora.id],
        )
    assert ahead(cast, cast.rita) == []
