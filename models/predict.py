"""Score photographs: probability, signed Grad-CAM and overlay, in one pass per batch.

Files are decoded and overlays drawn in threads while the model computes (models.pipeline).
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.backbone import Backbone, open_backbone
from models.description import (
    DEFAULT_FOLDER,
    ModelDescription,
    ModelFolder,
    describe,
    description_of,
    read_folder,
    verify_folder,
)
from models.errors import ModelRecordError, WeightsDamagedError
from models.gradcam import MarginMaps, margin_maps
from models.overlay import render_overlay
from models.packed import packed_blocks
from models.pipeline import side_by_side
from models.precision import Precision, dtype_of
from models.prompt import Prompt
from models.tensor_files import read_tensors

__all__ = ["DEFAULT_FOLDER", "ImagePrediction", "ModelDescription", "Predictor", "describe"]

BATCH_SIZE = 16
GPU_BATCH_SIZE = 64


@dataclass(frozen=True)
class ImagePrediction:
    """What the model says about one photograph."""

    probability_bcc: float
    cam: npt.NDArray[np.float32]  # (rows, columns); positive speaks for BCC
    overlay_png: bytes


Opener = Callable[[], Image.Image]
Result = TypeVar("Result")
_Computed = tuple[float, npt.NDArray[np.float32]]  # probability of BCC, map


@dataclass(frozen=True)
class _Prepared:
    pixels: npt.NDArray[np.uint8]  # (S, S, 3), what the network sees
    size: tuple[int, int]  # width and height of the photograph


def _given(image: Image.Image) -> Image.Image:
    return image


class Predictor:
    """A verified model, ready to score."""

    def __init__(
        self, description: ModelDescription, backbone: Backbone, direction: Tensor, device: str
    ) -> None:
        """`direction` (D,): scale times (BCC - SK) text features; see margin_maps."""
        self.description = description
        self.device = device
        self._backbone = backbone
        self._direction = direction
        self._first = packed_blocks(backbone.model) if device == "cpu" else None

    @classmethod
    def load(
        cls,
        folder: Path = DEFAULT_FOLDER,
        *,
        device: str | None = None,
        precision: Precision = "float32",
    ) -> "Predictor":
        """Verify and load a model folder; raises ModelError.

        Without a device named, the first GPU is used where there is one.
        """
        device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        dtype = dtype_of(precision, device)
        files = read_folder(folder)
        description = description_of(files)
        verify_folder(files)
        backbone = open_backbone(files.backbone, folder, device=device)
        direction = _direction(files, backbone, device)  # always in single precision
        backbone.model.to(dtype)
        return cls(description, backbone, direction, device)

    @property
    def computed_on(self) -> str:
        """Device, and the precision where it is not float32: stored with every prediction."""
        half = self._backbone.model.visual.proj.dtype == torch.bfloat16
        return f"{self.device} bfloat16" if half else self.device

    @property
    def backbone(self) -> Backbone:
        """The frozen backbone, for measurements beside the prediction."""
        return self._backbone

    @property
    def direction(self) -> Tensor:
        """Scale times the difference of the two classes' text features. (D,)."""
        return self._direction

    def predict(self, images: Sequence[Image.Image]) -> list[ImagePrediction]:
        """Score photographs of any size, in order; raises UnusableImageError."""
        openers = [partial(_given, image) for image in images]
        batches = self.predict_each(openers, lambda _, prediction: prediction)
        return [future.result() for batch in batches for future in batch]

    def predict_each(
        self, openers: Sequence[Opener], then: Callable[[int, ImagePrediction], Result]
    ) -> Iterator[list[Future[Result]]]:
        """Score photographs that are opened when their turn comes; yields batch by batch.

        `then` gets the photograph's number and its prediction, in a thread. A photograph that
        cannot be opened, or for which `then` fails, has the error in its future; the others are
        scored all the same.
        """

        def prepare(number: int) -> _Prepared:
            image = openers[number]()
            return _Prepared(np.asarray(self._backbone.preprocessing.crop(image)), image.size)

        def finish(number: int, prepared: _Prepared, computed: _Computed) -> Result:
            probability, cam = computed
            overlay = render_overlay(cam, *prepared.size, scale=self.description.map_scale)
            return then(number, ImagePrediction(probability, cam, overlay))

        return side_by_side(
            range(len(openers)),
            batch_size=BATCH_SIZE if self.device == "cpu" else GPU_BATCH_SIZE,
            prepare=prepare,
            compute=self._compute,
            finish=finish,
        )

    def _compute(self, batch: list[_Prepared]) -> list[_Computed]:
        pixels = np.stack([one.pixels for one in batch])  # (B, S, S, 3)
        inputs = torch.from_numpy(self._backbone.preprocessing.normalise(pixels))  # (B, 3, S, S)
        result = self._margin_maps(inputs)
        probabilities = torch.sigmoid(result.margins.double()).cpu().numpy()  # (B,)
        maps = result.maps.float().cpu().numpy()  # (B, rows, columns)
        return [(float(one), cam) for one, cam in zip(probabilities, maps, strict=True)]

    def _margin_maps(self, inputs: Tensor) -> MarginMaps:
        try:
            return margin_maps(
                self._backbone.model, inputs.to(self.device), self._direction, self._first
            )
        except torch.OutOfMemoryError:
            if self.device == "cpu":
                raise
            # Results agree within 1e-4; `computed_on` tells the caller, who records it.
            self.device = "cpu"
            self._backbone.model.to("cpu")
            self._direction = self._direction.to("cpu")
            self._first = packed_blocks(self._backbone.model)
            return self._margin_maps(inputs)


def _direction(files: ModelFolder, backbone: Backbone, device: str) -> Tensor:
    """Scale times the difference of the two classes' text features. (D,)."""
    names: dict[str, str] = files.model.get("class_names", {})
    if list(names) != ["BCC", "SK"]:
        raise ModelRecordError(
            f"The model record in {files.folder} must name the classes BCC and SK, in this "
            f"order, and names {list(names)}; use a model trained for this comparison."
        )
    try:
        learned, _ = read_tensors(files.prompt_file, device=device)
        context, scale = learned["context"], learned["logit_scale"]
    except KeyError as error:
        raise WeightsDamagedError(
            f"The prompt file {files.prompt_file} lacks {error}; train the prompt again."
        ) from error
    prompt = Prompt(backbone, tuple(names.values()), context)
    with torch.no_grad():
        bcc, sk = prompt()  # (D,), (D,)
    return scale * (bcc - sk)  # (D,)
