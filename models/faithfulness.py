"""Does the heat-map show what moves the model, and does it lie on the lesion? Two questions.

Deletion and insertion: Petsiuk et al. 2018 (RISE, arXiv:1806.07421), against a random map.
Pointing game: Zhang et al. 2016 (arXiv:1608.00507), beside the picture's centre as the guess.
A map can be faithful and still off the lesion; both are reported.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.clip import Clip
from models.gradcam import margin_maps

STEPS = 14


@dataclass(frozen=True)
class Faithfulness:
    """Means over n images; shares between 0 and 1."""

    n: int
    pointing: float  # strongest field lies on the lesion
    pointing_centre: float  # the picture's centre does
    energy_outside: float  # share of |map| outside the lesion
    lesion_share: float  # share of the picture that is lesion
    deletion: float  # mean answer while fields are blanked, lower is better
    deletion_random: float
    insertion: float  # mean answer while fields are restored, higher is better
    insertion_random: float


def kept_fields(order: Tensor, step: int) -> Tensor:
    """Return True where a field is not among the first step/STEPS of its image's order. (B, P)."""
    blanked = order[:, : round(order.shape[1] * step / STEPS)]
    return torch.ones_like(order, dtype=torch.bool).scatter(1, blanked, value=False)


def _answer(
    model: Clip, inputs: Tensor, direction: Tensor, sign: Tensor, kept: Tensor, rows: int
) -> Tensor:
    """Probability of the class first given, with the other fields blank. (B,)."""
    grid = kept.reshape(len(kept), 1, rows, -1).float()  # (B, 1, h, w)
    mask = torch.nn.functional.interpolate(grid, inputs.shape[-2:])  # (B, 1, H, W)
    # Zero is the data's mean colour after normalisation.
    with torch.no_grad():
        margins = model.encode_image(inputs * mask, normalize=True) @ direction
    return torch.sigmoid(margins * sign)


def measure_faithfulness(
    model: Clip,
    inputs: Tensor,
    masks: npt.NDArray[np.bool_],
    direction: Tensor,
    *,
    seed: int,
) -> Faithfulness:
    """Measure maps on prepared images (N, 3, S, S) with lesion masks (N, S, S)."""
    result = margin_maps(model, inputs, direction)
    rows = result.maps.shape[1]
    sign = result.margins.sign()  # (N,), +1 where the model says BCC
    towards = (result.maps * sign[:, None, None]).flatten(1)  # (N, P), for the model's answer
    ordered = towards.argsort(dim=1, descending=True)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.rand(towards.shape, generator=generator).argsort(dim=1)

    curves: dict[str, list[float]] = {}
    for name, order in (("", ordered), ("_random", shuffled)):
        for step in range(STEPS + 1):
            kept = kept_fields(order, step)
            for kind, fields in (("deletion", kept), ("insertion", ~kept)):
                answer = _answer(model, inputs, direction, sign, fields, rows)
                curves.setdefault(kind + name, []).append(float(answer.mean()))

    side = masks.shape[1] // rows
    fields = masks.reshape(len(masks), rows, side, rows, side).mean(axis=(2, 4))  # (N, h, w)
    share = fields.reshape(len(fields), -1)  # (N, P), how much of each field is lesion
    strength = towards.abs().numpy()
    middle = masks.shape[1] // 2
    on_lesion = share[np.arange(len(share)), towards.argmax(dim=1).numpy()]
    return Faithfulness(
        n=len(inputs),
        pointing=float((on_lesion > 0).mean()),
        pointing_centre=float(masks[:, middle, middle].mean()),
        energy_outside=float(((strength * (1 - share)).sum(1) / strength.sum(1)).mean()),
        lesion_share=float(masks.mean()),
        **{kind: float(np.mean(curve)) for kind, curve in curves.items()},
    )
