"""The last block of a vision transformer, computed for its class token alone.

After the last block CLIP reads the class token and nothing else. So the last block needs one
query and one row of attention an image, and one token through its second half. Nor does it
need the keys and values of all tokens: a query's product with a key is (W_k^T q) . t, up to a
constant that softmax drops, and the weighted sum of values is W_v applied to the weighted sum
of tokens. What is left costs about a hundredth of the block, and so does its gradient.

models.architecture refuses the models for which this does not hold.
"""

import torch
from torch import Tensor
from torch.nn import functional

from models.clip import Block, SelfAttention


def class_token_after(block: Block, before: Tensor, tokens: Tensor) -> Tensor:
    """Output of a block at its class token.

    before (B, W): the class token as the block gets it. tokens (B, 1 + P, W): all tokens after
    the block's first LayerNorm, the class token first. Returns (B, W).
    """
    x = before + block.ls_1(_attention(block.attn, tokens))  # (B, W)
    return x + block.ls_2(block.mlp(block.ln_2(x)))  # (B, W)


def _attention(attn: SelfAttention, tokens: Tensor) -> Tensor:
    """Self-attention's output at the class token. (B, 1 + P, W) to (B, W)."""
    heads = (attn.num_heads, attn.head_dim)
    query_weight, key_weight, value_weight = attn.in_proj_weight.chunk(3)  # (W, W) each
    query_bias, _, value_bias = attn.in_proj_bias.chunk(3)  # (W,) each
    query: Tensor = functional.linear(tokens[:, 0], query_weight, query_bias)  # (B, W)
    query = query.reshape(-1, *heads)  # (B, H, E)
    asked = torch.einsum("bhe,hew->bhw", query, key_weight.unflatten(0, heads))  # (B, H, W)
    shares = functional.softmax(asked @ tokens.mT * attn.head_dim**-0.5, dim=-1)  # (B, H, 1 + P)
    seen = shares @ tokens  # (B, H, W)
    values = torch.einsum("bhw,hew->bhe", seen, value_weight.unflatten(0, heads))  # (B, H, E)
    return attn.out_proj(values.flatten(1) + value_bias)  # (B, W)
