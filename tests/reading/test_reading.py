"""The reading of a case, step by step, as the database holds it."""

from uuid import uuid4

import pytest

from app.actions.read_case import current_case, lock_aided, lock_unaided, reveal, serve_next
from app.db.session import Role
from app.domain.errors import Conflict, NotFound
from app.domain.reading import ReadingState, Submission
from tests.conftest import Cast


def call(answer: str = "BCC", confidence: int = 70) -> Submission:
    return Submission(answer, confidence, uuid4(), None)


def state(cast: Cast) -> ReadingState | None:
    with cast.begin(Role.READER, cast.rita) as connection:
        case = current_case(connection, study=cast.study.id)
    return case.state if case else None


def at(cast: Cast):
    with cast.begin(Role.READER, cast.rita) as connection:
        return current_case(connection, study=cast.study.id)


def test_a_case_goes_from_assigned_to_finished_and_the_next_is_shown(cast: Cast) -> None:
    assert state(cast) is ReadingState.ASSIGNED
    with cast.begin(Role.READER, cast.rita) as connection:
        serve_next(connection, study=cast.study.id)
    case = at(cast)
    assert case.state is ReadingState.SERVED
    assert [image.position for image in case.images] == [1]
    assert case.ai == []
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_unaided(connection, assignment_id=case.assignment.id, submission=call())
    assert state(cast) is ReadingState.LOCKED
    assert at(cast).ai == []
    with cast.begin(Role.READER, cast.rita) as connection:
        reveal(connection, assignment_id=case.assignment.id)
    assert state(cast) is ReadingState.REVEALED
    assert at(cast).ai[0].call in {"BCC", "SK"}
    with cast.begin(Role.READER, cast.rita) as connection:
        lock_aided(connection, assignment_id=case.assignment.id, submission=call("SK"))
    after = at(cast)
    assert after.state is ReadingState.SERVED
    assert after.assignment.position == 2


def test_the_same_submit_again_is_the_same_receipt_and_another_answer_is_refused(
    cast: Cast,
) -> None:
    with cast.begin(Role.READER, cast.rita) as connection:
        serve_next(connection, study=cast.study.id)
    case = at(cast)
    first = call("BCC", 70)
    for _ in range(2):
        with cast.begin(Role.READER, cast.rita) as connection:
            lock_unaided(connection, assignment_id=case.assignment.id, submission=first)
    with (
        pytest.raises(Conflict, match="already locked: BCC, 70 % sure"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        lock_unaided(connection, assignment_id=case.assignment.id, submission=call("SK", 70))


def test_no_reveal_before_the_lock_and_no_aided_call_before_the_reveal(cast: Cast) -> None:
    with cast.begin(Role.READER, cast.rita) as connection:
        serve_next(connection, study=cast.study.id)
    case = at(cast)
    with (
        pytest.raises(Conflict, match="no reveal before the unaided call"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        reveal(connection, assignment_id=case.assignment.id)
    with (
        pytest.raises(Conflict, match="no aided reading before the reveal"),
        cast.begin(Role.READER, cast.rita) as connection,
    ):
        lock_aided(connection, assignment_id=case.assignment.id, submission=call())


def test_another_readers_case_is_as_absent_as_one_that_does_not_exist(cast: Cast) -> None:
    with cast.begin(Role.READER, cast.rita) as connection:
        serve_next(connection, study=cast.study.id)
    of_rita = at(cast).assignment.id
    sentences = set()
    for target in (of_rita, uuid4()):
        with (
            pytest.raises(NotFound) as refused,
            cast.begin(Role.READER, cast.rolf) as connection,
        ):
            lock_unaided(connection, assignment_id=target, submission=call())
        sentences.add(str(refused.value))
    assert len(sentences) == 1
