"""Does the heat-map show what moves the model, and does it lie on the lesion? Two questions.

Deletion and insertion: Petsiuk et al. 2018 (RISE, arXiv:1806.07421), against a random map.
Pointing game: Zhang et al. 2016 (arXiv:1608.00507), beside the picture's centre as the guess.
A map can be faithful and still off the lesion; both are reported.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.clip import Clip
from models.gradcam import MarginMaps, margin_maps

STEPS = 14
Values = npt.NDArray[np.float64]  # (N,), one an image


@dataclass(frozen=True)
class Blanking:
    """Mean answer, as a probability, while the fields of each of N images are changed. (N,) each.

    Deletion blanks the fields one after the other, from the strongest on (lower is better);
    insertion restores them (higher is better). A random order of the fields stands beside.
    """

    deletion: Values
    deletion_random: Values
    insertion: Values
    insertion_random: Values


@dataclass(frozen=True)
class Placing:
    """Where the maps of N images lie. (N,) each, shares or 0 and 1."""

    pointing: Values  # the middle of the strongest field lies on the lesion
    pointing_centre: Values  # the picture's centre does
    energy_outside: Values  # share of |map| outside the lesion
    lesion_share: Values  # share of the picture that is lesion


@dataclass(frozen=True)
class Faithfulness:
    """Means of Blanking and Placing over n images."""

    n: int
    pointing: float
    pointing_centre: float
    energy_outside: float
    lesion_share: float
    deletion: float
    deletion_random: float
    insertion: float
    insertion_random: float


def kept_fields(order: Tensor, step: int) -> Tensor:
    """Return True where a field is not among the first step/STEPS of its image's order. (B, P)."""
    blanked = order[:, : round(order.shape[1] * step / STEPS)]
    return torch.ones_like(order, dtype=torch.bool).scatter(1, blanked, value=False)


def towards_answer(result: MarginMaps) -> Tensor:
    """Turn maps so that positive speaks for the model's own answer. (N, h, w)."""
    return result.maps * result.margins.sign()[:, None, None]


def measure_blanking(
    model: Clip, inputs: Tensor, result: MarginMaps, direction: Tensor, *, seed: int
) -> Blanking:
    """Blank and restore the fields of prepared images (N, 3, S, S) whose maps are `result`."""
    sign = result.margins.sign()  # (N,), +1 where the model says BCC
    towards = towards_answer(result).flatten(1)  # (N, P)
    generator = torch.Generator().manual_seed(seed)
    # Drawn on the CPU, so that every device blanks the same fields.
    shuffled = torch.rand(towards.shape, generator=generator).argsort(dim=1).to(inputs.device)

    def answer(kept: Tensor) -> Values:
        grid = kept.reshape(len(kept), 1, result.maps.shape[1], -1).float()  # (N, 1, h, w)
        mask = torch.nn.functional.interpolate(grid, inputs.shape[-2:])  # (N, 1, H, W)
        # Zero is the data's mean colour after normalisation.
        with torch.no_grad():
            margins = model.encode_image(inputs * mask, normalize=True) @ direction
        return torch.sigmoid(margins * sign).double().cpu().numpy()

    whole, blank = (answer(torch.full_like(towards, kept, dtype=torch.bool)) for kept in (1, 0))
    curves: dict[str, Values] = {}
    for name, order in (("", towards.argsort(dim=1, descending=True)), ("_random", shuffled)):
        steps = [kept_fields(order, step) for step in range(1, STEPS)]
        ends = whole + blank
        curves[f"deletion{name}"] = (sum(map(answer, steps), ends)) / (STEPS + 1)
        curves[f"insertion{name}"] = (sum((answer(~kept) for kept in steps), ends)) / (STEPS + 1)
    return Blanking(**curves)


def measure_placing(result: MarginMaps, masks: npt.NDArray[np.bool_]) -> Placing:
    """Compare maps with lesion masks (N, S, S) of the same views."""
    maps = towards_answer(result).double().cpu().numpy()  # (N, h, w)
    rows, columns = maps.shape[1:]
    high, wide = masks.shape[1] // rows, masks.shape[2] // columns
    fields = masks.reshape(len(masks), rows, high, columns, wide).mean(axis=(2, 4))  # (N, h, w)
    strength = np.abs(maps)
    row, column = np.divmod(maps.reshape(len(maps), -1).argmax(axis=1), columns)  # (N,), (N,)
    each = np.arange(len(masks))
    return Placing(
        # One point for the map and one for the centre: the same rule for both guesses.
        pointing=masks[each, row * high + high // 2, column * wide + wide // 2].astype(np.float64),
        pointing_centre=masks[:, masks.shape[1] // 2, masks.shape[2] // 2].astype(np.float64),
        energy_outside=(strength * (1 - fields)).sum(axis=(1, 2)) / strength.sum(axis=(1, 2)),
        lesion_share=masks.mean(axis=(1, 2)),
    )


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
    blanking = measure_blanking(model, inputs, result, direction, seed=seed)
    placing = measure_placing(result, masks)
    measured: dict[str, Values] = {**vars(placing), **vars(blanking)}
    means = {name: float(values.mean()) for name, values in measured.items()}
    return Faithfulness(n=len(inputs), **means)
