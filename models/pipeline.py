"""Prepare, compute and finish side by side: the model never waits for files, nor they for it.

Decoding and drawing release Python's lock, so threads do them on the cores (or beside the GPU)
while the model has another batch. Two batches are prepared ahead, and no more: memory stays
bounded however long the series is.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Computed = TypeVar("Computed")
Finished = TypeVar("Finished")

AHEAD = 2


def side_by_side(
    items: Sequence[Item],
    *,
    batch_size: int,
    prepare: Callable[[Item], Prepared],
    compute: Callable[[list[Prepared]], Sequence[Computed]],
    finish: Callable[[Item, Prepared, Computed], Finished],
) -> Iterator[list[Future[Finished]]]:
    """Yield the items' results batch by batch, in order, each batch when it is done.

    `prepare` and `finish` run in threads, item by item; `compute` runs batch by batch in the
    caller's thread. Where one of the first two fails, that item's future holds the error and the
    others go on; an error of `compute` is raised.
    """
    starts = range(0, len(items), batch_size)
    with ThreadPoolExecutor(os.cpu_count()) as pool:

        def begin(start: int) -> list[tuple[Item, Future[Prepared]]]:
            batch = items[start : start + batch_size]
            return [(item, pool.submit(prepare, item)) for item in batch]

        prepared = deque(begin(start) for start in starts[:AHEAD])
        finished: deque[list[Future[Finished]]] = deque()
        for number in range(len(starts)):
            batch = prepared.popleft()
            ready = [future.result() for _, future in batch if future.exception() is None]
            if number + AHEAD < len(starts):
                prepared.append(begin(starts[number + AHEAD]))
            computed = iter(compute(ready) if ready else ())
            finished.append([_then(pool, finish, item, future, computed) for item, future in batch])
            if len(finished) > AHEAD:
                yield _done(finished.popleft())
        while finished:
            yield _done(finished.popleft())


def _then(
    pool: ThreadPoolExecutor,
    finish: Callable[[Item, Prepared, Computed], Finished],
    item: Item,
    prepared: Future[Prepared],
    computed: Iterator[Computed],
) -> Future[Finished]:
    """Let `finish` follow, or pass the item's error on."""
    error = prepared.exception()
    if error is None:
        return pool.submit(finish, item, prepared.result(), next(computed))
    failed: Future[Finished] = Future()
    failed.set_exception(error)
    return failed


def _done(batch: list[Future[Finished]]) -> list[Future[Finished]]:
    for future in batch:
        future.exception()  # waits
    return batch
