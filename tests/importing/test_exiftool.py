"""P1 by another program: exiftool puts everything in that it can, and finds none of it again."""

import json
import shutil
import subprocess
from pathlib import Path

import hostile_pictures as hostile
import pytest
from PIL import ImageCms

from app.domain.errors import Refusal
from app.imaging import clean_image

EXIFTOOL = shutil.which("exiftool")
CANARY = "JANE-CANARY-DOE"
# What a file has that holds pixels and nothing else: its format, its size, how it is compressed.
BARE = {
    "ExifTool": {"ExifToolVersion"},
    "System": {
        "FileName", "Directory", "FileSize", "FileModifyDate", "FileAccessDate",
        "FileInodeChangeDate", "FilePermissions",
    },
    "File": {
        "FileType", "FileTypeExtension", "MIMEType", "ImageWidth", "ImageHeight",
        "EncodingProcess", "BitsPerSample", "ColorComponents", "YCbCrSubSampling",
    },
    "JFIF": {"JFIFVersion", "ResolutionUnit", "XResolution", "YResolution"},
    "Composite": {"ImageSize", "Megapixels"},
}  # fmt: skip
WRITTEN = [
    "-GPSLatitude=48.137", "-GPSLatitudeRef=N", "-GPSLongitude=11.575", "-GPSLongitudeRef=E",
    "-DateTimeOriginal=2026:01:02 03:04:05", f"-SerialNumber={CANARY}", f"-OwnerName={CANARY}",
    f"-ImageDescription={CANARY}", f"-UserComment={CANARY}", f"-Comment={CANARY}",
    f"-XMP:PersonInImage={CANARY}", f"-IPTC:Caption-Abstract={CANARY}",
]  # fmt: skip

pytestmark = pytest.mark.skipif(EXIFTOOL is None, reason="exiftool is not installed")


def exiftool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - a program of the system
        [str(EXIFTOOL), *arguments], check=False, capture_output=True, text=True, timeout=60
    )


def tags(path: Path) -> dict[str, object]:
    """Every tag, as GROUP:NAME, unknown ones and those of a thumbnail too."""
    found: dict[str, object] = json.loads(exiftool("-j", "-a", "-u", "-G1", path).stdout)[0]
    return {name: value for name, value in found.items() if name != "SourceFile"}


def with_metadata(folder: Path, format_: str) -> Path:
    """Give a photograph with place, person, camera, comment, colour profile and thumbnail."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = folder / f"JANE.{format_.lower()}"
    path.write_bytes(hostile.saved(hostile.photograph(), format_, icc_profile=profile))
    thumbnail = folder / "thumbnail.jpg"
    thumbnail.write_bytes(hostile.saved(hostile.photograph()))
    exiftool("-overwrite_original", *WRITTEN, f"-ThumbnailImage<={thumbnail}", path)
    put_in = tags(path)
    groups = {name.split(":")[0] for name in put_in}
    assert {"GPS", "XMP-iptcExt"} <= groups
    assert any(group.startswith("ICC") for group in groups)
    assert sum(CANARY in str(value) for value in put_in.values()) > 4
    return path


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
def test_p1_exiftool_finds_pixels_and_nothing_else(tmp_path: Path, format_: str) -> None:
    dirty = with_metadata(tmp_path, format_)
    clean = tmp_path / "stored.jpg"
    clean.write_bytes(clean_image(dirty.read_bytes()).data)
    found = tags(clean)
    assert found["File:ImageWidth"] == hostile.photograph().width
    left = [name for name in found if name.split(":")[1] not in BARE.get(name.split(":")[0], set())]
    assert left == []
    assert CANARY.encode() not in clean.read_bytes()


@pytest.mark.parametrize("format_", ["TIFF", "WEBP"])
def test_p1_what_is_no_jpeg_or_png_is_refused_with_all_it_carries(
    tmp_path: Path, format_: str
) -> None:
    with pytest.raises(Refusal) as refused:
        clean_image(with_metadata(tmp_path, format_).read_bytes())
    assert "save the photograph as JPEG or PNG" in str(refused.value)
