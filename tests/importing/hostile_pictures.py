"""Pictures made at test time: honest ones, and ones that a server must survive."""

import io
import struct
import zlib

from PIL import Image, ImageCms, ImageDraw, PngImagePlugin

PATIENT = b"PATIENT JANE DOE"
GPS_MARK = b"CANARY-GPS-DATUM"


def photograph(width: int = 200, height: int = 120) -> Image.Image:
    """Draw a picture without any symmetry, so that every turn and flip shows."""
    image = Image.new("RGB", (width, height), (224, 172, 150))
    draw = ImageDraw.Draw(image)
    draw.ellipse((20, 10, 90, 70), fill=(120, 60, 50))
    draw.rectangle((width - 60, height - 30, width - 5, height - 5), fill=(20, 90, 200))
    draw.line((0, height, width, 0), fill=(10, 160, 30), width=3)
    return image


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def with_private_metadata() -> bytes:
    """Give a JPEG with a comment, GPS and camera EXIF, XMP, a colour profile and a tail."""
    exif = Image.Exif()
    exif[0x010F] = "CANARY-MAKE"
    exif[0x0132] = "2024:01:02 03:04:05"
    exif.get_ifd(0x8825)[0x12] = GPS_MARK.decode()
    exif.get_ifd(0x8825)[2] = (52.0, 30.0, 1.0)
    return (
        saved(
            photograph(),
            comment=PATIENT,
            exif=exif,
            xmp=b"<x:xmpmeta>CANARY-XMP</x:xmpmeta>",
            icc_profile=srgb_profile(),
        )
        + b"<script>CANARY-TAIL</script>"
    )


def with_every_segment() -> bytes:
    """Give a JPEG with a segment of every application (IPTC is APP13) and a comment, all read."""
    plain = saved(photograph(), quality=95)
    marks = [0xFE, *range(0xE2, 0xEE), 0xEF]  # APP14 says how the colours are meant
    own = b""
    for mark in marks:
        body = (b"Photoshop 3.0\0" if mark == 0xED else b"") + b"CANARY-%02X" % mark
        own += struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body
    return plain[:2] + own + plain[2:]


def with_every_chunk() -> bytes:
    """Give a PNG with texts, EXIF, a time, a suggested palette and a chunk of nobody's."""
    exif = Image.Exif()
    exif[0x010F] = "CANARY-MAKE"
    exif[0x927C] = b"CANARY-MAKERNOTE"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "CANARY-TEXT")
    texts.add_itxt("XML:com.adobe.xmp", "CANARY-XMP")
    texts.add(b"tIME", b"CANARY-")
    texts.add(b"sPLT", b"CANARY-PALETTE\0\x08")
    texts.add(b"prIv", b"CANARY-PRIVATE", after_idat=True)
    return saved(photograph(), "PNG", pnginfo=texts, exif=exif)


def srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def swapped_colours_profile() -> bytes:
    """Give an RGB profile whose red and blue are exchanged: what is converted by it shows."""
    data = bytearray(srgb_profile())
    tags = {bytes(data[p : p + 4]): p for p in range(132, 132 + 12 * 20, 12)}
    red, blue = tags[b"rXYZ"], tags[b"bXYZ"]
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    # Under another name, since a profile that calls itself sRGB is taken at its word.
    return bytes(data.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be")))


def oriented(image: Image.Image, orientation: int) -> bytes:
    """Save as a PNG that is turned away and says so in its EXIF."""
    turn_away = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    turned = image.transpose(turn_away[orientation]) if orientation in turn_away else image
    return saved(turned, "PNG", exif=exif)


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """Write a PNG chunk by chunk, so that its head can promise anything."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checked = kind + body
        return struct.pack(">I", len(body)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">2I5B", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(pixels, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb(width: int, height: int) -> bytes:
    """Give a small PNG of one colour that fills width x height pixels (greyscale)."""
    return png(width, height, 8, 0, bytes((width + 1) * height))


def animation(kind: str) -> bytes:
    frames = [photograph(), photograph().transpose(Image.Transpose.ROTATE_180)]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)
