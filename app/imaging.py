"""Cleaning of pictures from outside, in child processes that may die without harm.

The children speak lengths and bytes over pipes, never pickles: a child that a hostile picture
has taken over could otherwise run code here.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from math import isfinite
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Self

from app import image_decoding
from app.domain import picture_refusals
from app.domain.errors import InvalidInput, Problem, TooLarge, Unavailable
from app.domain.image_quality import ImageQuality
from app.domain.sentences import said
from app.image_decoding import (
    MAX_BYTES,
    MAX_EDGE,
    MEASURES,
    READY,
    REPLY,
    REQUEST,
    CleanImage,
    clean_image,
)

__all__ = ["CleanImage", "ImageCleaner", "clean_image"]

_PROJECT = Path(image_decoding.__file__).parents[1]
_PASSED_ON = ("PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
# Four bytes a pixel is far beyond what a JPEG of this quality takes.
_MAX_REPLY = 4 * MAX_EDGE * MAX_EDGE


class ImageCleaner:
    """A small pool of decoding processes; use it in a `with` block.

    `processes` defaults to the processor cores, at most four.
    """

    def __init__(self, processes: int | None = None) -> None:
        self._size = processes or min(4, os.cpu_count() or 1)
        self._children: SimpleQueue[_Child] = SimpleQueue()
        for _ in range(self._size):
            self._children.put(_Child())
        self._threads = ThreadPoolExecutor(self._size, thread_name_prefix="image-cleaner")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(cancel_futures=True)
        for _ in range(self._size):
            self._children.get().stop()

    def clean(self, name: str, data: bytes) -> CleanImage | Problem:
        """Clean one picture; what is wrong with it comes back as a problem of the file `name`."""
        if len(data) > MAX_BYTES:
            return _problem(name, said(picture_refusals.LARGER, size=MAX_BYTES // 1024**2))
        child = self._children.get()
        try:
            return child.clean(data)
        except (InvalidInput, TooLarge) as refusal:
            return _problem(name, refusal.sentence)
        except _ChildEndedError:
            return _problem(
                name, said("the picture could not be decoded within its time and memory")
            )
        finally:
            self._children.put(child)

    def clean_many(
        self, pictures: Iterable[tuple[str, bytes]]
    ) -> Iterator[tuple[str, CleanImage | Problem]]:
        """Clean (name, bytes) pairs and give them back in the same order.

        The pictures are taken from the iterable as they are needed, a few ahead.
        """
        waiting: deque[tuple[str, Future[CleanImage | Problem]]] = deque()
        for name, data in pictures:
            waiting.append((name, self._threads.submit(self.clean, name, data)))
            if len(waiting) > 2 * self._size:
                done, future = waiting.popleft()
                yield done, future.result()
        for done, future in waiting:
            yield done, future.result()


def _problem(name: str, sentence: str) -> Problem:
    return Problem(name, None, None, sentence)


class _ChildEndedError(Exception):
    """The child process ended in the middle of a picture."""


class _Child:
    """One decoding process, started when first needed and again after it has died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def clean(self, data: bytes) -> CleanImage:
        """Have one picture cleaned; raises its refusal, or `_ChildEndedError`."""
        process = self._process or self._start()
        try:
            return _exchange(_pipe(process.stdin), _pipe(process.stdout), data)
        except (OSError, _ChildEndedError):
            self.stop()
            raise _ChildEndedError from None

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "app.image_decoding"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=_PROJECT,
            env=_bare_environment(),
        )
        if _pipe(self._process.stdout).read(len(READY)) != READY:
            self.stop()
            raise Unavailable(
                "Pictures cannot be decoded: the decoding process does not start. "
                "`python -m app.image_decoding` shows why."
            )
        return self._process

    def stop(self) -> None:
        """End the process, also in the middle of a picture."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):  # what was not yet sent has no reader any more
                _pipe(pipe).close()


def _bare_environment() -> dict[str, str]:
    """Give what Python needs to start, and no secret of ours."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # One thread: a buffer for each core of a large machine would not fit into the child's memory.
    return {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", **kept}


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise _ChildEndedError
    return pipe


def _exchange(to_child: IO[bytes], from_child: IO[bytes], data: bytes) -> CleanImage:
    to_child.write(REQUEST.pack(len(data)) + data)
    to_child.flush()
    cleaned, width, height, length = REPLY.unpack(_exactly(from_child, REPLY.size))
    if length > _MAX_REPLY or max(width, height) > MAX_EDGE:
        raise _ChildEndedError
    if not cleaned:
        raise InvalidInput(_exactly(from_child, length).decode(errors="replace"))
    quality, perceptual_hash = _measures(_exactly(from_child, MEASURES.size))
    body = _exactly(from_child, length)
    return CleanImage(body, "image/jpeg", width, height, quality, perceptual_hash)


def _measures(data: bytes) -> tuple[ImageQuality, int]:
    *numbers, perceptual_hash = MEASURES.unpack(data)
    # What a child says is as foreign as the picture; NaN would be no JSON and no limit's match.
    if not all(map(isfinite, numbers)):
        raise _ChildEndedError
    return ImageQuality(*numbers), perceptual_hash


def _exactly(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) != length:
        raise _ChildEndedError
    return data
