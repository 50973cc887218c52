"""Compare two JSON values: texts and structure exactly, numbers to a stated tolerance."""

from collections.abc import Iterator
from math import isclose
from typing import Any, cast

TOLERANCE = 1e-9


def differences(found: object, expected: object, place: str = "") -> Iterator[str]:
    """Say where two JSON values differ; numbers may differ by 1e-9, relative or absolute."""
    if isinstance(found, dict) and isinstance(expected, dict):
        mine, theirs = cast("dict[str, object]", found), cast("dict[str, object]", expected)
        for name in sorted(mine.keys() | theirs.keys()):
            inner = f"{place}.{name}" if place else name
            if name not in mine or name not in theirs:
                yield f"{inner} is {'missing' if name in theirs else 'no result of this data'}"
            else:
                yield from differences(mine[name], theirs[name], inner)
    elif isinstance(found, list) and isinstance(expected, list):
        ours, others = cast("list[object]", found), cast("list[object]", expected)
        if len(ours) != len(others):
            yield f"{place} has {len(ours)} entries, not {len(others)}"
        for number, (one, other) in enumerate(zip(ours, others, strict=False)):
            yield from differences(one, other, f"{place}[{number}]")
    elif _is_number(found) and _is_number(expected):
        one, other = cast("tuple[float, float]", (found, expected))
        if not isclose(one, other, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            yield f"{place} is {one!r}, the readings give {other!r}"
    elif found != expected or _is_number(found) != _is_number(expected):
        yield f"{place} is {cast('object', found)!r}, the readings give {expected!r}"


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any JSON value
    return isinstance(value, int | float) and not isinstance(value, bool)
