"""A series of generated pictures, painted once by several processes and kept on disk."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.synthetic import GENERATOR_VERSION, generate

Pixels = npt.NDArray[np.uint8]
_CHUNK = 100


def _paint_chunk(job: tuple[int, int, int, int]) -> Pixels:
    seed, first, count, size = job
    pictures = [generate(seed, index, size=size).image for index in range(first, first + count)]
    return np.stack([np.asarray(picture) for picture in pictures])  # (N, S, S, 3)


def painted(seed: int, count: int, size: int, folder: Path, *, processes: int = 2) -> Pixels:
    """Return `count` pictures of the series `seed`, painted on the first call. (N, S, S, 3)."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"generator-{GENERATOR_VERSION}-seed-{seed}-{count}x{size}.npy"
    if not file.exists():
        unfinished = file.with_suffix(".part")
        shape = (count, size, size, 3)
        pixels = np.lib.format.open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)
        starts = range(0, count, _CHUNK)
        jobs = [(seed, first, min(_CHUNK, count - first), size) for first in starts]
        # Spawned, not forked: a caller may hold threads (torch) that a fork would break.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for first, chunk in zip(starts, pool.map(_paint_chunk, jobs), strict=True):
                pixels[first : first + len(chunk)] = chunk
        pixels.flush()
        unfinished.rename(file)
    return np.load(file, mmap_mode="r", allow_pickle=False)
