"""What a photograph's quality numbers mean: which of them a person should look at.

The limits, and how often 440 real photographs cross them, are explained in
docs/adr/0012-quality-and-likeness.md. Nothing is refused by them: the person decides.
"""

from dataclasses import dataclass
from typing import Literal

from app.domain.sentences import said

QualityCode = Literal["blur", "size", "exposure"]

# Of copies blurred by a Gaussian of 3 pixels in 512, 97% fall below; of photographs as taken, 2.5%.
MIN_SHARPNESS = 15.0  # grey levels squared
MIN_SIDE = 224  # pixels: CLIP's input; a smaller picture would be enlarged for the model
MIN_LUMINANCE = 40.0  # far below the darkest of the 440 (80), so that dark skin is not "dark"
MAX_LUMINANCE = 200.0
MAX_CLIPPED = 0.05  # share of pixels in which nothing is drawn any more, at either end


@dataclass(frozen=True)
class ImageQuality:
    """Measured on the picture as delivered, upright and in sRGB, before it is reduced.

    All but `shorter_side` are of the middle square whose side is 1/sqrt(2) of the shorter side:
    it lies inside the round field of a dermoscope, whose corners are black.
    """

    sharpness: float  # variance of the Laplacian at 192 x 192 pixels, grey levels squared
    shorter_side: int  # pixels
    luminance: float  # mean grey level, 0 to 255
    dark_share: float  # of pixels at grey level 5 or below, 0 to 1
    light_share: float  # of pixels at grey level 250 or above, 0 to 1
    contrast: float  # standard deviation of the grey levels


@dataclass(frozen=True)
class QualityFlag:
    """One number beyond its limit, and the sentence for the person who decides."""

    code: QualityCode
    number: float
    limit: float
    sentence: str


def flags(quality: ImageQuality) -> tuple[QualityFlag, ...]:
    """Give what the paper excludes photographs for: blur, small size, poor exposure."""
    q = quality
    blurred = said(
        "perhaps blurred: sharpness {sharpness:.1f}, below {limit:.0f}",
        sharpness=q.sharpness,
        limit=MIN_SHARPNESS,
    )
    small = said(
        "small: shorter side {pixels} pixels, below {limit}", pixels=q.shorter_side, limit=MIN_SIDE
    )
    dark = said(
        "dark: mean luminance {luminance:.0f} of 255, below {limit:.0f}",
        luminance=q.luminance,
        limit=MIN_LUMINANCE,
    )
    bright = said(
        "bright: mean luminance {luminance:.0f} of 255, above {limit:.0f}",
        luminance=q.luminance,
        limit=MAX_LUMINANCE,
    )
    black = said(
        "black in parts: {share:.1%} of its middle, above {limit:.0%}",
        share=q.dark_share,
        limit=MAX_CLIPPED,
    )
    white = said(
        "white in parts: {share:.1%} of its middle, above {limit:.0%}",
        share=q.light_share,
        limit=MAX_CLIPPED,
    )
    below = (
        QualityFlag("blur", q.sharpness, MIN_SHARPNESS, blurred),
        QualityFlag("size", q.shorter_side, MIN_SIDE, small),
        QualityFlag("exposure", q.luminance, MIN_LUMINANCE, dark),
    )
    above = (
        QualityFlag("exposure", q.luminance, MAX_LUMINANCE, bright),
        QualityFlag("exposure", q.dark_share, MAX_CLIPPED, black),
        QualityFlag("exposure", q.light_share, MAX_CLIPPED, white),
    )
    return (
        *(flag for flag in below if flag.number < flag.limit),
        *(flag for flag in above if flag.number > flag.limit),
    )
