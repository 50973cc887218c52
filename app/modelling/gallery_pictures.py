"""The pictures of a report's gallery: small JPEGs as data URIs, so that the file stands alone."""

import io
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image

from app.modelling.evaluation import Evaluation
from app.modelling.labelled_images import LabelledImages
from app.modelling.wrong_calls import WrongCall
from app.progress import Progress
from models.comparators import ComparedModel
from models.overlay import laid_over

MOST_SHOWN = 48
_BATCH = 8
_LARGE, _SMALL = 220, 96  # pixels, the longest side


@dataclass(frozen=True)
class GalleryPictures:
    """Data URIs by image name: the photograph, the same under its map, and small ones."""

    photographs: dict[str, str]
    maps: dict[str, str]
    neighbours: dict[str, str]


def shown_calls(evaluation: Evaluation) -> tuple[WrongCall, ...]:
    """Give the surest wrong calls: of images that the model did not learn from, where any are."""
    learned = {"train", "validation"}
    unseen = tuple(call for call in evaluation.wrong if call.cohort not in learned)
    return (unseen or evaluation.wrong)[:MOST_SHOWN]


def gallery_pictures(
    evaluation: Evaluation, model: ComparedModel, read: LabelledImages
) -> GalleryPictures:
    """Open the images of the gallery again, and draw their maps; raises ModelError."""
    calls = shown_calls(evaluation)
    wanted = {call.image for call in calls}
    near = {other.image for call in calls for other in call.neighbours}
    chosen = [image for image in read.images if image.image_name in wanted | near]
    found = GalleryPictures({}, {}, {})
    waiting: list[tuple[str, Image.Image]] = []
    with Progress("Gallery drawn") as progress:
        for done, (image, picture) in enumerate(read.opened(chosen), start=1):
            if image.image_name in near:
                found.neighbours[image.image_name] = _uri(picture, _SMALL)
            if image.image_name in wanted:
                found.photographs[image.image_name] = _uri(picture, _LARGE)
                waiting.append((image.image_name, picture))
            if len(waiting) == _BATCH or done == len(chosen):
                _draw(waiting, model, found)
                waiting.clear()
                progress(done, len(chosen))
    return found


def _draw(
    waiting: Iterable[tuple[str, Image.Image]], model: ComparedModel, found: GalleryPictures
) -> None:
    pairs = list(waiting)
    made = model.explain([picture for _, picture in pairs])
    for (name, picture), prediction in zip(pairs, made, strict=True):
        found.maps[name] = _uri(laid_over(picture, prediction.overlay_png), _LARGE)


def _uri(picture: Image.Image, longest: int) -> str:
    small = picture.convert("RGB")
    small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{b64encode(file.getvalue()).decode()}"
