"""Where a crowd waits to have its passwords checked, while everybody else is served.

A check takes a thread for as long as its hash, or for as long as an identity provider takes to
answer. Those who wait for one wait in the event loop, which costs next to nothing; the threads of
all other pages stay free.
"""

from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from app.actions.passwords import MOST_AT_ONCE

Result = TypeVar("Result")
MOST_AT_PROVIDER = 8
_turns: RunVar[CapacityLimiter] = RunVar("turns")  # one an event loop, as anyio's own
_provider_turns: RunVar[CapacityLimiter] = RunVar("provider turns")


async def in_turn(check: Callable[[], Result]) -> Result:
    """Run a check of a password in a thread, few of them at a time."""
    return await to_thread.run_sync(check, limiter=_limiter(_turns, MOST_AT_ONCE))


async def at_the_provider(ask: Callable[[], Result]) -> Result:
    """Ask an identity provider in a thread, few at a time: one that is slow slows nobody else."""
    return await to_thread.run_sync(ask, limiter=_limiter(_provider_turns, MOST_AT_PROVIDER))


def _limiter(turns: RunVar[CapacityLimiter], at_once: int) -> CapacityLimiter:
    try:
        return turns.get()
    except LookupError:
        made = CapacityLimiter(at_once)
        turns.set(made)
        return made
