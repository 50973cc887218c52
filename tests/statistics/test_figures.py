"""Figures: readable, labelled, the same bytes each time, harmless as an <img>."""

from xml.etree import ElementTree as ET

import pytest
from reference_data import FOLDER
from study_cast import analysed, random_rows, rows_of_calls

from app.actions.analyse_file import AnalysisOptions
from app.actions.plan_power import as_lines, pilot_from_file, plan_power
from app.domain.errors import InvalidInput
from app.statistics.figures import Form, roc_figure
from app.statistics.flow_figure import reclassification_figure
from app.statistics.study_figures import (
    averaged_roc_figure,
    bars_figure,
    forest_figure,
    power_figure,
)
from app.statistics.table import table_from_rows

TABLE = table_from_rows(random_rows())


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_the_same_readings_give_the_same_bytes(form: Form) -> None:
    first = roc_figure(TABLE, "R0", form=form)
    assert first == roc_figure(TABLE, "R0", form=form)
    assert first[:4] in {b"<?xm", b"%PDF", b"\x89PNG"}


def test_an_svg_carries_no_script_and_no_date() -> None:
    svg = roc_figure(TABLE, "R1").decode()
    root = ET.fromstring(svg)  # noqa: S314 - our own bytes
    assert root.tag.endswith("svg")
    assert "<script" not in svg
    assert "dc:date" not in svg
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]


def test_readers_with_calls_only_get_their_operating_points() -> None:
    table = table_from_rows([*rows_of_calls("1", (5, 1, 4, 2), (6, 0, 3, 3))])
    assert roc_figure(table, "1", positive="SK").startswith(b"<?xml")


def test_an_unknown_reader_is_refused() -> None:
    with pytest.raises(ValueError, match="no reader Nobody"):
        roc_figure(TABLE, "Nobody")


def test_every_figure_of_a_study_is_drawn_the_same_twice() -> None:
    study = analysed(random_rows(4))
    for draw in (
        lambda: averaged_roc_figure(TABLE),
        lambda: forest_figure(study),
        lambda: bars_figure(study),
        lambda: reclassification_figure(study, "R0"),
    ):
        svg = draw()
        assert svg == draw()
        assert b"<script" not in svg


def test_the_flow_of_calls_carries_its_counts() -> None:
    rows = [*rows_of_calls("1", (517, 91, 65, 34), (563, 45, 71, 28))]
    svg = reclassification_figure(analysed(rows, positive="SK"), "1", form="pdf")
    assert svg.startswith(b"%PDF")
    with pytest.raises(ValueError, match="no calls in both"):
        reclassification_figure(analysed(rows, positive="SK"), "2")


def test_forest_and_bars_serve_a_single_reader_and_modality() -> None:
    one = [row for row in random_rows(1) if row[3] == "unaided"]
    assert bars_figure(analysed(one)).startswith(b"<?xml")
    assert forest_figure(analysed(one)).startswith(b"<?xml")


def test_power_is_drawn_and_told_from_the_pilot() -> None:
    pilot, difference = pilot_from_file(
        FOLDER / "data" / "VanDyke.csv", AnalysisOptions(bootstrap=0)
    )
    plan = plan_power(pilot, difference=difference, readers=(4, 6), cases=(100, 251))
    assert plan.table[1][1].power == pytest.approx(0.8005403, abs=5e-7)
    assert plan.needed[1] == 251
    assert "0.8005" in as_lines(plan)[3] + as_lines(plan)[4]
    assert power_figure(plan.table).startswith(b"<?xml")
    with pytest.raises(InvalidInput, match="two readers"):
        plan_power(pilot, difference=0.05, readers=(1,), cases=(100,))
