"""docs/security.md says only what is there: every test it names exists and proves that id."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()
IDS = {
    f"{letter}{number}"
    for letter, last in {"D": 14, "B": 11, "A": 15, "I": 8, "F": 16, "R": 6, "P": 8, "L": 8,
                         "S": 7, "X": 3}.items()
    for number in range(1, last + 1)
}  # fmt: skip


def rows() -> list[tuple[list[str], str]]:
    """(ids, what is said of them today) of every row of the page's tables."""
    found = re.findall(r"^\| ([A-Z]\d[^|]*) \|[^|]*\| (.*) \|$", PAGE, flags=re.MULTILINE)
    return [(ids.split(", "), today) for ids, today in found]


def test_every_requirement_stands_on_the_page_once() -> None:
    named = [identifier for ids, _ in rows() for identifier in ids]
    assert sorted(named) == sorted(IDS)


PROOFS = [
    (ids, path, name)
    for ids, today in rows()
    for path, name in re.findall(r"`([a-z]+/test_\w+\.py)(?:::(\w+))?`", today)
]


@pytest.mark.parametrize(("ids", "path", "name"), PROOFS, ids=str)
def test_every_test_the_page_names_exists_and_carries_the_id(
    ids: list[str], path: str, name: str
) -> None:
    tests = set(re.findall(r"^def (test_\w+)\(", (TESTS / path).read_text(), flags=re.MULTILINE))
    if name:
        assert name in tests
        return
    marks = {mark for test in tests for mark in re.findall(r"(?<=_)[a-z]\d+(?=_)", test)}
    proven = {identifier.lower() for identifier in ids} & marks
    in_module = path.startswith(("importing/",))  # its tests say what they try, in plain words
    assert proven or in_module


def test_a_row_claims_a_proof_or_says_not_yet() -> None:
    silent = [
        ids
        for ids, today in rows()
        if "`" not in today and "not" not in today.lower() and "see [" not in today
    ]
    assert silent == []
