"""ZIP files made at test time: honest ones, and ones that two programs would read differently."""

import io
import stat
import struct
import warnings
import zipfile

END = b"PK\x05\x06"
CENTRAL = b"PK\x01\x02"


def packed(*files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names given twice, which is what is tried
        with zipfile.ZipFile(out, "w", method) as archive:
            for name, data in files:
                archive.writestr(name, data)
    return out.getvalue()


def two() -> bytes:
    return packed(("a.jpg", b"A" * 50), ("b.jpg", b"B" * 50))


def link(target: str = "/etc/passwd") -> bytes:
    entry = zipfile.ZipInfo("a.jpg")
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return packed((entry, target.encode()))


def with_name(name: bytes) -> bytes:
    """Give a ZIP whose one file has these bytes for a name, in both places."""
    plain = b"n" * len(name)
    return packed((plain.decode(), b"x")).replace(plain, name)


def changed(data: bytes, record: bytes, offset: int, value: bytes, *, nth: int = 0) -> bytes:
    """Overwrite a field at `offset` in the nth record of a kind."""
    place = -1
    for _ in range(nth + 1):
        place = data.index(record, place + 1)
    place += offset
    return data[:place] + value + data[place + len(value) :]


def encrypted() -> bytes:
    data = changed(two(), b"PK\x03\x04", 6, b"\x01\x00")
    return changed(data, CENTRAL, 8, b"\x01\x00")


def overlapping() -> bytes:
    """Let both entries of the list begin at the same place (as a quoted overlap bomb does)."""
    data = two()
    second = data.index(CENTRAL, data.index(CENTRAL) + 1)
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def streamed() -> bytes:
    """Write as into a pipe: the sizes stand behind each file."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part: object) -> int:
            chunk = bytes(part)  # type: ignore[call-overload]
            self.data += chunk
            return len(chunk)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"A" * 50)
        archive.writestr("b.jpg", b"B" * 50)
    return bytes(pipe.data)


def zip64_local() -> bytes:
    """Write with ZIP64 fields at each file, as programs do before they know the size."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("a.jpg", "w", force_zip64=True) as file:
        file.write(b"A" * 50)
    return out.getvalue()


def zip64_end(*, entries: int | None = None, in_old_record: int = 0xFFFF) -> bytes:
    """Give the ends of a ZIP64 file to a small one; `entries` as the ZIP64 record counts them."""
    data = two()
    place = data.index(END)
    size, offset = struct.unpack_from("<2I", data, place + 12)
    count = 2 if entries is None else entries
    record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, place, 1)
    end = struct.pack("<4s4H2IH", END, 0, 0, in_old_record, in_old_record, size, offset, 0)
    return data[:place] + record + locator + end


def zip64_field_beside_true_size() -> bytes:
    """Give an entry both a plain size and a ZIP64 size, which readers resolve differently."""
    entry = zipfile.ZipInfo("a.jpg")
    entry.extra = struct.pack("<2HQ", 1, 8, 5)
    return packed((entry, b"A" * 50))
