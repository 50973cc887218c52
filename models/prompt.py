"""The learnable prompt and the text encoder that reads it.

CoOp: Zhou et al. 2022, "Learning to Prompt for Vision-Language Models", IJCV
(arXiv:2109.01134), unified context, class name at the end (their equation 3).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import Backbone
from models.clip import Clip
from models.errors import PromptTooLongError


def encode_prompts(model: Clip, embeddings: Tensor, ends: Tensor) -> Tensor:
    """Text features of embedded prompts of any length up to the model's own.

    open_clip's `encode_text` adds the whole positional table, so it needs prompts padded to
    the full context. The mask is causal: nothing before the end token sees what follows it,
    and cutting the prompts after the longest end changes nothing but the time.

    embeddings (C, L, W), ends (C,) positions of the end tokens; returns unit rows (C, D).
    """
    length = embeddings.shape[1]
    x = embeddings + model.positional_embedding[:length]  # (C, L, W)
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])  # (C, L, W)
    x = model.ln_final(x)  # (C, L, W)
    x = x[torch.arange(len(x), device=x.device), ends]  # (C, W)
    return functional.normalize(x @ model.text_projection, dim=-1)  # (C, D)


class Prompt(nn.Module):
    """Shared context vectors before each class name; the only part that learns."""

    context: nn.Parameter
    before: Tensor
    after: Tensor
    ends: Tensor

    def __init__(self, backbone: Backbone, class_names: tuple[str, ...], context: Tensor) -> None:
        """`context` holds the starting values, (T, W)."""
        super().__init__()
        self.model = [backbone.model]  # in a list: its weights are not this module's parameters
        self.class_names = class_names
        self.context = nn.Parameter(context)  # (T, W)
        identifiers = backbone.tokenizer(class_names).to(context.device)  # (C, N)
        name_ends = identifiers.argmax(dim=-1)  # (C,)
        kept = int(name_ends.max()) + 1
        available = backbone.model.context_length
        if kept + len(context) > available:
            raise PromptTooLongError(
                f"{len(context)} context vectors and the longest class name need "
                f"{kept + len(context)} places, but the text encoder has {available}; "
                "shorten the class names or the context."
            )
        with torch.no_grad():
            embedded = backbone.model.token_embedding(identifiers[:, :kept])  # (C, kept, W)
        self.register_buffer("before", embedded[:, :1])  # (C, 1, W) start of text
        self.register_buffer("after", embedded[:, 1:])  # (C, kept - 1, W) name, end, padding
        self.register_buffer("ends", name_ends + len(context))  # (C,)

    def embeddings(self) -> Tensor:
        """Embedded prompts, cut to the longest real length. (C, L, W)."""
        shared = self.context.expand(len(self.before), -1, -1)  # (C, T, W)
        return torch.cat([self.before, shared, self.after], dim=1)  # (C, L, W)

    def forward(self) -> Tensor:
        """Text features of the classes, unit rows. (C, D)."""
        return encode_prompts(self.model[0], self.embeddings(), self.ends)


def starting_context(backbone: Backbone, tokens: int, std: float, seed: int) -> Tensor:
    """Random context vectors, drawn on the CPU so that every device starts alike. (T, W)."""
    generator = torch.Generator().manual_seed(seed)
    width = int(backbone.model.token_embedding.weight.shape[1])
    context = torch.randn(tokens, width, generator=generator) * std  # (T, W)
    return context.to(backbone.model.token_embedding.weight.device)


def name_features(backbone: Backbone, texts: tuple[str, ...]) -> Tensor:
    """Features of plain texts, for zero-shot use, unit rows. (C, D)."""
    identifiers = backbone.tokenizer(texts).to(backbone.model.token_embedding.weight.device)
    with torch.inference_mode():
        return backbone.model.encode_text(identifiers, normalize=True).clone()  # (C, D)
