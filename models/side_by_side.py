"""Several processes that train one model, each on its share of every batch.

Started by torch's own launcher: `torchrun --nproc-per-node 2 -m models.pretrain ...`. On a machine
that others use too, two processes of one thread each wait less for one another than two threads.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed


@dataclass(frozen=True)
class Process:
    """Which of how many processes this one is."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this one measures, prints and writes."""
        return self.rank == 0

    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Give every process the mean of all their gradients."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        together /= self.count
        start = 0
        for gradient in gradients:
            part = together[start : start + gradient.numel()]
            gradient.copy_(part.view_as(gradient))
            start += gradient.numel()

    @contextmanager
    def first_before_others(self) -> Generator[None]:
        """Let the first process do what follows alone, and the others when it has done it."""
        if self.count > 1 and not self.first:
            distributed.barrier()
        yield
        if self.count > 1 and self.first:
            distributed.barrier()


@contextmanager
def joined() -> Generator[Process]:
    """Join the processes of the launcher, if it started this one, and leave them at the end."""
    if "WORLD_SIZE" not in os.environ:
        yield Process()
        return
    distributed.init_process_group("gloo")
    try:
        yield Process(distributed.get_rank(), distributed.get_world_size())
    finally:
        # Left to the end of the program, a process that is still talking is aborted.
        distributed.destroy_process_group()
