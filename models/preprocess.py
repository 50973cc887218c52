"""From photograph to network input: centre square, bicubic resize, normalisation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

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

    def __call__(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the normalised batch. (B, 3, S, S)."""
        pixels = np.stack([np.asarray(self.crop(image)) for image in images])  # (B, S, S, 3)
        return self.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2))

    def normalise(self, pixels: Tensor) -> Tensor:
        """Bytes (B, 3, S, S) to the network's range. (B, 3, S, S)."""
        mean = torch.tensor(self.mean).view(1, 3, 1, 1)
        std = torch.tensor(self.std).view(1, 3, 1, 1)
        return (pixels.float() / 255 - mean) / std
