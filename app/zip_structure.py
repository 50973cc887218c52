"""The inner records of a ZIP file: where its list of files lies, and whether all agree.

Different programs read a doubtful ZIP file differently; whatever could be read in two ways is
not sound. Records as in PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from app.domain.sentences import Sentence, said

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR64 = struct.Struct("<4sIQI")
_SAID_ELSEWHERE = 0xFFFFFFFF  # the true number stands in the ZIP64 field
_SIZE_FOLLOWS = 0x8
ENCRYPTED = 0x1 | 0x40 | 0x2000
UTF_8 = 0x800  # the name is in UTF-8; without this mark it should be in code page 437


@dataclass(frozen=True)
class Directory:
    """Where the list of entries lies and how many it has; offset and size in bytes."""

    entries: int
    size: int
    offset: int


class NotSoundError(Exception):
    """The ZIP file contradicts itself; the sentence says in what."""

    @property
    def sentence(self) -> str:
        """Return the sentence as it was made, to be said in any language."""
        return self.args[0]


def read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    """Give exactly `size` bytes from `offset`; `NotSoundError` where they are not there."""
    file.seek(offset)
    data = file.read(size)
    if len(data) != size:
        raise NotSoundError(said("it is cut short"))
    return data


def find_directory(file: BinaryIO, *, most: int) -> Directory:
    """Read the end records; the list of files must end exactly where they begin.

    Raises `NotSoundError`, also where there are more than `most` files.
    """
    length = file.seek(0, 2)
    tail = read_at(file, max(0, length - 65_557), min(length, 65_557))
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or place + _END.size > len(tail):
        raise NotSoundError(said("its end is missing"))
    _, disk, start_disk, here, entries, size, offset, comment = _END.unpack_from(tail, place)
    if place + _END.size + comment != len(tail):
        raise NotSoundError(said("something follows its end"))
    end = length - len(tail) + place
    told = (disk, start_disk, here, entries, size, offset)
    end, (disk, start_disk, here, entries, size, offset) = _follow_zip64(file, end, told)
    if disk or start_disk or here != entries:
        raise NotSoundError(said("it is one part of several"))
    if entries > most or size > most * 1024:
        raise NotSoundError(said("it lists more than {count:,} files", count=most))
    if offset + size != end:
        raise NotSoundError(
            said("something stands before its beginning or around its list of files")
        )
    return Directory(entries, size, offset)


def _follow_zip64(file: BinaryIO, end: int, told: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    """Give the end and the numbers of the ZIP64 record where there is one that agrees."""
    locator_at = end - _LOCATOR64.size
    locator = read_at(file, locator_at, _LOCATOR64.size) if locator_at >= 0 else b""
    if not locator.startswith(b"PK\x06\x07"):
        return end, told
    _, _, record_at, _ = _LOCATOR64.unpack(locator)
    if record_at + _END64.size != locator_at:
        raise NotSoundError(said("its ZIP64 record is not where it says"))
    mark, _, _, _, *numbers = _END64.unpack(read_at(file, record_at, _END64.size))
    if mark != b"PK\x06\x06":
        raise NotSoundError(said("its ZIP64 record is missing"))
    for old, new in zip(told, numbers, strict=True):
        if old not in {new, 0xFFFF, _SAID_ELSEWHERE}:
            raise NotSoundError(said("its ZIP64 record contradicts its end record"))
    return record_at, tuple(numbers)


def contradictions(
    file: BinaryIO, directory: Directory, entries: list[zipfile.ZipInfo]
) -> Iterator[tuple[zipfile.ZipInfo, Sentence]]:
    """Compare the list of files with the head of each file, and look for shared bytes."""
    if len(entries) != directory.entries:
        raise NotSoundError(said("its list of files has another length than it says"))
    yield from _zip64_contradictions(read_at(file, directory.offset, directory.size), entries)
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if not end and entry.header_offset:
            raise NotSoundError(said("something stands before its first file"))
        if entry.header_offset < end:
            yield entry, said("overlaps the file before it")
        agrees, data_at = _local_head(file, entry)
        if not agrees:
            yield entry, said("is described differently at its own place")
        end = data_at + entry.compress_size
        if end > directory.offset:
            yield entry, said("overlaps the list of files")


def _zip64_contradictions(
    raw: bytes, entries: list[zipfile.ZipInfo]
) -> Iterator[tuple[zipfile.ZipInfo, Sentence]]:
    place = 0
    for entry in entries:
        head = _CENTRAL.unpack_from(raw, place)
        name_length, extra_length, comment_length = head[10:13]
        extra_at = place + _CENTRAL.size + name_length
        extra = raw[extra_at : extra_at + extra_length]
        place = extra_at + extra_length + comment_length
        packed, unpacked, offset = head[8], head[9], head[16]
        if not _zip64_agrees(extra, [unpacked, packed, offset]):
            yield entry, said("has a ZIP64 field that contradicts its entry")
    if place != len(raw):
        raise NotSoundError(said("its list of files holds something else"))


def _zip64_agrees(extra: bytes, numbers: list[int]) -> bool:
    """Tell whether the ZIP64 field is there for exactly the numbers that refer to it."""
    fields = list(_extra_fields(extra))
    wanted = 8 * numbers.count(_SAID_ELSEWHERE)
    return fields == [] if not wanted else [len(field) for field in fields] == [wanted]


def _extra_fields(extra: bytes) -> Iterator[bytes]:
    """Give the content of each ZIP64 field."""
    while len(extra) >= 4:  # noqa: PLR2004 - a field's kind and length
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            yield extra[4 : 4 + length]
        extra = extra[4 + length :]


def _local_head(file: BinaryIO, entry: zipfile.ZipInfo) -> tuple[bool, int]:
    """Tell whether a file's own head agrees with the list, and where its data begin."""
    head = _LOCAL.unpack(read_at(file, entry.header_offset, _LOCAL.size))
    mark, _, flags, method, _, _, _, packed, unpacked, name_length, extra_length = head
    rest = file.read(name_length + extra_length)
    name = rest[:name_length].decode("utf-8" if flags & UTF_8 else "cp437", errors="replace")
    sizes = [unpacked, packed]
    field = b"".join(_extra_fields(rest[name_length:]))
    if _SAID_ELSEWHERE in sizes and len(field) >= 8 * sizes.count(_SAID_ELSEWHERE):
        told = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
        sizes = [next(told) if size == _SAID_ELSEWHERE else size for size in sizes]
    true_sizes = [entry.file_size, entry.compress_size]
    # A head written before the data were known gives no sizes.
    right_sizes = sizes == true_sizes or (flags & _SIZE_FOLLOWS and sizes == [0, 0])
    agrees = (
        mark == b"PK\x03\x04"
        and name == entry.orig_filename
        and method == entry.compress_type
        and not (flags ^ entry.flag_bits) & (ENCRYPTED | _SIZE_FOLLOWS)
        and bool(right_sizes)
    )
    return agrees, entry.header_offset + _LOCAL.size + name_length + extra_length
