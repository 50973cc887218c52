"""Captions: what a generated image shows, said in varied words."""

import re

import numpy as np

from models.synthetic.attributes import SITES, Attributes
from models.synthetic.texture import happens

NAMES = {
    "BCC": ("basal cell carcinoma", "basal cell carcinoma", "bcc", "basalioma"),
    "SK": ("seborrheic keratosis", "seborrheic keratosis", "sk", "seborrhoeic wart"),
}
PHRASES: dict[str, tuple[str, ...]] = {
    "vessels": ("arborizing vessels", "branching red vessels", "telangiectasia"),
    "nests": ("blue-grey ovoid nests", "blue-grey globules", "slate ovoid nests"),
    "ulcer": ("ulceration", "a bleeding crust", "central erosion and crust"),
    "rolled": ("a rolled border", "a raised pearly edge"),
    "pearly": ("a pearly shine", "a translucent shiny surface"),
    "milia": ("milia-like cysts", "white dots", "small white cysts"),
    "comedo": ("comedo-like openings", "dark plugs", "brown crypts"),
    "ridges": ("verrucous ridges", "a cerebriform surface", "a rough warty surface"),
}
TONES = ("very light", "light", "medium", "olive", "brown", "dark")
COLOURS = ("pink", "pink and tan", "light brown", "brown", "dark brown")
SHAPES = {True: ("nodule", "papule"), False: ("plaque", "patch")}
BORDERS = {True: ("a sharp stuck-on border", "a well-demarcated edge"), False: ("a blurred edge",)}
OPENINGS = ("a photo of", "image of", "picture of", "this is", "")
_SHARP = 0.6
_RAISED = 0.65


def pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """Choose one of the wordings at random."""
    return options[int(rng.integers(len(options)))]


def colour_of(attributes: Attributes) -> str:
    """Name the lesion's ground colour."""
    return COLOURS[min(int(attributes.pigment * len(COLOURS)), len(COLOURS) - 1)]


def has_sharp_border(attributes: Attributes) -> bool:
    """Whether a caption calls the border sharp."""
    return attributes.sharpness > _SHARP


def describe_signs(attributes: Attributes, rng: np.random.Generator) -> list[str]:
    """Return the visible signs in random order and wording, the border included."""
    signs = [pick(rng, PHRASES[name]) for name in PHRASES if attributes.shows(name)]
    signs.append(pick(rng, BORDERS[has_sharp_border(attributes)]))
    return [signs[i] for i in rng.permutation(len(signs))]


def write_caption(attributes: Attributes, rng: np.random.Generator) -> str:
    """Write one caption; the diagnosis is named in three of four, the signs in most."""
    colour = colour_of(attributes)
    shape = pick(rng, SHAPES[attributes.elevation > _RAISED])
    if happens(rng, 0.75):
        thing = pick(rng, NAMES[attributes.diagnosis])
        if happens(rng, 0.5):
            thing = f"{colour} {thing}"
    else:
        thing = f"{colour} {shape}"
    parts = [pick(rng, OPENINGS), attributes.modality if happens(rng, 0.6) else "", thing]
    signs = describe_signs(attributes, rng)[: int(rng.integers(0, 5))]
    if signs:
        parts.append("with " + " and ".join(signs))
    if happens(rng, 0.5):
        parts.append(f"on {TONES[attributes.fitzpatrick - 1]} skin")
    if happens(rng, 0.3):
        parts.append(f"of the {attributes.site}")
    return " ".join(part for part in parts if part)


def caption_words() -> list[str]:
    """Return every word a caption can hold, sorted: the small model's vocabulary."""
    phrases = [*SITES, *TONES, *COLOURS, *OPENINGS, "dermoscopic clinical with and on skin of the"]
    for group in (*NAMES.values(), *PHRASES.values(), *SHAPES.values(), *BORDERS.values()):
        phrases.extend(group)
    return sorted(set(re.findall(r"[a-z]+", " ".join(phrases))))
