"""The first blocks of a frozen vision transformer on a processor, by oneDNN with packed weights.

PyTorch multiplies float32 by MKL, which reads a weight anew each time. oneDNN lays a weight out
for the processor once, and is then a fifth faster or more (docs/performance.md). A packed block
computes what open_clip's computes, and adds up in another order.
"""

# open_clip ships no types, and torch leaves parts of its interface untyped.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false
from typing import Any, Literal, cast

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn
from torch.nn import functional

from models.clip import Block, Clip, Step

_onednn: Any = torch.ops.mkldnn  # the operators that torch.compile uses; no public names yet
Activation = Literal["none", "gelu", "swish"]
QUICK = 1.702  # of QuickGELU


class PackedLinear:
    """A frozen linear layer, and what comes after each sum. (..., I) to (..., O)."""

    def __init__(self, weight: Tensor, bias: Tensor, then: Activation = "none") -> None:
        """Weight (O, I) and bias (O,), float32 or bfloat16, on the processor."""
        self._weight = _onednn._reorder_linear_weight(weight.detach())  # noqa: SLF001
        self._bias = bias.detach()
        # oneDNN's second word chooses between exact GELU and one by tanh.
        self._then = (then, [], "none" if then == "gelu" else "")

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply, add, and apply the activation while the sums are in the cache."""
        return cast(
            "Tensor",
            _onednn._linear_pointwise(x, self._weight, self._bias, *self._then),  # noqa: SLF001
        )


def packed_perceptron(widen: nn.Linear, activation: nn.Module, narrow: nn.Linear) -> list[Step]:
    """Pack the two wide layers of a block and the activation between them.

    oneDNN has no QuickGELU, x sigmoid(1.702 x). It has swish, y sigmoid(y): with y = 1.702 x,
    swish gives 1.702 times what is wanted, and the factor goes into the weights before and after.
    """
    if isinstance(activation, QuickGELU):
        return [
            PackedLinear(widen.weight * QUICK, widen.bias * QUICK, "swish"),
            PackedLinear(narrow.weight / QUICK, narrow.bias),
        ]
    if isinstance(activation, nn.GELU) and activation.approximate == "none":
        return [
            PackedLinear(widen.weight, widen.bias, "gelu"),
            PackedLinear(narrow.weight, narrow.bias),
        ]
    return [
        PackedLinear(widen.weight, widen.bias),
        activation,
        PackedLinear(narrow.weight, narrow.bias),
    ]


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
        self._perceptron = packed_perceptron(mlp.c_fc, mlp.gelu, mlp.c_proj)
        self._before: tuple[Step, Step] = (block.ln_1, block.ln_2)
        self._after: tuple[Step, Step] = (block.ls_1, block.ls_2)

    def forward(self, x: Tensor) -> Tensor:
        """Attention, then the two wide layers."""
        together = self._qkv(self._before[0](x)).reshape(*x.shape[:2], 3, *self._heads)
        heads = together.permute(2, 0, 3, 1, 4)  # (3, B, H, L, E): queries, keys, values
        seen = functional.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        x = x + self._after[0](self._out(seen.transpose(1, 2).flatten(2)))
        y = self._before[1](x)
        for step in self._perceptron:
            y = step(y)
        return x + self._after[1](y)


def packed_blocks(model: Clip) -> list[Step]:
    """Every block before the last, packed; as they are where this PyTorch has no oneDNN."""
    blocks = list(model.visual.transformer.resblocks[:-1])
    if not torch.backends.mkldnn.is_available():
        return list(blocks)
    return [PackedBlock(block) for block in blocks]
