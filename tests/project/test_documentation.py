"""The manual knows every setting, command, column and decision, and nothing that is not there."""

import argparse
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import build_parser
from app.actions.export_study import COLUMNS
from app.actions.pack.codebook import TABLES
from app.actions.pack.readme import FILES
from app.domain.case_columns import FORMATS
from app.domain.counted import MEANING
from app.domain.readings_file import parse_readings
from app.settings import KNOWN

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MANUAL = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])


def table(text: str) -> list[list[str]]:
    """The cells of every row that begins with a name in backticks."""
    return [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| `")
    ]


def commands() -> dict[str, argparse.ArgumentParser]:
    for action in build_parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("reread has no commands")


def sections(text: str) -> dict[str, str]:
    parts = re.split(r"^## reread (\S+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_setting_is_in_the_manual_as_the_program_explains_it() -> None:
    assert dict(table((DOCS / "settings.md").read_text())) == KNOWN


def test_every_command_has_its_section_in_the_manual() -> None:
    assert set(sections((DOCS / "commands.md").read_text())) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_option_of_a_command_is_explained(name: str) -> None:
    text = (DOCS / "commands.md").read_text()
    section = sections(text)[name]
    options = [
        option
        for action in commands()[name]._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    ]
    # What several commands share is explained once, above the first.
    shared = text.split("\n## ")[0]
    assert [option for option in options if option not in section + shared] == []


def examples() -> list[str]:
    """What stands after `reread` in a line of a shell, of cron, of a unit or of Compose."""
    found = [
        match[1]
        for path in MANUAL
        for line in path.read_text().splitlines()
        if (match := re.match(r" {4,}(?:.*[\s/=])?reread(?:-administrator)? ([a-z].*)", line))
    ]
    assert found
    return sorted(set(found))


@pytest.mark.parametrize("line", examples())
def test_an_example_is_understood_by_the_command_line(line: str) -> None:
    build_parser().parse_args(shlex.split(re.sub(r"\$\(.*?\)", "DATE", line)))


def mentions() -> list[tuple[str, str]]:
    """Every command that a sentence of the manual names, with what it says after it."""
    found = [
        match
        for path in MANUAL
        for match in re.findall(r"`reread ([a-z][a-z-]*)([^`]*)`", path.read_text())
    ]
    assert len(found) > 50
    return sorted(set(found))


@pytest.mark.parametrize(("name", "rest"), mentions())
def test_a_command_in_a_sentence_and_its_options_exist(name: str, rest: str) -> None:
    assert name in commands()
    assert set(re.findall(r"--[a-z-]+", rest)) <= set(commands()[name]._option_string_actions)


def test_every_make_target_of_the_manual_exists() -> None:
    made = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    said = {
        target
        for path in MANUAL
        for target in re.findall(r"(?:^ {4,}|`)make ([a-z-]+)", path.read_text(), re.MULTILINE)
    }
    assert said
    assert said - made == set()


def test_readings_csv_is_in_the_manual_as_it_is_written() -> None:
    described = [tuple(row) for row in table((DOCS / "readings-file.md").read_text())]
    assert described[: len(COLUMNS)] == [(c.name, c.meaning, c.values) for c in COLUMNS]


def test_every_reason_for_not_counting_is_in_the_manual_as_the_codebook_has_it() -> None:
    text = (DOCS / "readings-file.md").read_text()
    section = re.split(r"^## readings_not_counted\.csv$", text, flags=re.MULTILINE)[1]
    assert [tuple(row) for row in table(section)][: len(MEANING)] == list(MEANING.items())


def test_every_table_of_a_pack_is_in_the_manual_as_it_is_written() -> None:
    text = (DOCS / "export.md").read_text()
    parts = re.split(r"^### (\S+)$", text, flags=re.MULTILINE)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    for name, columns in TABLES.items():
        if name != "readings.csv":
            found = [tuple(row) for row in table(sections[name])]
            assert found[: len(columns)] == list(columns), name


def test_every_file_of_a_pack_is_in_the_manual_as_its_readme_explains_it() -> None:
    listed = [tuple(row) for row in table((DOCS / "export.md").read_text().split("\n## ")[0])]
    assert [(name, what) for name, what, *_ in listed] == list(FILES.items())


def test_every_column_of_a_case_file_is_in_the_manual() -> None:
    text = (DOCS / "case-file.md").read_text()
    for columns in FORMATS:
        numbered = {name for name in columns.names if re.fullmatch(r"diagnosis_[2-4]", name)}
        missing = [name for name in columns.names - numbered if f"`{name}`" not in text]
        assert missing == [], columns.format


def test_every_decision_is_listed_and_has_its_four_parts() -> None:
    listed = set(re.findall(r"\]\((\d{4}-[^)]+)\)", (DOCS / "adr" / "README.md").read_text()))
    there = {path.name for path in (DOCS / "adr").glob("[0-9]*.md")}
    assert listed == there
    for name in sorted(there):
        parts = re.findall(r"^## (.+)$", (DOCS / "adr" / name).read_text(), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Alternatives"], name


@pytest.mark.parametrize("path", MANUAL, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_inside_the_project_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_test_the_protocol_names_exists() -> None:
    named = re.findall(r"(tests/\S+\.py)(?:::(\w+))?", (DOCS / "protocol.md").read_text())
    assert named
    for file, test in named:
        source = (ROOT / file).read_text()
        assert not test or f"def {test}(" in source, f"{file}::{test}"


def test_the_protocols_rules_stand_in_the_manual_as_the_tests_say_them() -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, DOCS / "protocol_rules.py", "--check"], check=False, timeout=60
    )
    assert done.returncode == 0, "run `python docs/protocol_rules.py`"


def test_every_guard_the_protocol_names_exists() -> None:
    schema = "".join(path.read_text() for path in sorted((ROOT / "migrations").rglob("*.sql")))
    text = (DOCS / "protocol.md").read_text()
    guards = set(re.findall(r"`(guard_\w+|no_\w+|reveal_ai|shown_ai|refuse_change)`", text))
    assert guards
    assert [guard for guard in sorted(guards) if not re.search(rf"\b{guard}\b", schema)] == []


def test_the_sample_readings_are_made_by_their_script_and_can_be_analysed() -> None:
    written = (DOCS / "sample-readings.csv").read_bytes()
    script = runpy.run_path(str(DOCS / "sample_readings.py"))
    assert script["sample"]().encode() == written
    file = parse_readings(written, file="sample-readings.csv")
    assert file.problems == ()
    assert len(file.readings) == 240
    assert file.simulated == {"R01", "R02"}
