"""Simulated readers over HTTP, as a process of its own: as little work a request as can be.

Reads its orders as JSON from standard input, and writes what it measured as JSON. `closed`: every
reader goes from step to step without a pause. `open`: cases arrive at a rate, whatever is answered
when; the first step of a case is timed from its arrival, so that waiting for a free reader counts.
"""

import asyncio
import json
import random
import re
import sys
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

FORM = re.compile(rb'action="(/readings/[0-9a-f-]+/(unaided|reveal|aided)|/studies/[^"]+/(next))"')
SUBMISSION = re.compile(rb'name="submission_id" value="([0-9a-f-]+)"')
PICTURE = re.compile(rb"/readings/[0-9a-f-]+/(?:images|overlays)/\d+")
NAMES = {"unaided": "unaided lock", "reveal": "reveal", "aided": "aided lock", "next": "next"}
PAGES = {"unaided": "case page", "reveal": "page locked", "aided": "page with AI", "next": "pause"}
PAUSE_AFTER = 5  # cases: then the next one is asked for by a button


@dataclass
class Measured:
    """Seconds of each step, and what was not answered as it should be."""

    steps: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list[float]))
    cases: int = 0
    calls: int = 0
    faults: Counter[str] = field(default_factory=Counter[str])
    exhausted: int = 0  # readers who had no case left
    seconds: float = 0.0
    processor_seconds: float = 0.0


class Browser:
    """One connection that is kept, one reader's cookie; no more of HTTP than uvicorn answers."""

    def __init__(self, address: str, token: str) -> None:
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.head = (
            f"Host: {self.host}:{self.port}\r\nCookie: reread={token}\r\n"
            "Sec-Fetch-Site: same-origin\r\n"
        )
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, path: str, form: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Send one request; status and body."""
        if form is None:
            request = f"GET {path} HTTP/1.1\r\n{self.head}\r\n"
        else:
            body = urlencode(form)
            request = (
                f"POST {path} HTTP/1.1\r\n{self.head}"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
        try:
            return await self._send(request.encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            self.close()  # the server has closed it: nothing was asked for a while
            return await self._send(request.encode())

    async def _send(self, request: bytes) -> tuple[int, bytes]:
        if self.streams is None:
            self.streams = await asyncio.open_connection(self.host, self.port, limit=2**20)
        incoming, outgoing = self.streams
        outgoing.write(request)
        head = (await incoming.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0])
        return int(head[9:12]), await incoming.readexactly(length)

    def close(self) -> None:
        """Close the connection."""
        if self.streams is not None:
            self.streams[1].close()
            self.streams = None


class Reader:
    """One simulated reader, at whatever step they are."""

    def __init__(self, browser: Browser, study: str, measured: Measured) -> None:
        self.browser = browser
        self.room = f"/studies/{study}/read"
        self.measured = measured
        self.read = 0

    async def timed(
        self, name: str, path: str, form: dict[str, str] | None, since: float | None
    ) -> tuple[bytes, float]:
        """Ask and time; what is not answered as it should be is counted and asked again."""
        start = since or time.perf_counter()
        while True:
            status, body = await self.browser.ask(path, form)
            if status == (200 if form is None else 303):
                return body, time.perf_counter() - start
            self.measured.faults[f"{name} {status}"] += 1
            await asyncio.sleep(0.5)

    async def read_case(self, since: float | None = None) -> bool:
        """Read one case to its end; False when there is none left."""
        while True:
            page, took = await self.timed("page", self.room, None, since)
            found = FORM.search(page)
            if found is None:
                return False
            kind = (found[2] or found[3]).decode()
            self.measured.steps[PAGES[kind]].append(took)
            since = None
            for path in sorted(set(PICTURE.findall(page))) if kind in {"unaided", "aided"} else []:
                _, took = await self.timed("picture", path.decode(), None, None)
                self.measured.steps["picture"].append(took)
            form: dict[str, str] = {}
            if kind in {"unaided", "aided"}:
                (submission,) = SUBMISSION.findall(page) or [str(uuid4()).encode()]
                form = {"call": "BCC", "confidence": "70", "submission_id": submission.decode()}
                self.read += kind == "aided"
                if kind == "aided" and self.read % PAUSE_AFTER == 0:
                    form["pause"] = "yes"
            _, took = await self.timed(NAMES[kind], found[1].decode(), form, None)
            self.measured.steps[NAMES[kind]].append(took)
            self.measured.calls += kind in {"unaided", "aided"}
            if kind == "aided":
                self.measured.cases += 1
                return True


async def read_closed(readers: list[Reader], seconds: float) -> None:
    """Everybody reads on until the time is over; a case that was begun is finished."""
    until = time.perf_counter() + seconds

    async def read_on(reader: Reader) -> None:
        while time.perf_counter() < until:
            if not await reader.read_case():
                reader.measured.exhausted += 1
                return

    await asyncio.gather(*map(read_on, readers))


async def read_open(readers: list[Reader], seconds: float, rate: float, seed: int) -> None:
    """Cases arrive as a Poisson process of `rate` a second; who has waited longest takes it."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    free = deque(readers)
    waiting: deque[float] = deque()
    running: set[asyncio.Task[None]] = set()

    async def take(reader: Reader, arrived: float) -> None:
        try:
            left = await reader.read_case(arrived)
        except (asyncio.IncompleteReadError, ConnectionError):
            reader.measured.faults["connection lost"] += 1
            left = True
        if not left:
            reader.measured.exhausted += 1
            return
        if waiting:
            start(reader, waiting.popleft())
        else:
            free.append(reader)

    def start(reader: Reader, arrived: float) -> None:
        task = asyncio.create_task(take(reader, arrived))
        running.add(task)
        task.add_done_callback(running.discard)

    begin = due = time.perf_counter()
    while True:
        due += chance.expovariate(rate)
        if due > begin + seconds:
            break
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        if free:
            start(free.popleft(), due)
        else:
            waiting.append(due)
    while running:
        await asyncio.gather(*running)


async def main() -> None:
    """Do as ordered."""
    orders = json.load(sys.stdin)
    measured = Measured()
    readers = [
        Reader(Browser(address, token), orders["study"], measured)
        for address, token in orders["readers"]
    ]
    begin, processor = time.perf_counter(), time.process_time()
    if orders["rate"]:
        await read_open(readers, orders["seconds"], orders["rate"], orders["seed"])
    else:
        await read_closed(readers, orders["seconds"])
    measured.seconds = time.perf_counter() - begin
    measured.processor_seconds = time.process_time() - processor
    for reader in readers:
        reader.browser.close()
    print(json.dumps(vars(measured)))


if __name__ == "__main__":
    asyncio.run(main())
