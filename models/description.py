"""What a model is, read and verified without torch: hashes, preparation, scale, card."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.backbone_record import BackboneRecord, backbone_record
from models.errors import ModelRecordError, WeightsMissingError
from models.record import read_record, verify_sha256

DEFAULT_FOLDER = Path(__file__).parent / "weights" / "small-clip-coop"


@dataclass(frozen=True)
class ModelDescription:
    """A model version: two that are equal give equal predictions."""

    name: str
    weights_sha256: str  # over the backbone's and the prompt's SHA-256
    preprocessing: str
    threshold: float  # a case at or above it is called positive
    positive_class: str
    map_scale: float  # |map value| drawn in the strongest colour
    map_grid: tuple[int, int]  # rows, columns
    demonstration: bool  # never trained on a patient
    card: str  # Markdown
    backbone: str
    performance: dict[str, Any] | None = None  # on its test images, as _performance() gives it


@dataclass(frozen=True)
class ModelFolder:
    """The records of a model folder, read but not yet verified."""

    folder: Path
    backbone: BackboneRecord
    model: dict[str, Any]

    @property
    def prompt_file(self) -> Path:
        """The learned context vectors."""
        return self.folder / "prompt.safetensors"


def read_folder(folder: Path) -> ModelFolder:
    """Read both records of a model folder; raises ModelError."""
    return ModelFolder(folder, backbone_record(folder), read_record(folder / "model.json"))


def verify_folder(files: ModelFolder) -> None:
    """Compare every weights file with its recorded hash; raises WeightsDamagedError."""
    # A pretrained tag's file lies in a download cache; opening the backbone verifies it.
    if files.backbone.weights_file is not None:
        file = files.folder / files.backbone.weights_file
        verify_sha256(file, files.backbone.weights_sha256)
    verify_sha256(files.prompt_file, str(files.model.get("prompt_sha256")))


def description_of(files: ModelFolder) -> ModelDescription:
    """Describe a model from its records alone; raises ModelRecordError."""
    record, backbone = files.model, files.backbone
    try:
        card = (files.folder / str(record["card"])).read_text(encoding="utf-8")
        rows, columns = (int(value) for value in record["map_grid"])
        hashes = f"{backbone.weights_sha256} {record['prompt_sha256']}"
        return ModelDescription(
            name=str(record["name"]),
            weights_sha256=hashlib.sha256(hashes.encode()).hexdigest(),
            preprocessing=backbone.preprocessing.describe(),
            threshold=float(record["threshold"]),
            positive_class=str(record["positive_class"]),
            map_scale=float(record["map_scale"]),
            map_grid=(rows, columns),
            demonstration=bool(record["demonstration"]),
            card=card,
            backbone=backbone.name,
            performance=_performance(record.get("test")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRecordError(
            f"The model record {files.folder / 'model.json'} lacks or misstates a field "
            f"({error}); copy it again from where the model was trained."
        ) from error
    except OSError as error:
        raise WeightsMissingError(
            f"The model card of {files.folder} cannot be read ({error.strerror}); "
            "copy the whole model folder again."
        ) from error


def _performance(test: dict[str, Any] | None) -> dict[str, Any] | None:
    """Give sensitivity and specificity on the test part; None where they are not recorded.

    Each has `estimate` and, where recorded, `low`, `high` (95%) and `of` (images of its class).
    """
    found: dict[str, Any] = {}
    for name in ("sensitivity", "specificity"):
        share: Any = (test or {}).get(name)
        if share is None:
            return None
        if isinstance(share, float):
            share = {"estimate": share}
        found[name] = {key: share[key] for key in ("estimate", "low", "high", "of") if key in share}
    return found


def describe(folder: Path = DEFAULT_FOLDER) -> ModelDescription:
    """Describe a model folder after verifying every file in it; raises ModelError."""
    files = read_folder(folder)
    verify_folder(files)
    return description_of(files)
