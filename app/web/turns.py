"""How many requests are at work in the database at once: as many as it has connections for a role.

Everybody else waits for a turn in the event loop, in the order they came, which costs no thread.
Were turns more than connections, threads would wait for connections, and requests that have a
connection for threads: a crowd would get less done than a few, and some of it nothing at all.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, TypeVar

import anyio
from anyio import to_thread
from fastapi import Depends, Request

from app.domain.errors import Unavailable
from app.web.services import Services, services_of

Result = TypeVar("Result")


@asynccontextmanager
async def _turn(services: Services) -> AsyncGenerator[None]:
    """Wait for a turn; raises Unavailable where none comes in the time a connection may take."""
    try:
        with anyio.fail_after(services.database.wait):
            await services.turns.acquire()
    except TimeoutError as error:
        raise Unavailable("Too many are at work at once. Nothing was saved; try again.") from error
    try:
        yield
    finally:
        services.turns.release()


async def a_turn(request: Request) -> AsyncGenerator[None]:
    """Keep a turn as long as a request keeps its connection."""
    async with _turn(services_of(request)):
        yield


# Taken by every dependency that gives a connection; once a request, however many it has.
Turn = Annotated[None, Depends(a_turn, scope="function")]


async def in_turn(services: Services, ask: Callable[[], Result]) -> Result:
    """Ask the database something by itself, in a thread; never while the request has a turn."""
    async with _turn(services):
        return await to_thread.run_sync(ask)


async def fetched(services: Services, key: str) -> bytes:
    """Give a file of the storage. A store that hangs holds few threads, and no turn."""
    async with services.fetches:
        return await to_thread.run_sync(partial(services.storage.get, key))
