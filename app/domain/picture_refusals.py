"""What the decoding process says of a picture that it refuses, where the sentence has parts.

It says so in plain bytes (app.imaging trusts it with no more); by these patterns a page knows the
sentence again and says it in its language.
"""

from app.domain.sentences import Sentence, said

LARGER = said("the file is larger than {size} MB")
MORE_PIXELS = said("the picture has more than {count} megapixels; make it smaller")
DAMAGED = said("the picture is damaged or cut short ({fault})")
OTHER_KIND = said("the file is {kind}; save the photograph as JPEG or PNG")
TOO_SMALL = said(
    "the picture is {width} x {height} pixels; each edge needs at least {least}, at a length of at "
    "most {most}"
)
PATTERNS = (LARGER, MORE_PIXELS, DAMAGED, OTHER_KIND, TOO_SMALL)

# What people send instead: where its mark stands in the first bytes, the mark, and its name.
OTHER_KINDS: tuple[tuple[int, bytes, Sentence], ...] = (
    (0, b"GIF8", said("a GIF")),
    (0, b"BM", said("a BMP")),
    (0, b"II*\x00", said("a TIFF")),
    (0, b"MM\x00*", said("a TIFF")),
    (0, b"%PDF", said("a PDF")),
    (0, b"PK\x03\x04", said("a ZIP file")),
    (8, b"WEBP", said("a WebP picture")),
    (4, b"ftypheic", said("an HEIC photograph")),
    (4, b"ftypmif1", said("an HEIC photograph")),
    (4, b"ftypavif", said("an AVIF picture")),
    (128, b"DICM", said("a DICOM file")),
)
