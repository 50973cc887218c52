"""Colours and their mixing, in RGB between 0 and 1."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from models.synthetic.texture import Field

Picture: TypeAlias = npt.NDArray[np.floating]  # (3, S, S): planes first, faster to mix


def rgb(red: float, green: float, blue: float) -> Picture:
    """Return one colour as planes. (3, 1, 1)."""
    return np.array([red, green, blue], dtype=np.float32)[:, None, None]  # (3, 1, 1)


def mix(picture: Picture, colour: Picture, amount: Field) -> Picture:
    """Lay a colour or picture over a picture, by amounts in [0, 1]. (3, S, S)."""
    weight = np.clip(amount, 0, 1).astype(np.float32)  # (S, S)
    return picture + (colour - picture) * weight
