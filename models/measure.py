"""What a trained model is measured on besides its area under the curve on generated images."""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.backbone import Backbone, image_features
from models.faithfulness import Faithfulness, measure_faithfulness
from models.gradcam import map_grid, margin_maps
from models.probe import area_under_curve, area_with_interval
from models.synthetic import generate


@dataclass(frozen=True)
class Photographs:
    """Real photographs: a folder of cases.csv and images/, their collection and its bias."""

    folder: Path
    source: str
    note: str


def measured_map_scale(
    backbone: Backbone, direction: Tensor, inputs: Tensor
) -> tuple[float, tuple[int, int]]:
    """99th percentile of |map value| over prepared training images, and the map's grid."""
    direction = direction.to(backbone.device)
    parts = (part.to(backbone.device) for part in torch.split(inputs, 50))
    maps = [margin_maps(backbone.model, part, direction).maps for part in parts]
    values = torch.cat(maps).abs().flatten().cpu().numpy()
    return float(np.percentile(values, 99)), map_grid(backbone.model, inputs)


def heat_map_check(backbone: Backbone, direction: Tensor, *, seed: int, count: int) -> Faithfulness:
    """Faithfulness of the maps on freshly painted test images."""
    size = backbone.preprocessing.image_size
    samples = [generate(seed, index, size=size) for index in range(count)]
    pixels = np.stack([np.asarray(sample.image) for sample in samples])
    inputs = torch.from_numpy(backbone.preprocessing.normalise(pixels))  # (N, 3, S, S)
    masks = np.stack([sample.mask for sample in samples])
    return measure_faithfulness(backbone.model, inputs, masks, direction, seed=seed)


def central_redness(image: Image.Image) -> float:
    """How much redder (red over green) the middle of a picture is than the whole of it."""
    pixels = np.asarray(image.convert("RGB").resize((64, 64)), dtype=np.float64)
    middle = pixels[20:44, 20:44].mean(axis=(0, 1))
    whole = pixels.mean(axis=(0, 1))
    return float(middle[0] / middle[1] - whole[0] / whole[1])


def photograph_check(
    backbone: Backbone, direction: Tensor, threshold: float, photographs: Photographs
) -> dict[str, Any]:
    """Area under the curve on all real photographs named by `cases.csv`, beside one colour.

    direction (D,) includes the calibrated scale, so that the threshold means what it says.
    """
    folder = photographs.folder
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    margins: list[npt.NDArray[np.float32]] = []
    redness: list[float] = []
    for first in range(0, len(rows), 50):
        some = [Image.open(folder / "images" / row["image"]) for row in rows[first : first + 50]]
        inputs = torch.from_numpy(backbone.preprocessing(some))  # (B, 3, S, S)
        margins.append((image_features(backbone, inputs) @ direction).numpy())
        redness.extend(central_redness(image) for image in some)
    scores = np.concatenate(margins)
    truth = np.array([row["diagnosis"] == "BCC" for row in rows], dtype=np.int64)
    called = 1 / (1 + np.exp(-scores)) >= threshold
    return {
        "source": photographs.source,
        "note": photographs.note,
        **asdict(area_with_interval(scores, truth)),
        "sensitivity": float(called[truth == 1].mean()),
        "specificity": float(1 - called[truth == 0].mean()),
        "redness_area": area_under_curve(np.array(redness), truth),
    }
