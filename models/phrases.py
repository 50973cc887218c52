"""Short phrases that hold for a generated picture or do not: what a caption may leave out.

A caption names some signs of its lesion, and of two lesions of one diagnosis each seems wrong for
the other. Against a list of phrases, each picture has a right answer to every one.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.synthetic.attributes import FEATURES, Attributes, draw_attributes
from models.synthetic.captions import (
    BORDERS,
    COLOURS,
    NAMES,
    PHRASES,
    colour_of,
    has_sharp_border,
    pick,
)


@dataclass(frozen=True)
class Phrases:
    """Phrases of one batch, and for which of its pictures each is true."""

    texts: tuple[str, ...]
    truth: npt.NDArray[np.bool_]  # (B, K)


def _truths(lesion: Attributes) -> list[bool]:
    sharp = has_sharp_border(lesion)
    return [
        *(lesion.diagnosis == name for name in NAMES),
        *(lesion.shows(feature) for feature in FEATURES),
        *(sharp == value for value in BORDERS),
        *(colour_of(lesion) == colour for colour in COLOURS),
    ]


def phrases(seed: int, indices: npt.NDArray[np.int64], rng: np.random.Generator) -> Phrases:
    """Word both diagnoses, every sign, border and colour once, and ask them of each picture."""
    texts = (
        *(pick(rng, words) for words in NAMES.values()),
        *(pick(rng, PHRASES[feature]) for feature in FEATURES),
        *(pick(rng, words) for words in BORDERS.values()),
        *COLOURS,
    )
    lesions = (draw_attributes(np.random.default_rng([seed, index])) for index in indices)
    return Phrases(texts, np.array([_truths(lesion) for lesion in lesions]))


class PhraseLoss(nn.Module):
    """Sigmoid loss over all pairs of picture and phrase (Zhai et al. 2023, arXiv:2303.15343)."""

    def __init__(self) -> None:
        """Start from a similarity of 0.3 as undecided, and a tenth of it as a clear answer."""
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(2.3))
        self.undecided = nn.Parameter(torch.tensor(0.3))

    def forward(self, images: Tensor, texts: Tensor, truth: Tensor) -> Tensor:
        """Sum over phrases, mean over pictures. Units (B, D), (K, D) and truth (B, K) to ()."""
        logits = self.log_scale.exp() * (images @ texts.T - self.undecided)  # (B, K)
        return functional.binary_cross_entropy_with_logits(logits, truth, reduction="sum") / len(
            images
        )
