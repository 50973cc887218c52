"""Where a crowd waits to have its passwords checked, while everybody else is served.

A check takes a thread for as long as its hash. Those who wait for one wait in the event loop, which
costs next to nothing; the threads of all other pages stay free.
"""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from app.actions.passwords import MOST_AT_ONCE

Result = TypeVar("Result")
_turns: RunVar[CapacityLimiter] = RunVar("turns")  # one an event loop, as anyio's own


async def in_turn(check: Callable[[], Result]) -> Result:
    """Run a check of a password in a thread, few of them at a time."""
    try:
        turns = _turns.get()
    except LookupError:
        turns = CapacityLimiter(MOST_AT_ONCE)
        _turns.set(turns)
    return await to_thread.run_sync(check, limiter=turns)
