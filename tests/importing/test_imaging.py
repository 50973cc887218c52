"""Pictures from outside: what is kept are the pixels, upright and in sRGB, and nothing else."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_pictures as hostile
import numpy as np
import pytest
from PIL import Image, ImageChops

from app import image_decoding
from app.domain.errors import Problem, Refusal, TooLarge
from app.imaging import CleanImage, ImageCleaner, clean_image


def pixels(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def mean_difference(one: Image.Image, other: Image.Image) -> float:
    """Give how far the pixels lie apart on average, of 255."""
    counts = ImageChops.difference(one, other).convert("L").histogram()
    return sum(value * count for value, count in enumerate(counts)) / sum(counts)


def refused(data: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        clean_image(data)
    return str(caught.value)


# --- what is accepted ---


def test_a_photograph_comes_back_as_a_jpeg_of_its_size() -> None:
    clean = clean_image(hostile.saved(hostile.photograph(), quality=95))
    assert (clean.media_type, clean.width, clean.height) == ("image/jpeg", 200, 120)
    image = Image.open(io.BytesIO(clean.data))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (200, 120))
    assert image.layer[0][1:3] == (1, 1)  # colour is kept at full resolution (4:4:4)
    assert mean_difference(image, hostile.photograph()) < 4


def test_a_picture_as_busy_as_noise_is_taken() -> None:
    """Of the size of a photograph and of the largest: the worst that a JPEG has to hold."""
    random = np.random.default_rng(1)
    largest = image_decoding.MAX_EDGE
    for width, height in ((640, 480), (largest, largest)):
        noise = Image.fromarray(random.integers(0, 2, (height, width, 3), dtype=np.uint8) * 255)
        clean = clean_image(hostile.saved(noise, "PNG"))
        assert pixels(clean.data).size == (width, height)


def test_the_same_bytes_give_the_same_bytes() -> None:
    data = hostile.saved(hostile.photograph(), "PNG")
    assert clean_image(data) == clean_image(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_i1_each_of_the_eight_orientations_is_applied_to_the_pixel(orientation: int) -> None:
    upright = clean_image(hostile.saved(hostile.photograph(), "PNG"))
    assert clean_image(hostile.oriented(hostile.photograph(), orientation)) == upright


def test_i1_the_orientation_of_a_jpeg_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    clean = clean_image(hostile.saved(hostile.photograph(), exif=exif))
    assert (clean.width, clean.height) == (120, 200)


def test_an_exif_block_that_cannot_be_read_counts_as_upright() -> None:
    clean = clean_image(hostile.saved(hostile.photograph(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"))
    assert (clean.width, clean.height) == (200, 120)


def test_p1_no_metadata_survives() -> None:
    data = hostile.with_private_metadata()
    for canary in (
        hostile.PATIENT,
        hostile.GPS_MARK,
        b"CANARY-MAKE",
        b"CANARY-XMP",
        b"ICC_PROFILE",
    ):
        assert canary in data  # the test would otherwise prove nothing
    clean = clean_image(data).data
    for canary in (hostile.PATIENT, b"JANE", b"CANARY", b"Exif", b"ICC_PROFILE", b"2024:"):
        assert canary not in clean
    image = Image.open(io.BytesIO(clean))
    assert not image.getexif()
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_p1_no_segment_or_chunk_survives_whatever_it_is_called() -> None:
    """IPTC, thumbnails, makers' notes, texts, times and what nobody has heard of."""
    for data in (hostile.with_every_segment(), hostile.with_every_chunk()):
        assert data.count(b"CANARY-") >= 6
        clean = clean_image(data)
        assert b"CANARY" not in clean.data
        assert segments(clean.data) == {0xE0, 0xDB, 0xC0, 0xC4}
        assert mean_difference(pixels(clean.data), hostile.photograph()) < 6


def test_p1_the_file_holds_only_the_segments_that_pixels_need() -> None:
    data = clean_image(hostile.with_private_metadata()).data
    assert segments(data) == {0xE0, 0xDB, 0xC0, 0xC4}  # JFIF, tables, frame: no APPn, no COM
    assert data.endswith(b"\xff\xd9")


def segments(data: bytes) -> set[int]:
    """The markers of a JPEG before its pixels."""
    markers, place = [], 2
    while data[place + 1] != 0xDA:
        markers.append(data[place + 1])
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return set(markers)


def test_i1_a_tail_behind_the_picture_is_gone() -> None:
    page = b"<html><script>alert(1)</script>"
    for kind in ("JPEG", "PNG"):
        assert b"<script>" not in clean_image(hostile.saved(hostile.photograph(), kind) + page).data


def test_colours_are_converted_by_the_embedded_profile() -> None:
    red = Image.new("RGB", (80, 80), (255, 0, 0))
    profile = hostile.swapped_colours_profile()
    clean = clean_image(hostile.saved(red, "PNG", icc_profile=profile))
    r, g, b = pixels(clean.data).getpixel((40, 40))
    assert (r < 40, g < 40, b > 215) == (True, True, True)


def test_a_profile_that_cannot_be_read_leaves_the_colours_as_they_are() -> None:
    plain = clean_image(hostile.saved(hostile.photograph(), "PNG"))
    with_noise = hostile.saved(hostile.photograph(), "PNG", icc_profile=b"noise" * 99)
    assert clean_image(with_noise) == plain


def test_transparent_parts_lie_on_white() -> None:
    image = hostile.photograph().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size).point(lambda v: 255 * (v > 127)))
    for source in (image, image.convert("LA"), image.quantize()):
        seen = pixels(clean_image(hostile.saved(source, "PNG")).data)
        assert seen.getpixel((100, 5)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_black_and_white_grey_and_palette_pictures_are_accepted(mode: str) -> None:
    clean = clean_image(hostile.saved(hostile.photograph().convert(mode), "PNG"))
    expected = hostile.photograph().convert(mode).convert("RGB")
    assert mean_difference(pixels(clean.data), expected) < 6


def test_i1_sixteen_bits_a_colour_become_eight() -> None:
    row = b"\0" + b"\x80\xff\x40\x00\xc0\x7f" * 70
    clean = clean_image(hostile.png(70, 70, 16, 2, row * 70))
    expected = Image.new("RGB", (70, 70), (128, 64, 192))
    assert mean_difference(pixels(clean.data), expected) < 2


def test_the_second_picture_of_a_phone_is_left_out() -> None:
    frames = [hostile.photograph(), Image.new("RGB", (400, 400), "blue")]
    data = hostile.saved(frames[0], "MPO", save_all=True, append_images=frames[1:])
    clean = clean_image(data)
    assert (clean.width, clean.height) == (200, 120)
    assert len(clean.data) < len(data)


def test_the_long_edge_is_limited_and_the_shape_is_kept() -> None:
    clean = clean_image(hostile.saved(hostile.photograph(3000, 1500), quality=60))
    assert (clean.width, clean.height) == (2048, 1024)
    tall = clean_image(hostile.saved(hostile.photograph(1000, 4096), quality=60))
    assert (tall.width, tall.height) == (500, 2048)


# --- what is refused, each with a sentence ---


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0", "neither a JPEG nor a PNG"),
        (b"\x89PNG\r\n\x1a\n", "neither a JPEG nor a PNG"),
        (b"hello", "neither a JPEG nor a PNG"),
        (hostile.SVG, "SVG drawing"),
        (hostile.saved(hostile.photograph(), "GIF"), "is a GIF"),
        (hostile.saved(hostile.photograph(), "BMP"), "is a BMP"),
        (hostile.saved(hostile.photograph(), "TIFF"), "is a TIFF"),
        (hostile.saved(hostile.photograph(), "WEBP"), "is a WebP"),
        (b"\0\0\0\x18ftypheic" + bytes(40), "HEIC"),
        (bytes(128) + b"DICM" + bytes(40), "DICOM"),
        (b"PK\x03\x04" + bytes(40), "ZIP"),
        (hostile.animation("PNG"), "animated"),
        (hostile.saved(hostile.photograph(63, 200)), "63 x 200 pixels"),
        (hostile.saved(hostile.photograph(5000, 100)), "at least 64"),
        (hostile.saved(hostile.photograph().convert("CMYK")), "printing colours (CMYK)"),
        (hostile.png(70, 70, 16, 0, (b"\0" + bytes(140)) * 70), "16-bit greyscale"),
    ],
)
def test_i1_what_is_no_photograph_is_refused_in_words(data: bytes, said: str) -> None:
    assert said in refused(data)


def test_p2_a_dicom_file_is_refused_by_name_and_never_read() -> None:
    """Its attributes would name the patient: there is no way in for any of them."""
    said = refused(bytes(128) + b"DICM" + b"\x10\x00\x10\x00PN\x08\x00DOE^JANE" + bytes(400))
    assert "DICOM" in said
    assert "DOE" not in said


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_i1_a_picture_that_is_cut_short_is_refused_wherever_it_is_cut(kind: str) -> None:
    whole = hostile.saved(hostile.photograph(), kind)
    for share in (0.2, 0.5, 0.9):
        assert refused(whole[: int(len(whole) * share)])


def test_i1_a_damaged_png_is_refused() -> None:
    data = bytearray(hostile.saved(hostile.photograph(), "PNG"))
    data[len(data) // 2] ^= 0xFF
    assert "damaged" in refused(bytes(data))


@pytest.mark.parametrize("size", [(6400, 6400), (12_000, 12_000), (30_000, 30_000)])
def test_i1_too_many_pixels_are_refused_before_they_are_decoded(size: tuple[int, int]) -> None:
    head_only = hostile.png(*size, 8, 2, b"")  # decoding it would say "damaged"
    with pytest.raises(TooLarge, match="40 megapixels"):
        clean_image(head_only)


def test_i1_too_many_bytes_are_refused() -> None:
    with pytest.raises(TooLarge, match="25 MB"):
        clean_image(bytes(image_decoding.MAX_BYTES + 1))


def test_i1_a_text_bomb_in_a_png_is_refused() -> None:
    assert refused(hostile.bomb(100, 100).replace(b"IHDR", b"iTXt", 1))


# --- the child processes ---


@pytest.fixture(scope="module")
def cleaner() -> Iterator[ImageCleaner]:
    with ImageCleaner(2) as pool:
        yield pool


def test_many_pictures_come_back_in_order_with_their_problems(cleaner: ImageCleaner) -> None:
    good = hostile.saved(hostile.photograph())
    pictures = [(f"{n}.jpg", good if n % 3 else hostile.SVG) for n in range(30)]
    results = list(cleaner.clean_many(pictures))
    assert [name for name, _ in results] == [name for name, _ in pictures]
    for number, (name, result) in enumerate(results):
        if number % 3:
            assert result == clean_image(good)
        else:
            assert isinstance(result, Problem)
            assert str(result).startswith(f"{name}: the file is an SVG drawing")


def test_pictures_are_taken_only_a_few_ahead(cleaner: ImageCleaner) -> None:
    taken: list[int] = []

    def pictures() -> Iterator[tuple[str, bytes]]:
        for number in range(100):
            taken.append(number)
            yield f"{number}.jpg", hostile.SVG

    results = cleaner.clean_many(pictures())
    next(results)
    assert len(taken) < 10
    assert len(list(results)) == 99


def test_i1_a_child_that_is_killed_costs_one_picture_and_the_pool_goes_on() -> None:
    good = hostile.saved(hostile.photograph())
    with ImageCleaner(1) as pool:
        assert isinstance(pool.clean("a.jpg", good), CleanImage)
        child = pool._children.get()
        assert child._process is not None
        os.kill(child._process.pid, signal.SIGKILL)
        child._process.wait()
        pool._children.put(child)
        lost = pool.clean("b.jpg", good)
        assert str(lost) == "b.jpg: the picture could not be decoded within its time and memory"
        assert isinstance(pool.clean("c.jpg", good), CleanImage)


LONG = 600  # seconds, on a machine that does much else beside: then the test ends the child itself


@pytest.mark.parametrize(
    ("how", "without"),
    [
        ("while True: pass", "d.signal.alarm = lambda seconds: None"),
        ("import time; time.sleep(3600)", "pass"),
    ],
    ids=["computes", "waits"],
)
def test_i1_a_picture_that_takes_too_long_ends_its_child_alone(
    monkeypatch: pytest.MonkeyPatch, how: str, without: str
) -> None:
    """Whether it computes or waits: the kernel's own limits end it, made short for the test.

    The limit on its waiting would end a child that computes too, so it is taken away from that one.
    """
    script = (
        "import app.image_decoding as d, sys\n"
        "d.SECONDS = 1\n"
        f"d.clean_image = lambda data: exec({how!r})\n"
        f"{without}\n"
        "import time\n"
        "d._confine(); d.answer(sys.stdin.buffer, sys.stdout.buffer)"
    )
    started = subprocess.Popen
    watches: list[threading.Timer] = []
    ended_by_us: list[str] = []

    def slow_child(command: list[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        child = started([command[0], "-c", script], **options)

        def end() -> None:
            ended_by_us.append("no limit of the kernel's did")
            child.kill()

        watches.append(threading.Timer(LONG, end))
        watches[-1].start()
        return child

    with ImageCleaner(1) as pool:
        monkeypatch.setattr(subprocess, "Popen", slow_child)
        assert isinstance(pool.clean("slow.jpg", b"x"), Problem)
        for watch in watches:
            watch.cancel()
        assert ended_by_us == []
        monkeypatch.undo()
        assert isinstance(pool.clean("b.jpg", hostile.saved(hostile.photograph())), CleanImage)


def test_i1_a_child_that_answers_with_no_number_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = (
        "import app.image_decoding as d, dataclasses, sys\n"
        "clean = d.clean_image\n"
        "def lie(data):\n"
        "    said = clean(data)\n"
        "    wrong = dataclasses.replace(said.quality, sharpness=float('nan'))\n"
        "    return dataclasses.replace(said, quality=wrong)\n"
        "d.clean_image = lie\n"
        "d.answer(sys.stdin.buffer, sys.stdout.buffer)"
    )
    started = subprocess.Popen

    def lying_child(command: list[str], **options: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401
        return started([command[0], "-c", script], **options)

    with ImageCleaner(1) as pool:
        monkeypatch.setattr(subprocess, "Popen", lying_child)
        assert isinstance(pool.clean("a.jpg", hostile.saved(hostile.photograph())), Problem)


def test_forty_megapixels_fit_into_the_memory_of_a_child(cleaner: ImageCleaner) -> None:
    result = cleaner.clean("large.png", hostile.bomb(6320, 6320))
    assert isinstance(result, CleanImage)
    assert (result.width, result.height) == (2048, 2048)


def test_too_large_a_file_is_not_even_sent(cleaner: ImageCleaner) -> None:
    problem = cleaner.clean("big.jpg", bytes(image_decoding.MAX_BYTES + 1))
    assert str(problem) == "big.jpg: the file is larger than 25 MB"


def in_child(statement: str) -> str:
    """Run a statement in a confined decoding process and give what it prints."""
    code = f"import app.image_decoding as d\nd._confine()\n{statement}"
    run = subprocess.run(  # noqa: S603 - our own statement
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    return run.stdout + run.stderr


def test_the_child_holds_neither_torch_nor_the_web_application() -> None:
    held = in_child("import sys; print(*sys.modules)").split()
    for name in ("torch", "scipy", "fastapi", "sqlalchemy", "psycopg", "app.main", "app.db"):
        assert name not in held
    assert "app.image_decoding" in held


def test_i1_the_child_can_open_no_file_and_take_no_more_than_its_memory() -> None:
    assert "Too many open files" in in_child("open('/etc/passwd')")
    assert "MemoryError" in in_child("bytearray(3 * 1024**3)")
    limits = (
        "import resource as r; print(*(r.getrlimit(x) for x in (r.RLIMIT_FSIZE, r.RLIMIT_CORE)))"
    )
    assert in_child(limits) == "(0, 0) (0, 0)\n", "nothing is written into a file it was handed"


def test_i1_the_child_sees_no_secret_of_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")
    with ImageCleaner(1) as pool:
        pool.clean("a.jpg", b"x")
        child = pool._children.get()
        assert child._process is not None
        environment = Path(f"/proc/{child._process.pid}/environ")
        if environment.exists():
            assert b"secret" not in environment.read_bytes()
        pool._children.put(child)


@pytest.mark.photographs
@pytest.mark.skipif("REREAD_TEST_IMAGES" not in os.environ, reason="no photographs named")
def test_the_real_photographs_are_all_cleaned_and_keep_their_look(cleaner: ImageCleaner) -> None:
    files = sorted((Path(os.environ["REREAD_TEST_IMAGES"]) / "images").iterdir())
    results = dict(cleaner.clean_many((file.name, file.read_bytes()) for file in files))
    assert len(results) == 440
    for file in files[::40]:
        clean = results[file.name]
        assert isinstance(clean, CleanImage)
        before = pixels(file.read_bytes())
        assert before.size == (clean.width, clean.height)
        assert mean_difference(before, pixels(clean.data)) < 4
