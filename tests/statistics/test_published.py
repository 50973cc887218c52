"""The audit of published tables finds what is known of the paper's."""

from pathlib import Path

import pytest

from app.actions.audit_table import as_lines, audit_table, read_rows
from app.domain.errors import InvalidInput
from app.statistics.published import Counts, PublishedRow, audit_nri, audit_row, tables_that_fit

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


def test_the_audit_of_a_file_speaks_in_sentences(tmp_path: Path) -> None:
    source = tmp_path / "paper.csv"
    lines = [f"{name},{','.join(figures)}" for name, figures in PAPER.items()]
    source.write_text("\n".join([f"row,{','.join(NAMES)}", *lines]) + "\n")
    audits, sizes = audit_table(read_rows(source), positives=610, negatives=97)
    assert sizes is not None
    assert (608, 99) in sizes
    assert (610, 97) not in sizes
    assert any("no table of 610 positive" in line for line in as_lines(audits, sizes))


def test_an_impossible_share_or_an_unknown_figure_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "bad.csv"
    source.write_text("row,sensitivity\na,92\n")
    with pytest.raises(InvalidInput, match="column sensitivity: 92 is no share"):
        read_rows(source)
    with pytest.raises(ValueError, match="is not one of"):
        tables_that_fit({"f1": "0.9"}, 10, 10)
