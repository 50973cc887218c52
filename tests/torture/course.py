"""How far the reading is, shared by readers and killers."""

import time
from dataclasses import dataclass, field
from threading import Event

from tests.torture.told import Told


@dataclass
class Course:
    """Readers go on until `submissions` are acknowledged, and wait where a kill is due first."""

    submissions: int
    told: Told = field(default_factory=Told)
    stop: Event = field(default_factory=Event)
    reach: float = float("inf")  # so many may be acknowledged before the next kill is over
    began: float = field(default_factory=time.monotonic)

    @property
    def acknowledged(self) -> int:
        return len(self.told.saved)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def __str__(self) -> str:
        return f"acknowledged {self.acknowledged} of {self.submissions}"

    def goes_on(self) -> bool:
        """Say whether another step is wanted; waits for a kill that is overdue."""
        while self.acknowledged >= self.reach and not self.stop.wait(0.02):
            pass
        return self.acknowledged < self.submissions and not self.stop.is_set()
