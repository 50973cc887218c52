"""No cell of an exported table is a formula to a spreadsheet, and numbers stay numbers (I4)."""

import csv
import io
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.actions.export_study import FORMULA, safe_cell, table_csv

HOSTILE = [
    '=HYPERLINK("http://x.example","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1+1",
]


SOFFICE = shutil.which("soffice")


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("text", HOSTILE)
def test_i4_text_that_begins_like_a_formula_is_text_in_the_file(text: str) -> None:
    written = io.StringIO(table_csv(["text"], [[text]]).decode(), newline="")
    assert list(csv.reader(written)) == [["text"], [f"'{text}"]]


@pytest.mark.parametrize("text", ["seen\r=1+1", "seen\r\n=1+1", "seen\n=1+1"])
def test_i4_a_line_break_within_a_cell_begins_no_row(text: str) -> None:
    """Bare, a carriage return ends the row for a spreadsheet, and a formula would begin another."""
    written = table_csv(["text"], [[text]])
    assert written == f'text\n"{text}"\n'.encode()


@given(st.text())
def test_i4_whatever_the_text_no_formula_begins_and_nothing_else_changes(text: str) -> None:
    cell = str(safe_cell(text))
    assert not cell.startswith(FORMULA)
    assert cell.removeprefix("'") == text or cell == text


@given(st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_i4_a_number_stays_the_number_it_is(number: float) -> None:
    assert safe_cell(number) == number
    assert is_number(str(safe_cell(number)))


def test_i4_no_cell_of_a_whole_pack_begins_a_formula(folder: Path) -> None:
    cells = [
        (path.name, cell)
        for path in folder.rglob("*.csv")
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        for cell in row
    ]
    assert len(cells) > 500
    assert [(n, c) for n, c in cells if c.startswith(FORMULA) and not is_number(c)] == []


def opened(files: list[Path], into: Path) -> dict[str, tuple[int, int]]:
    """What LibreOffice makes of each file: cells that are formulas, and cells that are numbers."""
    command = [
        SOFFICE, "--headless", f"-env:UserInstallation={(into / 'profile').as_uri()}",
        "--convert-to", "fods", "--infilter=CSV:44,34,76,1", "--outdir", str(into),
        *map(str, files),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=540)  # noqa: S603 - a program
    found: dict[str, tuple[int, int]] = {}
    for path in files:
        sheet = (into / path.with_suffix(".fods").name).read_text(encoding="utf-8")
        found[path.name] = sheet.count("table:formula="), sheet.count('office:value-type="float"')
    return found


@pytest.mark.skipif(SOFFICE is None, reason="no LibreOffice: a spreadsheet program was NOT tried")
def test_i4_a_spreadsheet_program_opens_every_table_without_a_formula(
    folder: Path, tmp_path: Path
) -> None:
    plain, ours = tmp_path / "plain.csv", tmp_path / "ours.csv"
    rows = [[text, number] for number, text in enumerate(HOSTILE)]
    with plain.open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    ours.write_bytes(table_csv(["text", "number"], rows))
    flat = tmp_path / "tables"
    flat.mkdir()
    tables = [
        Path(shutil.copy(path, flat / f"{number}-{path.name}"))
        for number, path in enumerate(sorted(folder.rglob("*.csv")))
    ]
    assert len(tables) >= 5
    found = opened([plain, ours, *tables], tmp_path)
    assert found.pop("plain.csv")[0] >= 1, "the control: it does make formulas of such cells"
    assert found["ours.csv"] == (0, len(HOSTILE))
    assert {name: formulas for name, (formulas, _numbers) in found.items() if formulas} == {}
    assert sum(numbers for _formulas, numbers in found.values()) > 100, "numbers stay numbers"
