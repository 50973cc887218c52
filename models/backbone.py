"""Open a CLIP backbone: build it, verify its weights, load them, freeze it.

Three sources, one path: our own small configuration with a local file, an open_clip name
with a local file, and an open_clip name with a pretrained tag (see backbone_sources).
"""

# open_clip ships no types; models.clip has those that we need.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import open_clip
import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn

from models.architecture import refuse_configuration, refuse_model
from models.backbone_record import Activation, BackboneRecord
from models.backbone_sources import configuration_of, weights_path
from models.clip import Clip
from models.errors import BackboneMismatchError
from models.preprocess import Preprocessing
from models.record import verify_sha256
from models.tensor_files import read_tensors
from models.tokenizer import WordTokenizer

Tokenizer = Callable[[Sequence[str]], Tensor]


@dataclass(frozen=True)
class Backbone:
    """A frozen CLIP in evaluation mode, with the tokenizer and preparation it was trained with."""

    model: Clip
    tokenizer: Tokenizer
    record: BackboneRecord

    @property
    def preprocessing(self) -> Preprocessing:
        """How pictures are prepared for it."""
        return self.record.preprocessing

    @property
    def device(self) -> str:
        """Where its weights lie, for example 'cpu' or 'cuda:0'."""
        return str(self.model.token_embedding.weight.device)


def build(record: BackboneRecord) -> Clip:
    """Build the architecture with random weights; raises BackboneMismatchError."""
    config = record.config or configuration_of(record.name)
    refuse_configuration(config, record.name)
    model = cast("Clip", open_clip.CLIP(**config))
    refuse_model(model, record.name)
    block = cast("nn.Module", model.visual.transformer.resblocks[-1])
    quick = any(isinstance(part, QuickGELU) for part in block.modules())
    built: Activation = "quick_gelu" if quick else "gelu"
    if built != record.activation:
        raise BackboneMismatchError(
            f"The weights were trained with the activation {record.activation}, but the "
            f"architecture {record.name!r} uses {built}: features would be silently wrong. "
            "Use the architecture name that matches (OpenAI weights: the -quickgelu names)."
        )
    if model.visual.image_size != (record.preprocessing.image_size,) * 2:
        raise BackboneMismatchError(
            f"The record prepares images of {record.preprocessing.image_size} pixels, but "
            f"{record.name!r} reads {model.visual.image_size[0]}; correct the record's image_size."
        )
    return model


def metadata_for(activation: Activation, preprocessing: Preprocessing) -> dict[str, str]:
    """Return what our own weights files say about themselves, compared on load."""
    return {"activation": activation, "preprocessing": preprocessing.describe()}


def load_weights(model: Clip, file: Path, record: BackboneRecord) -> None:
    """Verify the file's hash, then load it; raises WeightsDamagedError, BackboneMismatchError."""
    verify_sha256(file, record.weights_sha256)
    state, metadata = read_tensors(file)
    # Weights from elsewhere carry no such metadata; for them the record alone speaks.
    for key, value in metadata_for(record.activation, record.preprocessing).items():
        if metadata.get(key, value) != value:
            raise BackboneMismatchError(
                f"The weights file {file} was trained with {key} {metadata[key]!r}, but the "
                f"record says {value!r}; use the record that was written with these weights."
            )
    try:
        # Stored as half precision or not, the model computes in single precision.
        model.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise BackboneMismatchError(
            f"The weights file {file} does not fit the architecture {record.name!r}: {error}"
        ) from error


def open_backbone(record: BackboneRecord, folder: Path, *, device: str = "cpu") -> Backbone:
    """Return the verified, frozen backbone; raises a ModelError that says what is wrong."""
    model = build(record)
    load_weights(model, weights_path(record, folder), record)
    model.eval().requires_grad_(requires_grad=False).to(device)
    tokenizer: Tokenizer
    if record.words is None:
        tokenizer = cast("Tokenizer", open_clip.get_tokenizer(record.name))
    else:
        tokenizer = WordTokenizer(record.words, model.vocab_size, model.context_length)
    return Backbone(model, tokenizer, record)


def image_features(backbone: Backbone, inputs: Tensor, *, batch_size: int = 64) -> Tensor:
    """Return unit features of prepared images (N, 3, S, S), without gradient. (N, D)."""
    with torch.no_grad():
        parts = [
            backbone.model.encode_image(part, normalize=True)
            for part in torch.split(inputs, batch_size)
        ]
    return torch.cat(parts)  # (N, D)
