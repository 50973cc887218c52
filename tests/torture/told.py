"""What the simulated readers sent and what they were told: the other half of the comparison."""

from collections import Counter
from dataclasses import dataclass, field
from threading import Lock


@dataclass(frozen=True)
class Sent:
    """A call as it was sent, under its submission id."""

    assignment: str
    phase: str
    call: str
    confidence: int
    submission_id: str


@dataclass
class Told:
    """Filled by all readers at once."""

    sent: dict[str, Sent] = field(default_factory=dict)  # by submission id
    saved: dict[tuple[str, str], Sent] = field(default_factory=dict)  # by (assignment, phase)
    unaided: set[str] = field(default_factory=set)  # assignments whose unaided call was sent
    counts: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)  # answers that break a promise
    _lock: Lock = field(default_factory=Lock)

    def send(self, sent: Sent) -> None:
        with self._lock:
            self.sent[sent.submission_id] = sent
            if sent.phase == "unaided":
                self.unaided.add(sent.assignment)

    def save(self, sent: Sent) -> None:
        """The server said "saved": from here on it must be there."""
        with self._lock:
            first = self.saved.setdefault((sent.assignment, sent.phase), sent)
            if first != sent:
                self.broken.append(f"both {first} and {sent} were acknowledged")

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def breach(self, sentence: str) -> None:
        with self._lock:
            self.broken.append(sentence)
