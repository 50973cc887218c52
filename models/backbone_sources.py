"""Where a backbone's weights come from: a local safetensors file, or an open_clip tag."""

# open_clip ships no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
from pathlib import Path
from typing import Any, cast

import open_clip
from open_clip.pretrained import (
    download_pretrained,  # pyright: ignore[reportUnknownVariableType]
    get_pretrained_cfg,
)

from models.backbone_record import Activation, BackboneRecord
from models.errors import BackboneMismatchError, WeightsMissingError
from models.preprocess import Preprocessing
from models.record import sha256_of

Colours = tuple[float, float, float]
# Image statistics that OpenAI's CLIP was trained with (Radford et al. 2021, released code).
CLIP_MEAN: Colours = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD: Colours = (0.26862954, 0.26130258, 0.27577711)


def configuration_of(name: str) -> dict[str, Any]:
    """Return open_clip's configuration of a name; raises BackboneMismatchError."""
    config = cast("dict[str, Any] | None", open_clip.get_model_config(name))
    if config is None:
        raise BackboneMismatchError(
            f"open_clip knows no model named {name!r}; "
            "name one of open_clip.list_models(), for example ViT-B-16-quickgelu."
        )
    return config


def record_of_file(
    name: str,
    weights: Path,
    *,
    activation: Activation,
    mean: Colours = CLIP_MEAN,
    std: Colours = CLIP_STD,
) -> BackboneRecord:
    """Describe an open_clip architecture whose weights lie in a local safetensors file.

    The file itself does not say which activation it was trained with: the caller must.
    """
    size = int(configuration_of(name)["vision_cfg"]["image_size"])
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
    settings = cast("dict[str, Any]", get_pretrained_cfg(name, tag))
    config = configuration_of(name)
    # The tag states its activation where it matters (openai); else the name's own holds.
    quick = bool(settings.get("quick_gelu", config.get("quick_gelu", False)))
    return BackboneRecord(
        name=name,
        config=None,
        activation="quick_gelu" if quick else "gelu",
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


def weights_path(record: BackboneRecord, folder: Path) -> Path:
    """Return where the weights lie, fetching a pretrained tag through open_clip if need be."""
    if record.weights_file is not None:
        return folder / record.weights_file  # an absolute path stays as it is
    if record.pretrained is None:
        raise WeightsMissingError(
            f"The backbone's record in {folder} names neither a weights file nor a tag; "
            "copy it again from where the model was trained."
        )
    return fetch_pretrained(record.name, record.pretrained)


def fetch_pretrained(name: str, tag: str) -> Path:
    """Return the downloaded weights of an open_clip tag; raises WeightsMissingError."""
    settings = cast("dict[str, Any]", get_pretrained_cfg(name, tag))
    if not settings:
        raise WeightsMissingError(
            f"open_clip has no weights {tag!r} for {name!r}; see open_clip.list_pretrained()."
        )
    try:
        return Path(cast("str", download_pretrained(settings)))
    except Exception as error:  # the hub raises a dozen unrelated kinds
        raise WeightsMissingError(
            f"The weights {tag!r} of {name!r} could not be downloaded ({error}); connect this "
            "machine to the network once, or name a local safetensors file."
        ) from error
