"""Results as JSON values, and the remarks that stand in them as warnings with their place."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from math import isfinite
from typing import Any, cast

from app.statistics.notes import Note, Warning  # noqa: A004 - the word of the results

_PLACES_SHOWN = 4

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def as_json(value: object) -> JsonValue:
    """Turn a frozen result into JSON values, `notes` left out.

    ValueError for a number that is not finite: what is undefined must be None by then.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("A result that is not a finite number would be a silent error.")
        return float(value)
    if is_dataclass(value):
        return {name: as_json(part) for name, part in _parts(value) if name != "notes"}
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(name): as_json(part) for name, part in items}
    if isinstance(value, tuple | list):
        return [as_json(part) for part in cast("tuple[object, ...]", value)]
    raise TypeError(f"{type(value).__name__} has no JSON form.")


def collect_warnings(value: object, where: str = "") -> Iterator[Warning]:
    """Walk a result and give each note its place: the names on the way to it."""
    if is_dataclass(value):
        for name, part in _parts(value):
            if name == "notes":
                for note in cast("tuple[Note, ...]", part):
                    yield Warning(note.code, where, note.text)
            else:
                yield from collect_warnings(part, _place(where, name))
    elif isinstance(value, Mapping):
        for name, part in cast("Mapping[object, object]", value).items():
            yield from collect_warnings(part, _place(where, str(name)))


def merged(warnings: list[Warning]) -> tuple[Warning, ...]:
    """Say each thing once: warnings that differ in their place only are put together."""
    places: dict[tuple[str, str], list[str]] = {}
    for warning in warnings:
        places.setdefault((warning.code, warning.text), []).append(warning.where)
    return tuple(
        Warning(code, _listed(list(dict.fromkeys(where))), text)
        for (code, text), where in places.items()
    )


def _listed(places: list[str]) -> str:
    shown = places if len(places) <= _PLACES_SHOWN else places[: _PLACES_SHOWN - 1]
    more = len(places) - len(shown)
    return "; ".join(shown) + (f"; and at {more} more places" if more else "")


def _place(where: str, name: str) -> str:
    if name == "modalities":
        return where
    return f"{where}, {name}" if where else name


def _parts(value: object) -> list[tuple[str, object]]:
    described = fields(cast("Any", value))
    return [(field.name, cast("object", getattr(value, field.name))) for field in described]
