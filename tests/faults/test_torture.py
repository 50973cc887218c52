"""The torture in its short form, and the control that must lose something (D1, D2, D5, L1)."""

import pytest

from tests.torture.run import Size, torture


def test_d1_d5_f1_f2_f3_l1_b1_killed_with_9_nothing_that_was_acknowledged_is_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Servers killed, answers lost, forms sent again, tabs racing, maps asked for early."""
    outcome = torture(Size(readers=6, submissions=120, kills=4, seed=7, webs=1))
    said = capsys.readouterr().out
    assert outcome.clean, said
    assert "killed 4 (web 2, Postgres 2, worker 0)" in said
    assert outcome.acknowledged >= 120
    # Answers were lost, and the watch for early AI did see AI output.
    assert "answers lost on the way" in said
    assert "pages with the AI" in said


def test_d1_without_synchronous_commit_the_same_run_loses_acknowledged_calls(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The negative control: a harness that cannot fail proves nothing."""
    outcome = torture(Size(readers=4, submissions=60, kills=2, seed=7, webs=1, control=True))
    assert outcome.lost > 0, capsys.readouterr().out
    assert not outcome.clean
