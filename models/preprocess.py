"""From photograph to network input: centre square, bicubic resize, normalisation.

Needs no torch: a model can be described without it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.errors import UnusableImageError
from models.geometry import centre_square


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a tensor; stored with the weights and compared on load."""

    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def describe(self) -> str:
        """Return one stable line: two models with the same line prepare images alike."""
        mean, std = (",".join(f"{value:.6f}" for value in row) for row in (self.mean, self.std))
        return (
            f"v1; rgb; centre square; bicubic (Pillow, antialiased) to {self.image_size}; "
            f"mean {mean}; std {std}"
        )

    def crop(self, image: Image.Image) -> Image.Image:
        """Return the centre square as RGB, image_size x image_size; raises UnusableImageError."""
        try:
            rgb = image.convert("RGB")
            return rgb.resize(
                (self.image_size, self.image_size),
                Image.Resampling.BICUBIC,
                box=centre_square(*rgb.size),
            )
        except (OSError, ValueError, SyntaxError) as error:
            raise UnusableImageError(
                f"An image of {image.width} x {image.height} pixels cannot be decoded ({error}); "
                "import this case's image again."
            ) from error

    def __call__(self, images: Sequence[Image.Image]) -> npt.NDArray[np.float32]:
        """Return the normalised batch. (B, 3, S, S)."""
        pixels = np.stack([np.asarray(self.crop(image)) for image in images])  # (B, S, S, 3)
        return self.normalise(pixels)

    def normalise(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Bytes (B, S, S, 3) to the network's range, colours first. (B, 3, S, S)."""
        normalised = np.empty((len(pixels), 3, *pixels.shape[1:3]), dtype=np.float32)
        # Looked up: a byte has 256 values, and computing each once is many times faster.
        unit = np.arange(256, dtype=np.float32) / np.float32(255)
        for colour in range(3):
            values = (unit - np.float32(self.mean[colour])) / np.float32(self.std[colour])
            np.take(values, pixels[..., colour], out=normalised[:, colour], mode="clip")
        return normalised
