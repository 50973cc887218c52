"""The pack in each of the four designs: proven, told in the methods, and loaded by R and Python."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.actions.verify_pack import verify_pack
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.pack.forging import Forgery, Rows
from tests.pack.test_pack import RSCRIPT, areas_of, loaded
from tests.reading.designs import DESIGNS, opened, simulate
from tests.reading.steps import correct, exclude, unblind

SAID = {
    "sequential": "The study was sequential.",
    "hidden_share": "drawn beforehand and not told",
    "crossover": "at least 28 days apart",
    "parallel": "parallel arms",
}


@pytest.mark.parametrize("name", DESIGNS)
def test_x1_in_every_design_the_pack_holds_and_r_and_python_give_our_areas(
    draft: Cast, name: str, tmp_path: Path
) -> None:
    cast = opened(draft, replace(DESIGNS[name], repeats=2), training=2)
    simulate(cast)
    exclude(cast)
    correct(cast, phase="aided")
    unblind(cast)
    head = export(cast, tmp_path / "pack")
    folder = tmp_path / "pack"
    assert verify_pack(folder, anchors=[head]).problems == ()

    areas = {key: area for key, area in areas_of(folder).items() if area is not None}
    assert areas
    programs = {"load.py": (sys.executable, "-I", "-S", "load.py")}
    if RSCRIPT is not None:
        programs["load.R"] = (RSCRIPT, "--vanilla", "load.R")
    for program, command in programs.items():
        found = loaded(*command, folder=folder)
        assert found == pytest.approx(areas, abs=1e-9), program

    text = (folder / "methods.md").read_text()
    for said in (SAID[name], "2 cases were read twice", "2 cases of these served for training",
                 "simulated readings", "was excluded: ", "A reading was corrected: "):  # fmt: skip
        assert said in text, said
    settings = json.loads((folder / "study.json").read_text())
    assert len(settings["protocol_versions"]) >= 2, "the opening and the exclusion"
    assert len(settings["exclusions"]) == len(settings["corrections"]) == 1

    forgery = Forgery(folder, tmp_path)

    def hide_the_correction(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["not_counted_because"] != "correction_not_used"]

    forgery.rewrite("readings_not_counted.csv", hide_the_correction)
    forgery.remake_export()
    assert any(
        problem.startswith("readings_not_counted.csv: ")
        for problem in verify_pack(forgery.folder).problems
    )
    shutil.rmtree(forgery.folder)
