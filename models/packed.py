"""The first blocks of a frozen vision transformer on a processor, by oneDNN with packed weights.

PyTorch multiplies float32 by MKL, which reads a weight anew each time. oneDNN lays a weight out
for the processor once, and is then a fifth faster or more (docs/performance.md). A packed block
computes what open_clip's computes, and adds up in another order.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.clip import Block, Clip, Step

_onednn: Any = torch.ops.mkldnn  # the operators that torch.compile uses; no public names yet


class PackedLinear:
    """A frozen linear layer. (..., I) to (..., O)."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """Weight (O, I) and bias (O,), float32 or bfloat16, on the processor."""
        self._weight = _onednn._reorder_linear_weight(weight.detach())  # noqa: SLF001
        self._bias = bias.detach()

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply and add."""
        return cast(
            "Tensor",
            _onednn._linear_pointwise(x, self._weight, self._bias, "none", [], ""),  # noqa: SLF001
        )


class PackedBlock(nn.Module):
    """One residual attention block, without gradients. (B, L, W) to (B, L, W)."""

    def __init__(self, block: Block) -> None:
        """Pack an open_clip block's four matrices; its other parts are used as they are."""
        super().__init__()
        attn, mlp = block.attn, cast("Any", block.mlp)
        out = cast("nn.Linear", attn.out_proj)
        self._heads = (attn.num_heads, attn.head_dim)
        self._qkv = PackedLinear(attn.in_proj_weight, attn.in_proj_bias)
        self._out = PackedLinear(out.weight, out.bias)
        self._widen = PackedLinear(mlp.c_fc.weight, mlp.c_fc.bias)
        self._narrow = PackedLinear(mlp.c_proj.weight, mlp.c_proj.bias)
        self._activation: Step = mlp.gelu
        self._before: tuple[Step, Step] = (block.ln_1, block.ln_2)
        self._after: tuple[Step, Step] = (block.ls_1, block.ls_2)

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then the two wide layers."""
        together = self._qkv(self._before[0](x)).reshape(*x.shape[:2], 3, *self._heads)
        heads = together.permute(2, 0, 3, 1, 4)  # (3, B, H, L, E): queries, keys, values
        seen = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        x = x + self._after[0](self._out(seen.transpose(1, 2).flatten(2)))
        wide = self._activation(self._widen(self._before[1](x)))  # (B, L, 4 W)
        return x + self._after[1](self._narrow(wide))


def packed_blocks(model: Clip) -> list[Step]:
    """Every block before the last, packed; as they are where this PyTorch has no oneDNN."""
    blocks = list(model.visual.transformer.resblocks[:-1])
    if not torch.backends.mkldnn.is_available():
        return list(blocks)
    return [PackedBlock(block) for block in blocks]
