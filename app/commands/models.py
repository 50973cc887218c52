"""Commands that make and measure models: no study, no database."""

import argparse
import sys
from pathlib import Path
from typing import Any

from app.domain.errors import InvalidInput
from app.settings import Settings


def train(arguments: argparse.Namespace, settings: Settings) -> int:
    """Train a model and print what it reaches on its test part."""
    from app.modelling.train_model import train_model  # torch: only where a model is made
    from app.modelling.training_request import Recipe, TrainingRequest, recipe_of

    said = Recipe(
        backbone=arguments.backbone,
        weights=arguments.weights,
        normalisation=arguments.normalisation,
        views=arguments.views,
        epochs=arguments.epochs,
        test_fraction=arguments.test_fraction,
    )
    cache = Path(arguments.cache) if arguments.cache else settings.data_folder / "features"
    request = TrainingRequest(
        table=Path(arguments.cases),
        images=Path(arguments.images),
        out=Path(arguments.out),
        cache=cache,
        recipe=recipe_of(arguments.preset, said),
        preset=arguments.preset,
        positive=arguments.positive,
        group=arguments.group,
        seed=arguments.seed,
        folds=arguments.folds,
        exclude_flagged=arguments.exclude_flagged,
    )
    try:
        record = train_model(request, say=print)
    except InvalidInput as refusal:
        for problem in refusal.problems:
            print(problem)
        raise
    except KeyboardInterrupt:
        print(
            f"\nWhat was computed is kept in {cache}: the same command goes on from there.",
            file=sys.stderr,
        )
        raise
    print(f"{request.out} is ready. Read its CARD.md before it is used.")
    _say("test part", record["test"])
    if record["cross_validation"]:
        _say(f"{request.folds} folds by patient", record["cross_validation"])
    return 0


def _say(part: str, measured: dict[str, Any]) -> None:
    n = measured["n"]
    print(f"{part}, {n['images']} images of {n['patients']} patients:")
    for name, area in measured["areas"].items():
        print(f"  {name.replace('_', ' ')}: AUC {_shown(area)}")


def _shown(area: dict[str, float | None]) -> str:
    estimate, low, high = (area[name] for name in ("estimate", "low", "high"))
    if low is None or high is None:
        return f"{estimate:.3f}, without an interval: too few patients"
    return f"{estimate:.3f} (95% interval {low:.3f} to {high:.3f}, by patient)"
