"""Signed Grad-CAM of a vision transformer, and the class margin, in one batched pass.

Grad-CAM: Selvaraju et al. 2017 (arXiv:1610.02391), equations 1 and 2, without the final
ReLU: the target is the margin z_BCC - z_SK before softmax, so what is positive speaks for
BCC and what is negative for SK, and the map does not fade when the model is sure.

The layer is the first LayerNorm of the last block. The block's own output would give
exactly zero at every patch, because only the class token is read after it. Nothing before
the last block needs a gradient, so nothing before it is recorded; and of the last block only
what its class token reads is computed (models.class_token).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from models.class_token import class_token_after
from models.clip import Clip, Step


@dataclass(frozen=True)
class MarginMaps:
    """Class margins (B,) in logits, and their maps (B, rows, columns).

    A map's unit is Grad-CAM's own (gradient averaged over fields, times activation): only
    comparisons have a meaning, within a map or between maps of one model.
    """

    margins: Tensor
    maps: Tensor

    def chosen(self, images: Tensor) -> "MarginMaps":
        """Keep some of the images, chosen by (B,) booleans."""
        return MarginMaps(self.margins[images], self.maps[images])


def map_grid(model: Clip, inputs: Tensor) -> tuple[int, int]:
    """Rows and columns of patches, derived from the input (B, 3, H, W)."""
    high, wide = model.visual.patch_size
    return inputs.shape[-2] // high, inputs.shape[-1] // wide


def margin_maps(
    model: Clip, inputs: Tensor, direction: Tensor, first: Sequence[Step] | None = None
) -> MarginMaps:
    """Margins and signed maps of prepared images.

    inputs (B, 3, H, W). direction (D,) is the logit scale times the difference of the two
    classes' text features: its product with a unit image feature is the margin. The model may
    be in bfloat16; direction, margins and maps are in single precision. `first` stands in for
    the model's own blocks before the last (models.packed).
    """
    visual = model.visual
    blocks = visual.transformer.resblocks
    with torch.no_grad():
        x = visual._embeds(inputs.to(visual.proj.dtype))  # (B, 1 + P, W)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] see models.clip
        for block in blocks[:-1] if first is None else first:
            x = block(x)
        last = blocks[-1]
        normalised = last.ln_1(x)  # (B, 1 + P, W)
    with torch.enable_grad():
        target = normalised.detach().requires_grad_()
        pooled = visual.ln_post(class_token_after(last, x[:, 0], target))  # (B, W)
        features = functional.normalize((pooled @ visual.proj).float(), dim=-1)  # (B, D)
        margins = features @ direction  # (B,)
        (gradient,) = torch.autograd.grad(margins.sum(), target)
    # Sums in single precision, also of a model in bfloat16; the class token is dropped.
    patches, slopes = target.detach()[:, 1:].float(), gradient[:, 1:].float()  # (B, P, W)
    weights = slopes.mean(dim=1, keepdim=True)  # (B, 1, W), equation 1
    maps = (weights * patches).sum(dim=-1)  # (B, P), equation 2 without ReLU
    return MarginMaps(margins.detach(), maps.reshape(-1, *map_grid(model, inputs)))
