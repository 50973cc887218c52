"""What is seen of requests from outside: an id, one log line, and counts. No study, no person."""

import logging
import time
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.logs import request_id

log = logging.getLogger("reread.request")

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The counts of one process. Routes are counted by their pattern, never by an address."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "reread_requests",
            "Requests answered by this process.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "reread_request_seconds",
            "Time until an answer was sent whole.",
            ["route"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.ready = Gauge("reread_ready", "1 when /ready holds.", registry=self.registry)
        self.waiting = Gauge("reread_jobs_waiting", "Jobs nobody took.", registry=self.registry)
        self.failed = Gauge("reread_jobs_failed", "Jobs given up.", registry=self.registry)
        self.heartbeat = Gauge(
            "reread_worker_heartbeat_seconds",
            "Age of the newest heartbeat of a worker; -1 where there is none.",
            registry=self.registry,
        )


class Observed:
    """Gives each request an id and, when it is answered, writes a line and counts it."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500  # where the application ends without an answer

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        given = request_id.set(uuid4().hex)  # ours alone: none is taken from a header
        start = time.perf_counter()
        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, status, time.perf_counter() - start)
            request_id.reset(given)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The pattern of the route: an address may hold an invitation's token.
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in {"GET", "POST", "HEAD"} else "other"
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        facts = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 1),
        }
        log.info("%s %s %d", method, route, status, extra=facts)
