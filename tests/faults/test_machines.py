"""Two web applications, two workers and an object store, one of each killed during a study."""

import pytest

from tests.torture.machines import one_of_each_killed, one_web_broken


def test_d1_b1_f8_with_one_of_each_killed_nothing_is_lost_doubled_orphaned_or_unaudited(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = one_of_each_killed()
    said = capsys.readouterr().out
    assert outcome.clean, said
    assert outcome.acknowledged >= 96
    # Each was away while others went on, and the watch for early AI did see AI output.
    assert "without the first web application ten calls were locked" in said
    assert "the first worker was killed in its job" in said
    assert "a picture could not be had, and a job waits" in said
    assert "'maps': " in said
    assert "'pages with the AI': " in said


def test_d1_b1_a_web_process_that_forgets_calls_and_tells_of_the_ai_is_noticed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The control: one of two web applications has both faults."""
    outcome = one_web_broken()
    said = capsys.readouterr().out
    assert not outcome.clean
    assert outcome.lost > 0, said
    assert "the AI before the lock" in said
