"""What a file of readings consists of: raw rows, readings, and problems with their place."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from app.domain.errors import Problem

_NUMBER = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*(e[+-]?[0-9]+)?|\.[0-9]+(e[+-]?[0-9]+)?|nan|inf(inity)?)"
)
_MISSING = frozenset({"", "na", "n/a"})


class Reading(NamedTuple):
    """One reading; None where the file says nothing. Truth and calls are class names."""

    reader: str
    case: str
    truth: str
    modality: str
    call: str | None
    score: float | None
    ai_probability: float | None
    ai_call: str | None


@dataclass(slots=True)
class Problems:
    """Collects problems while a file is read."""

    file: str
    found: list[Problem] = field(default_factory=list[Problem])

    def add(self, sentence: str, row: int | None = None, column: str | None = None) -> None:
        """Note one problem."""
        self.found.append(Problem(self.file, row, column, sentence))


@dataclass(frozen=True, slots=True)
class RawRow:
    """Texts by our column names; `headers` gives the file's own name of a column."""

    line: int
    texts: Mapping[str, str]
    headers: Mapping[str, str]


def missing(text: str) -> bool:
    """Whether a cell says nothing; empty and R's NA do."""
    return text.casefold() in _MISSING


def is_number(text: str) -> bool:
    """Whether a cell reads as a number, NaN and infinity included.

    Python's own reading would also take 1_000 and the digits of other scripts.
    """
    return _NUMBER.fullmatch(text.casefold()) is not None
