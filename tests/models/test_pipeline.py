"""Prepare, compute and finish run side by side, in order, and one bad item stops no other."""

from threading import Event

import pytest

from models.pipeline import AHEAD, side_by_side


def results(count: int, batch_size: int) -> list[list[tuple[int, int, int]]]:
    batches = side_by_side(
        range(count),
        batch_size=batch_size,
        prepare=lambda item: item * 10,
        compute=lambda batch: [value + 1 for value in batch],
        finish=lambda item, prepared, computed: (item, prepared, computed),
    )
    return [[future.result() for future in batch] for batch in batches]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 17])
def test_every_item_comes_back_once_and_in_order(count: int) -> None:
    batches = results(count, 4)
    flat = [one for batch in batches for one in batch]
    assert flat == [(item, item * 10, item * 10 + 1) for item in range(count)]
    assert all(len(batch) == 4 for batch in batches[:-1])


def test_an_item_that_fails_has_its_error_and_the_others_go_on() -> None:
    def prepare(item: int) -> int:
        if item == 1:
            raise ValueError("cannot be opened")
        return item

    def finish(item: int, _prepared: int, computed: int) -> int:
        if item == 4:
            raise OSError("disk full")
        return computed

    computed_batches: list[list[int]] = []

    def compute(batch: list[int]) -> list[int]:
        computed_batches.append(batch)
        return [value * 2 for value in batch]

    batches = side_by_side(range(6), batch_size=3, prepare=prepare, compute=compute, finish=finish)
    futures = [future for batch in batches for future in batch]
    assert computed_batches == [[0, 2], [3, 4, 5]]
    assert isinstance(futures[1].exception(), ValueError)
    assert isinstance(futures[4].exception(), OSError)
    assert [f.result() for f in futures if f.exception() is None] == [0, 4, 6, 10]


def test_where_a_whole_batch_fails_nothing_is_computed_of_it() -> None:
    def prepare(item: int) -> int:
        raise ValueError(item)

    def compute(_batch: list[int]) -> list[int]:
        raise AssertionError("nothing to compute")

    (batch,) = side_by_side(
        range(2), batch_size=2, prepare=prepare, compute=compute, finish=lambda i, _p, _c: i
    )
    assert [str(future.exception()) for future in batch] == ["0", "1"]


def test_an_error_of_the_model_is_raised() -> None:
    def compute(_batch: list[int]) -> list[int]:
        raise RuntimeError("the model broke")

    batches = side_by_side(
        range(2), batch_size=1, prepare=lambda i: i, compute=compute, finish=lambda i, _p, _c: i
    )
    with pytest.raises(RuntimeError, match="the model broke"):
        list(batches)


def test_the_next_batch_is_prepared_and_the_last_one_finished_while_the_model_computes() -> None:
    prepared = [Event() for _ in range(4)]
    finished = [Event() for _ in range(4)]

    def compute(batch: list[int]) -> list[int]:
        (item,) = batch
        # Waits for its neighbours: it could not return if they waited for it.
        for event in (*prepared[item + 1 : item + 2], *finished[max(item - 1, 0) : item]):
            assert event.wait(600)
        return batch

    def prepare(item: int) -> int:
        prepared[item].set()
        return item

    def finish(item: int, _prepared: int, _computed: int) -> None:
        finished[item].set()

    assert (
        len(
            list(
                side_by_side(
                    range(4), batch_size=1, prepare=prepare, compute=compute, finish=finish
                )
            )
        )
        == 4
    )


def test_no_more_than_some_batches_are_held_however_long_the_series() -> None:
    opened: list[int] = []
    taken = 0
    most = 0
    for batch in side_by_side(
        range(40),
        batch_size=2,
        prepare=opened.append,
        compute=lambda batch: batch,
        finish=lambda item, _prepared, _computed: item,
    ):
        most = max(most, len(opened) - taken)
        taken += len(batch)
    assert len(opened) == taken == 40
    # Those ahead of the model, the one in it, and those being finished.
    assert most <= 2 * (2 * AHEAD + 1)
