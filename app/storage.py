"""Files of the studies: case images and overlays, in a local folder or an object store.

Keys are random, so that a file's address says nothing of its case (and cannot be guessed).
"""

import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from app.domain.errors import NotFound, Unavailable

_KEY = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{28}\.[a-z0-9]{1,8}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")


class _FileSystem(Protocol):
    """What is used of fsspec, which brings no types."""

    def pipe_file(self, path: str, value: bytes) -> None: ...
    def open(self, path: str, mode: str) -> BinaryIO: ...
    def rm_file(self, path: str) -> None: ...
    def find(self, path: str) -> list[str]: ...


class Storage:
    """Bytes under random keys, below a folder or a URL that fsspec knows (`s3://bucket/path`).

    Raises `Unavailable` where the URL needs a package that is not installed. Object stores take
    their credentials from the environment, as their packages define.
    """

    def __init__(self, url: str | Path) -> None:
        try:
            system, root = cast("tuple[_FileSystem, str]", url_to_fs(str(url)))
        except (ImportError, ValueError) as fault:
            raise Unavailable(f"The storage {url} cannot be used: {fault}") from fault
        self._system = system
        self._root = root.rstrip("/")
        self._is_local = "file" in _protocols(system)

    def put(self, data: bytes, *, suffix: str) -> str:
        """Store the bytes and give their key; they are there whole, or not at all.

        `suffix` is like ".jpg"; ValueError on any other form.
        """
        if not _SUFFIX.fullmatch(suffix):
            raise ValueError(f"{suffix!r} is not a suffix such as .jpg")
        name = secrets.token_hex(16)
        key = f"{name[:2]}/{name[2:4]}/{name}{suffix}"
        self.put_back(data, key=key)
        return key

    def put_back(self, data: bytes, *, key: str) -> None:
        """Store the bytes of a restored file under the key it had."""
        if self._is_local:
            _write_whole(Path(self._path(key)), data)
        else:
            self._system.pipe_file(self._path(key), data)

    def keys(self) -> set[str]:
        """Give the key of every file there is."""
        try:
            found = self._system.find(self._root)
        except FileNotFoundError:
            return set()
        start = len(self._root) + 1
        return {key for path in found if _KEY.fullmatch(key := path[start:])}

    def get(self, key: str) -> bytes:
        """Give the bytes under `key`; `NotFound` where there are none."""
        with self.open(key) as file:
            return file.read()

    def open(self, key: str) -> BinaryIO:
        """Open the bytes under `key` for reading; `NotFound` where there are none."""
        try:
            return self._system.open(self._path(key), "rb")
        except FileNotFoundError:
            raise NotFound("There is no such file in the storage.") from None

    def delete(self, key: str) -> None:
        """Remove what is under `key`; nothing happens where it is gone already."""
        try:
            self._system.rm_file(self._path(key))
        except FileNotFoundError:
            return

    def _path(self, key: str) -> str:
        # The pattern leaves no way out of the root: no dots but one, no absolute path.
        if not _KEY.fullmatch(key):
            raise NotFound("There is no such file in the storage.")
        return f"{self._root}/{key}"


def _protocols(system: object) -> tuple[str, ...]:
    protocol: object = getattr(system, "protocol", ())
    return (protocol,) if isinstance(protocol, str) else cast("tuple[str, ...]", protocol)


def _write_whole(path: Path, data: bytes) -> None:
    """Write under a passing name, force to disk, rename: after a crash no half file has a key."""
    is_new_folder = not path.parent.is_dir()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    passing = path.with_name(f".{path.name}.part")
    try:
        # Photographs of patients: readable by the account that runs the application alone.
        with os.fdopen(os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        passing.replace(path)
        # A file's own fsync forces neither its name nor the folders made for it.
        for folder in path.parents[: 3 if is_new_folder else 1]:
            _force_folder(folder)
    finally:
        passing.unlink(missing_ok=True)


def _force_folder(folder: Path) -> None:
    """Force the names in a folder to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
