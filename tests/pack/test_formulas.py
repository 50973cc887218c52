"""No cell of an exported table is a formula to a spreadsheet, and numbers stay numbers (I4)."""

import csv
import io
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
