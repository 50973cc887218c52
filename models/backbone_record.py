"""What must be known about a CLIP backbone to use its weights rightly. Needs no torch.

OpenAI's weights need QuickGELU: with GELU the features are silently wrong. The activation
and the normalisation are therefore written beside the weights and compared on load.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from models.errors import ModelRecordError
from models.preprocess import Preprocessing
from models.record import read_record

Activation = Literal["gelu", "quick_gelu"]
ACTIVATIONS: tuple[Activation, ...] = ("gelu", "quick_gelu")


@dataclass(frozen=True)
class BackboneRecord:
    """One backbone: architecture, activation, image preparation, words and weights."""

    name: str
    config: dict[str, Any] | None  # None: open_clip's own configuration of that name
    activation: Activation
    preprocessing: Preprocessing
    words: tuple[str, ...] | None  # None: CLIP's own tokenizer
    weights_file: str | None  # in the model's folder, or an absolute path
    pretrained: str | None  # an open_clip tag, downloaded on first use
    weights_sha256: str

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object that `backbone_record` reads."""
        return {
            "architecture": {"name": self.name, "config": self.config},
            "activation": self.activation,
            "normalisation": {
                "image_size": self.preprocessing.image_size,
                "mean": list(self.preprocessing.mean),
                "std": list(self.preprocessing.std),
            },
            "tokenizer": {"words": None if self.words is None else list(self.words)},
            "weights": {
                "file": self.weights_file,
                "pretrained": self.pretrained,
                "sha256": self.weights_sha256,
            },
        }


def _three(values: Any) -> tuple[float, float, float]:  # noqa: ANN401 JSON is checked here
    red, green, blue = (float(value) for value in values)
    return red, green, blue


def _activation(value: object) -> Activation:
    for known in ACTIVATIONS:
        if value == known:
            return known
    raise ValueError(f"unknown activation {value!r}")


def backbone_record(folder: Path) -> BackboneRecord:
    """Read `backbone.json` of a model folder; raises ModelRecordError."""
    file = folder / "backbone.json"
    content = read_record(file)
    try:
        normalisation = content["normalisation"]
        words = content["tokenizer"]["words"]
        weights = content["weights"]
        return BackboneRecord(
            name=str(content["architecture"]["name"]),
            config=content["architecture"]["config"],
            activation=_activation(content["activation"]),
            preprocessing=Preprocessing(
                int(normalisation["image_size"]),
                _three(normalisation["mean"]),
                _three(normalisation["std"]),
            ),
            words=None if words is None else tuple(words),
            weights_file=weights.get("file"),
            pretrained=weights.get("pretrained"),
            weights_sha256=str(weights["sha256"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ModelRecordError(
            f"The backbone's record {file} lacks or misstates a field ({error}); "
            "copy it again from where the model was trained."
        ) from error
