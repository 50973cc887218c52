"""How many requests keep a connection at once: fewer than there are threads for their parts.

A request keeps its connection while its next part waits for a thread. Were all threads held by
requests that wait for a connection, both would wait for each other until somebody gave up.
"""

from collections.abc import AsyncGenerator
from typing import Annotated

import anyio
from fastapi import Depends, Request

from app.domain.errors import Unavailable
from app.web.services import services_of


async def a_turn(request: Request) -> AsyncGenerator[None]:
    """Wait for a turn; raises Unavailable where none comes in the time a connection may take."""
    services = services_of(request)
    try:
        with anyio.fail_after(services.database.wait):
            await services.turns.acquire()
    except TimeoutError as error:
        raise Unavailable("Too many are at work at once. Nothing was saved; try again.") from error
    try:
        yield
    finally:
        services.turns.release()


# Taken by every dependency that gives a connection; once a request, however many it has.
Turn = Annotated[None, Depends(a_turn, scope="function")]
