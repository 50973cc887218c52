"""training-images.csv: what a study's images are compared with, to find those a model has seen."""

import csv
import io
from collections.abc import Iterable, Sequence

from app.modelling.labelled_images import LabelledImage
from app.modelling.patients import patient_sha256

FILE = "training-images.csv"
COLUMNS = ("image", "split", "sha256", "perceptual_hash", "patient_sha256")


def training_images_csv(images: Iterable[LabelledImage], parts: Sequence[str]) -> str:
    """Write one row an image: name, part, SHA-256 of the file, perceptual hash, hashed patient."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for image, part in zip(images, parts, strict=True):
        likeness = f"{image.perceptual_hash:016x}"
        writer.writerow((image.image_name, part, image.sha256, likeness, patient_sha256(image)))
    return out.getvalue()
