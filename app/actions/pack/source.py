"""A pack as it comes from outside: a folder, or a ZIP file that is judged before it is read."""

import hashlib
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from app.domain.errors import InvalidInput
from app.zip_check import check_zip

_CHUNK = 1 << 20


class PackSource(Protocol):
    """The files of a pack by name."""

    @property
    def names(self) -> frozenset[str]:
        """Every file's path below the pack's folder."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading."""
        ...


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        there = [path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()]
        strange = [path for path in there if path.is_symlink() or not path.is_file()]
        if strange:
            raise InvalidInput(f"{strange[0]} is a link or a special file; a pack holds files.")
        self.names = frozenset(path.relative_to(folder).as_posix() for path in there)

    def open(self, name: str) -> IO[bytes]:
        return (self._folder / name).open("rb")


class _Zip:
    def __init__(
        self, archive: zipfile.ZipFile, entries: tuple[zipfile.ZipInfo, ...], name: str
    ) -> None:
        self._archive = archive
        tops = {entry.filename.partition("/")[0] for entry in entries}
        if len(tops) != 1:
            raise InvalidInput(f"{name} is no pack: its files do not lie in one folder.")
        self._top = tops.pop()
        self.names = frozenset(entry.filename.partition("/")[2] for entry in entries)

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(f"{self._top}/{name}")


@contextmanager
def open_pack(path: Path) -> Generator[PackSource]:
    """Open a pack; raises InvalidInput for what is none, or is doubtful, or cannot be read."""
    if path.is_dir():
        yield _Folder(path)
        return
    try:
        with path.open("rb") as file:
            archive, entries = check_zip(file, name=path.name)
            with archive:
                yield _Zip(archive, entries, path.name)
    except (zipfile.BadZipFile, zlib.error, EOFError) as fault:
        raise InvalidInput(f"{path.name} is a damaged ZIP file ({fault}).") from fault
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be read: {fault.strerror}.") from fault


def digest_of(source: PackSource, name: str) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with source.open(name) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def read_whole(source: PackSource, name: str) -> bytes:
    """Return a file's bytes."""
    with source.open(name) as file:
        return file.read()
