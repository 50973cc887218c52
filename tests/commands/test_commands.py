"""The command line on an embedded database of its own, as the person at the terminal meets it."""

import csv
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.__main__ import build_parser, main
from tests.conftest import PASSWORD, case_files

COMMANDS = (
    "demo serve worker migrate add-user import score simulate export verify anchor analyse power "
    "audit-table evaluate"
)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="reread-commands-"))
    folder.chmod(0o755)
    monkeypatch.setenv("REREAD_DATA", str(folder / "data"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    yield folder
    shutil.rmtree(folder)


def run(*arguments: str) -> int:
    return main(list(arguments))


@pytest.mark.parametrize("command", COMMANDS.split())
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([command, "--help"])
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 100


def test_a_study_from_the_command_line_from_import_to_proof(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert run("add-user", "coordinator", "cora@example.org", "Cora") == 0
    table, pack = case_files(6)
    (data / "cases.csv").write_bytes(table)
    (data / "images.zip").write_bytes(pack)
    import_it = ("import", "--study", "s1", str(data / "cases.csv"), "--images")

    assert run(*import_it, str(data / "images.zip"), "--dry-run") == 0
    assert "Would import: 6 cases with 6 images" in capsys.readouterr().out
    assert run("score", "s1") == 1
    assert 'There is no study named "s1"' in capsys.readouterr().err

    assert run(*import_it, str(data / "images.zip")) == 1
    assert "look at the pictures first" in capsys.readouterr().err
    assert run(*import_it, str(data / "images.zip"), "--attested") == 0
    assert "Imported: 6 cases with 6 images (own columns): 4 BCC, 2 SK." in capsys.readouterr().out
    assert run("score", "s1") == 0
    assert "6 of 6 images and 6 of 6 cases" in capsys.readouterr().out
    assert run("simulate", "s1") == 1
    assert "readers read open studies" in capsys.readouterr().err
    assert run("export", "s1", "--out", str(data / "out")) == 1
    assert "only after unblinding" in capsys.readouterr().err
    assert not (data / "out").exists()
    assert run("verify", "s1") == 0
    assert "Everything holds." in capsys.readouterr().out


def test_an_import_with_mistakes_lists_them_all_and_changes_nothing(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    run("add-user", "coordinator", "cora@example.org", "Cora")
    table, pack = case_files(4)
    rows = list(csv.reader(io.StringIO(table.decode())))
    rows[1][2] = "melanoma"
    rows[2][1] = "nowhere.jpg"
    rows[4][1] = rows[3][1]
    with (data / "cases.csv").open("w", newline="") as out:
        csv.writer(out).writerows(rows)
    broken = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(pack)) as good, zipfile.ZipFile(broken, "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            bad.writestr(name, content[: len(content) // 2] if name == "p2.jpg" else content)
    (data / "images.zip").write_bytes(broken.getvalue())
    capsys.readouterr()
    arguments = ("import", "--study", "s1", str(data / "cases.csv"), "--images")
    assert run(*arguments, str(data / "images.zip"), "--attested") == 1
    said = capsys.readouterr().out
    for place in ("row 2, column diagnosis", "row 3, column image", "row 4, column image", "row 5"):
        assert place in said
    assert not list((data / "data" / "files").rglob("*.jpg"))


def test_analyse_needs_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REREAD_DATA", str(tmp_path / "data"))
    readings = tmp_path / "readings.csv"
    lines = ["reader_id,case_id,truth,modality,call,score"]
    for case in range(20):
        truth = "BCC" if case < 10 else "SK"
        for modality, score in (("unaided", (case * 7) % 20 / 20), ("aided", 1 - case / 20)):
            lines.append(f"R01,c{case},{truth},{modality},{'BCC' if score > 0.5 else 'SK'},{score}")
    readings.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out.json"
    assert run("analyse", str(readings), "--bootstrap", "0", "--json", str(out)) == 0
    found = json.loads(out.read_text())
    assert found["readers"][0]["modalities"]["aided"]["auc"]["value"] == 1.0
    assert not (tmp_path / "data").exists()


def test_a_mistyped_setting_is_refused_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REREAD_SECERT", "x")
    assert run("migrate") == 1
    assert "REREAD_SECERT is not a setting of reread" in capsys.readouterr().err


def test_a_proxy_of_any_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REREAD_PROXY", "*")
    assert run("migrate") == 1
    assert "REREAD_PROXY names one address" in capsys.readouterr().err
