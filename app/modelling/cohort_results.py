"""The results of one cohort, from the scores of all images."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.modelling.evaluation import EvaluatedCohort
from app.modelling.failure_reasons import OTHER, REASONS
from app.modelling.labelled_images import LabelledImage
from app.modelling.map_checks import MapChecks
from app.modelling.wrong_calls import Measures, WrongCall, compare_measures
from app.statistics.arrays import Bools, Floats
from app.statistics.model_cohort import cohort_accuracy
from app.statistics.model_subgroups import age_group, cohort_parts
from app.statistics.notes import Note

SUBGROUPS: dict[str, Callable[[LabelledImage], str | None]] = {
    "sex": lambda image: image.sex,
    "age": lambda image: age_group(image.age),
    "site": lambda image: image.anatomical_site,
    "skin_type": lambda image: None if image.fitzpatrick is None else str(image.fitzpatrick),
    "modality": lambda image: image.modality,
}
NO_REASON = "no reason given"


@dataclass(frozen=True)
class Scored:
    """All images of a table with what the model says of them; arrays (N,), features (N, D)."""

    truth: Bools  # True = BCC
    patients: tuple[str, ...]
    features: Floats
    margins: Floats  # log odds of BCC
    probabilities: Floats
    alternatives: Mapping[str, Floats | None]
    measures: tuple[Measures, ...]


def evaluate_cohort(
    images: Sequence[LabelledImage],
    places: Sequence[int],
    scored: Scored,
    *,
    threshold: float,
    maps: MapChecks | None,
    wrong: Sequence[WrongCall],
) -> EvaluatedCohort:
    """Evaluate the images at `places`."""
    chosen = list(places)
    margins, truth = scored.margins[chosen], scored.truth[chosen]
    called = scored.probabilities[chosen] >= threshold
    cluster = [scored.patients[place] for place in chosen]
    alternatives = {
        name: None if scores is None else scores[chosen]
        for name, scores in scored.alternatives.items()
    }
    reasons = Counter(call.reason or NO_REASON for call in wrong)
    return EvaluatedCohort(
        accuracy=cohort_accuracy(
            margins, truth, cluster, threshold=threshold, alternatives=alternatives
        ),
        subgroups={
            name: cohort_parts(
                margins,
                called,
                truth,
                cluster,
                [value_of(images[place]) for place in chosen],
            )
            for name, value_of in SUBGROUPS.items()
        },
        maps=maps,
        wrong_images=len(wrong),
        reasons={name: reasons[name] for name in (*REASONS, OTHER, NO_REASON)},
        measures=compare_measures(
            [scored.measures[place] for place in chosen],
            called != truth,
        ),
        notes=_notes(alternatives, maps),
    )


def _notes(alternatives: Mapping[str, Floats | None], maps: MapChecks | None) -> tuple[Note, ...]:
    found: list[Note] = []
    if alternatives["linear_probe"] is None:
        text = (
            "This model was saved without a linear probe (probe.safetensors), so CoOp stands "
            "beside zero-shot alone."
        )
        found.append(Note("no_probe", text))
    if maps is None:
        found.append(Note("maps_not_checked", "The maps were not checked, as asked."))
    elif maps.placing is None:
        text = (
            "No lesion masks were given, so whether the maps lie on the lesion is not known: a map "
            "can be faithful and still off the lesion."
        )
        found.append(Note("no_masks", text))
    return tuple(found)
