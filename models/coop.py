"""CoOp prompt learning on cached image features.

The image encoder is frozen, so its features are computed once: a training step is then the
text encoder on a few short prompts. Settings as published (Zhou et al. 2022, section 4.1)
and as in the paper on dermatologists reading with CLIP.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from models.backbone import Backbone
from models.prompt import Prompt, starting_context
from models.prompt_progress import load_state, save_state


@dataclass(frozen=True)
class CoopConfig:
    """Settings of one prompt training."""

    context_tokens: int = 16
    context_std: float = 0.02
    learning_rate: float = 0.002
    momentum: float = 0.9
    weight_decay: float = 0.005
    epochs: int = 100
    warm_up_epochs: int = 1
    warm_up_learning_rate: float = 1e-5
    batch_size: int = 32
    seed: int = 1


@dataclass(frozen=True)
class Epoch:
    """What one epoch did: mean cross-entropy and the learning rate it ran at."""

    number: int
    loss: float
    learning_rate: float


def learning_rate(config: CoopConfig, epoch: int) -> float:
    """Constant during the warm-up, then a cosine over all epochs (Loshchilov & Hutter 2017)."""
    if epoch < config.warm_up_epochs:
        return config.warm_up_learning_rate
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * epoch / config.epochs))


def train_prompt(
    backbone: Backbone,
    class_names: tuple[str, ...],
    views: Tensor | Sequence[Tensor],
    labels: Tensor,
    config: CoopConfig,
    *,
    report: Callable[[Epoch], None] = lambda _: None,
    progress: Path | None = None,
) -> Prompt:
    """Learn the context; returns the trained prompt.

    views (K, N, D): unit image features of K augmented views, one set after the other in
    successive epochs (K = epochs is exact augmentation); labels (N,) index class_names.
    progress: a file that an interrupted training goes on from, to the same weights; its name
    must stand for everything that is learned from.
    """
    context = starting_context(backbone, config.context_tokens, config.context_std, config.seed)
    prompt = Prompt(backbone, class_names, context)
    optimiser = torch.optim.SGD(
        [prompt.context],
        config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )
    scale = backbone.model.logit_scale.detach().exp()
    shuffle = torch.Generator().manual_seed(config.seed)
    finished = load_state(progress, prompt.context, optimiser, shuffle)
    for number in range(finished, config.epochs):
        features = views[number % len(views)]  # (N, D)
        optimiser.param_groups[0]["lr"] = learning_rate(config, number)
        order = torch.randperm(len(features), generator=shuffle).to(features.device)
        losses: list[Tensor] = []
        for chosen in torch.split(order, config.batch_size):
            logits = scale * features[chosen] @ prompt().T  # (B, C)
            loss = functional.cross_entropy(logits, labels[chosen])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.detach())
        if progress is not None:
            save_state(progress, prompt.context, optimiser, shuffle, number + 1)
        report(Epoch(number, float(torch.stack(losses).mean()), learning_rate(config, number)))
    return prompt
