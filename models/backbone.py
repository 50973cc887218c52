"""Open a CLIP backbone: build it, verify its weights, load them, freeze it.

Three sources, one path: our own small configuration with a local file, an open_clip name
with a local file, and an open_clip name with a pretrained tag, whose file open_clip fetches.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import open_clip
import torch
from open_clip.pretrained import download_pretrained, get_pretrained_cfg
from open_clip.transformer import QuickGELU
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from models.backbone_record import Activation, BackboneRecord
from models.clip import Clip
from models.errors import BackboneMismatchError, WeightsDamagedError, WeightsMissingError
from models.preprocess import Preprocessing
from models.record import sha256_of, verify_sha256
from models.tokenizer import WordTokenizer

Tokenizer = Callable[[Sequence[str]], Tensor]
# Image statistics that OpenAI's CLIP was trained with (Radford et al. 2021, released code).
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


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


def build(record: BackboneRecord) -> Clip:
    """Build the architecture with random weights; raises BackboneMismatchError."""
    config = record.config or open_clip.get_model_config(record.name)
    if config is None:
        raise BackboneMismatchError(
            f"open_clip knows no model named {record.name!r}; "
            "name one of open_clip.list_models(), for example ViT-B-16-quickgelu."
        )
    vision = config["vision_cfg"]
    if "timm_model_name" in vision or not isinstance(vision["layers"], int):
        raise BackboneMismatchError(
            f"The image encoder of {record.name!r} is no plain vision transformer, which the "
            "heat-map needs; use a ViT model such as ViT-B-16-quickgelu."
        )
    model = cast("Clip", open_clip.CLIP(**config))
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


def weights_path(record: BackboneRecord, folder: Path) -> Path:
    """Return where the weights lie, fetching a pretrained tag through open_clip if need be."""
    if record.weights_file is not None:
        return folder / record.weights_file  # an absolute path stays as it is
    if record.pretrained is None:
        raise WeightsMissingError(
            f"The backbone's record in {folder} names neither a weights file nor a tag."
        )
    return fetch_pretrained(record.name, record.pretrained)


def fetch_pretrained(name: str, tag: str) -> Path:
    """Return the downloaded weights of an open_clip tag; raises WeightsMissingError."""
    settings = get_pretrained_cfg(name, tag)
    if not settings:
        raise WeightsMissingError(
            f"open_clip has no weights {tag!r} for {name!r}; see open_clip.list_pretrained()."
        )
    try:
        return Path(download_pretrained(settings))
    except Exception as error:  # the hub raises a dozen unrelated kinds
        raise WeightsMissingError(
            f"The weights {tag!r} of {name!r} could not be downloaded ({error}); connect this "
            "machine to the network once, or name a local safetensors file."
        ) from error


def record_of_file(
    name: str,
    weights: Path,
    *,
    activation: Activation,
    mean: tuple[float, float, float] = CLIP_MEAN,
    std: tuple[float, float, float] = CLIP_STD,
) -> BackboneRecord:
    """Describe an open_clip architecture whose weights lie in a local safetensors file."""
    config = open_clip.get_model_config(name)
    size = 224 if config is None else int(config["vision_cfg"]["image_size"])
    return BackboneRecord(
        name=name,
        config=None,
        activation=activation,
        preprocessing=Preprocessing(size, mean, std),
        words=None,
        weights_file=str(weights.resolve()),
        pretrained=None,
        weights_sha256=sha256_of(weights),
    )


def record_of_tag(name: str, tag: str) -> BackboneRecord:
    """Describe an open_clip architecture with a pretrained tag, downloading its weights."""
    weights = fetch_pretrained(name, tag)
    settings = get_pretrained_cfg(name, tag)
    config = open_clip.get_model_config(name) or {}
    # open_clip applies the tag's own activation; what it does not say is GELU.
    activation: Activation = (
        "quick_gelu" if settings.get("quick_gelu", config.get("quick_gelu")) else "gelu"
    )
    return BackboneRecord(
        name=name,
        config=None,
        activation=activation,
        preprocessing=Preprocessing(
            int(config["vision_cfg"]["image_size"]),
            settings.get("mean", CLIP_MEAN),
            settings.get("std", CLIP_STD),
        ),
        words=None,
        weights_file=None,
        pretrained=tag,
        weights_sha256=sha256_of(weights),
    )


def metadata_for(activation: Activation, preprocessing: Preprocessing) -> dict[str, str]:
    """Return what our own weights files say about themselves, compared on load."""
    return {"activation": activation, "preprocessing": preprocessing.describe()}


def _compare_with_metadata(file: Path, record: BackboneRecord) -> None:
    """Refuse a record that contradicts what our own weights files say about themselves."""
    with safe_open(file, framework="pt") as stream:
        metadata = cast("dict[str, str]", stream.metadata() or {})
    for key, value in metadata_for(record.activation, record.preprocessing).items():
        if metadata.get(key, value) != value:
            raise BackboneMismatchError(
                f"The weights file {file} was trained with {key} {metadata[key]!r}, but the "
                f"record says {value!r}; use the record that was written with these weights."
            )


def load_weights(model: Clip, file: Path, record: BackboneRecord) -> None:
    """Verify the file's hash, then load it; raises WeightsDamagedError, BackboneMismatchError."""
    verify_sha256(file, record.weights_sha256)
    try:
        _compare_with_metadata(file, record)
        state = load_file(file)
    except SafetensorError as error:
        raise WeightsDamagedError(
            f"The weights file {file} has the recorded SHA-256 {record.weights_sha256} but is no "
            f"safetensors file ({error}); convert the weights to safetensors first."
        ) from error
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
    """Normalised features of prepared images (N, 3, S, S), without gradient. (N, D)."""
    with torch.no_grad():
        parts = [
            backbone.model.encode_image(part, normalize=True)
            for part in torch.split(inputs, batch_size)
        ]
    return torch.cat(parts)  # (N, D)
