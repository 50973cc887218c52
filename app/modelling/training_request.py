"""What `reread train` was asked for, with the paper's recipe by name."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from app.domain.errors import InvalidInput
from app.modelling.patients import DEFAULT_GROUP

Normalisation = Literal["clip", "data"]
POSITIVE = "BCC"


@dataclass(frozen=True)
class Recipe:
    """The choices that make up a training; None: not said."""

    backbone: str | None = None
    weights: str | None = None
    normalisation: Normalisation | None = None
    views: int | None = None
    epochs: int | None = None
    test_fraction: float | None = None  # of the patients; not said: 0.1, or the table's split


DEFAULT = Recipe(normalisation="clip", views=4, epochs=100)
# The paper augments anew in every epoch: as many views as epochs. Its 9:1 is the default.
PRESETS = {
    "paper": Recipe(
        backbone="ViT-B-16-quickgelu",
        weights="openai",
        normalisation="data",
        views=100,
        epochs=100,
    )
}


@dataclass(frozen=True)
class TrainingRequest:
    """One training: its table and images, where things go, and how."""

    table: Path
    images: Path
    out: Path
    cache: Path  # a folder for image features and progress
    recipe: Recipe = DEFAULT
    preset: str | None = None
    positive: str = POSITIVE
    group: str = DEFAULT_GROUP
    seed: int = 1
    folds: int = 0  # of a further estimate by cross-validation; 0: none
    exclude_flagged: bool = False


def recipe_of(preset: str | None, said: Recipe) -> Recipe:
    """Give what was said, then what the preset says, then the defaults."""
    layers = (said, PRESETS[preset] if preset else Recipe(), DEFAULT)

    def first(name: str) -> object:
        return next((v for layer in layers if (v := getattr(layer, name)) is not None), None)

    return Recipe(**{field.name: first(field.name) for field in fields(Recipe)})  # pyright: ignore[reportArgumentType] - same fields


def check_request(request: TrainingRequest) -> None:
    """Refuse numbers that make no training, and another positive class; raises InvalidInput."""
    if request.positive != POSITIVE:
        raise InvalidInput(
            "A model here states the probability of BCC, and a study calls BCC from the model's "
            "threshold upwards, so the positive class of a model is BCC. Nothing is lost: with two "
            "classes P(SK) = 1 - P(BCC), and every AUC is the same. To report sensitivity for SK, "
            "name it where figures are made: reread analyse --positive SK."
        )
    recipe = request.recipe
    for name, value, least in (
        ("--views", recipe.views, 0),
        ("--epochs", recipe.epochs, 2),
        ("--seed", request.seed, 0),
    ):
        if value is not None and value < least:
            raise InvalidInput(f"{name} is {value}; it must be {least} or more.")
    if request.folds and request.folds < 2:  # noqa: PLR2004 - one fold tests on what it learned
        raise InvalidInput(f"--folds is {request.folds}; it must be 2 or more, or 0 for none.")
    fraction = recipe.test_fraction
    if fraction is not None and not 0 < fraction < 1:
        raise InvalidInput(f"--test-fraction is {fraction:g}; it must lie between 0 and 1.")
