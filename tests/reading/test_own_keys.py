"""A reader's keys: both questions in one, and what came after somebody chose their own."""

import pytest

from app.domain.errors import InvalidInput
from app.domain.reading_keys import (
    BOTH_IN_ONE,
    LAYOUTS,
    STANDARD,
    ReadingKeys,
    parse_keys,
    stored_keys,
)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_every_act_a_key_of_its_own(layout: str) -> None:
    keys = parse_keys(LAYOUTS[layout][1], single_keys=True, pause="")
    assert set(keys.keys) == set(STANDARD)
    assert len(set(keys.keys.values())) == len(STANDARD)
    assert "" not in keys.keys.values()


def test_a_key_chosen_before_stays_with_its_act_and_the_newer_act_has_none() -> None:
    keys = stored_keys({"lock": "g", "peek": "v", "forgotten": "w"})
    assert keys["lock"] == "g"
    assert keys["bcc_biopsy"] == keys["bcc_no_biopsy"] == ""
    assert keys["sk_biopsy"] == STANDARD["sk_biopsy"]
    assert stored_keys(ReadingKeys(keys=keys).changed) == keys


def test_only_the_keys_for_both_in_one_may_be_left_empty() -> None:
    without = {**STANDARD, **dict.fromkeys(BOTH_IN_ONE, "")}
    assert parse_keys(without, single_keys=True, pause="").keys == without
    with pytest.raises(InvalidInput):
        parse_keys({**STANDARD, "peek": ""}, single_keys=True, pause="")
