"""Images are found in a folder or a ZIP file; a doubtful ZIP file is refused as a whole."""

import io
import os
import struct
import zipfile
from pathlib import Path

import hostile_zips as zips
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import InvalidInput
from app.image_decoding import MAX_BYTES
from app.image_source import ImageSource, open_image_source
from app.zip_check import ZipLimits


def opened(data: bytes, limits: ZipLimits | None = None) -> ImageSource:
    return open_image_source(io.BytesIO(data), name="up.zip", limits=limits or ZipLimits())


def refused(data: bytes, limits: ZipLimits | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        opened(data, limits)
    assert caught.value.problems
    assert {problem.file for problem in caught.value.problems} == {"up.zip"}
    return "\n".join(str(problem) for problem in caught.value.problems)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images" / "sub").mkdir(parents=True)
    for name in (
        "a.jpg",
        "B.JPEG",
        "sub/c.png",
        "sub/both.jpg",
        "both.jpg",
        "notes.txt",
        "._a.jpg",
    ):
        (tmp_path / "images" / name).write_bytes(name.encode())
    return tmp_path / "images"


def as_zip(folder: Path) -> bytes:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return zips.packed(*((p.relative_to(folder).as_posix(), p.read_bytes()) for p in files))


# --- finding ---


@pytest.mark.parametrize("kind", ["folder", "zip", "path of a zip"])
def test_images_are_found_by_name_with_or_without_ending(folder: Path, kind: str) -> None:
    archive = folder.parent / "images.zip"
    archive.write_bytes(as_zip(folder))
    by_kind = {"folder": folder, "zip": io.BytesIO(archive.read_bytes()), "path of a zip": archive}
    with open_image_source(by_kind[kind]) as source:
        assert source.names() == ("B.JPEG", "a.jpg", "both.jpg", "sub/both.jpg", "sub/c.png")
        assert source.read("a.jpg") == b"a.jpg"
        assert source.read("a") == b"a.jpg"
        assert source.read("b.jpeg") == b"B.JPEG"
        assert source.read("c") == b"sub/c.png"
        assert source.find("C.png") == "sub/c.png"
        with pytest.raises(InvalidInput, match=r"2 files have this name: both.jpg, sub/both.jpg"):
            source.read("both.jpg")
        for missing in ("nobody.jpg", "notes.txt", "a.png", "", "..", "../a.jpg", "/etc/passwd"):
            with pytest.raises(InvalidInput, match="no JPEG or PNG file of this name") as caught:
                source.read(missing)
            assert caught.value.problems[0].file == missing


def test_names_that_differ_in_capitals_alone_are_told_apart(tmp_path: Path) -> None:
    for name in ("a.jpg", "A.jpg"):
        (tmp_path / name).write_text(name)
    with open_image_source(tmp_path) as source:
        if len(source.names()) == 1:
            pytest.skip("this file system does not tell capitals apart")
        assert (source.read("a.jpg"), source.read("A.jpg")) == (b"a.jpg", b"A.jpg")
        with pytest.raises(InvalidInput, match="2 files"):
            source.read("A.JPG")


def test_accents_are_one_name_however_they_are_written() -> None:
    with opened(zips.packed(("e\u0301.jpg", b"x"))) as source:
        assert source.read("\u00e9.jpg") == b"x"


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_a_name_packed_without_saying_its_encoding_is_found(encoding: str) -> None:
    """As Windows in Chinese packs it (GBK), and older macOS (UTF-8); neither sets the mark."""
    name = "皮肤镜 一.jpg"
    with opened(zips.with_name(name.encode(encoding))) as source:
        assert source.read(name) == b"x"
        assert source.read("皮肤镜 一") == b"x"


def test_a_name_in_code_page_437_stays_what_it_is() -> None:
    with opened(zips.with_name("Läsion.jpg".encode("cp437"))) as source:
        assert source.names() == ("Läsion.jpg",)
        assert source.read("läsion.jpg") == b"x"


def test_a_table_in_the_place_of_the_images_is_called_no_zip_file() -> None:
    with pytest.raises(InvalidInput, match="is not a ZIP file"):
        opened(b"case_id,image,diagnosis\nA1,a.jpg,BCC\n" * 20)
    with pytest.raises(InvalidInput, match="its end is missing"):
        opened(zips.packed(("a.jpg", b"A" * 50))[:60])


def test_what_is_neither_a_folder_nor_a_zip_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no such folder or ZIP file"):
        open_image_source(tmp_path / "nothing")
    (tmp_path / "x.zip").write_bytes(b"hello")
    with pytest.raises(InvalidInput, match=r"x\.zip"):
        open_image_source(str(tmp_path / "x.zip"))


# --- folders ---


def test_i2_links_that_lead_out_of_the_folder_are_refused(folder: Path) -> None:
    outside = folder.parent / "secret.jpg"
    outside.write_bytes(b"secret")
    (folder / "link.jpg").symlink_to(outside)
    (folder / "sub" / "away").symlink_to(folder.parent)
    with pytest.raises(InvalidInput, match="lead out") as caught:
        open_image_source(folder)
    assert sorted(problem.file for problem in caught.value.problems) == ["link.jpg", "sub/away"]


def test_links_within_the_folder_are_followed(folder: Path) -> None:
    (folder / "link.jpg").symlink_to(folder / "a.jpg")
    (folder / "loop").symlink_to(folder)
    (folder / "broken.jpg").symlink_to(folder / "nowhere.jpg")
    with open_image_source(folder) as source:
        assert source.read("link.jpg") == b"a.jpg"
        assert "broken.jpg" not in source.names()


def test_a_pipe_in_the_folder_is_no_image(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jpg")
    with open_image_source(folder) as source:
        assert "pipe.jpg" not in source.names()


def test_i2_a_file_larger_than_a_photograph_may_be_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "big.jpg").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with open_image_source(tmp_path) as source, pytest.raises(InvalidInput, match="25 MB"):
        source.read("big.jpg")


# --- ZIP files: accepted ---


@pytest.mark.parametrize(
    "data",
    [
        zips.two(),
        zips.packed(("a.jpg", b"A" * 50), ("b.jpg", b"B" * 50), method=zipfile.ZIP_DEFLATED),
        zips.streamed(),
        zips.zip64_end(),
        zips.zip64_end(in_old_record=2),
        zips.packed(("a.jpg", b"A" * 50), ("sub/", b""), ("sub/b.jpg", b"B" * 50)),
        zips.packed(
            ("a.jpg", b"A" * 50), ("b.jpg", b"B" * 50), ("cases.csv", b"x"), ("x.exe", b"")
        ),
    ],
)
def test_i2_honest_zip_files_are_read(data: bytes) -> None:
    with opened(data) as source:
        assert source.read("a") == b"A" * 50
        assert source.read("b") == b"B" * 50
        assert len(source.names()) == 2


def test_a_zip_with_zip64_fields_at_each_file_is_read() -> None:
    with opened(zips.zip64_local()) as source:
        assert source.read("a.jpg") == b"A" * 50


def test_what_macos_adds_is_passed_over() -> None:
    data = zips.packed(("a.jpg", b"x"), ("__MACOSX/._a.jpg", b"y"), (".DS_Store", b"z"))
    with opened(data) as source:
        assert source.names() == ("a.jpg",)


def test_an_empty_zip_file_has_no_images() -> None:
    with opened(zips.packed()) as source:
        assert source.names() == ()


# --- ZIP files: refused ---


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a ZIP file"),
        (b"hello", "not a ZIP file"),
        (zips.two()[:-1], "end"),
        (zips.two()[:40], "its end is missing"),
        (zips.two() + b"tail", "something follows its end"),
        (b"\xff\xd8 a picture first" + zips.two(), "before its beginning"),
        (zips.packed(("/etc/x.jpg", b"x")), "absolute path"),
        (zips.packed(("C:/x.jpg", b"x")), "absolute path"),
        (zips.packed(("../x.jpg", b"x")), "leads out of the ZIP file"),
        (zips.packed(("a/../../x.jpg", b"x")), "leads out of the ZIP file"),
        (zips.with_name(b"a\\x.jpg"), "backslash"),
        (zips.with_name(b"a\0x.jpg"), "control character"),
        (zips.with_name(b"a\nx.jpg"), "control character"),
        (zips.link(), "is a link"),
        (zips.packed(("a.jpg", b"x"), ("a.jpg", b"y")), "more than once"),
        (zips.packed(("a.jpg", b"x"), ("A.JPG", b"y")), "more than once"),
        (zips.packed(("inner.zip", zips.two())), "unpack it first"),
        (zips.packed(("inner.tar.gz", b"x")), "unpack it first"),
        (zips.encrypted(), "encrypted"),
        (zips.packed(("a.jpg", b"x" * 99), method=zipfile.ZIP_LZMA), "unusual way"),
        (zips.packed(("a.jpg", bytes(3_000_000)), method=zipfile.ZIP_DEFLATED), "100-fold"),
        (zips.overlapping(), "overlaps the file before it"),
        (zips.zip64_end(entries=1), "another length than it says"),
        (zips.zip64_end(entries=1, in_old_record=2), "contradicts its end record"),
        (zips.zip64_field_beside_true_size(), "ZIP64 field that contradicts"),
        (zips.changed(zips.two(), zips.END, 8, b"\x01\x00\x01\x00"), "another length"),
        (zips.changed(zips.two(), zips.END, 4, b"\x01\x00"), "one part of several"),
        (zips.changed(zips.two(), zips.CENTRAL, 24, struct.pack("<I", 40)), "two different sizes"),
        (zips.changed(zips.two(), b"PK\x03\x04", 22, b"\x09"), "described differently"),
        (zips.changed(zips.two(), b"PK\x03\x04", 8, b"\x08"), "described differently"),
        (zips.changed(zips.two(), b"PK\x03\x04", 30, b"z"), "described differently"),
        (zips.changed(zips.two(), zips.CENTRAL, 42, b"\xff\xff\xff\x7f"), "not sound"),
    ],
)
def test_i2_a_doubtful_zip_file_is_refused_in_words(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_i2_every_doubtful_entry_is_listed() -> None:
    data = zips.packed(("../x.jpg", b"x"), ("ok.jpg", b"x"), ("/y.jpg", b"x"), ("z.zip", b"x"))
    assert len(refused(data).splitlines()) == 3


def test_i2_the_limits_hold() -> None:
    many = zips.packed(*((f"{n}.jpg", b"x") for n in range(11)))
    assert "more than 10 files" in refused(many, ZipLimits(entries=10))
    assert "unpacked it would take more than" in refused(zips.two(), ZipLimits(total=99))


def test_i2_a_byte_changed_within_an_image_is_noticed_when_it_is_read() -> None:
    data = zips.two()
    with opened(data.replace(b"A" * 50, b"A" * 49 + b"C")) as source:
        with pytest.raises(InvalidInput, match="cannot be unpacked"):
            source.read("a.jpg")
        assert source.read("b.jpg") == b"B" * 50


@settings(max_examples=300)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4))
def test_i2_a_zip_file_with_changed_bytes_is_refused_or_read_never_a_crash(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(zips.packed(("a.jpg", b"A" * 50), ("b.jpg", bytes(90)), method=8))
    for place, value in changes:
        data[place % len(data)] = value
    try:
        with opened(bytes(data)) as source:
            for name in source.names():
                source.read(name)
    except InvalidInput as refusal:
        assert refusal.problems  # noqa: PT017 - both ends are allowed


@given(st.binary(max_size=200))
def test_i2_any_bytes_are_refused_or_read_never_a_crash(data: bytes) -> None:
    assert refused(data)
    assert refused(zips.two() + data + b"!")
