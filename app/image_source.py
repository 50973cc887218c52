"""Where the images of an import lie: a folder, or a ZIP file that is never unpacked to disk."""

import os
import unicodedata
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from app.domain import picture_refusals
from app.domain.errors import InvalidInput, Problem
from app.domain.sentences import said
from app.image_decoding import MAX_BYTES
from app.zip_check import DEFAULT_LIMITS, ZipLimits, check_zip
from app.zip_structure import UTF_8

SUFFIXES = (".jpg", ".jpeg", ".png")
MAX_FOLDER_ENTRIES = 200_000


class _Files(Protocol):
    """A folder or a ZIP file: paths relative to it, with '/' between folders."""

    @property
    def paths(self) -> tuple[str, ...]: ...
    def spellings(self, path: str) -> tuple[str, ...]: ...
    def load(self, path: str) -> bytes: ...
    def close(self) -> None: ...


class ImageSource:
    """Images found by file name, with or without ending, also in sub-folders.

    Use it in a `with` block. A name that is missing, or that several files have, is refused
    with `InvalidInput`, whose problem names the image.
    """

    def __init__(self, files: _Files) -> None:
        self._files = files
        self._as_written: defaultdict[str, list[str]] = defaultdict(list)
        self._folded: defaultdict[str, list[str]] = defaultdict(list)
        for path in files.paths:
            names = {name for spelt in files.spellings(path) for name in _names(spelt)}
            for name in names:
                self._as_written[name].append(path)
            for folded in {_folded(name) for name in names}:
                self._folded[folded].append(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._files.close()

    def names(self) -> tuple[str, ...]:
        """Give the paths of all JPEG and PNG files, sorted, relative to the folder or ZIP file."""
        return tuple(sorted(self._files.paths))

    def find(self, name: str) -> str:
        """Give the path of the one image of this name, without reading it."""
        # As written first: two files may differ in capitals alone.
        found = self._as_written.get(name) or self._folded.get(_folded(name), [])
        if not found:
            raise InvalidInput.of_file(
                name, said("there is no JPEG or PNG file of this name among the images")
            )
        if len(found) > 1:
            listed = ", ".join(sorted(found)[:3])
            raise InvalidInput.of_file(
                name,
                said(
                    "{count} files have this name: {files}; rename them",
                    count=len(found),
                    files=listed,
                ),
            )
        return found[0]

    def read(self, name: str) -> bytes:
        """Give the bytes of the one image of this name, at most 25 MB."""
        data = self._files.load(self.find(name))
        if len(data) > MAX_BYTES:
            raise InvalidInput.of_file(
                name, said(picture_refusals.LARGER, size=MAX_BYTES // 1024**2)
            )
        return data


def open_image_source(
    source: str | Path | BinaryIO, *, name: str = "", limits: ZipLimits = DEFAULT_LIMITS
) -> ImageSource:
    """Open a folder, a ZIP file, or an uploaded ZIP file; raises `InvalidInput`.

    `name` is how the problems call it; without it, the name of the path.
    """
    if not isinstance(source, str | Path):
        return ImageSource(_ZipFiles(source, name or "images.zip", limits))
    path = Path(source)
    shown = name or path.name or str(path)
    if path.is_dir():
        return ImageSource(_FolderFiles(path, shown))
    if not path.is_file():
        raise InvalidInput.of_file(shown, said("there is no such folder or ZIP file"))
    file = path.open("rb")
    try:
        return ImageSource(_ZipFiles(file, shown, limits, closes=True))
    except InvalidInput:
        file.close()
        raise


def _names(path: str) -> tuple[str, ...]:
    """Give the names a file is found by: its path, its name, its name without ending."""
    plain = PurePosixPath(path)
    return path, plain.name, plain.stem


def _folded(name: str) -> str:
    # macOS writes an accent apart from its letter, other systems do not.
    return unicodedata.normalize("NFC", name).casefold()


def _is_image(path: str) -> bool:
    """Tell images from the rest, also from the shadow files that macOS puts beside them."""
    parts = PurePosixPath(path).parts
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
    return path.lower().endswith(SUFFIXES) and not hidden


class _ZipFiles:
    """The images of a ZIP file."""

    def __init__(
        self, file: BinaryIO, name: str, limits: ZipLimits, *, closes: bool = False
    ) -> None:
        self._file = file
        self._closes = closes
        self._archive, entries = check_zip(file, name=name, limits=limits)
        self._entries = {e.orig_filename: e for e in entries if _is_image(e.orig_filename)}

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self._entries)

    def spellings(self, path: str) -> tuple[str, ...]:
        """Give the path as the ZIP file has it, and as the one who packed it may have meant it."""
        return path, *_unmarked(self._entries[path])

    def load(self, path: str) -> bytes:
        try:
            with self._archive.open(self._entries[path]) as file:
                return file.read(MAX_BYTES + 1)
        except (
            zipfile.BadZipFile,
            OSError,
            EOFError,
            ValueError,
            RuntimeError,
            zlib.error,
        ) as fault:
            raise InvalidInput.of_file(
                path, said("it cannot be unpacked; pack the ZIP file anew")
            ) from fault

    def close(self) -> None:
        self._archive.close()
        if self._closes:
            self._file.close()


def _unmarked(entry: zipfile.ZipInfo) -> Iterator[str]:
    """Read a name that is not marked as UTF-8 as some packers write it nevertheless.

    Windows in Chinese packs names in GBK, older macOS in UTF-8, both without a mark; ZIP then says
    that they are in code page 437, which gives every byte a sign.
    """
    if entry.flag_bits & UTF_8 or entry.orig_filename.isascii():
        return
    written = entry.orig_filename.encode("cp437")
    for encoding in ("utf-8", "gb18030"):
        with suppress(UnicodeDecodeError):
            yield written.decode(encoding)


class _FolderFiles:
    """The images of a folder and its sub-folders; a link that leads out of it is refused."""

    def __init__(self, folder: Path, name: str) -> None:
        self._root = folder.resolve()
        self._name = name
        found = tuple(self._walk())
        strangers = [path for path in found if not self._is_inside(path)]
        if strangers:
            sentence = said("is a link that leads out of the folder; put the file itself there")
            problems = (Problem(path, None, None, sentence) for path in strangers)
            raise InvalidInput(said("{name} holds links that lead out of it.", name=name), problems)
        self.paths = tuple(path for path in found if (self._root / path).is_file())

    def _walk(self) -> Iterator[str]:
        """Give images, and links to folders; those are judged but not followed."""
        count = 0
        for place, folders, files in os.walk(self._root):
            count += len(files) + len(folders)
            if count > MAX_FOLDER_ENTRIES:
                raise InvalidInput.of_file(
                    self._name,
                    said("the folder has more than {count:,} files", count=MAX_FOLDER_ENTRIES),
                )
            within = Path(place).relative_to(self._root)
            links = [folder for folder in folders if (Path(place) / folder).is_symlink()]
            yield from ((within / folder).as_posix() for folder in links)
            yield from (p for p in ((within / file).as_posix() for file in files) if _is_image(p))

    def spellings(self, path: str) -> tuple[str, ...]:
        """Give the path alone: a file system says how its names are written."""
        return (path,)

    def _is_inside(self, path: str) -> bool:
        return (self._root / path).resolve().is_relative_to(self._root)

    def load(self, path: str) -> bytes:
        try:
            with (self._root / path).open("rb") as file:
                return file.read(MAX_BYTES + 1)
        except OSError as fault:
            raise InvalidInput.of_file(
                path, said("it cannot be read ({fault})", fault=fault.strerror)
            ) from fault

    def close(self) -> None:
        """Nothing is kept open."""
