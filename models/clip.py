"""The parts of open_clip's CLIP that we use, with their types.

open_clip ships without types, and torch types every submodule as "tensor or module"; these
protocols say once what each part is, and `models.backbone.build` checks and casts to them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

Step = Callable[[Tensor], Tensor]


class SelfAttention(Protocol):
    """torch's nn.MultiheadAttention, whose own types are incomplete."""

    num_heads: int
    head_dim: int  # E = W / H
    in_proj_weight: Tensor  # (3 W, W): queries, keys, values
    in_proj_bias: Tensor  # (3 W,)

    @property
    def out_proj(self) -> Step: ...  # noqa: D102


class Block(Protocol):
    """One residual attention block of a transformer."""

    @property
    def ln_1(self) -> Step: ...  # noqa: D102 named as in open_clip
    @property
    def attn(self) -> SelfAttention: ...  # noqa: D102
    @property
    def ls_1(self) -> Step: ...  # noqa: D102
    @property
    def ln_2(self) -> Step: ...  # noqa: D102
    @property
    def ls_2(self) -> Step: ...  # noqa: D102
    @property
    def mlp(self) -> Step: ...  # noqa: D102

    def __call__(self, q_x: Tensor) -> Tensor:
        """Whole block. (B, L, W) to (B, L, W)."""
        ...


class Transformer(Protocol):
    """A stack of blocks."""

    batch_first: bool

    @property
    def resblocks(self) -> Sequence[Block]: ...  # noqa: D102

    def __call__(self, x: Tensor, attn_mask: Tensor | None = None) -> Tensor:
        """All blocks. (B, L, W) to (B, L, W)."""
        ...


class PatchDropout(Protocol):
    """Leaves out patches while training; there only where the configuration asks for it."""

    prob: float


class VisionTower(Protocol):
    """The image encoder, a vision transformer."""

    image_size: tuple[int, int]
    patch_size: tuple[int, int]
    proj: Tensor  # (W, D)
    patch_dropout: PatchDropout

    @property
    def transformer(self) -> Transformer: ...  # noqa: D102

    @property
    def ln_post(self) -> Step: ...  # noqa: D102

    # open_clip offers no public way to stop before the last block and go on from there.
    def _embeds(self, x: Tensor) -> Tensor: ...  # (B, 3, H, W) to (B, 1 + P, W)


class Clip(Protocol):
    """Both encoders."""

    context_length: int
    vocab_size: int
    logit_scale: Tensor  # logarithm
    positional_embedding: Tensor  # (L, W)
    text_projection: Tensor  # (W, D)
    attn_mask: Tensor  # (L, L)
    text_pool_type: str  # which token's output is read
    token_embedding: nn.Embedding

    @property
    def visual(self) -> VisionTower: ...  # noqa: D102
    @property
    def transformer(self) -> Transformer: ...  # noqa: D102
    @property
    def ln_final(self) -> Step: ...  # noqa: D102

    def encode_image(self, image: Tensor, normalize: bool = False) -> Tensor:  # noqa: FBT001, FBT002
        """Image features. (B, 3, H, W) to (B, D)."""
        ...

    def encode_text(self, text: Tensor, normalize: bool = False) -> Tensor:  # noqa: FBT001, FBT002
        """Text features. (C, L) to (C, D)."""
        ...

    def eval(self) -> "Clip": ...  # noqa: D102
    def train(self) -> "Clip": ...  # noqa: D102
    def to(self, to: str | torch.dtype) -> "Clip": ...  # noqa: D102
    def requires_grad_(self, requires_grad: bool) -> "Clip": ...  # noqa: D102, FBT001
    def parameters(self) -> Iterator[nn.Parameter]: ...  # noqa: D102
    def state_dict(self) -> dict[str, Tensor]: ...  # noqa: D102
    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> object: ...  # noqa: D102
