"""Generated skin lesions: image, caption, diagnosis, signs and mask, from a seed alone.

No image here shows a patient. Needs numpy and Pillow only.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from models.synthetic.attributes import Attributes, Diagnosis, Modality, draw_attributes
from models.synthetic.captions import write_caption
from models.synthetic.render import paint

GENERATOR_VERSION = "2"


@dataclass(frozen=True)
class Sample:
    """One generated picture and everything known about it."""

    image: Image.Image
    caption: str
    attributes: Attributes
    mask: npt.NDArray[np.bool_]  # (S, S), True on the lesion

    @property
    def label(self) -> int:
        """1 for BCC, 0 for SK."""
        return int(self.attributes.diagnosis == "BCC")


def generate(
    seed: int,
    index: int,
    *,
    size: int = 256,
    diagnosis: Diagnosis | None = None,
    modality: Modality | None = None,
) -> Sample:
    """Generate sample `index` of the series `seed`, size x size pixels.

    The same seed and index give the same sample on every call, in any order.
    """
    rng = np.random.default_rng([seed, index])
    attributes = draw_attributes(rng, diagnosis=diagnosis, modality=modality)
    caption = write_caption(attributes, rng)
    image, mask = paint(rng, attributes, size)
    return Sample(image, caption, attributes, mask)
