"""An application answering on a free port, run in a thread as uvicorn runs it in production."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def serving(site: ASGIApp) -> Iterator[str]:
    """Give its address."""
    with serving_at(lambda _port: site) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serving_at(build: Callable[[int], ASGIApp], *, port: int = 0) -> Iterator[int]:
    """Serve what is built once its port is known, and give the port; 0: any that is free."""
    with socket.create_server(("127.0.0.1", port)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(build(port), log_level="warning", access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()
