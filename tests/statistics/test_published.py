"""The audit of published tables finds what is known of the paper's."""

from pathlib import Path

import pytest
from study_cast import analysed, rows_of_calls

from app.actions.audit_table import as_lines, audit_table
from app.actions.published_table import read_table
from app.domain.errors import InvalidInput
from app.statistics.published import Counts, PublishedRow, audit_nri, audit_row, tables_that_fit
from app.statistics.published_change import (
    CALLS,
    REFITTED,
    REFITTED_CUT,
    PublishedChange,
    audit_change,
)

PAPER_TABLE = Path(__file__).resolve().parents[2] / "docs" / "paper-table.csv"

NAMES = ("sensitivity", "specificity", "ppv", "npv", "auc")
PAPER = {
    "model": (".92", ".51", ".92", ".52", ".71"),
    "1 unaided": (".85", ".66", ".94", ".42", ".75"),
    "1 aided": (".93", ".72", ".95", ".61", ".82"),
    "2 unaided": (".91", ".66", ".94", ".56", ".79"),
    "2 aided": (".95", ".69", ".95", ".67", ".82"),
}
ROWS = tuple(
    PublishedRow(name, dict(zip(NAMES, figures, strict=True))) for name, figures in PAPER.items()
)


def test_the_papers_rows_fit_608_sk_and_99_bcc() -> None:
    found = {row.name: audit_row(row, 608, 99).tables for row in ROWS}
    assert found == {
        "model": (Counts(561, 47, 50, 49), Counts(562, 46, 50, 49)),
        "1 unaided": (Counts(517, 91, 65, 34), Counts(518, 90, 65, 34)),
        "1 aided": (Counts(563, 45, 71, 28),),
        "2 unaided": (Counts(556, 52, 65, 34),),
        "2 aided": (Counts(575, 33, 68, 31),),
    }


def test_the_stated_610_and_97_admit_no_table_for_reader_2() -> None:
    audits = {row.name: audit_row(row, 610, 97) for row in ROWS}
    assert not all(audits[name].tables for name in ("2 unaided", "2 aided"))
    for audit in audits.values():
        assert bool(audit.tables) != bool(audit.contradicting)


def test_p_006_cannot_belong_to_an_nri_of_64() -> None:
    audit = audit_nri(0.64, 0.006, 608, 99)
    assert audit.largest_se == pytest.approx(0.108, abs=5e-4)
    assert not audit.possible
    assert audit_nri(0.06, 0.049, 608, 99).possible


def test_the_audit_of_the_papers_file_speaks_in_sentences() -> None:
    table = read_table(PAPER_TABLE)
    assert {row.name.removeprefix("reader "): row.figures for row in table.rows} == {
        row.name: row.figures for row in ROWS
    }
    stated = audit_table(table, positives=610, negatives=97)
    assert stated.sizes == ((608, 99),)
    said = "\n".join(as_lines(stated))
    assert "reader 2 unaided: NO TABLE gives all its figures." in said
    assert "without npv; or auc." in said
    assert "cannot be looked at: a row has no table" in said


def test_the_papers_nri_and_idi_are_those_of_refitted_calls() -> None:
    first, second = audit_table(read_table(PAPER_TABLE), positives=608, negatives=99).changes
    assert [reading.input for reading in first.nri if reading.agrees] == [REFITTED_CUT]
    assert [reading.input for reading in first.idi if reading.agrees] == [REFITTED]
    assert [reading.input for reading in second.idi if reading.agrees] == [REFITTED]
    assert first.p is not None
    assert second.p is not None
    assert (first.p.possible, second.p.possible) == (False, True)


@pytest.mark.parametrize("reader", [0, 1])
def test_what_two_tables_give_is_what_the_analysis_of_their_calls_gives(reader: int) -> None:
    """The joint table of the two arms does not matter to any of the four numbers."""
    before, after = (
        [(517, 91, 65, 34), (563, 45, 71, 28)],
        [(556, 52, 65, 34), (575, 33, 68, 31)],
    )[reader]
    found = analysed([*rows_of_calls("1", before, after)], positive="SK").readers[0].comparison
    assert found is not None
    change = PublishedChange("b", "a", "0", None, "0")
    tables = (Counts(*before),), (Counts(*after),)
    audit = audit_change(change, *tables, positives=608, negatives=99)
    of = {reading.input: reading.low for reading in audit.nri}
    assert of[CALLS] == pytest.approx(found.nri.calls.value, abs=1e-12)
    assert of[REFITTED_CUT] == pytest.approx(found.nri.refitted.value, abs=1e-12)
    of = {reading.input: reading.low for reading in audit.idi}
    assert of[CALLS] == pytest.approx(found.idi.calls.value, abs=1e-12)
    assert of[REFITTED] == pytest.approx(found.idi.refitted.value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("row,sensitivity\na,92\n", "column sensitivity: 92 cannot be one"),
        ("row,sensitivity\na,-.9\n", "column sensitivity: -.9 cannot be one"),
        ("row,sensitivity,nri_p\na,.9,< .001\n", "column nri_p: < .001 cannot be one"),
        ("row,sens\na,.9\n", "each column of the header has to be one of"),
        ("row,ppv\na,.9\na,.8\n", "a second row named a"),
        ("row,ppv,nri\na,.9,.1\n", "name the row it is compared with"),
        ("row,ppv,against\na,.9,b\n", "compared with b, which is no row"),
        ("row,ppv\n", "holds no row"),
        ("row,ppv\na,.9,.9\n", "more cells than columns"),
        ("row,ppv,nri\na,,\nb,,\n", "prints none of"),
    ],
)
def test_a_table_that_cannot_be_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    source = tmp_path / "bad.csv"
    source.write_text(text)
    with pytest.raises(InvalidInput, match=sentence):
        read_table(source)


def test_an_unknown_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="is not one of"):
        tables_that_fit({"f1": "0.9"}, 10, 10)
    with pytest.raises(InvalidInput, match="at least one case"):
        audit_table(read_table(PAPER_TABLE), positives=0, negatives=9)
    with pytest.raises(InvalidInput, match="not audited"):
        audit_table(read_table(PAPER_TABLE), positives=9000, negatives=9)
