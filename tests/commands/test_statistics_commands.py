"""The commands on files: what they write, print and refuse. None needs a database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.__main__ import main
from app.domain.readings_file import parse_readings

ROOT = Path(__file__).resolve().parents[2]
VANDYKE = ROOT / "tests" / "statistics" / "reference" / "data" / "VanDyke.csv"
PAPER_TABLE = ROOT / "docs" / "paper-table.csv"


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


@pytest.fixture
def readings(tmp_path: Path) -> Path:
    """Two readers, twenty cases with a sex, scores of malignancy and calls; one score missing."""
    lines = ["reader_id,case_id,truth,modality,call,score,sex"]
    for reader in (1, 2):
        for case in range(20):
            truth = "BCC" if case < 8 else "SK"
            for modality, spread in (("unaided", 9), ("aided", 5)):
                score = (20 - case + (case * 7 * reader) % spread) / 30
                text = "" if (reader, case, modality) == (1, 3, "aided") else f"{score:.17g}"
                call = "BCC" if score > 0.5 else "SK"
                lines.append(f"R{reader},c{case},{truth},{modality},{call},{text},{'fm'[case % 2]}")
    path = tmp_path / "readings.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def areas(path: Path) -> dict[tuple[str, str], float]:
    found = json.loads(path.read_text())
    return {
        (reader["reader"], name): metrics["auc"]["value"]
        for reader in found["readers"]
        for name, metrics in reader["modalities"].items()
    }


def test_a_report_is_written_and_names_the_positive_class(readings: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    options = ("--bootstrap", "0", "--subgroup", "sex", "--cutoffs", "0.2,0.6")
    assert run("analyse", readings, *options, "--html", out) == 0
    report = out.read_text()
    assert "8 BCC, the positive class, and 12 SK" in report
    assert "Subgroups by sex, positive class BCC" in report
    assert "score categories cut at 0.2, 0.6" in report
    assert report.count("data:image/svg+xml") == 3 + 2 * 2
    assert "<script" not in report


@pytest.mark.parametrize("positive", ["BCC", "SK"])
def test_an_imrmc_file_gives_the_same_areas(readings: Path, tmp_path: Path, positive: str) -> None:
    """With SK as the positive class the scores are turned, and the file says so by its truth."""
    first, second, imrmc = (tmp_path / name for name in ("a.json", "b.json", "r.imrmc"))
    options = ("--bootstrap", "0", "--json")
    one = ("analyse", readings, "--positive", positive, "--imrmc", imrmc, *options, first)
    assert run(*one) == 0
    assert run("analyse", imrmc, *options, second) == 0
    assert areas(first) == pytest.approx(areas(second), abs=1e-12, rel=0)
    assert len(areas(first)) == 4
    assert len(parse_readings(imrmc.read_bytes(), file="r").readings) == 79


def test_the_score_class_turns_scores(readings: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    options = ("--bootstrap", "0", "--json")
    assert run("analyse", readings, *options, first) == 0
    assert run("analyse", readings, "--score-class", "SK", *options, second) == 0
    turned = {key: 1 - value for key, value in areas(first).items()}
    assert areas(second) == pytest.approx(turned)


def test_power_of_vandyke_is_the_published_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plot = tmp_path / "power.svg"
    study = ("--readers", "4,6", "--cases", "100,251", "--plot", plot)
    assert run("power", VANDYKE, "--difference", "0.0438", *study) == 0
    said = capsys.readouterr().out
    assert "Pilot of 114 cases" in said
    row = next(line for line in said.splitlines() if line.lstrip().startswith("6 "))
    assert row.split()[2] == "0.8005"
    assert row.split()[-1] == "251"
    assert plot.read_bytes().startswith(b"<?xml")


def test_power_from_stated_components_is_that_of_their_pilot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pilot.json"
    assert run("analyse", VANDYKE, "--bootstrap", "0", "--json", out) == 0
    measure = json.loads(out.read_text())["mrmc"]["auc"]
    components = measure["obuchowski_rockette"]["jackknife"]["components"]
    names = ("var", "cov1", "cov2", "cov3", "var_modality_reader")
    stated = [f"--{name.replace('_', '-')}={components[name]!r}" for name in names]
    study = ("--difference", "0.0438", "--readers", "6", "--cases", "251")
    capsys.readouterr()
    assert run("power", *stated, "--pilot-cases", "114", *study) == 0
    from_components = capsys.readouterr().out.splitlines()
    assert run("power", VANDYKE, *study) == 0
    from_file = capsys.readouterr().out.splitlines()
    assert from_components == [line for line in from_file if not line.startswith("Its own")]
    assert from_components[-1].split()[1] == "0.8005"


def test_the_papers_table_does_not_fit_its_stated_class_sizes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("audit-table", PAPER_TABLE, "--positives", "610", "--negatives", "97") == 0
    said = capsys.readouterr().out
    assert "reader 2 unaided: NO TABLE gives all its figures." in said
    assert "under which all rows fit: 608 and 99." in said


def test_the_papers_table_fits_608_and_99(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("audit-table", PAPER_TABLE, "--positives", "608", "--negatives", "99") == 0
    said = capsys.readouterr().out
    for line in (
        "model: fits (561, 47, 50, 49) or (562, 46, 50, 49).",
        "reader 1 unaided: fits (517, 91, 65, 34) or (518, 90, 65, 34).",
        "reader 1 aided: fits (563, 45, 71, 28).",
        "reader 2 unaided: fits (556, 52, 65, 34).",
        "reader 2 aided: fits (575, 33, 68, 31).",
        "NRI .64 is the NRI of calls refitted by logistic regression and cut at 0.5",
        "IDI .11 is the IDI of calls refitted by logistic regression",
        "p .006 CANNOT belong to an NRI of .64: its standard error is at most 0.108",
    ):
        assert line in said


@pytest.mark.parametrize("sizes", [("610", "97"), ("608", "99")])
def test_the_manual_prints_what_the_command_prints(
    sizes: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    run("audit-table", PAPER_TABLE, "--positives", sizes[0], "--negatives", sizes[1])
    assert f"```\n{capsys.readouterr().out}```\n" in (ROOT / "docs" / "paper.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("analyse nowhere.csv --html out", "There is no file nowhere.csv"),
        ("analyse FILE --cutoffs 0.6,0.2 --html out", "in rising order"),
        ("analyse FILE --subgroup age --html out", "age"),
        ("analyse FILE --score-class nevus --imrmc out", "speak for nevus"),
        ("analyse FILE --positive nevus --imrmc out", "The positive class is to be nevus"),
        ("analyse FILE --json out --html out", "is read or written already"),
        ("analyse FILE --json FILE", "is read or written already"),
        ("analyse FILE --html nowhere/out", "There is no folder"),
        ("power --plot out.svg", "Give the file of a pilot, or all of"),
        ("power FILE --var 1 --plot out.svg", "not both"),
        ("power FILE --plot out.gif", "has to end in .svg, .pdf or .png"),
        ("power FILE --difference 0 --plot out.svg", "not be 0"),
        ("power FILE --target 80 --plot out.svg", "power between 0 and 1"),
        ("power FILE --readers 1 --plot out.svg", "at least two readers"),
        (
            "power --var 0 --cov1 0 --cov2 0 --cov3 0 --var-modality-reader 0 --pilot-cases 9",
            "finite numbers",
        ),
        ("audit-table FILE --positives 6 --negatives 9", "each column of the header"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_nothing_is_written(
    arguments: str,
    sentence: str,
    readings: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(readings.parent)
    before = readings.read_bytes()
    assert run(*arguments.replace("FILE", str(readings)).split()) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("reread: ")
    assert sentence in said.err
    assert readings.read_bytes() == before
    assert list(readings.parent.iterdir()) == [readings]


def test_scores_that_are_not_there_make_no_imrmc_file(tmp_path: Path) -> None:
    source = tmp_path / "calls.csv"
    source.write_text("reader,case,truth,modality,call\nA,1,BCC,unaided,BCC\nA,2,SK,unaided,SK\n")
    assert run("analyse", source, "--bootstrap", "0", "--imrmc", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()


def test_numpy_is_loaded_after_the_number_of_threads_is_set(readings: Path) -> None:
    code = (
        "import os, sys, app.__main__ as m\n"
        "assert 'numpy' not in sys.modules\n"
        "m.main(sys.argv[1:])\n"
        "assert os.environ['OPENBLAS_NUM_THREADS'] == '1'\n"
    )
    environment = {key: value for key, value in os.environ.items() if "NUM_THREADS" not in key}
    subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", code, "analyse", str(readings), "--bootstrap", "0"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )
