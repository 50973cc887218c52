"""The state of an unfinished prompt training: vectors, momentum and shuffle, epoch by epoch."""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
from pathlib import Path

import torch
from torch import nn

from models.errors import CacheError
from models.tensor_files import read_tensors, write_tensors


def save_state(
    file: Path,
    context: nn.Parameter,
    optimiser: torch.optim.SGD,
    shuffle: torch.Generator,
    epochs: int,
) -> None:
    """Write the state after so many epochs; raises CacheError where it cannot be written."""
    tensors = {
        "context": context.detach(),
        "momentum": optimiser.state[context]["momentum_buffer"],
        "shuffle": shuffle.get_state(),
    }
    try:
        write_tensors(file, tensors, {"epochs": str(epochs)})
    except OSError as error:
        raise CacheError(
            f"The training's progress cannot be kept in {file} ({error.strerror}); make room and "
            "start the same command again: it goes on from the last epoch that was kept."
        ) from error


def load_state(
    file: Path | None, context: nn.Parameter, optimiser: torch.optim.SGD, shuffle: torch.Generator
) -> int:
    """Read what save_state wrote; returns the number of finished epochs, 0 without a file."""
    if file is None or not file.exists():
        return 0
    tensors, metadata = read_tensors(file)
    with torch.no_grad():
        context.copy_(tensors["context"])
    optimiser.state[context]["momentum_buffer"] = tensors["momentum"].to(context.device)
    shuffle.set_state(tensors["shuffle"])
    return int(metadata["epochs"])
