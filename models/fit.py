"""What is learned from cached features: CoOp prompt, its temperature, and the linear probe.

With two classes CoOp is a constrained linear probe. Zero-shot, CoOp and probe therefore stand
side by side on the same features, and say what each step added.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.backbone import Backbone
from models.coop import CoopConfig, Epoch, train_prompt
from models.feature_cache import CachedFeatures, TrainingViews
from models.probe import Probe, Truth, Vector, calibrated_scale, chosen_probe
from models.prompt import name_features

CLASS_NAMES = {"BCC": "basal cell carcinoma", "SK": "seborrheic keratosis"}
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True)
class FitConfig:
    """How the prompt and the probe learn."""

    coop: CoopConfig = field(default_factory=CoopConfig)
    probe_penalties: tuple[float, ...] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


@dataclass(frozen=True)
class Parts:
    """Which pictures learn, which set temperature and penalty, and which only measure."""

    fit: Indices
    validation: Indices
    test: Indices


@dataclass(frozen=True)
class Learned:
    """Everything that one training found."""

    context: Tensor  # (T, W)
    scale: float  # of CoOp's similarity margin, so that its sigmoid is a probability
    coop: npt.NDArray[np.float32]  # (D,), BCC minus SK text features
    zero_shot: npt.NDArray[np.float32]  # (D,), of the plain names
    probe: Probe

    def margins(self, features: Vector) -> dict[str, Vector]:
        """Score unit features (N, D) in three ways; more speaks for BCC. Three times (N,)."""
        return {
            "zero_shot": features @ self.zero_shot,
            "coop": features @ self.coop,
            "linear_probe": self.probe(features),
        }

    def probabilities(self, features: Vector) -> npt.NDArray[np.float64]:
        """Give CoOp's calibrated probability of BCC. (N,)."""
        return 1 / (1 + np.exp(-self.scale * (features @ self.coop).astype(np.float64)))


def fit(
    backbone: Backbone,
    features: CachedFeatures,
    truth: Truth,
    parts: Parts,
    config: FitConfig,
    *,
    report: Callable[[Epoch], None] = lambda _: None,
    progress: Path | None = None,
) -> Learned:
    """Learn from the `fit` part; temperature and penalty come from the `validation` part.

    truth (N,): 1 for BCC, 0 for SK, of all pictures. The `test` part is not looked at.
    """
    names = tuple(CLASS_NAMES.values())
    views = TrainingViews(features, parts.fit, backbone.device)
    labels = torch.from_numpy(1 - truth[parts.fit]).to(backbone.device)  # 0 BCC, 1 SK
    prompt = train_prompt(
        backbone, names, views, labels, config.coop, report=report, progress=progress
    )
    coop = _difference(prompt())
    held_out, held_out_truth = features.plain(parts.validation), truth[parts.validation]
    return Learned(
        context=prompt.context.detach().cpu(),
        scale=calibrated_scale(held_out @ coop, held_out_truth),
        coop=coop,
        zero_shot=_difference(name_features(backbone, names)),
        probe=chosen_probe(
            (features.plain(parts.fit), truth[parts.fit]),
            (held_out, held_out_truth),
            config.probe_penalties,
        ),
    )


def _difference(text_features: Tensor) -> npt.NDArray[np.float32]:
    """BCC minus SK text features. (D,)."""
    return (text_features[0] - text_features[1]).detach().cpu().numpy()
