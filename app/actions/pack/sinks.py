"""Where a pack is written: a ZIP file or a folder; whole under its name, or not there at all."""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

from app.domain.errors import Conflict, InvalidInput

# The same for every file of every pack, so that the same content gives the same bytes.
_TIME = (1980, 1, 1, 0, 0, 0)
_ORDINARY_FILE = 0o100644 << 16
_UNIX = 3


class Sink(Protocol):
    """Takes the files of a pack one after another."""

    def write(self, name: str, chunks: Iterable[bytes]) -> str:
        """Write a file and return its SHA-256."""
        ...


class ZipSink:
    """Writes into a ZIP file as the bytes come; nothing but one chunk is kept in memory."""

    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        self._archive = archive
        self._folder = folder

    def write(self, name: str, chunks: Iterable[bytes]) -> str:
        """Write a file and return its SHA-256."""
        entry = zipfile.ZipInfo(f"{self._folder}/{name}", _TIME)
        # A picture is packed already.
        stored = name.endswith((".png", ".pdf"))
        entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        entry.external_attr = _ORDINARY_FILE
        entry.create_system = _UNIX
        digest = hashlib.sha256()
        with self._archive.open(entry, "w") as out:
            for chunk in chunks:
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()


class FolderSink:
    """Writes into a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, chunks: Iterable[bytes]) -> str:
        """Write a file and return its SHA-256."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("wb") as out:
            for chunk in chunks:
                digest.update(chunk)
                out.write(chunk)
        return digest.hexdigest()


@contextmanager
def zip_sink(file: BinaryIO, *, folder: str) -> Generator[ZipSink]:
    """Give a sink into an open file that can be sought in."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        yield ZipSink(archive, folder)


@contextmanager
def sink_at(path: Path, *, folder: str) -> Generator[Sink]:
    """Give a sink that becomes the file (a name in .zip) or folder `path` once all went well.

    Raises Conflict where something is there already, InvalidInput where nothing can be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise Conflict(f"{path} is there already; name another place, or remove it first.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        passing = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be written: {fault.strerror}.") from fault
    try:
        if path.suffix == ".zip":
            made = passing / path.name
            with made.open("wb") as file, zip_sink(file, folder=folder) as sink:
                yield sink
        else:
            made = passing / "pack"
            made.mkdir()
            yield FolderSink(made)
        made.replace(path)
    finally:
        shutil.rmtree(passing, ignore_errors=True)
