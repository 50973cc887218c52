"""The map's two colours to readers who see colours otherwise, by simulation.

Simulation: Machado, Oliveira and Fernandes, A physiologically-based model for simulation of color
vision deficiency, IEEE TVCG 15 (2009), the matrices of severity 1.0, applied to linear RGB.
Distance: CIE 1976, in CIELAB under D65; 2.3 is a just noticeable difference.
"""

import numpy as np
import numpy.typing as npt
import pytest

from models.overlay import FOR_BCC, FOR_SK, opacity_of

Values = npt.NDArray[np.float64]

SEEN_WITH = {
    "all three cones": np.eye(3),
    "no long-wave cones (protanopia)": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "no middle-wave cones (deuteranopia)": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "no short-wave cones (tritanopia)": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Lesions and skin from light to dark, as sRGB.
SKIN = [(236, 205, 185), (216, 195, 183), (190, 140, 110), (140, 95, 70), (92, 62, 48)]
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])
NOTICEABLE = 2.3


def linear(colour: Values) -> Values:
    part = colour / 255
    return np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)


def lab(colour: Values, matrix: Values) -> Values:
    """CIELAB of an sRGB colour as it is seen with these cones."""
    seen = np.clip(matrix @ linear(colour), 0, 1)
    part = TO_XYZ @ seen / WHITE
    root = np.where(part > 0.008856, np.cbrt(part), 7.787 * part + 16 / 116)
    return np.array([116 * root[1] - 16, 500 * (root[0] - root[1]), 200 * (root[1] - root[2])])


def under(colour: tuple[int, int, int], skin: tuple[int, int, int], value: float) -> Values:
    """The colour of the skin under a map of this value, of a scale of 1."""
    opacity = float(opacity_of(np.array([value]), 1.0)[0])
    return (1 - opacity) * np.array(skin, float) + opacity * np.array(colour, float)


@pytest.mark.parametrize("seen_with", SEEN_WITH)
@pytest.mark.parametrize("skin", SKIN, ids=["light", "fair", "tan", "brown", "dark"])
def test_for_bcc_and_for_sk_are_told_apart_by_everybody(
    seen_with: str, skin: tuple[int, int, int]
) -> None:
    matrix = SEEN_WITH[seen_with]
    for value, least in ((1.0, 20 * NOTICEABLE), (0.5, 8 * NOTICEABLE)):
        bcc = lab(under(FOR_BCC, skin, value), matrix)
        sk = lab(under(FOR_SK, skin, value), matrix)
        assert np.linalg.norm(bcc - sk) > least


@pytest.mark.parametrize("seen_with", SEEN_WITH)
def test_stronger_is_further_from_the_skin_to_everybody(seen_with: str) -> None:
    matrix = SEEN_WITH[seen_with]
    for skin in SKIN:
        plain = lab(np.array(skin, float), matrix)
        for colour in (FOR_BCC, FOR_SK):
            steps = [
                np.linalg.norm(lab(under(colour, skin, v), matrix) - plain) for v in (0.25, 0.5, 1)
            ]
            assert steps == sorted(steps)
            assert steps[-1] > 2 * NOTICEABLE


def test_the_check_can_fail_red_and_green_are_one_to_a_deuteranope() -> None:
    matrix = SEEN_WITH["no middle-wave cones (deuteranopia)"]
    red, green = np.array([170.0, 60, 40]), np.array([95.0, 105, 40])
    assert np.linalg.norm(lab(red, matrix) - lab(green, matrix)) < 10 * NOTICEABLE
    assert np.linalg.norm(lab(red, np.eye(3)) - lab(green, np.eye(3))) > 20 * NOTICEABLE
