"""JSON in which every name stands once: programs differ in which of two they believe."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON; raises ValueError for a name that stands twice in one object, and for no JSON."""
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r} stands twice in it")
    return found
