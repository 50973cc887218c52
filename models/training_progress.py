"""Weights and optimiser moments of an unfinished training, so that it can go on."""

from pathlib import Path

import torch
from torch import Tensor, nn

from models.clip import Clip
from models.tensor_files import read_tensors, write_tensors


def save_progress(
    file: Path, model: Clip, loss: nn.Module, optimiser: torch.optim.AdamW, epoch: int
) -> None:
    """Write weights, also the loss's, and optimiser moments: a run goes on after `epoch`."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"loss.{name}": value for name, value in loss.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in state.items()}
    write_tensors(file, tensors, {"epoch": str(epoch)})


def load_progress(file: Path, model: Clip, loss: nn.Module, optimiser: torch.optim.AdamW) -> int:
    """Read what save_progress wrote; returns the number of finished epochs, 0 without a file."""
    if not file.exists():
        return 0
    weights: dict[str, Tensor] = {}
    of_loss: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    tensors, metadata = read_tensors(file)
    for key, value in tensors.items():
        kind, name = key.split(".", 1)
        if kind == "model":
            weights[name] = value
        elif kind == "loss":
            of_loss[name] = value
        else:
            number, moment = name.split(".")
            moments.setdefault(int(number), {})[moment] = value
    model.load_state_dict(weights)
    loss.load_state_dict(of_loss)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return int(metadata["epoch"])
