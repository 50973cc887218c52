"""Each requirement of trust has a test with its id in the name, or a reason why not."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.mutants_by_hand import MUTANTS, ByHand

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
REQUIREMENTS, REASONS = TEXT.split("## Without a test of its own")

# How many requirements each group has: a line that is lost is missed.
GROUPS = {"D": 14, "B": 11, "A": 15, "I": 8, "F": 16, "R": 6, "P": 8, "L": 8, "S": 7, "X": 3}
IDS = [f"{group}{number}" for group, last in GROUPS.items() for number in range(1, last + 1)]
NAMED = re.compile(r"`([a-z]+/test_\w+\.py)(?:::(\w+))?`")


def rows(text: str) -> list[list[str]]:
    """The cells of every row of a table that begins with an id."""
    found = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row] for row in found if re.match(r"\s*[A-Z]\d", row[0])]


@cache
def functions_of(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return frozenset(name for name in names if name.startswith("test_"))


def ids_of(test: str) -> list[str]:
    """The ids at the beginning of a test's name: test_d5_f2_a_form ... -> D5, F2."""
    found = re.match(r"test_((?:[a-z]\d+_)+)", test)
    return [part.upper() for part in found[1].strip("_").split("_")] if found else []


def proven() -> dict[str, set[str]]:
    """Id -> the tests that carry it."""
    carried: dict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for test in functions_of(path):
            for name in ids_of(test):
                carried[name].add(f"{path.relative_to(TESTS)}::{test}")
    return dict(carried)


def test_every_requirement_has_its_line() -> None:
    assert [row[0] for row in rows(REQUIREMENTS)] == sorted(
        IDS, key=lambda name: ("DBAIFRPLSX".index(name[0]), int(name[1:]))
    )
    assert all(len(row) == 3 and all(row) for row in rows(REQUIREMENTS))


def test_every_requirement_has_a_test_or_a_reason_and_not_both() -> None:
    reasons = [row[0] for row in rows(REASONS)]
    assert len(reasons) == len(set(reasons)), "a reason is given twice"
    assert all(len(row) == 2 and len(row[1]) > 5 for row in rows(REASONS))
    tested = proven()
    assert [name for name in IDS if name not in tested and name not in reasons] == []
    assert [name for name in reasons if name in tested] == [], "it has a test: take the reason out"


def test_no_test_carries_an_id_that_is_none() -> None:
    assert {name: tests for name, tests in proven().items() if name not in IDS} == {}


@pytest.mark.parametrize(
    ("name", "line"), [(row[0], row[2]) for row in rows(REQUIREMENTS)], ids=IDS
)
def test_the_tests_a_line_names_are_there_and_carry_its_id(name: str, line: str) -> None:
    for file, test in NAMED.findall(line):
        assert (TESTS / file).is_file(), file
        if test:
            assert test in functions_of(TESTS / file), f"{file}::{test}"
        carrying = [one for one in functions_of(TESTS / file) if name in ids_of(one)]
        assert carrying, f"no test of {file} carries {name}"


def test_every_file_of_tests_that_the_document_names_exists() -> None:
    named = NAMED.findall(TEXT)
    assert len(named) > 80
    assert [file for file, _test in named if not (TESTS / file).is_file()] == []


def test_every_test_that_a_page_of_the_manual_names_exists() -> None:
    named = [
        (page.name, file, test)
        for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
        for file, test in re.findall(
            r"`(?:tests/)?([a-z]+/test_\w+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8")
        )
    ]
    assert len({page for page, _file, _test in named}) >= 4, "the pages do name tests"
    assert [
        (page, file, test)
        for page, file, test in named
        if not (TESTS / file).is_file() or (test and test not in functions_of(TESTS / file))
    ] == []


def test_every_id_of_the_threat_model_is_a_requirement() -> None:
    text = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = set(re.findall(rf"\b[{''.join(GROUPS)}]\d{{1,2}}\b", text))
    assert len(named) > 30
    assert named - set(IDS) == set()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_s7_a_change_that_is_made_on_purpose_still_fits_and_its_test_is_there(
    mutant: ByHand,
) -> None:
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1
    assert text.replace(mutant.before, mutant.after) != text
    file, _, test = mutant.test.partition("::")
    assert not test or test in functions_of(ROOT / file)
    assert (ROOT / file).is_file()


VALIDATION = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
CLAUSES = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in VALIDATION.splitlines()
    if re.match(r"\| \d", line)
]


def test_every_clause_has_a_test_that_exists_or_says_whose_it_is() -> None:
    assert len(CLAUSES) == 17 + 17 + 17
    for clause in CLAUSES:
        named = NAMED.findall(clause[-1])
        assert len(clause) == 4
        assert named or "**yours**" in clause[-1] or "**not met**" in clause[-1], clause[0]
        for file, test in named:
            assert test, f"{clause[0]} names a file and no test of it"
            assert test in functions_of(TESTS / file), f"{clause[0]}: {file}::{test}"
