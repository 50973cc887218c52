"""Imports point one way, and every dependency is declared and used."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent


def run(*command: str) -> str:
    """Run a program in the project's root; its output, or a failure that shows it."""
    done = subprocess.run(  # noqa: S603 - our own programs, named below
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_imports_follow_the_contracts_in_pyproject() -> None:
    assert "0 broken" in run(str(PROGRAMS / "lint-imports"), "--no-cache")


def test_every_dependency_is_declared_and_used() -> None:
    run(str(PROGRAMS / "deptry"), ".")


def test_the_web_application_and_the_command_line_start_without_torch() -> None:
    loaded = run(
        sys.executable,
        "-c",
        "import sys, app.main, app.__main__; print(*sorted(sys.modules))",
    ).split()
    assert "app.web.routes.reading_room" in loaded
    assert not {"torch", "torchvision", "open_clip", "models", "app.worker"} & set(loaded)


def test_an_analysis_from_a_file_waits_for_neither_the_web_nor_a_database() -> None:
    loaded = run(
        sys.executable,
        "-c",
        "import sys, app.actions.analyse_file; print(*sorted(sys.modules))",
    ).split()
    assert not {"torch", "psycopg", "fastapi", "sqlalchemy"} & set(loaded)
