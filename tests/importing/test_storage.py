"""Stored files: random keys, whole or not there, and no way out of the folder."""

import os
import re
from pathlib import Path

import pytest

from app.domain.errors import NotFound, Unavailable
from app.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path / "files")


def stored_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_put_is_given_back(storage: Storage) -> None:
    key = storage.put(b"pixels", suffix=".jpg")
    assert storage.get(key) == b"pixels"


def test_keys_are_random_and_spread_over_folders(storage: Storage) -> None:
    keys = {storage.put(b"same", suffix=".jpg") for _ in range(50)}
    assert len(keys) == 50
    for key in keys:
        assert re.fullmatch(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{28}\.jpg", key)


def test_a_second_storage_on_the_same_folder_sees_the_same_files(tmp_path: Path) -> None:
    key = Storage(str(tmp_path)).put(b"x", suffix=".png")
    assert Storage(f"file://{tmp_path}").get(key) == b"x"


def test_what_is_deleted_is_gone_and_may_be_deleted_again(storage: Storage) -> None:
    key = storage.put(b"x", suffix=".jpg")
    storage.delete(key)
    storage.delete(key)
    with pytest.raises(NotFound):
        storage.get(key)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "x",
        "../../etc/passwd",
        "/etc/passwd",
        "ab/cd/../../../etc/passwd",
        "ab/cd/abcd0123456789abcdef0123456789ab",
        "ab/cd/abcd0123456789abcdef0123456789ab.jpg/..",
        "ab/cd/abcd0123456789abcdef0123456789ab.jpg\n",
        "ab/cd/ABCD0123456789abcdef0123456789ab.jpg",
        "ff/cd/abcd0123456789abcdef0123456789ab.jpg",
        "file:///etc/passwd",
    ],
)
def test_no_key_leads_out_of_the_storage(storage: Storage, key: str) -> None:
    for use in (storage.get, storage.delete):
        with pytest.raises(NotFound):
            use(key)


@pytest.mark.parametrize("suffix", ["", "jpg", ".JPG", ".j/pg", "..", ".tar.gz", ".123456789"])
def test_a_suffix_is_a_dot_and_a_few_letters(storage: Storage, suffix: str) -> None:
    with pytest.raises(ValueError, match="is not a suffix"):
        storage.put(b"x", suffix=suffix)


def test_files_are_readable_by_their_account_alone(storage: Storage, tmp_path: Path) -> None:
    storage.put(b"x", suffix=".jpg")
    (file,) = stored_files(tmp_path)
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_nothing_behind(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full_disk)
    with pytest.raises(OSError, match="No space left"):
        storage.put(b"x" * 1000, suffix=".jpg")
    assert stored_files(tmp_path) == []


def test_the_file_is_forced_to_disk_before_it_has_its_name(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    forced = os.fsync

    def watched(handle: int) -> None:
        seen.append([path.suffix for path in stored_files(tmp_path)])
        forced(handle)

    monkeypatch.setattr(os, "fsync", watched)
    storage.put(b"x", suffix=".jpg")
    assert seen[0] == [".part"]
    assert seen[1:] == [[".jpg"]] * 3  # then the name, and the folders made for it


def test_another_kind_of_storage_goes_the_same_way() -> None:
    storage = Storage("memory://reread-test")
    key = storage.put(b"x", suffix=".jpg")
    assert storage.get(key) == b"x"
    storage.delete(key)
    with pytest.raises(NotFound):
        storage.get(key)


def test_a_storage_that_is_not_known_says_so() -> None:
    with pytest.raises(Unavailable, match="nowhere://bucket cannot be used"):
        Storage("nowhere://bucket")
