"""A model beside what it has to beat: zero-shot and a linear probe, on the same image features.

With two classes CoOp is a constrained linear probe. Zero-shot, with the class names alone, says
what the learned prompt added; the probe, what the features would have given without a text encoder.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.backbone import image_features
from models.description import DEFAULT_FOLDER, ModelDescription, ModelFolder, read_folder
from models.errors import WeightsDamagedError
from models.faithfulness import Blanking, Placing, measure_blanking, measure_placing
from models.geometry import centre_square
from models.gradcam import margin_maps
from models.predict import ImagePrediction, Predictor
from models.prompt import name_features
from models.record import verify_sha256
from models.tensor_files import read_tensors

PROBE_FILE = "probe.safetensors"
Vector = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]  # (N, D), unit rows


@dataclass(frozen=True)
class Margins:
    """Log odds of BCC of N images by the three ways to score one set of features. (N,) each.

    Not probabilities: those of a sure model are 1 to the last digit, and lose the order.
    """

    coop: Vector
    zero_shot: Vector
    linear_probe: Vector | None  # None: this model was saved without one


class ComparedModel:
    """A verified model with its zero-shot direction and, where it has one, its linear probe."""

    def __init__(
        self, predictor: Predictor, zero_shot: Tensor, probe: tuple[Tensor, Tensor] | None
    ) -> None:
        """`zero_shot` (D,) scale times (BCC - SK) name features; `probe` weight (D,), bias ()."""
        self._predictor = predictor
        self._directions = (predictor.direction, zero_shot)
        self._probe = probe

    @classmethod
    def load(cls, folder: Path = DEFAULT_FOLDER, *, device: str | None = None) -> "ComparedModel":
        """Verify and load a model folder; raises ModelError."""
        predictor = Predictor.load(folder, device=device)
        files = read_folder(folder)
        backbone = predictor.backbone
        bcc, sk = name_features(backbone, tuple(files.model["class_names"].values()))  # (D,), (D,)
        scale = backbone.model.logit_scale.detach().exp()
        return cls(predictor, scale * (bcc - sk), _probe(files, len(bcc), predictor.device))

    @property
    def description(self) -> ModelDescription:
        """What the model is."""
        return self._predictor.description

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._predictor.device

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of a map."""
        return self.description.map_grid

    def features(self, images: Sequence[Image.Image]) -> Features:
        """Encode photographs of any size; raises UnusableImageError. (N, D)."""
        return image_features(self._predictor.backbone, self._prepared(images)).cpu().numpy()

    def margins(self, features: Features) -> Margins:
        """Score unit features (N, D) in the three ways."""
        given = torch.from_numpy(features).to(self.device)  # (N, D)
        coop, zero_shot = (_as_array(given @ direction) for direction in self._directions)
        if self._probe is None:
            return Margins(coop, zero_shot, None)
        weight, bias = self._probe
        return Margins(coop, zero_shot, _as_array(given @ weight + bias))

    def explain(self, images: Sequence[Image.Image]) -> list[ImagePrediction]:
        """Predict photographs with their maps; raises UnusableImageError."""
        return self._predictor.predict(images)

    def check_maps(
        self,
        images: Sequence[Image.Image],
        masks: Sequence[Image.Image | None],
        *,
        seed: int,
    ) -> tuple[Blanking, Placing | None]:
        """Check the maps of photographs; Placing is of those that have a lesion mask.

        A mask has the photograph's aspect and any size; what is not black is lesion.
        """
        inputs = self._prepared(images)  # (N, 3, S, S)
        model, direction = self._predictor.backbone.model, self._predictor.direction
        result = margin_maps(model, inputs, direction)
        blanking = measure_blanking(model, inputs, result, direction, seed=seed)
        views = [self._mask_view(mask) for mask in masks if mask is not None]
        if not views:
            return blanking, None
        chosen = torch.tensor([mask is not None for mask in masks], device=inputs.device)
        return blanking, measure_placing(result.chosen(chosen), np.stack(views))

    def _prepared(self, images: Sequence[Image.Image]) -> Tensor:
        prepared = self._predictor.backbone.preprocessing(images)  # (N, 3, S, S)
        return torch.from_numpy(prepared).to(self.device)

    def _mask_view(self, mask: Image.Image) -> npt.NDArray[np.bool_]:
        """Give what the network's view of the photograph has of the lesion. (S, S)."""
        side = self._predictor.backbone.preprocessing.image_size
        pixels = mask.convert("L").point(lambda value: 255 if value else 0)
        square = centre_square(*mask.size)
        return np.asarray(pixels.resize((side, side), Image.Resampling.NEAREST, box=square)) > 0


def _as_array(margins: Tensor) -> Vector:
    return margins.double().cpu().numpy()


def _probe(files: ModelFolder, width: int, device: str) -> tuple[Tensor, Tensor] | None:
    """Give weight (D,) and bias () of the saved probe; None where the model has none."""
    file = files.folder / PROBE_FILE
    recorded = files.model.get("probe_sha256")
    if recorded is None and not file.exists():
        return None
    if recorded is not None:
        verify_sha256(file, str(recorded))
    tensors, _ = read_tensors(file, device=device)
    weight, bias = tensors.get("weight"), tensors.get("bias")
    if weight is None or bias is None or weight.shape != (width,) or bias.numel() != 1:
        raise WeightsDamagedError(
            f"The probe file {file} must hold a weight of {width} numbers and one bias; "
            "train the model again, or take the file away."
        )
    return weight.float(), bias.float().reshape(())
