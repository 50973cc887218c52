"""The soak in its short form, and what it must notice (F16)."""

from dataclasses import replace

import pytest

from tests.torture.soak import SLACK_FILES, SLACK_MEMORY, Length, Sample, grown, soak

MIB = 1024**2
SHORT = Length(readers=3, minutes=0.5, pause=0.3)


def test_f16_a_short_soak_grows_nothing_leaves_nothing_behind_and_loses_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    soaked = soak(SHORT, print)
    said = capsys.readouterr().out
    assert soaked.outcome.clean, said
    assert soaked.outcome.acknowledged > 0
    assert "looks of a coordinator and a stranger" in said
    # Half a minute is too short to judge memory by; what is left behind shows at once.
    assert [what for what in soaked.grown if not what.startswith("memory")] == [], soaked


def test_f16_a_web_application_that_leaks_is_noticed(capsys: pytest.CaptureFixture[str]) -> None:
    """The negative control: each of its requests leaves an open file and a temporary one."""
    soaked = soak(replace(SHORT, leaking=True), print)
    assert not soaked.clean, capsys.readouterr().out
    assert any("temporary files left behind" in what for what in soaked.grown), soaked
    assert any(what.startswith("files from") for what in soaked.grown), soaked


def samples(**growth: int) -> list[Sample]:
    """Thirty moments; in the last third this much more of what is named."""
    flat = Sample(0, 300 * MIB, 40, 20, 15, 0)
    more = {name: getattr(flat, name) + amount for name, amount in growth.items()}
    return [flat] * 20 + [replace(flat, **more)] * 10


@pytest.mark.parametrize(
    ("name", "slack"),
    [
        ("memory", SLACK_MEMORY),
        ("files", SLACK_FILES),
        ("threads", SLACK_FILES),
        ("connections", SLACK_FILES),
        ("temporary", 0),
    ],
)
def test_f16_what_grows_beyond_what_comes_and_goes_is_named(name: str, slack: int) -> None:
    assert grown(samples()) == []
    assert grown(samples(**{name: slack})) == []
    assert [name in what for what in grown(samples(**{name: slack + 1}))] == [True]


def test_f16_what_is_loaded_for_the_first_time_is_no_growth() -> None:
    """Caches and pools fill in the first third."""
    flat = samples()
    cold = replace(flat[0], memory=100 * MIB, files=10, threads=4, connections=0)
    assert grown([cold] * 10 + flat[:20]) == []
