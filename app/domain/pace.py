"""How readers move through a study: where they are, and which times ask for a look.

Made of positions and times only. No call, no diagnosis and no AI output takes part in it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from app.domain.reading import ReadingState
from app.domain.sentences import Sentence, listed, said

# Limits of the monitor; the page states them. None of them changes or drops a reading.
TOO_FAST = timedelta(seconds=3)  # from the images to the unaided lock
IDLE = timedelta(minutes=10)  # a case open this long was left alone for a while
STALLED = timedelta(days=7)  # without a step, though cases are left

# As the query writes them, one letter a position of the reader's order.
LETTERS = {
    "a": ReadingState.ASSIGNED,
    "s": ReadingState.SERVED,
    "l": ReadingState.LOCKED,
    "r": ReadingState.REVEALED,
    "f": ReadingState.FINISHED,
}
GLYPHS = {
    ReadingState.ASSIGNED: "\N{MIDDLE DOT}",
    ReadingState.SERVED: "\N{WHITE SQUARE}",
    ReadingState.LOCKED: "\N{SQUARE WITH LEFT HALF BLACK}",
    ReadingState.REVEALED: "\N{SQUARE WITH UPPER LEFT DIAGONAL HALF BLACK}",
    ReadingState.FINISHED: "\N{BLACK SQUARE}",
}
WORDS = {
    ReadingState.ASSIGNED: said("not shown yet"),
    ReadingState.SERVED: said("shown, no call"),
    ReadingState.LOCKED: said("unaided call alone"),
    ReadingState.REVEALED: said("model shown, call open"),
    ReadingState.FINISHED: said("finished"),
}
GROUP = 10  # cells stand in tens, so that a position can be found by counting


@dataclass(frozen=True)
class Run:
    """Neighbouring cells of one state, as the page writes them."""

    state: ReadingState
    cells: str


@dataclass(frozen=True)
class Pace:
    """One reader's way through a study, counted from their assignments; times in seconds."""

    states: str  # a letter a position: see LETTERS
    too_fast: int
    idle: int
    median_unaided: float | None
    median_aided: float | None
    last_step_at: datetime | None

    @property
    def counts(self) -> dict[ReadingState, int]:
        """Return how many of the cases are in each state."""
        return {state: self.states.count(letter) for letter, state in LETTERS.items()}

    @property
    def finished(self) -> int:
        """Return the number of finished cases."""
        return self.counts[ReadingState.FINISHED]

    @property
    def missing(self) -> int:
        """Return the number of cases that are not finished."""
        return len(self.states) - self.finished

    @property
    def runs(self) -> list[Run]:
        """Return the cells in the order of reading, a space after every tenth."""
        found: list[Run] = []
        position = 0
        for letter, same in groupby(self.states):
            cells = ""
            for _ in same:
                position += 1
                cells += GLYPHS[LETTERS[letter]] + (" " if position % GROUP == 0 else "")
            found.append(Run(LETTERS[letter], cells))
        return found

    @property
    def in_words(self) -> Sentence:
        """Say the same as the cells, for those who hear the page."""
        counts = [
            said("{number} {state}", number=number, state=WORDS[state])
            for state, number in self.counts.items()
            if number
        ]
        return listed(counts[::-1]) if counts else said("no order drawn yet")

    def stalled(self, *, now: datetime, since: datetime) -> bool:
        """Say whether cases are left and no step was made for STALLED, nor since `since`."""
        return self.missing > 0 and now - (self.last_step_at or since) >= STALLED
