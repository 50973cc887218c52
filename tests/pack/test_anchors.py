"""Heads of the log kept outside in a file, and the files of a study compared with their digests."""

import argparse
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from app.actions.verify_files import verify_files
from app.actions.verify_pack import verify_pack
from app.commands import proofs, studies
from app.db.administrator import head_of, records_of
from app.domain.anchor_file import KeptHead, anchor_line, parse_anchor, read_anchors
from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput
from app.running import Running
from app.settings import Settings
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.pack.forging import Forgery
from tests.reading.steps import finish, unblind

HASH = "0123456789abcdef" * 4


def test_l4_a_line_is_read_back_as_it_was_written() -> None:
    at = datetime(2027, 3, 1, 6, tzinfo=UTC)
    line = anchor_line("bcc-2027", Anchor(12, HASH), at=at)
    assert line == f"2027-03-01T06:00:00+00:00 bcc-2027 12:{HASH}\n"
    other = anchor_line("another", Anchor(3, HASH), at=at)
    assert read_anchors(line + "\n" + other, study="bcc-2027", name="a") == (
        KeptHead(Anchor(12, HASH), line.split()[0], ""),
    )


@pytest.mark.parametrize("line", ["x", "a b c", f"time study 12:{HASH[:-1]}", f"t s -1:{HASH}"])
def test_l4_a_line_that_is_none_is_refused_with_its_number(line: str) -> None:
    good = f"2027-03-01T06:00:00+00:00 s 12:{HASH}\n"
    with pytest.raises(InvalidInput, match=r"kept\.txt, row 2"):
        read_anchors(good + line, study="s", name="kept.txt")


@pytest.mark.parametrize("text", ["", "12", f"12:{HASH}0", f"x:{HASH}", f"12:{'g' * 64}"])
def test_l4_an_anchor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no anchor"):
        parse_anchor(text)


@pytest.fixture(autouse=True)
def on_the_test_database(finished: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "running", running_on(finished))


def running_on(cast: Cast) -> Callable[[Settings], AbstractContextManager[Running]]:
    """Let a command run on the database of a test."""

    @contextmanager
    def running(settings: Settings) -> Iterator[Running]:
        yield Running(settings, cast.database, cast.storage, cast.database.url)

    return running


def run(target: str, **given: object) -> int:
    asked = {
        "target": target,
        "anchor": [],
        "anchors": None,
        "files": False,
        "public_key": None,
        **given,
    }
    return proofs.verify(argparse.Namespace(**asked), Settings.from_environment({}))


def note(tmp_path: Path) -> Path:
    """Note the head, as a nightly job would."""
    file = tmp_path / "anchors.txt"
    arguments = argparse.Namespace(study="bcc-sk", to=str(file))
    assert proofs.anchor(arguments, Settings.from_environment({})) == 0
    return file


def test_l4_heads_noted_over_time_prove_study_and_pack(
    cast: Cast,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proofs, "running", running_on(cast))
    finish(cast, cast.rita)
    unblind(cast)
    file = note(tmp_path)
    export(cast, tmp_path / "pack.zip")
    note(tmp_path)
    export(cast, tmp_path / "again.zip")
    note(tmp_path)
    lines = file.read_text().splitlines()
    assert len(lines) == 3
    assert len(set(lines)) == 3
    assert capsys.readouterr().out.splitlines() == lines
    assert run("bcc-sk", anchors=str(file)) == 0
    assert "3 anchors against the log" in capsys.readouterr().out
    assert run(str(tmp_path / "pack.zip"), anchors=str(file)) == 0
    said = capsys.readouterr().out
    assert "2 anchors against the log" in said
    assert "1 anchors in the file are later than this pack" in said


def test_l4_a_forged_pack_is_found_by_the_file_of_anchors(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = note(tmp_path)
    forgery = Forgery(folder, tmp_path)
    events = forgery.events()
    kept = Anchor(len(events), events[-1].hash)
    line = anchor_line("bcc-sk", kept, at=datetime(2027, 3, 1, tzinfo=UTC))
    file.write_text(line)
    (forgery / "figures/forest.pdf").write_text("another")
    forgery.remake_export()
    assert verify_pack(forgery.folder).problems == ()
    assert run(str(forgery.folder), anchors=str(file)) == 1
    assert "is not the one that was anchored" in capsys.readouterr().out


def test_l4_a_file_without_this_study_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "anchors.txt"
    file.write_text(f"2027-03-01T06:00:00+00:00 another 12:{HASH}\n")
    with pytest.raises(InvalidInput, match='no anchor of the study "bcc-sk"'):
        run("bcc-sk", anchors=str(file))
    with pytest.raises(InvalidInput, match="cannot be read"):
        run("bcc-sk", anchors=str(tmp_path / "nowhere.txt"))


def test_l4_the_head_noted_is_the_head_of_the_log(finished: Cast) -> None:
    head = head_of(finished.database.url, "bcc-sk")
    last = records_of(finished.database.url, "bcc-sk").events[-1]
    assert head == Anchor(last.seq, last.hash)
    assert head_of(finished.database.url, "no-such-study") is None


def test_the_command_writes_the_pack_and_prints_the_anchor(
    finished: Cast,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(studies, "running", running_on(finished))
    asked = {"study": "bcc-sk", "coordinator": "cora@example.org", "without_overlays": True}
    arguments = argparse.Namespace(out=str(tmp_path / "pack.zip"), **asked)
    assert studies.export(arguments, Settings.from_environment({})) == 0
    said = capsys.readouterr().out.splitlines()
    with zipfile.ZipFile(tmp_path / "pack.zip") as pack:
        assert said[0] == f"{tmp_path}/pack.zip: {len(pack.namelist())} files"
    anchor = said[1].rpartition(" ")[2]
    assert run(str(tmp_path / "pack.zip"), anchor=[anchor]) == 0
    assert run(str(tmp_path / "pack.zip"), anchor=[f"1:{HASH}"]) == 1


# ---------------------------------------------------------------- files on disk


@pytest.mark.parametrize("deed", ["missing", "altered"])
@pytest.mark.parametrize(
    ("column", "said"), [("image", "image 1 of case c0"), ("prediction", "the map of image 1 of")]
)
def test_r3_a_lost_or_altered_file_is_named(
    finished: Cast,
    capsys: pytest.CaptureFixture[str],
    deed: str,
    column: str,
    said: str,
) -> None:
    assert run("bcc-sk", files=True) == 0
    assert "12 files of images and maps against their SHA-256" in capsys.readouterr().out
    query = {
        "image": "SELECT storage_key FROM image ORDER BY case_id LIMIT 1",
        "prediction": "SELECT overlay_key FROM prediction ORDER BY image_id LIMIT 1",
    }[column]
    records = records_of(finished.database.url, "bcc-sk")
    with psycopg.connect(finished.database.url, options="-c search_path=reread") as owner:
        key = owner.execute(query).fetchone()[0]
    path = Path(finished.storage._root) / key
    content = path.read_bytes()
    try:
        path.unlink() if deed == "missing" else path.write_bytes(content + b"\0")
        found = verify_files(records, finished.storage, progress=lambda _done, _all: None)
        assert len(found) == 1
        assert said in found[0]
        assert key in found[0]
        assert ("is missing" if deed == "missing" else "was altered") in found[0]
        assert run("bcc-sk", files=True) == 1
        assert "Something is wrong." in capsys.readouterr().out
    finally:
        path.write_bytes(content)


def test_r3_files_are_compared_for_studies_only(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="for a study in the database"):
        run(str(folder), files=True)
