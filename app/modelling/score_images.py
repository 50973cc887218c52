"""Score a table of photographs with a model: probabilities and overlays, without a study.

The folder holds overlays/, scored.jsonl (one line an image, written when its overlay is there),
scoring.json (what was scored with what), and at the end images.csv and cases.csv. Interrupted, the
same inputs go on where it stopped; other inputs are refused.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from app.actions.output_files import write_outputs
from app.domain.errors import Conflict, InvalidInput
from app.modelling.code_version import code_version
from app.modelling.images_to_score import ImagesToScore, ImageToScore, read_images_to_score
from app.modelling.model_errors import refused
from app.progress import Progress
from models.comparators import ComparedModel
from models.overlay import explained_picture

OVERLAYS, RECORD, SCORED = "overlays", "scoring.json", "scored.jsonl"
DEMONSTRATION = "A demonstration model: it has never seen a patient."
_BATCH = 16


@dataclass(frozen=True)
class Inputs:
    """What decides the scores: where these are equal, so are they."""

    model_sha256: str
    preprocessing: str
    threshold: float
    map_scale: float
    table_sha256: str
    images_sha256: str


def score_images(model_folder: Path, table: Path, images: Path, out: Path) -> tuple[int, str]:
    """Score every image of the table that has no score in `out` yet.

    Gives how many images there are, and what has to be said of the model ('' mostly).
    InvalidInput lists everything that must be mended; Conflict for a folder of other content.
    """
    _check_folder(out)
    with refused():
        model = ComparedModel.load(model_folder)
    with Progress("Images read") as progress:
        read = read_images_to_score(table, images, progress)
    said = model.description
    inputs = Inputs(
        *(said.weights_sha256, said.preprocessing, said.threshold, said.map_scale),
        *(read.table_sha256, read.images_sha256),
    )
    try:
        _begin(out, inputs, model, read)
        done = _score(out, model, read)
    except OSError as error:
        raise InvalidInput(
            f"{out} cannot be written ({error.strerror}). What was scored is kept: make room and "
            "start the same command again."
        ) from error
    write_outputs(
        {
            out / "images.csv": _images_csv(read, done, inputs),
            out / "cases.csv": _cases_csv(read, done, inputs),
        }
    )
    return len(read.images), DEMONSTRATION if said.demonstration else ""


def _check_folder(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"{out} is a file; name a folder.")
    if not out.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder {out.absolute().parent} to put {out.name} into.")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).is_file():
        raise Conflict(f"{out} holds other files; name a new folder, or an empty one.")


def _begin(out: Path, inputs: Inputs, model: ComparedModel, read: ImagesToScore) -> None:
    """Make the folder, or go on in one that was begun with the same inputs."""
    record = out / RECORD
    wanted = asdict(inputs)
    if record.is_file():
        known = _known_inputs(record)
        different = [name for name, value in wanted.items() if known.get(name) != value]
        if different:
            raise Conflict(
                f"{out} holds the scores of other inputs ({', '.join(different)} differ); name "
                "another folder."
            )
        return
    (out / OVERLAYS).mkdir(parents=True, exist_ok=True)
    said = model.description
    content = {
        "inputs": wanted,
        "model": said.name,
        "demonstration": said.demonstration,
        "positive": said.positive_class,
        "map_grid": list(said.map_grid),
        "table": read.table,
        "images": len(read.images),
        "code": code_version(),
    }
    write_outputs({record: (json.dumps(content, indent=2) + "\n").encode()})


def _known_inputs(record: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return dict(json.loads(record.read_text(encoding="utf-8"))["inputs"])
    raise Conflict(f"{record} cannot be read; name another folder.")


def _score(out: Path, model: ComparedModel, read: ImagesToScore) -> dict[str, float]:
    """Score what is missing; gives the probability of BCC by image name."""
    names = {image.image_name for image in read.images}
    done = {
        name: value
        for name, value in _scored_before(out / SCORED).items()
        if name in names and _overlay(out, name).is_file()
    }
    missing = [image for image in read.images if image.image_name not in done]
    if done:
        # A last line that was cut off must not swallow the next one.
        kept = (_line(name, value) for name, value in done.items())
        write_outputs({out / SCORED: "".join(kept).encode()})
    waiting: list[tuple[ImageToScore, Image.Image]] = []
    with Progress("Images scored") as progress, (out / SCORED).open("a", encoding="utf-8") as log:
        for number, pair in enumerate(read.opened(missing), start=1):
            waiting.append(pair)
            if len(waiting) == _BATCH or number == len(missing):
                with refused():
                    made = model.explain([picture for _, picture in waiting])
                for (image, picture), prediction in zip(waiting, made, strict=True):
                    drawn = explained_picture(
                        picture,
                        prediction.overlay_png,
                        scale=model.description.map_scale,
                        grid=model.description.map_grid,
                        remark=DEMONSTRATION if model.description.demonstration else "",
                    )
                    write_outputs({_overlay(out, image.image_name): drawn})
                    value = prediction.probability_bcc
                    done[image.image_name] = value
                    log.write(_line(image.image_name, value))
                    log.flush()
                waiting.clear()
                progress(len(done), len(read.images))
    return done


def _line(image_name: str, probability: float) -> str:
    return json.dumps({"image": image_name, "probability": probability}) + "\n"


def _scored_before(file: Path) -> dict[str, float]:
    """Read the lines of an earlier run; one that was cut off is scored again."""
    found: dict[str, float] = {}
    if file.is_file():
        for line in file.read_text(encoding="utf-8").splitlines():
            with suppress(ValueError, KeyError, TypeError):
                said: dict[str, Any] = json.loads(line)
                found[str(said["image"])] = float(said["probability"])
    return found


def _overlay(out: Path, image_name: str) -> Path:
    # The whole name: a.jpg and a.png may be two images.
    return out / OVERLAYS / f"{image_name}.png"


def _images_csv(read: ImagesToScore, done: dict[str, float], inputs: Inputs) -> bytes:
    header = ("image", "case_id", "probability_BCC", "call", "threshold", "overlay")
    rows = (
        (
            *(image.image_name, image.case_id, repr(done[image.image_name])),
            *(_call(done[image.image_name], inputs), repr(inputs.threshold)),
            *(f"{OVERLAYS}/{image.image_name}.png", image.sha256, inputs.model_sha256),
        )
        for image in read.images
    )
    return _csv((*header, "image_sha256", "model_sha256"), rows)


def _cases_csv(read: ImagesToScore, done: dict[str, float], inputs: Inputs) -> bytes:
    """One row a case: the mean of its images' probabilities, as in a study."""
    cases: dict[str, list[float]] = {}
    for image in read.images:
        cases.setdefault(image.case_id, []).append(done[image.image_name])
    rows: list[Sequence[object]] = []
    for case_id, values in cases.items():
        mean = sum(values) / len(values)
        call, threshold = _call(mean, inputs), repr(inputs.threshold)
        rows.append((case_id, len(values), repr(mean), call, threshold, inputs.model_sha256))
    header = ("case_id", "images", "probability_BCC", "call", "threshold", "model_sha256")
    return _csv(header, rows)


def _call(probability: float, inputs: Inputs) -> str:
    return "BCC" if probability >= inputs.threshold else "SK"


def _csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()
