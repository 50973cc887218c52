"""Fisher's exact test of a table with any number of rows and columns, by full enumeration.

References
----------
.. [1] Freeman GH, Halton JH. Note on an exact treatment of contingency, goodness of fit and other
   problems of significance. Biometrika 1951;38:141-149.
"""

from collections.abc import Iterator
from math import exp, lgamma

_MOST_TABLES = 100_000
_SAME = 1e-7  # probabilities this close count as equal, as in R


def fisher(table: tuple[tuple[int, ...], ...]) -> float | None:
    """Two-sided p: the probability of all tables as improbable as this one, given the margins [1]_.

    None where there are more than 100,000 tables.
    """
    rows = [sum(row) for row in table]
    columns = [sum(column) for column in zip(*table, strict=True)]
    constant = sum(map(_log_factorial, rows)) + sum(map(_log_factorial, columns))
    constant -= _log_factorial(sum(rows))
    observed = constant - sum(_log_factorial(cell) for row in table for cell in row)
    limit = observed + _SAME
    total = 0.0
    for count, cells in enumerate(_tables(rows, columns)):
        if count >= _MOST_TABLES:
            return None
        log_probability = constant - cells
        if log_probability <= limit:
            total += exp(log_probability)
    return min(1.0, total)


def _log_factorial(n: int) -> float:
    return lgamma(n + 1)


def _tables(rows: list[int], columns: list[int]) -> Iterator[float]:
    """Yield, for each table with these margins, the sum of the log factorials of its cells."""
    if len(rows) == 1:
        yield sum(map(_log_factorial, columns))
        return
    for first in _splits(rows[0], columns):
        rest = [column - cell for column, cell in zip(columns, first, strict=True)]
        own = sum(map(_log_factorial, first))
        for others in _tables(rows[1:], rest):
            yield own + others


def _splits(total: int, columns: list[int]) -> Iterator[tuple[int, ...]]:
    """Yield the ways to fill one row of `total` under the columns' sums."""
    if len(columns) == 1:
        if total <= columns[0]:
            yield (total,)
        return
    room = sum(columns[1:])
    for cell in range(max(0, total - room), min(total, columns[0]) + 1):
        for others in _splits(total - cell, columns[1:]):
            yield (cell, *others)
