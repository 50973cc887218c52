"""Which of open_clip's architectures we can serve: the others are refused before they mislead.

The heat-map reads the class token of a plain vision transformer (models.class_token), and the
prompt reads the end token under a causal mask (models.prompt). Where an architecture does
otherwise, our shortened computations would give other numbers than its own, silently.
"""

# open_clip ships no types; models.clip has those that we need.
# pyright: reportMissingTypeStubs=false
from typing import Any, cast

from open_clip.transformer import ResidualAttentionBlock, VisionTransformer
from torch import nn

from models.clip import Clip
from models.errors import BackboneMismatchError


def refuse_configuration(config: dict[str, Any], name: str) -> None:
    """Raise BackboneMismatchError for a configuration that is not CLIP with two plain towers."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if "timm_model_name" in vision or not isinstance(vision["layers"], int):
        raise _refusal(name, "image encoder is no plain vision transformer")
    if "hf_model_name" in text:
        raise _refusal(name, "text encoder comes from another library")
    if "multimodal_cfg" in config:
        raise _refusal(name, "third encoder is not CLIP's")


def refuse_model(model: Clip, name: str) -> None:
    """Raise BackboneMismatchError for a model that reads its tokens in another way."""
    visual = model.visual
    if not isinstance(visual, VisionTransformer):
        raise _refusal(name, "image encoder is no plain vision transformer")
    if visual.attn_pool is not None or visual.pool_type != "tok":
        raise _refusal(name, "image encoder does not read its class token alone")
    if not visual.transformer.batch_first:
        raise _refusal(name, "image encoder puts tokens before images")
    last = cast("object", visual.transformer.resblocks[-1])
    # Exactly this class: open_clip's other blocks keep the name `attn` for other attention.
    if type(last) is not ResidualAttentionBlock or type(last.attn) is not nn.MultiheadAttention:
        raise _refusal(name, "image encoder has attention of a kind of its own")
    if cast("object", model.attn_mask) is None or model.text_pool_type != "argmax":
        raise _refusal(name, "text encoder does not read its end token under a causal mask")


def _refusal(name: str, reason: str) -> BackboneMismatchError:
    return BackboneMismatchError(
        f"The architecture {name!r} cannot be used: its {reason}, and heat-map and prompt are "
        "made for OpenAI's kind of CLIP. Use a ViT model such as ViT-B-16-quickgelu."
    )
