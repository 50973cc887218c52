"""Take the refusals away one by one, and see whether a test misses each (S7).

A mutant is a copy of the project in which one `raise` of the permissions (app/web) or one RAISE
EXCEPTION of the database's guards does nothing. Tests run until the first failure; a mutant that
passes them all has survived, and a test is wanting. Minutes a mutant: it is no part of the tests.

    python -m tests.mutants --list
    python -m tests.mutants --only guard_reading
    python -m tests.mutants --sample 10 --seed 1
"""

import argparse
import ast
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PERMISSIONS = ("app/web/access.py", "app/web/api_access.py")
# Whose refusals are put to the test: triggers that guard, and the roads to what is guarded.
GUARDING = re.compile(r"guard|check_|reveal|refuse|erase|apply_|amend|release")
OF_PERMISSIONS = [
    "tests/access/test_matrix.py",
    "tests/access/test_api.py",
    "tests/access/test_second_factor.py",
    "tests/access/test_password_again.py",
    "tests/web/test_watching.py",
]
OF_GUARDS = [
    "tests/reading",
    "tests/database/test_append_only.py",
    "tests/database/test_study_life.py",
    "tests/database/test_people.py",
    "tests/database/test_release.py",
    "tests/database/test_rights.py",
    "tests/database/test_seen_before.py",
    "tests/database/test_erasure.py",
    "tests/database/test_audit.py",
    "tests/access/test_second_factor.py",
    "tests/access/test_passkeys.py",
    "tests/access/test_api.py",
    "tests/access/test_lost_password.py",
    "tests/web/test_corrections.py",
    "tests/web/test_design_page.py",
]
_FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(.*?\$\$(.*?)\$\$;", re.DOTALL | re.IGNORECASE
)
_RAISE = re.compile(r"RAISE EXCEPTION (?:'(?:[^']|'')*'|[^';])*;")


@dataclass(frozen=True)
class Mutant:
    """One refusal that is taken away: the characters of a file, and what stands there instead."""

    name: str
    path: str
    start: int
    end: int
    instead: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Write it into a copy of the project."""
        file = root / self.path
        text = file.read_text(encoding="utf-8")
        file.write_text(text[: self.start] + self.instead + text[self.end :], encoding="utf-8")


def of_permissions() -> Iterator[Mutant]:
    """Every `raise` of the modules that say who may call what."""
    for path in PERMISSIONS:
        text = (ROOT / path).read_text(encoding="utf-8")
        starts = [0]
        for line in text.splitlines(keepends=True):
            starts.append(starts[-1] + len(line))
        for function in ast.walk(ast.parse(text)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Raise) and node.end_lineno and node.end_col_offset:
                    start = starts[node.lineno - 1] + node.col_offset
                    end = starts[node.end_lineno - 1] + node.end_col_offset
                    name = f"{path}:{node.lineno} {function.name}"
                    yield Mutant(name, path, start, end, "pass", tuple(OF_PERMISSIONS))


def of_guards() -> Iterator[Mutant]:
    """Every RAISE EXCEPTION in the newest definition of each guarding function."""
    newest: dict[str, tuple[str, int, str]] = {}
    for file in sorted((ROOT / "migrations" / "versions").glob("*.sql")):
        for found in _FUNCTION.finditer(file.read_text(encoding="utf-8")):
            newest[found[1]] = (str(file.relative_to(ROOT)), found.start(2), found[2])
    for function, (path, offset, body) in sorted(newest.items()):
        if GUARDING.search(function):
            for number, found in enumerate(_RAISE.finditer(body), start=1):
                name = f"{function} {number}: {' '.join(found[0].split())[16:76]}"
                start, end = offset + found.start(), offset + found.end()
                yield Mutant(name, path, start, end, "NULL;", tuple(OF_GUARDS))


def verdict(mutant: Mutant, tests: Iterable[str]) -> tuple[str, str]:
    """Run the tests on a copy; "killed" and by which, "survived", or "broken"."""
    with tempfile.TemporaryDirectory(prefix="reread-mutant-") as folder:
        copy = Path(folder)
        copy.chmod(0o755)
        for kept in ("app", "models", "migrations", "templates", "static", "tests", "docs", "demo"):
            shutil.copytree(
                ROOT / kept,
                copy / kept,
                ignore=shutil.ignore_patterns("__pycache__", "images"),
            )
        shutil.copy(ROOT / "pyproject.toml", copy)
        mutant.apply(copy)
        there = [test for test in tests if (copy / test.split("::")[0]).exists()]
        done = subprocess.run(  # noqa: S603 - our own tests
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", *there],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return "survived", ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return (
        ("killed", failed[1]) if failed and done.returncode == 1 else ("broken", done.stdout[-800:])
    )


def main() -> int:
    """Run the mutants that were asked for; exit status 1 where one survived or broke."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="a part of the mutants' names")
    parser.add_argument("--sample", type=int, help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tests", nargs="+", help="these tests instead of the mutant's own")
    parser.add_argument("--list", action="store_true", help="name them and run nothing")
    asked = parser.parse_args()
    mutants = [m for m in (*of_permissions(), *of_guards()) if asked.only in m.name]
    if asked.sample:
        chosen = random.Random(asked.seed).sample(mutants, min(asked.sample, len(mutants)))  # noqa: S311
        mutants = [m for m in mutants if m in chosen]
    if asked.list:
        print(*(m.name for m in mutants), sep="\n")
        return 0
    found: dict[str, int] = {"killed": 0, "survived": 0, "broken": 0}
    for mutant in mutants:
        began = time.monotonic()
        word, by = verdict(mutant, asked.tests or mutant.tests)
        found[word] += 1
        print(f"{word:9} {mutant.name}  [{time.monotonic() - began:.0f} s] {by}", flush=True)
    print(", ".join(f"{word} {count}" for word, count in found.items()))
    return 1 if found["survived"] + found["broken"] else 0


if __name__ == "__main__":
    sys.exit(main())
