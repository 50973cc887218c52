"""The pack: complete, the same for the same study, whole or not there, and loaded elsewhere."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from app import __version__
from app.actions.export_pack import export_pack
from app.actions.verify_pack import verify_pack
from app.db.session import Connection, Role
from app.domain.allocation import ALGORITHM
from app.domain.errors import Conflict, InvalidInput
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.web.site import Site

RSCRIPT = shutil.which("Rscript")


@pytest.fixture(scope="module")
def packed(finished: Cast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("zip") / "pack.zip"
    export(finished, out)
    return out


def test_a_pack_holds_what_goes_with_a_manuscript(folder: Path) -> None:
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    files = {name for name in there if "/" not in name}
    assert files == {
        "README.md", "allocation.csv", "audit.jsonl", "cases.csv", "codebook.csv", "flow.md",
        "flow.svg", "load.R", "load.py", "manifest.json", "methods.md", "predictions.csv",
        "readers.csv", "readings-wide.csv", "readings_not_counted.csv",
        "readings.csv", "readings.imrmc", "report.html",
        "results.json", "study.json", "viewing.csv",
    }  # fmt: skip
    assert {name for name in there if name.startswith("overlays/")} == {
        f"overlays/0000{number}.png" for number in range(1, 7)
    }
    assert {"figures/forest.svg", "figures/forest.pdf", "figures/roc-R01.svg"} <= there


def test_an_untouched_pack_holds_and_says_what_was_checked(folder: Path, packed: Path) -> None:
    for path in (folder, packed):
        verdict = verify_pack(path)
        assert verdict.problems == ()
        said = "\n".join(verdict.checked)
        assert "21 rows of readings.csv against the log, cell by cell" in said
        assert "6 overlays against the log" in said
        assert "11 unaided calls, 10 reveals, 10 aided calls" in said
        assert "no anchor was given" in said


def test_f3_a_long_computation_does_not_end_the_exports_transaction(
    finished: Cast, tmp_path: Path
) -> None:
    def limit(connection: Connection) -> str:
        return connection.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0]

    with finished.begin(Role.ANALYST, finished.cora) as connection:
        before = limit(connection)
        export_pack(
            connection,
            study=finished.reload(),
            storage=finished.storage,
            path=tmp_path / "pack",
            overlays=True,
            by=finished.cora,
        )
        assert (before, limit(connection)) == ("2min", "30min")
    with finished.begin(Role.ANALYST, finished.cora) as connection:
        assert limit(connection) == "2min", "for this transaction alone"


def test_the_same_study_gives_the_same_bytes(finished: Cast, packed: Path, tmp_path: Path) -> None:
    head = export(finished, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == packed.read_bytes()
    assert verify_pack(packed, anchors=[head]).problems == ()


def test_a_zip_file_and_a_folder_hold_the_same(folder: Path, packed: Path) -> None:
    with zipfile.ZipFile(packed) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            top, _, name = entry.filename.partition("/")
            assert top == "bcc-sk"
            assert archive.read(entry) == (folder / name).read_bytes()
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_x2_results_name_the_data_the_seed_and_the_software(finished: Cast, folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    study = json.loads((folder / "study.json").read_text())["study"]
    assert manifest["data_sha256"] == finished.reload().data_sha256
    assert manifest["software_version"] == __version__
    assert (study["seed"], study["allocation_algorithm"]) == (1, ALGORITHM)
    readings = sha256((folder / "readings.csv").read_bytes()).hexdigest()
    assert json.loads((folder / "results.json").read_text())["data"]["sha256"] == readings
    last = (folder / "audit.jsonl").read_text().splitlines()[-1]
    assert manifest["head"] == "{seq}:{hash}".format(**json.loads(last))
    page = Site(finished).browser(finished.cora).get("/studies/bcc-sk/results").text
    for name, text in (
        ("methods.md", (folder / "methods.md").read_text()),
        ("report.html", (folder / "report.html").read_text()),
        ("the page", page),
    ):
        for said in (readings, manifest["data_sha256"], __version__):
            assert said in text, f"{name} does not name {said}"
        assert re.search(r"resamples[^.]*\bseed 1\b", text), name


def test_p5_a_pack_names_nobody(folder: Path) -> None:
    """Readers are R01, R02, ...; in the log people are ids."""
    texts = {
        path.name: path.read_text()
        for path in folder.rglob("*")
        if path.suffix in {".csv", ".json", ".jsonl", ".md", ".imrmc", ".html"}
    }
    assert '"invitation.insert"' in texts["audit.jsonl"]
    for name, text in texts.items():
        assert re.findall(r"@|\b(?:ruth|rita|rolf|cora)\b", text.lower()) == [], name


def test_a_pack_without_overlays_holds_too(finished: Cast, tmp_path: Path) -> None:
    export(finished, tmp_path / "bare.zip", overlays=False)
    verdict = verify_pack(tmp_path / "bare.zip")
    assert verdict.problems == ()
    with zipfile.ZipFile(tmp_path / "bare.zip") as archive:
        assert not [name for name in archive.namelist() if "overlays/" in name]


@pytest.mark.parametrize("deed", ["missing", "altered"])
def test_a_lost_overlay_refuses_the_pack_names_its_case_and_leaves_nothing(
    finished: Cast, tmp_path: Path, deed: str
) -> None:
    keys = list(Path(finished.storage._root).rglob("*.png"))
    kept = {path: path.read_bytes() for path in keys}
    try:
        for path in keys:
            path.unlink() if deed == "missing" else path.write_bytes(b"another")
        with pytest.raises(Conflict, match=r"The map of case c000, image 1 is (missing|not the)"):
            export(finished, tmp_path / "lost.zip")
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert list(tmp_path.iterdir()) == []


def test_the_pack_of_one_click_on_the_page_holds(finished: Cast, tmp_path: Path) -> None:
    answer = Site(finished).browser(finished.cora).get("/studies/bcc-sk/export/export.zip")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    (tmp_path / "downloaded.zip").write_bytes(answer.content)
    assert verify_pack(tmp_path / "downloaded.zip").problems == ()


def test_nothing_that_is_there_is_overwritten(finished: Cast, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_text("something else")
    with pytest.raises(Conflict, match="there already"):
        export(finished, tmp_path / "mine.zip")
    assert (tmp_path / "mine.zip").read_text() == "something else"


def areas_of(folder: Path) -> dict[tuple[str, str], float]:
    """Our areas; a reader whose cases happen to be of one class has none, as in the loaders."""
    results = json.loads((folder / "results.json").read_text())
    return {
        (reader["reader"], modality): metrics["auc"]["value"]
        for reader in results["readers"]
        for modality, metrics in reader["modalities"].items()
        if metrics["auc"]["value"] is not None
    }


def loaded(*command: str, folder: Path) -> dict[tuple[str, str], float]:
    done = subprocess.run(  # noqa: S603 - our own loaders
        command, cwd=folder, capture_output=True, text=True, check=True, timeout=120
    )
    lines = done.stdout.splitlines()
    files = sum(path.is_file() for path in folder.rglob("*")) - 1
    assert lines[0] == f"{files} files agree with manifest.json."
    parts = [line.split() for line in lines[1:]]
    return {
        (reader, modality): float(area)
        for reader, modality, _, area, *_ in parts
        if area != "undefined"
    }


def test_x1_the_pack_loaded_in_r_gives_our_areas(folder: Path) -> None:
    if RSCRIPT is None:
        pytest.skip("R is not installed here: Rscript was not found")
    found = loaded(RSCRIPT, "--vanilla", "load.R", folder=folder)
    assert found == pytest.approx(areas_of(folder), abs=1e-9)
    assert len(found) > 2, "the areas of each reader, before and after"


def test_x1_r_has_the_readers_and_how_they_looked_beside_the_readings(folder: Path) -> None:
    if RSCRIPT is None:
        pytest.skip("R is not installed here: Rscript was not found")
    program = """source("load.R"); p <- load_pack(".")
        cat(p$readers$years_experience[1], p$readers$specialty[1], p$readers$training[1],
            nrow(p$viewing), sum(p$viewing$map_milliseconds), sep = "|")"""
    done = subprocess.run(  # noqa: S603 - our own loader
        [RSCRIPT, "--vanilla", "-e", program],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "7|dermatology|specialist|10|12000"


def test_x1_the_pack_loaded_in_plain_python_gives_our_areas(folder: Path) -> None:
    found = loaded(sys.executable, "-I", "-S", "load.py", folder=folder)
    assert found == pytest.approx(areas_of(folder), abs=1e-9)


@pytest.mark.parametrize("deed", ["changed", "missing", "added"])
@pytest.mark.parametrize("program", ["load.R", "load.py"])
def test_l4_a_loader_refuses_a_pack_whose_files_do_not_fit(
    folder: Path, tmp_path: Path, program: str, deed: str
) -> None:
    if program == "load.R" and RSCRIPT is None:
        pytest.skip("R is not installed here: Rscript was not found")
    forged = tmp_path / "pack"
    shutil.copytree(folder, forged)
    if deed == "changed":
        text = (forged / "cases.csv").read_text()
        (forged / "cases.csv").write_text(text.replace("BCC", "SK", 1))
    elif deed == "missing":
        (forged / "cases.csv").unlink()
    else:
        (forged / "more-cases.csv").write_text("something else")
    start = [RSCRIPT or "", "--vanilla"] if program == "load.R" else [sys.executable]
    done = subprocess.run(  # noqa: S603 - our own loaders
        [*start, program], cwd=forged, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode != 0
    assert "cases.csv" in done.stderr
    assert "AUC" not in done.stdout


@pytest.mark.parametrize("deed", ["no zip", "two folders", "cut short", "a bit turned"])
def test_i2_a_doubtful_zip_file_is_refused_or_found(
    packed: Path, tmp_path: Path, deed: str
) -> None:
    content = packed.read_bytes()
    if deed == "no zip":
        content = b"readings"
    elif deed == "cut short":
        content = content[: len(content) // 2]
    elif deed == "a bit turned":
        at = content.index(b"\x89PNG") + 60
        content = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
    else:
        again = io.BytesIO(content)
        with zipfile.ZipFile(again, "a") as archive:
            archive.writestr("elsewhere/readings.csv", "")
        content = again.getvalue()
    (tmp_path / "doubtful.zip").write_bytes(content)
    with pytest.raises(InvalidInput, match=r"doubtful\.zip"):
        verify_pack(tmp_path / "doubtful.zip")
