"""Figures: readable, labelled, the same bytes each time, harmless as an <img>."""

from xml.etree import ElementTree as ET

import pytest
from study_cast import random_rows, rows_of_calls

from app.statistics.figures import Form, roc_figure
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
