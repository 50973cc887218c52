"""Files of the studies: case images and overlays, in a local folder or an object store.

Keys are random, so that a file's address says nothing of its case (and cannot be guessed).
"""

import logging
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, cast

from fsspec.core import url_to_fs  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from app.domain.errors import NotFound, Unavailable

log = logging.getLogger("reread.storage")

_KEY = re.compile(r"([0-9a-f]{2})/([0-9a-f]{2})/\1\2[0-9a-f]{28}\.[a-z0-9]{1,8}")
_SUFFIX = re.compile(r"\.[a-z0-9]{1,8}")
# An object store that is away or slow must not hold a reader's page for long: two tries of five
# seconds. max_concurrency=1 is one GET a file; with more, s3fs asks for the size first.
_S3: dict[str, Any] = {
    "config_kwargs": {
        "connect_timeout": 3,
        "read_timeout": 5,
        "retries": {"total_max_attempts": 2, "mode": "standard"},
    },
    "max_concurrency": 1,
    "skip_instance_cache": True,  # what is set here is for this storage alone
}


class _FileSystem(Protocol):
    """What is used of fsspec, which brings no types."""

    retries: int

    def pipe_file(self, path: str, value: bytes) -> None: ...
    def cat_file(self, path: str) -> bytes: ...
    def rm_file(self, path: str) -> None: ...
    def find(self, path: str) -> list[str]: ...


class Storage:
    """Bytes under random keys, below a folder or a URL that fsspec knows (`s3://bucket/path`).

    A file is given and taken whole: a stored picture's longest edge has 2048 pixels. Object stores
    take their credentials from the environment, as their packages define. Raises `Unavailable`
    where the URL needs a package that is not installed, and in every method where an object store
    does not do what it is asked; why it does not is in the log.
    """

    def __init__(self, url: str | Path) -> None:
        self.url = str(url)
        options = _S3 if self.url.startswith(("s3://", "s3a://")) else {}
        try:
            system, root = cast("tuple[_FileSystem, str]", url_to_fs(self.url, **options))
        except (ImportError, ValueError) as fault:
            raise Unavailable(f"The storage {url} cannot be used: {fault}") from fault
        if options:
            system.retries = 1  # s3fs's own, five around each of botocore's
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
        path = self._path(key)
        if self._is_local:
            _write_whole(Path(path), data)
        else:
            with self._answering():
                self._system.pipe_file(path, data)

    def keys(self) -> set[str]:
        """Give the key of every file there is."""
        try:
            with self._answering():
                found = self._system.find(self._root)
        except NotFound:
            return set()
        start = len(self._root) + 1
        return {key for path in found if _KEY.fullmatch(key := path[start:])}

    def get(self, key: str) -> bytes:
        """Give the bytes under `key`; `NotFound` where there are none."""
        path = self._path(key)
        with self._answering():
            return self._system.cat_file(path)

    def delete(self, key: str) -> None:
        """Remove what is under `key`; nothing happens where it is gone already."""
        path = self._path(key)
        try:
            with self._answering():
                self._system.rm_file(path)
        except NotFound:
            return

    @contextmanager
    def _answering(self) -> Generator[None]:
        """Turn what an object store raises into our refusals.

        Each of fsspec's systems has exceptions of its own (timeouts, refused keys, a network that
        is away), and none of them is a bug of ours. Of the local disk, only a missing file is
        expected.
        """
        try:
            yield
        except Exception as fault:
            # s3fs says of a missing bucket, too, that a file was not found.
            if isinstance(fault, FileNotFoundError) and "NoSuchBucket" not in str(fault.__cause__):
                raise NotFound("There is no such file in the storage.") from None
            if self._is_local:
                raise
            log.warning("The storage %s did not answer as asked: %s", self.url, _named(fault))
            raise Unavailable(
                "The store of images and maps cannot be reached at the moment. "
                "Nothing was saved by this request; try again."
            ) from fault

    def _path(self, key: str) -> str:
        # The pattern leaves no way out of the root: no dots but one, no absolute path.
        if not _KEY.fullmatch(key):
            raise NotFound("There is no such file in the storage.")
        return f"{self._root}/{key}"


def _named(fault: Exception) -> str:
    """Name a fault without its text, which may hold the key: that of a map opens the map."""
    response: dict[str, Any] = getattr(fault.__cause__, "response", {})
    code = response.get("Error", {}).get("Code", "")
    return f"{type(fault).__name__} {code}".strip()


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
