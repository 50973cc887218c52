"""A call as it arrives: BCC or SK with a whole percentage, or refused (D11); one tab wins (D2)."""

import threading
from uuid import UUID, uuid4

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from app.actions.read_case import AlreadyLocked, lock_unaided
from app.db.session import Role
from app.domain.errors import InvalidInput
from app.domain.reading import (
    LONGEST_ACTIVE_MILLISECONDS,
    ReadingState,
    Submission,
    parse_submission,
)
from tests.conftest import Cast
from tests.reading.steps import at, call, close, lock_aided_call, serve, show_ai

KEY = str(uuid4())

HOSTILE_NUMBERS = [
    "", " ", "NaN", "nan", "inf", "-0", "-1", "+5", "101", "1e2", "1e400", "0x10", "5.0", "5,0",
    "1_0", " 50", "50 ", "50\n", "50\x00", "\x00", "0100", "1000",
    # five and fifty in Arabic, Devanagari, full width; a superscript, a Roman five, a half
    "\u0665\u0660", "\u096b\u0966", "5\uff10", "\u00b2", "\u2164", "\u00bd",
    "9" * 5000, "\ud800", "\u202e50", "None", "true", "50;50", "'; DROP TABLE reading; --",
]  # fmt: skip
HOSTILE_CALLS = [
    "", " ", "bcc", "Bcc", "BCC ", " BCC", "BCC\x00", "SK\n", "BCCSK",
    "\u0412\u0421\u0421", "\uff22\uff23\uff23", "B\u200bCC",  # Cyrillic, full width, invisible
    "None", "malignant", "BCC,SK", "\ud800", "S" * 100_000,
]  # fmt: skip
HOSTILE_KEYS = [
    "", " ", "0", "x" * 36, "\x00", KEY + "0", KEY[:-1], KEY.replace("-", "_"), "\u0660" * 32,
    "\ud800" * 32, "None", "9" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("confidence", HOSTILE_NUMBERS, ids=ascii)
def test_d11_a_confidence_that_is_no_percentage_is_refused(confidence: str) -> None:
    with pytest.raises(InvalidInput, match="whole number from 0 to 100"):
        parse_submission(call="BCC", confidence=confidence, submission_id=KEY)


@pytest.mark.parametrize("answer", HOSTILE_CALLS, ids=lambda text: ascii(text)[:40])
def test_d11_a_call_that_is_neither_bcc_nor_sk_is_refused(answer: str) -> None:
    with pytest.raises(InvalidInput, match="Choose BCC or SK"):
        parse_submission(call=answer, confidence="50", submission_id=KEY)


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=lambda text: ascii(text)[:40])
def test_d11_a_damaged_form_is_refused(key: str) -> None:
    with pytest.raises(InvalidInput, match="nothing was locked"):
        parse_submission(call="BCC", confidence="50", submission_id=key)


@pytest.mark.parametrize("percent", [0, 1, 50, 99, 100])
def test_d11_the_ends_of_the_scale_belong_to_it(percent: int) -> None:
    found = parse_submission(call="SK", confidence=str(percent), submission_id=KEY)
    assert found == Submission("SK", percent, UUID(KEY), None)


@pytest.mark.parametrize("text", HOSTILE_NUMBERS, ids=ascii)
def test_d9_odd_browser_time_is_recorded_as_not_known(text: str) -> None:
    found = parse_submission(
        call="BCC", confidence="50", submission_id=KEY, active_milliseconds=text
    )
    if text in {"101", "0100", "1000"}:  # a confidence they are not, milliseconds they are
        assert found.active_milliseconds == int(text)
    else:
        assert found.active_milliseconds is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0", 0), ("86400000", LONGEST_ACTIVE_MILLISECONDS), ("86400001", None), ("999999999", None)],
)
def test_d9_browser_time_of_more_than_a_day_is_not_believed(
    text: str, expected: int | None
) -> None:
    found = parse_submission(
        call="BCC", confidence="50", submission_id=KEY, active_milliseconds=text
    )
    assert found.active_milliseconds == expected


@given(
    answer=st.text() | st.sampled_from(["BCC", "SK"]),
    confidence=st.text() | st.integers(-200, 200).map(str) | st.floats().map(str),
    key=st.text() | st.uuids().map(str),
    active=st.text() | st.integers().map(str),
)
@settings(max_examples=300)
def test_d11_whatever_arrives_is_a_call_in_bounds_or_a_refusal(
    answer: str, confidence: str, key: str, active: str
) -> None:
    try:
        found = parse_submission(
            call=answer, confidence=confidence, submission_id=key, active_milliseconds=active
        )
    except InvalidInput:
        return
    assert found.call in {"BCC", "SK"}
    assert 0 <= found.confidence <= 100
    assert found.confidence == int(confidence)
    assert found.active_milliseconds is None or (
        0 <= found.active_milliseconds <= LONGEST_ACTIVE_MILLISECONDS
    )


def test_d2_ten_tabs_lock_two_different_answers_and_one_wins(cast: Cast) -> None:
    assignment = serve(cast, cast.rita)
    start = threading.Barrier(10)
    won: list[Submission] = []
    lost: list[str] = []

    def tab(number: int) -> None:
        submission = call("BCC", 70) if number % 2 else call("SK", 30)
        start.wait()
        try:
            with cast.begin(Role.READER, cast.rita) as connection:
                lock_unaided(connection, assignment_id=assignment, submission=submission)
            won.append(submission)
        except AlreadyLocked as refusal:
            lost.append(str(refusal))

    threads = [threading.Thread(target=tab, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    locked = at(cast, cast.rita).unaided
    assert [won[0].submission_id] == [locked.submission_id]
    assert (len(won), len(lost)) == (1, 9)
    assert {f"locked: {locked.call}, {locked.confidence} % sure" in text for text in lost} == {True}


def test_d5_ten_copies_of_one_submit_get_one_receipt(cast: Cast) -> None:
    """A double click, a held key, a lost answer sent again by the browser."""
    assignment = serve(cast, cast.rita)
    submission = call()
    failures: list[BaseException] = []

    def copy() -> None:
        try:
            with cast.begin(Role.READER, cast.rita) as connection:
                lock_unaided(connection, assignment_id=assignment, submission=submission)
        except BaseException as failure:  # noqa: BLE001 - carried to the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=copy) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with cast.begin(Role.READER, cast.rita) as connection:
        assert connection.execute("SELECT count(*) FROM reading").fetchone() == (1,)


def test_d5_a_final_call_sent_again_after_the_study_was_closed_gets_its_receipt(
    cast: Cast,
) -> None:
    assignment, sent = show_ai(cast, cast.rita), call("SK", 40)
    lock_aided_call(cast, cast.rita, assignment, sent)
    following = at(cast, cast.rita)
    assert following is not None
    assert following.state is ReadingState.SERVED
    close(cast)
    lock_aided_call(cast, cast.rita, assignment, sent)
    assert at(cast, cast.rita) == following
