"""How a pack writes single values; the export and its verification both write them so."""

from datetime import UTC, datetime
from decimal import Decimal


class Numbering:
    """Numbers names as they first come: P0001, P0002, ...; nothing stays nothing."""

    def __init__(self, letter: str) -> None:
        self._letter = letter
        self._known: dict[str, str] = {}

    def __call__(self, name: str | None) -> str:
        """Return the number of a name."""
        if name is None:
            return ""
        return self._known.setdefault(name, f"{self._letter}{len(self._known) + 1:04}")


def overlay_name(number: int) -> str:
    """Return the path of an overlay in the pack: its row among the overlays of predictions.csv."""
    return f"overlays/{number:05}.png"


def moment(value: datetime | str) -> str:
    """Write a time in UTC with microseconds."""
    when = datetime.fromisoformat(value) if isinstance(value, str) else value
    return when.astimezone(UTC).isoformat(timespec="microseconds")


def as_text(value: object) -> object:
    """Write nothing as an empty cell, truth values as yes and no, and 54.0 as 54."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{float(value):g}"
    return value
