"""The one road to AI output, tried from every side as the reader's own database role (B2, D3)."""

from uuid import UUID, uuid4

import psycopg
import pytest

from app.db.session import Role
from app.domain.errors import Conflict, NotFound
from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import bring_to, call, close, lock, serve, show_ai

LOCK = """INSERT INTO reading
    (assignment_id, study_id, reader_id, phase, call, confidence, submission_id)
    VALUES (%s, %s, %s, %s, 'BCC', 70, %s)"""


def locking(cast: Cast, assignment: UUID, phase: str = "unaided") -> list[object]:
    return [assignment, cast.study.id, cast.rita.id, phase, uuid4()]


def shown(connection: psycopg.Connection, assignment: UUID) -> list[tuple]:
    return connection.execute("SELECT * FROM shown_ai(%s)", [assignment]).fetchall()


@pytest.mark.parametrize("state", [ReadingState.ASSIGNED, ReadingState.SERVED])
def test_d3_before_the_unaided_lock_the_reveal_raises_and_nothing_is_given_out(
    cast: Cast, state: ReadingState
) -> None:
    assignment = bring_to(cast, cast.rita, state)
    with (
        pytest.raises(Conflict, match="no reveal before the unaided call"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])
    with cast.begin(Role.READER, cast.rita) as connection:
        assert shown(connection, assignment) == []


def test_b1_locking_does_not_release_by_itself(cast: Cast) -> None:
    assignment = lock(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        assert shown(connection, assignment) == []


def test_b1_a_lock_that_could_still_be_taken_back_releases_nothing(cast: Cast) -> None:
    """Lock, look, roll back: the AI would be seen and no call be on record."""
    assignment = serve(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        connection.execute(LOCK, locking(cast, assignment))
        with pytest.raises(psycopg.Error, match="no reveal before the unaided call"):
            connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])


def test_b1_nor_does_a_lock_inside_a_savepoint(cast: Cast) -> None:
    assignment = serve(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        with connection.transaction():
            connection.execute(LOCK, locking(cast, assignment))
        with (
            pytest.raises(psycopg.Error, match="no reveal before the unaided call"),
            connection.transaction(),
        ):
            connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])


def test_d3_a_reveal_that_could_still_be_taken_back_shows_nothing(cast: Cast) -> None:
    """Reveal, look, roll back: the AI would be seen without a record of it."""
    assignment = lock(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])
        assert shown(connection, assignment) == []
    with cast.begin(Role.READER, cast.rita) as connection:
        assert len(shown(connection, assignment)) == 1


def test_d3_the_reveal_is_recorded_once_however_often_it_is_asked_for(cast: Cast) -> None:
    assignment = show_ai(cast, cast.rita)
    with cast.begin(Role.READER, cast.rita) as connection:
        before = connection.execute("SELECT revealed_at FROM reveal").fetchall()
        connection.execute("SELECT reveal_ai(%s, 'again')", [assignment])
        assert connection.execute("SELECT revealed_at FROM reveal").fetchall() == before


def test_a3_another_readers_case_and_one_that_does_not_exist_get_the_same_answer(
    cast: Cast,
) -> None:
    """Also when that case is locked, or shown to its own reader already."""
    answers = set()
    finished = bring_to(cast, cast.rita, ReadingState.FINISHED)
    locked = bring_to(cast, cast.rita, ReadingState.LOCKED)
    for assignment in (finished, locked, uuid4()):
        with (
            pytest.raises(NotFound) as refused,
            cast.begin(Role.READER, cast.rolf) as connection,
        ):
            connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])
        answers.add(str(refused.value))
        with cast.begin(Role.READER, cast.rolf) as connection:
            assert shown(connection, assignment) == []
    assert len(answers) == 1


def test_b2_without_an_actor_nothing_is_released(cast: Cast) -> None:
    assignment = show_ai(cast, cast.rita)
    with cast.begin(Role.READER, None) as connection:
        assert shown(connection, assignment) == []
        with pytest.raises(psycopg.Error, match="No such case"):
            connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])


def test_b2_after_closing_no_further_case_is_released(cast: Cast) -> None:
    assignment = lock(cast, cast.rita)
    close(cast)
    with (
        pytest.raises(Conflict, match="nothing more is recorded"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute("SELECT reveal_ai(%s, 'test')", [assignment])


def test_b2_what_is_shown_is_the_prediction_of_this_very_case(cast: Cast) -> None:
    assignment = show_ai(cast, cast.rita)
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as superuser:
        expected = superuser.execute(
            """SELECT p.call, p.probability FROM assignment a JOIN case_prediction p
               ON p.case_id = a.case_id WHERE a.id = %s""",
            [assignment],
        ).fetchall()
    with cast.begin(Role.READER, cast.rita) as connection:
        assert [row[:2] for row in shown(connection, assignment)] == expected


def test_d3_a_call_after_the_reveal_needs_the_reveal(cast: Cast) -> None:
    assignment = lock(cast, cast.rita)
    with (
        pytest.raises(Conflict, match="no aided reading before the reveal"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute(LOCK, locking(cast, assignment, "aided"))


def test_d2_a_phase_is_locked_once_whatever_the_submission(cast: Cast) -> None:
    assignment = lock(cast, cast.rita, call("SK", 10))
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute(LOCK, locking(cast, assignment))


def test_d7_no_case_is_served_before_those_before_it_are_finished(cast: Cast) -> None:
    with cast.begin(Role.READER, cast.rita) as connection:
        later = connection.execute("SELECT id FROM assignment WHERE position = 2").fetchone()[0]
    with (
        pytest.raises(Conflict, match="earlier case"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute(
            "INSERT INTO served (assignment_id, study_id, reader_id) VALUES (%s, %s, %s)",
            [later, cast.study.id, cast.rita.id],
        )


def test_d3_no_call_on_a_case_that_was_not_shown(cast: Cast) -> None:
    assignment = bring_to(cast, cast.rita, ReadingState.ASSIGNED)
    with (
        pytest.raises(Conflict, match="not been shown"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        connection.execute(LOCK, locking(cast, assignment))
