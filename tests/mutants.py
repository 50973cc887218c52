"""Take the refusals away one by one, and see whether a test misses each (S7).

A mutant is the program with one `raise` of the permissions (app/web), or one RAISE EXCEPTION of the
database's guards, that does nothing. The tests run once as they are, and it is noted which of them
reach which refusal: only those can tell the mutant from the program. Then each mutant is put in the
place of the program, in the running session and its databases, for those tests alone; the first one
that fails has killed it. A mutant that no test reaches, or that they all pass, has survived, and a
test is wanting. It takes a while: it is no part of the tests.

    python -m tests.mutants --list
    python -m tests.mutants --only guard_reading
    python -m tests.mutants --note reached.json     (keeps what was reached, for further runs)
    python -m tests.mutants --reached reached.json
"""

import argparse
import ast
import importlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType

import psycopg
import pytest
from _pytest.runner import runtestprotocol

from app.db.functions import functions_as_written

ROOT = Path(__file__).resolve().parents[1]
PERMISSIONS = ("app/web/access.py", "app/web/api_access.py")
# Whose refusals are put to the test: triggers that guard, and the roads to what is guarded.
GUARDING = re.compile(r"guard|check_|reveal|refuse|erase|apply_|amend|release")
TESTS = [
    "tests/access/test_matrix.py",
    "tests/access/test_api.py",
    "tests/access/test_second_factor.py",
    "tests/access/test_password_again.py",
    "tests/web/test_watching.py",
    "tests/reading",
    "tests/database/test_append_only.py",
    "tests/database/test_study_life.py",
    "tests/database/test_people.py",
    "tests/database/test_release.py",
    "tests/database/test_rights.py",
    "tests/database/test_seen_before.py",
    "tests/database/test_erasure.py",
    "tests/database/test_audit.py",
    "tests/access/test_passkeys.py",
    "tests/access/test_lost_password.py",
    "tests/web/test_corrections.py",
    "tests/web/test_design_page.py",
    "tests/importing",
]
_RAISE = re.compile(r"RAISE EXCEPTION (?:'(?:[^']|'')*'|[^';])*;")


@dataclass(frozen=True)
class Mutant:
    """One refusal that is taken away: where it stands, and what is there instead of the whole."""

    name: str
    function: str
    line: int  # of the refusal, in the file or in the function's body
    module: str | None  # of a permission; None: a function of the database
    text: str  # the module, or the body of the function, as it is
    start: int
    end: int
    instead: str

    @property
    def key(self) -> str:
        """The place of the refusal."""
        return f"{self.module or 'database'} {self.function} {self.line}"

    def mutated(self) -> str:
        """The text with nothing where the refusal was."""
        return self.text[: self.start] + self.instead + self.text[self.end :]


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
                    yield Mutant(
                        name=f"{path}:{node.lineno} {function.name}",
                        function=function.name,
                        line=node.lineno,
                        module=path.removesuffix(".py").replace("/", "."),
                        text=text,
                        start=start,
                        end=end,
                        instead="pass",
                    )


def of_guards() -> Iterator[Mutant]:
    """Every RAISE EXCEPTION of each guarding function."""
    for function, body in sorted(functions_as_written().items()):
        if not GUARDING.search(function):
            continue
        for number, found in enumerate(_RAISE.finditer(body), start=1):
            yield Mutant(
                name=f"{function} {number}: {' '.join(found[0].split())[16:76]}",
                function=function,
                line=body.count("\n", 0, found.start()) + 1,
                module=None,
                text=body,
                start=found.start(),
                end=found.end(),
                instead="NULL;",
            )


# ---------------------------------------------------------------- who reaches what

_AT_RAISE = re.compile(r"PL/pgSQL function (?:\w+\.)?(\w+)\([^)]*\) line (\d+) at RAISE")


@dataclass(eq=False)
class Reaching:
    """A plugin of pytest that notes which tests reach which refusals."""

    mutants: list[Mutant]
    reached: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _test: str = ""

    def note(self, key: str) -> None:
        """The test that runs has reached a refusal."""
        if self._test not in self.reached[key]:
            self.reached[key].append(self._test)

    def pytest_sessionstart(self) -> None:
        """Listen to the errors that Postgres sends, and to the permissions."""
        made = psycopg.errors.error_from_result

        def listened(*given: object, **more: object) -> psycopg.Error:
            error = made(*given, **more)
            if (error.sqlstate or "").startswith("RR"):
                found = _AT_RAISE.search(error.diag.context or "")
                self.note(f"database {found[1]} {found[2]}" if found else "?")
            return error

        for module in [m for n, m in sys.modules.items() if n.startswith("psycopg")]:
            if getattr(module, "error_from_result", None) is made:
                module.error_from_result = listened  # type: ignore[attr-defined]
        for path in PERMISSIONS:
            module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
            module.note_refusal = self.note  # type: ignore[attr-defined]
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            replace_code(
                module.__name__, compile(_Noting(module.__name__).visit(tree), path, "exec")
            )

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test runs."""
        self._test = nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that fails as things are tells nothing of a mutant."""
        if report.failed:
            for tests in self.reached.values():
                if report.nodeid in tests:
                    tests.remove(report.nodeid)


class _Noting(ast.NodeTransformer):
    """Puts a note before every raise; lines stay as they are."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._function = ""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._within(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._within(node)

    def _within(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        outer, self._function = self._function, node.name
        self.generic_visit(node)
        self._function = outer
        return node

    def visit_Raise(self, node: ast.Raise) -> list[ast.stmt]:
        key = f"{self._module} {self._function} {node.lineno}"
        call = ast.parse(f"note_refusal({key!r})").body[0]
        return [ast.fix_missing_locations(ast.copy_location(call, node)), node]


def replace_code(module: str, code: CodeType) -> None:
    """Give the module's functions the compiled code; routes hold the functions themselves."""
    held = vars(importlib.import_module(module))
    for made in code.co_consts:
        function = held.get(getattr(made, "co_name", ""))
        if isinstance(made, CodeType) and isinstance(function, FunctionType):
            function.__code__ = made


# ---------------------------------------------------------------- one in the program's place


@dataclass(eq=False)
class Mutating:
    """A plugin of pytest that runs each test under each living mutant that it reaches."""

    mutants: list[Mutant]
    reached: dict[str, list[str]]
    killed: dict[str, str] = field(default_factory=dict)  # name of a mutant -> the test
    say: Callable[[str], None] = print
    _server: str = ""

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[str]) -> Generator[None, str, str]:
        """Learn where the session's server is."""
        made = yield
        if fixturedef.argname == "postgres":
            self._server = made
        return made

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave out what reaches no mutant."""
        items[:] = [item for item in items if any(self._reaches(item, m) for m in self.mutants)]

    def _reaches(self, item: pytest.Item, mutant: Mutant) -> bool:
        """A test may be named with its parameters or, by hand, without them."""
        tests = self.reached.get(mutant.key, ())
        return item.nodeid in tests or item.nodeid.partition("[")[0] in tests

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test once a mutant."""
        own = [m for m in self.mutants if m.name not in self.killed and self._reaches(item, m)]
        # As things are it passes; this also builds the databases that the mutants are put into.
        for mutant in own if own and self._run(item) else []:
            with self._in_place(mutant):
                passed = self._run(item)
            if not passed:
                self.killed[mutant.name] = item.nodeid
                self.say(f"killed    {mutant.name}  {item.nodeid}")
        item.session._setupstate.teardown_exact(nextitem)
        return True

    def _run(self, item: pytest.Item) -> bool:
        """Run it from its set-up to its end, as often as wanted; what its module made stays."""
        if hasattr(item, "_initrequest"):
            item._initrequest()
        reports = runtestprotocol(item, log=False, nextitem=item.parent)  # type: ignore[arg-type]
        return all(not report.failed for report in reports)

    @contextmanager
    def _in_place(self, mutant: Mutant) -> Iterator[None]:
        try:
            self._put(mutant, mutant.mutated())
            yield
        finally:
            self._put(mutant, mutant.text)

    def _put(self, mutant: Mutant, text: str) -> None:
        if mutant.module is not None:
            replace_code(mutant.module, compile(text, mutant.module, "exec"))
            return
        with psycopg.connect(self._server, autocommit=True) as server:
            names = server.execute("SELECT datname FROM pg_database WHERE datname <> 'template0'")
            held = [name for (name,) in names]
        for name in held:
            url = psycopg.conninfo.make_conninfo(self._server, dbname=name)
            with psycopg.connect(url, options="-c search_path=reread") as owner:
                self._write_anew(owner, mutant.function, text)

    def _write_anew(self, owner: psycopg.Connection, function: str, body: str) -> None:
        found = owner.execute(
            """SELECT pg_get_functiondef(p.oid), p.prosrc FROM pg_proc p
               JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'reread' AND p.proname = %s""",
            [function],
        ).fetchone()
        if found is not None:
            owner.execute(found[0].replace(found[1], body))


def main() -> int:
    """Run the mutants that were asked for; exit status 1 where one survived."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="a part of the mutants' names")
    parser.add_argument("--list", action="store_true", help="name them and run nothing")
    parser.add_argument("--note", type=Path, help="write here which test reaches which refusal")
    parser.add_argument("--reached", type=Path, nargs="+", help="read that instead of running them")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="these instead of all of them")
    asked = parser.parse_args()
    mutants = [m for m in (*of_permissions(), *of_guards()) if asked.only in m.name]
    if asked.list:
        print(*(m.name for m in mutants), sep="\n")
        return 0
    options = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
    if asked.reached:
        reached: dict[str, list[str]] = defaultdict(list)
        for file in asked.reached:
            for key, tests in json.loads(file.read_text(encoding="utf-8")).items():
                reached[key] += tests
    else:
        reaching = Reaching(mutants)
        pytest.main([*options, *asked.tests], plugins=[reaching])
        reached = reaching.reached
        if asked.note:
            asked.note.write_text(json.dumps(reached, indent=1), encoding="utf-8")
    mutating = Mutating(mutants, reached, say=lambda what: print(what, flush=True))
    files = {test.split("::")[0] for m in mutants for test in reached.get(m.key, ())}
    if files:
        pytest.main([*options, *sorted(files)], plugins=[mutating])
    survived = [m for m in mutants if m.name not in mutating.killed]
    for mutant in survived:
        by = reached.get(mutant.key, ())
        print(f"survived  {mutant.name}  reached by {len(by)} tests {' '.join(by[:3])}")
    print(f"killed {len(mutating.killed)}, survived {len(survived)}")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
