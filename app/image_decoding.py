"""One foreign picture in, one clean photograph out: decoded, upright, sRGB, without metadata.

`python -m app.image_decoding` is the child process that `app.imaging` feeds: pictures come from
outside, so they are decoded away from the database, the network settings and the secrets.
It imports Pillow and numpy and nothing of the web application.
"""

import io
import resource
import signal
import struct
import sys
import warnings
from dataclasses import astuple, dataclass
from importlib import import_module
from typing import BinaryIO

from PIL import Image, ImageCms, ImageFile

from app.domain import picture_refusals
from app.domain.errors import InvalidInput, TooLarge
from app.domain.image_quality import ImageQuality
from app.domain.sentences import Sentence, said

MAX_BYTES = 25 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_EDGE = 2048  # pixels; the longest edge that is kept
MIN_EDGE = 64  # pixels; below this there is nothing to read
MEMORY = 2 * 1024**3  # bytes of address space for one child; 40 megapixels took 0.8 GiB
SECONDS = 20  # of processor time, and twice that on the clock, for one picture

# An optimised JPEG is written from one buffer, and Pillow's guess is too small for pictures as busy
# as noise. In bytes: more than any picture of the largest size takes.
ImageFile.MAXBLOCK = 4 * MAX_EDGE**2

READY = b"ready\n"
REQUEST = struct.Struct(">Q")  # length of the picture
# 1 for a photograph or 0 for a sentence, width, height, length; MEASURES follow a photograph's
REPLY = struct.Struct(">BIIQ")
MEASURES = struct.Struct(">dIddddQ")  # the fields of ImageQuality in their order, perceptual hash

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - Pillow leaves it untyped
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class CleanImage:
    """A photograph as it is stored: JPEG bytes, and its size in pixels.

    Quality and hash are of the decoded picture, before it was reduced and written anew.
    """

    data: bytes
    media_type: str
    width: int
    height: int
    quality: ImageQuality
    perceptual_hash: int  # 64 bits


def clean_image(data: bytes) -> CleanImage:
    """Decode a JPEG or PNG and write it anew: upright, sRGB, at most 2048 px, no metadata.

    Raises `TooLarge` or `InvalidInput` with a sentence about the picture. Where the bytes come
    from outside, call it through `app.imaging.ImageCleaner`, which does this in a child process.
    """
    if not data:
        raise InvalidInput("the file is empty")
    if len(data) > MAX_BYTES:
        raise TooLarge(said(picture_refusals.LARGER, size=MAX_BYTES // 1024**2))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a flawed EXIF block is no reason to refuse
            decoded = _decode(data)
            return _encode(_small_enough(decoded), *_measured(decoded))
    except (InvalidInput, TooLarge):
        raise
    except MemoryError:
        raise InvalidInput("the picture needs more memory than is allowed") from None
    except Exception as fault:  # noqa: BLE001 - a decoder fed hostile bytes can raise anything
        raise InvalidInput(said(picture_refusals.DAMAGED, fault=type(fault).__name__)) from None


def _decode(data: bytes) -> Image.Image:
    """Give the upright picture in sRGB; the size is judged before any pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG"))
    except Image.DecompressionBombError:
        raise TooLarge(_TOO_MANY_PIXELS) from None
    except Image.UnidentifiedImageError:
        raise InvalidInput(_not_an_image(data)) from None
    if image.width * image.height > MAX_PIXELS:
        raise TooLarge(_TOO_MANY_PIXELS)
    # A phone's JPEG may carry a second picture behind the first (MPO); that is no animation.
    if image.format == "PNG" and getattr(image, "is_animated", False):
        raise InvalidInput("the picture is animated; save one frame as JPEG or PNG")
    if image.format == "PNG":
        # Decoding alone does not look at the checksums; a changed byte would change the lesion.
        Image.open(io.BytesIO(data), formats=("PNG",)).verify()
    image.load()
    orientation = _orientation(image)
    plain = _to_srgb(_without_transparency(image), image.info.get("icc_profile"))
    return plain.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else plain


_TOO_MANY_PIXELS = said(picture_refusals.MORE_PIXELS, count=MAX_PIXELS // 1_000_000)


def _not_an_image(data: bytes) -> Sentence:
    for place, mark, kind in picture_refusals.OTHER_KINDS:
        if data[place : place + len(mark)] == mark:
            return said(picture_refusals.OTHER_KIND, kind=kind)
    if b"<svg" in data[:1024].lower():
        return said("the file is an SVG drawing; a photograph as JPEG or PNG is needed")
    return said("the file is neither a JPEG nor a PNG photograph")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - EXIF is foreign bytes; unreadable means as it stands
        return 1


def _without_transparency(image: Image.Image) -> Image.Image:
    """Give the picture in mode L, RGB or CMYK, laid on white where it is transparent."""
    if image.mode in {"L", "RGB", "CMYK"} and not image.has_transparency_data:
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode.startswith(("I", "F")):
        raise InvalidInput("the picture is 16-bit greyscale; save it with 8 bits a colour")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    white = Image.new("RGBA", layered.size, "white")
    return Image.alpha_composite(white, layered).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded colour profile, which is then dropped."""
    if profile:
        try:
            return _by_profile(image, profile)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            pass  # an unreadable profile says nothing about the colours
    if image.mode == "CMYK":
        raise InvalidInput(
            "the picture is in printing colours (CMYK) without a readable colour profile; "
            "save it in sRGB"
        )
    return image.convert("RGB")


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    # Converting sRGB to sRGB would only cost rounding.
    if image.mode == "RGB" and ImageCms.getProfileDescription(source).startswith("sRGB"):
        return image
    converted = ImageCms.profileToProfile(image, source, _SRGB, outputMode="RGB")
    if converted is None:
        raise ValueError("nothing was converted")
    return converted


def _small_enough(image: Image.Image) -> Image.Image:
    scale = min(1.0, MAX_EDGE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    if min(size) < MIN_EDGE:
        raise InvalidInput(
            said(
                picture_refusals.TOO_SMALL,
                width=image.width,
                height=image.height,
                least=MIN_EDGE,
                most=MAX_EDGE,
            )
        )
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _measured(image: Image.Image) -> tuple[ImageQuality, int]:
    from app.image_quality import measure, perceptual_hash  # numpy: 0.4 s, for the child alone

    return measure(image), perceptual_hash(image)


def _encode(image: Image.Image, quality: ImageQuality, perceptual_hash: int) -> CleanImage:
    # Only pixels cross to a fresh canvas: saving the opened picture again would keep a JPEG
    # comment and, in a PNG, the colour profile.
    canvas = Image.new("RGB", image.size)
    canvas.paste(image)
    out = io.BytesIO()
    canvas.save(out, "JPEG", quality=92, subsampling=0, optimize=True)
    return CleanImage(
        out.getvalue(), "image/jpeg", canvas.width, canvas.height, quality, perceptual_hash
    )


def answer(source: BinaryIO, out: BinaryIO) -> None:
    """Clean picture after picture until the source ends, each under its own time limit."""
    out.write(READY)
    out.flush()
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        (length,) = REQUEST.unpack(head)
        data = source.read(length)
        _limit_time()
        try:
            clean = clean_image(data)
            measures = MEASURES.pack(*astuple(clean.quality), clean.perceptual_hash)
            head = REPLY.pack(1, clean.width, clean.height, len(clean.data))
            reply = head + measures + clean.data
        except (InvalidInput, TooLarge) as refusal:
            sentence = refusal.sentence.encode()
            reply = REPLY.pack(0, 0, 0, len(sentence)) + sentence
        signal.alarm(0)
        out.write(reply)
        out.flush()


def _limit_time() -> None:
    """Let the kernel end this process where one picture takes too long."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    signal.alarm(2 * SECONDS)


def _confine() -> None:
    """Give up memory, new files and core dumps: a hostile picture finds little to reach for."""
    # Everything Pillow and numpy would load on demand is loaded before no more files may be opened.
    Image.preinit()
    import_module("PIL.MpoImagePlugin")
    _measured(Image.new("RGB", (MIN_EDGE, MIN_EDGE)))
    if sys.platform != "darwin":  # macOS refuses this limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))


if __name__ == "__main__":
    _confine()
    answer(sys.stdin.buffer, sys.stdout.buffer)
