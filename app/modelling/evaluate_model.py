"""Evaluate a model on a table of photographs: cohorts, parts, maps, wrong calls, report."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.actions.output_files import check_outputs, write_outputs
from app.domain.errors import InvalidInput
from app.modelling.code_version import code_version
from app.modelling.cohort_results import Scored, evaluate_cohort
from app.modelling.cohorts import EXTERNAL, Cohorts, read_training_images, sort_into_cohorts
from app.modelling.colour_contrast import colour_contrast
from app.modelling.evaluation import (
    NEGATIVE,
    POSITIVE,
    EvaluatedData,
    EvaluatedModel,
    Evaluation,
)
from app.modelling.evaluation_notes import evaluation_notes
from app.modelling.failure_reasons import (
    check_template,
    read_reasons,
    reasons_template,
    template_path,
)
from app.modelling.labelled_images import LabelledImages, read_labelled_images
from app.modelling.map_checks import MapChecks, check_maps
from app.modelling.masks import find_masks
from app.modelling.model_errors import refused
from app.modelling.patients import DEFAULT_GROUP, count_patients, groups_of
from app.modelling.wrong_calls import WrongCall, measures_of, neighbours_of, sentences
from app.progress import Progress
from app.statistics.arrays import Floats
from app.statistics.logistic import expit
from models.comparators import ComparedModel
from models.record import read_record

_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class EvaluationRequest:
    """What to evaluate and where to write it; `maps` of a cohort are checked, 0 for none."""

    model: Path
    table: Path
    images: Path
    json: Path
    html: Path | None = None
    cohort: str = EXTERNAL
    masks: Path | None = None
    reasons: Path | None = None
    maps: int = 40
    seed: int = 1


def evaluate_model(request: EvaluationRequest) -> tuple[Evaluation, tuple[Path, ...]]:
    """Evaluate and write; gives the evaluation and the files written.

    InvalidInput lists everything that must be mended, and then nothing is written.
    """
    asked = [path for path in (request.json, request.html) if path is not None]
    check_outputs(asked, source=request.table)
    template = None if request.reasons is not None else template_path(request.json)
    if template is not None:
        check_template(template)
    reasons = {} if request.reasons is None else read_reasons(request.reasons)
    with refused():
        model = ComparedModel.load(request.model)
        record = read_record(request.model / "model.json")
    if model.description.positive_class != POSITIVE:
        raise InvalidInput(
            f"{request.model} takes {model.description.positive_class} for the positive class; "
            f"only models with {POSITIVE} can be evaluated."
        )
    training = read_training_images(request.model, record.get("training_images_sha256"))
    with Progress("Images read and measured") as progress:
        read = read_labelled_images(request.table, request.images, progress)
    cohorts = sort_into_cohorts(read.images, training, external=request.cohort)
    patients, warnings = groups_of(read, DEFAULT_GROUP)
    none: tuple[Path | None, ...] = (None,) * len(read.images)
    masks = none if request.masks is None else find_masks(request.masks, read.table, read.images)
    scored = _scored(model, read, patients)
    wrong = _wrong_calls(read, cohorts, scored, model.description.threshold, reasons)
    checks = _map_checks(request, model, read, cohorts, patients, masks)
    evaluation = Evaluation(
        code=code_version(),
        model=_model(request, model, training.sha256),
        data=_data(read, patients),
        cohorts={
            name: evaluate_cohort(
                read.images,
                cohorts.indices(name),
                scored,
                threshold=model.description.threshold,
                maps=checks[name],
                wrong=[call for call in wrong if call.cohort == name],
            )
            for name in cohorts.present
        },
        set_aside=cohorts.set_aside,
        wrong=wrong,
        notes=evaluation_notes(
            read.images,
            demonstration=model.description.demonstration,
            training=training,
            cohorts=cohorts,
            patient_warnings=warnings,
            unused_reasons=len(set(reasons) - {call.image for call in wrong}),
        ),
    )
    outputs = {request.json: evaluation.text().encode()}
    if request.html is not None:
        outputs[request.html] = _html(evaluation, model, read).encode()
    if template is not None and wrong:
        outputs[template] = reasons_template(wrong)
    write_outputs(outputs)
    return evaluation, tuple(outputs)


def _scored(model: ComparedModel, read: LabelledImages, patients: Sequence[str]) -> Scored:
    """Encode every image once, and score its features in the three ways."""
    features: list[Floats] = []
    contrasts: list[float] = []
    batch: list[Image.Image] = []

    def encode() -> None:
        with refused():
            features.append(model.features(batch).astype(np.float64))
        batch.clear()

    with Progress("Images encoded") as progress:
        for done, (_, picture) in enumerate(read.opened(), start=1):
            batch.append(picture)
            contrasts.append(colour_contrast(picture))
            if len(batch) == _BATCH or done == len(read.images):
                encode()
                progress(done, len(read.images))
    together = np.concatenate(features)  # (N, D)
    said = model.margins(together.astype(np.float32))
    return Scored(
        truth=np.array([image.diagnosis == POSITIVE for image in read.images]),
        patients=tuple(patients),
        features=together,
        margins=said.coop,
        probabilities=expit(said.coop),
        alternatives={"zero_shot": said.zero_shot, "linear_probe": said.linear_probe},
        measures=tuple(map(measures_of, read.images, contrasts)),
    )


def _wrong_calls(
    read: LabelledImages,
    cohorts: Cohorts,
    scored: Scored,
    threshold: float,
    reasons: Mapping[str, str],
) -> tuple[WrongCall, ...]:
    """List the wrong calls of all cohorts, the surest ones first."""
    called = scored.probabilities >= threshold
    found: list[WrongCall] = []
    for place, (image, cohort) in enumerate(zip(read.images, cohorts.names, strict=True)):
        if cohort is None or called[place] == scored.truth[place]:
            continue
        found.append(
            WrongCall(
                image=image.image_name,
                row=image.row,
                case_id=image.case_id,
                cohort=cohort,
                truth=image.diagnosis,
                called=POSITIVE if called[place] else NEGATIVE,
                probability=float(scored.probabilities[place]),
                measures=scored.measures[place],
                flags=sentences(image),
                neighbours=neighbours_of(place, scored.features, read.images, scored.patients),
                reason=reasons.get(image.image_name),
            )
        )
    return tuple(sorted(found, key=lambda call: -abs(call.probability - threshold)))


def _map_checks(
    request: EvaluationRequest,
    model: ComparedModel,
    read: LabelledImages,
    cohorts: Cohorts,
    patients: Sequence[str],
    masks: Sequence[Path | None],
) -> dict[str, MapChecks | None]:
    if request.maps == 0:
        return dict.fromkeys(cohorts.present)
    found: dict[str, MapChecks | None] = {}
    for name in cohorts.present:
        places = cohorts.indices(name)
        with Progress(f"Maps checked, {name}") as progress, refused():
            found[name] = check_maps(
                *(model, read, places, patients, masks),
                count=request.maps,
                seed=request.seed,
                progress=progress,
            )
    return found


def _model(
    request: EvaluationRequest, model: ComparedModel, training_sha256: str | None
) -> EvaluatedModel:
    said = model.description
    return EvaluatedModel(
        folder=request.model.name,
        name=said.name,
        weights_sha256=said.weights_sha256,
        backbone=said.backbone,
        preprocessing=said.preprocessing,
        threshold=said.threshold,
        map_scale=said.map_scale,
        map_grid=said.map_grid,
        demonstration=said.demonstration,
        training_images_sha256=training_sha256,
        device=model.device,
    )


def _data(read: LabelledImages, patients: Sequence[str]) -> EvaluatedData:
    sources = {
        diagnosis: Counter(
            image.diagnosis_source or "not said"
            for image in read.images
            if image.diagnosis == diagnosis
        )
        for diagnosis in (POSITIVE, NEGATIVE)
    }
    return EvaluatedData(
        table=read.table,
        table_sha256=read.table_sha256,
        images_sha256=read.images_sha256,
        images=len(read.images),
        patients=count_patients(patients),
        synthetic_images=sum(image.synthetic for image in read.images),
        diagnosis_sources={
            name: dict(sorted(counted.items())) for name, counted in sources.items()
        },
    )


def _html(evaluation: Evaluation, model: ComparedModel, read: LabelledImages) -> str:
    # matplotlib is for the report alone.
    from app.modelling.evaluation_report import evaluation_report
    from app.modelling.gallery_pictures import gallery_pictures
    from app.statistics.model_figures import calibration_figure, cohorts_roc_figure

    with refused():
        pictures = gallery_pictures(evaluation, model, read)
    accuracy = {name: cohort.accuracy for name, cohort in evaluation.cohorts.items()}
    figures = (
        (
            f"ROC curves, positive class {POSITIVE}; a point is the model's threshold",
            cohorts_roc_figure(accuracy, positive=POSITIVE, negative=NEGATIVE),
        ),
        (
            f"Calibration: probability of {POSITIVE} and how often it came true",
            calibration_figure(accuracy, positive=POSITIVE),
        ),
    )
    return evaluation_report(evaluation, figures, pictures)
