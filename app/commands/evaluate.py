"""Commands that put a finished model to photographs: evaluate, score."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.domain.errors import InvalidInput, NotFound
from app.settings import Settings

T = TypeVar("T")


def evaluate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Evaluate a model and print its area in each cohort."""
    from app.modelling.evaluate_model import EvaluationRequest, evaluate_model  # torch

    del settings
    request = EvaluationRequest(
        model=_model_folder(arguments.model),
        table=Path(arguments.cases),
        images=Path(arguments.images),
        json=Path(arguments.json),
        html=_path(arguments.html),
        cohort=arguments.cohort,
        masks=_path(arguments.masks),
        reasons=_path(arguments.reasons),
        maps=arguments.maps,
        seed=arguments.seed,
    )
    evaluation, written = _listing_problems(lambda: evaluate_model(request))
    for name, cohort in evaluation.cohorts.items():
        area, n = cohort.accuracy.auc, cohort.accuracy.n
        found = area.to_read
        interval = f" ({found.low:.3f} to {found.high:.3f}, by patient)" if found else ""
        value = "undefined" if area.value is None else f"{area.value:.3f}{interval}"
        print(f"{name}: {n.images} images of {n.patients} patients, AUC for BCC {value}")
    if evaluation.set_aside:
        print(f"Measured in no cohort: {len(evaluation.set_aside)} images the model may know.")
    print(f"Written: {', '.join(str(path) for path in written)}")
    return 0


def score(arguments: argparse.Namespace, settings: Settings) -> int:
    """Score the images of a study, or of a table of cases with a model folder."""
    beside = [name for name in ("images", "out") if getattr(arguments, name) is not None]
    if arguments.cases is None:
        if beside:
            raise InvalidInput(
                f"--{beside[0]} belongs to a table of cases: reread score MODEL CASES.csv "
                "--images DIR --out DIR. To score a study, name the study alone."
            )
        if (Path(arguments.target) / "model.json").is_file():
            raise InvalidInput(
                f"{arguments.target} is a model folder: name the table that it is to score, "
                "reread score MODEL CASES.csv --images DIR --out DIR."
            )
        from app.commands.studies import score as score_study

        return score_study(arguments, settings)
    if arguments.coordinator is not None:
        raise InvalidInput("--coordinator belongs to a study; a table of cases has none.")
    if len(beside) < 2:  # noqa: PLR2004 - images and out
        raise InvalidInput("To score a table of cases, give --images DIR and --out DIR too.")
    return _score_table(arguments)


def _score_table(arguments: argparse.Namespace) -> int:
    from app.modelling.score_images import score_images  # torch: only where a model is needed

    model, out = _model_folder(arguments.target), Path(arguments.out)
    scored, remark = _listing_problems(
        lambda: score_images(model, Path(arguments.cases), Path(arguments.images), out)
    )
    if remark:
        print(remark)
    print(f"{scored} images have their probability of BCC: images.csv and cases.csv in {out}")
    return 0


def _listing_problems(work: Callable[[], T]) -> T:
    """Print each problem of a refused file before the refusal's own sentence."""
    try:
        return work()
    except InvalidInput as refusal:
        for problem in refusal.problems:
            print(problem)
        raise


def _model_folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise NotFound(f"There is no model folder {text}.")
    return Path(text)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
