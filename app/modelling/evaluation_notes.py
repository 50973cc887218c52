"""What has to be said beside an evaluation as a whole."""

from collections.abc import Sequence

from app.modelling.cohorts import Cohorts, TrainingImages
from app.modelling.evaluation import NEGATIVE, POSITIVE
from app.modelling.labelled_images import LabelledImage
from app.statistics.notes import Note

_BIOPSY_GAP = 0.1


def evaluation_notes(
    images: Sequence[LabelledImage],
    *,
    demonstration: bool,
    training: TrainingImages,
    cohorts: Cohorts,
    patient_warnings: Sequence[str],
    unused_reasons: int,
) -> tuple[Note, ...]:
    """Give the remarks, most important first."""
    found: list[Note] = []
    synthetic = sum(image.synthetic for image in images)
    if synthetic:
        text = f"{synthetic} of {len(images)} images are generated pictures, not patients."
        found.append(Note("synthetic_images", text))
    if demonstration:
        text = (
            "A demonstration model: it learned from generated pictures and has never seen a "
            "patient. Nothing here says what a trained model can do."
        )
        found.append(Note("demonstration_model", text))
    elif training.sha256 is None:
        text = (
            "The model's folder has no training-images.csv, so it cannot be told which of these "
            "images it was trained on: all are counted as external, which they may not be."
        )
        found.append(Note("training_images_unknown", text))
    found.extend(_biopsies(images))
    if cohorts.set_aside:
        text = (
            f"{len(cohorts.set_aside)} images are measured in no cohort, because the model may "
            "know them: their patient (by id; two hospitals may use one id for two people) or a "
            "copy of them was among its training images."
        )
        found.append(Note("set_aside", text))
    found.extend(Note("patients_unknown", text) for text in patient_warnings)
    if unused_reasons:
        text = (
            f"{unused_reasons} reasons name images that this model calls right, or that are not in "
            "this table; they are not counted."
        )
        found.append(Note("unused_reasons", text))
    text = (
        "No test between subgroups is made, and their intervals are not adjusted for their number."
    )
    found.append(Note("subgroups", text))
    return tuple(found)


def _biopsies(images: Sequence[LabelledImage]) -> list[Note]:
    """Say where one class was proven more often than the other: verification bias."""
    shares: dict[str, tuple[int, int]] = {}
    for diagnosis in (POSITIVE, NEGATIVE):
        sources = [image.diagnosis_source for image in images if image.diagnosis == diagnosis]
        if not sources or None in sources:
            return []
        shares[diagnosis] = (sources.count("histopathology"), len(sources))
    (positive, of_positive), (negative, of_negative) = shares[POSITIVE], shares[NEGATIVE]
    if abs(positive / of_positive - negative / of_negative) <= _BIOPSY_GAP:
        return []
    text = (
        f"Proven by histopathology are {positive} of {of_positive} {POSITIVE} and {negative} of "
        f"{of_negative} {NEGATIVE} images: what was biopsied was chosen by how it looked "
        "(verification bias), and accuracy among lesions as they come may differ."
    )
    return [Note("verification_bias", text)]
