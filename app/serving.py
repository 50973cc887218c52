"""The web server and the worker as long-running processes."""

import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from app.db.server_settings import refuse_unsafe_server
from app.domain.errors import InvalidInput
from app.main import build_site
from app.running import Running
from app.web.tour import Tour


def refuse_taken_port(host: str, port: int) -> None:
    """Raise InvalidInput when the port cannot be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InvalidInput(
                f"Port {port} on {host} cannot be used ({error.strerror}). Name another: PORT=8080 "
                "make demo, or reread serve --port 8080."
            ) from error


def server_settings(site: ASGIApp, *, host: str, port: int, proxy: str | None) -> uvicorn.Config:
    """Return how the server answers; `proxy` is the one address whose headers it believes."""
    return uvicorn.Config(
        site,
        host=host,
        port=port,
        log_config=None,  # as the process logs (app/logs.py)
        access_log=False,  # addresses carry invitation tokens
        server_header=False,
        ws="none",  # no page of ours speaks over WebSockets
        # Forwarded headers are believed from the named proxy, or from nobody.
        proxy_headers=proxy is not None,
        forwarded_allow_ips=proxy or "",
        timeout_graceful_shutdown=10,
    )


def serve(
    on: Running,
    *,
    host: str,
    port: int,
    ready: Callable[[], None],
    on_tour: Tour | None = None,
) -> None:
    """Answer requests until interrupted; raises Unavailable on a server that may lose calls."""
    refuse_unsafe_server(on.database)
    site = build_site(on.settings, on.database, on_tour=on_tour)
    server = uvicorn.Server(server_settings(site, host=host, port=port, proxy=on.settings.proxy))
    original = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await original(sockets=sockets)
        if server.started:
            ready()

    server.startup = startup
    try:
        server.run()
    except KeyboardInterrupt:
        # Ctrl-C is how one stops it; requests under way have been answered.
        return


def start_worker(log: Path) -> subprocess.Popen[bytes]:
    """Start a worker in a process of its own, so that this one stays without torch."""
    with log.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "app", "worker"],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
        )


def stop_worker(worker: subprocess.Popen[bytes]) -> None:
    """End the worker: it finishes its batch, or is killed after 20 seconds."""
    worker.terminate()
    try:
        worker.wait(20)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
