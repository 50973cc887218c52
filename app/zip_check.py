"""A ZIP file from outside, judged before anything in it is unpacked.

Nothing is ever written to disk from it; one doubtful entry refuses the whole file.
"""

import re
import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.domain.errors import InvalidInput, Problem
from app.domain.sentences import Sentence, said
from app.zip_structure import ENCRYPTED, NotSoundError, contradictions, find_directory

_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".cab")


@dataclass(frozen=True)
class ZipLimits:
    """How much one ZIP file may hold; sizes in bytes, after unpacking."""

    entries: int = 20_000
    total: int = 10 * 1024**3
    ratio: int = 100  # unpacked to packed; photographs are close to 1
    ratio_from: int = 1024**2  # smaller entries are not judged by their ratio


DEFAULT_LIMITS = ZipLimits()


def check_zip(
    file: BinaryIO, *, name: str, limits: ZipLimits = DEFAULT_LIMITS
) -> tuple[zipfile.ZipFile, tuple[zipfile.ZipInfo, ...]]:
    """Open a ZIP file whose every entry is safe to read, and list its files.

    Raises `InvalidInput` with a problem for each entry that is not.
    """
    try:
        directory = find_directory(file, most=limits.entries)
        archive = zipfile.ZipFile(file)
        entries = archive.infolist()
        flaws = [*_flaws(entries, limits)]
        for entry, flaw in contradictions(file, directory, entries):
            flaws.append(_about(entry, flaw))
    except NotSoundError as fault:
        # Neither begin nor end of a ZIP: most often the table, chosen in the field of the images.
        file.seek(0)
        if file.read(2) != b"PK" and not zipfile.is_zipfile(file):
            raise InvalidInput.of_file(
                name, said("this is not a ZIP file, or a damaged one")
            ) from None
        raise InvalidInput.of_file(
            name, said("the ZIP file is not sound: {fault}", fault=fault.sentence)
        ) from None
    except Exception as fault:
        # A list of entries made by an enemy can raise anything in zipfile and struct.
        raise InvalidInput.of_file(
            name, said("this is not a ZIP file, or a damaged one")
        ) from fault
    if flaws:
        problems = (Problem(name, None, None, flaw) for flaw in dict.fromkeys(flaws))
        raise InvalidInput(said("{name} was refused; nothing was unpacked.", name=name), problems)
    return archive, tuple(entry for entry in entries if not entry.is_dir())


def _about(entry: zipfile.ZipInfo, flaw: Sentence) -> Sentence:
    return said("'{file}' {flaw}", file=_shown(entry), flaw=flaw)


def _flaws(entries: list[zipfile.ZipInfo], limits: ZipLimits) -> Iterator[Sentence]:
    """Say what is unsafe in the names, kinds and sizes that the list of files gives."""
    seen: set[str] = set()
    for entry in entries:
        folded = unicodedata.normalize("NFC", entry.orig_filename).casefold().rstrip("/")
        if folded in seen:
            yield _about(entry, said("stands in the ZIP file more than once"))
        seen.add(folded)
        for flaw in (_name_flaw(entry.orig_filename), _kind_flaw(entry), _size_flaw(entry, limits)):
            if flaw:
                yield _about(entry, flaw)
    if sum(entry.file_size for entry in entries) > limits.total:
        yield said(
            "unpacked it would take more than {size:.3g} GB; split it", size=limits.total / 1024**3
        )


def _shown(entry: zipfile.ZipInfo) -> str:
    return "".join(c if c.isprintable() else "?" for c in entry.orig_filename[:200])


def _name_flaw(name: str) -> Sentence | None:
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        return said("has a control character in its name")
    if "\\" in name:
        return said("has a backslash in its name; pack the folder anew with another program")
    if name.startswith("/") or re.match("[A-Za-z]:", name):
        return said("has an absolute path")
    if ".." in name.split("/"):
        return said("has a path that leads out of the ZIP file")
    return None


def _kind_flaw(entry: zipfile.ZipInfo) -> Sentence | None:
    if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return said("is a link or a special file; pack the file itself")
    if entry.flag_bits & ENCRYPTED:
        return said("is encrypted; pack it without a password")
    if entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        return said("is packed in an unusual way; pack it as an ordinary ZIP file")
    if entry.orig_filename.lower().endswith(_ARCHIVES):
        return said("is a packed file inside the ZIP file; unpack it first")
    return None


def _size_flaw(entry: zipfile.ZipInfo, limits: ZipLimits) -> Sentence | None:
    if entry.is_dir() and entry.file_size:
        return said("is a folder that holds bytes")
    if entry.compress_type == zipfile.ZIP_STORED and entry.file_size != entry.compress_size:
        return said("has two different sizes")
    if entry.file_size > max(limits.ratio_from, limits.ratio * entry.compress_size):
        return said("would grow more than {ratio}-fold when unpacked", ratio=limits.ratio)
    return None
