"""Progress of a long step on the terminal: one line that is rewritten, or a few lines in a log."""

import sys
import time
from types import TracebackType
from typing import Self


class Progress:
    """Call it with (done, total); use it in a `with` block, which ends the line."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_terminal = sys.stderr.isatty()
        self._began = time.monotonic()
        self._said = -1

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is; in a log only every tenth."""
        tenth = 10 * done // total if total else 0
        if self._is_terminal:
            sys.stderr.write(f"\r{self._what}: {done} of {total}  ")
        elif tenth > self._said:
            sys.stderr.write(f"{self._what}: {done} of {total}\n")
        self._said = max(self._said, tenth)
        sys.stderr.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how long it took, where anything was shown."""
        if self._said >= 0 and kind is None:
            seconds = time.monotonic() - self._began
            start = "\r" if self._is_terminal else ""
            sys.stderr.write(f"{start}{self._what}: done in {seconds:.1f} s        \n")
