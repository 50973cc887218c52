"""English sentences that can be said in another language: the pattern, and what goes into it."""

from collections.abc import Sequence
from typing import Self


class Sentence(str):  # noqa: SLOT000 - a str that carries two things more
    """The English sentence, as logs and programs get it, that remembers how it was made.

    `pattern` is what catalogues are keyed by; `values` are the parts that come into its braces.
    """

    pattern: str
    values: dict[str, object]

    def __new__(cls, pattern: str, **values: object) -> Self:
        """Put the values into the pattern."""
        made = super().__new__(cls, pattern.format(**values) if values else pattern)
        made.pattern = pattern
        made.values = values
        return made


def said(pattern: str, /, **values: object) -> Sentence:
    """Return a sentence that `make languages` finds; without values its braces are braces."""
    return Sentence(pattern, **values)


def listed(sentences: Sequence[Sentence]) -> Sentence:
    """Return one sentence of several parts; there is one at least."""
    first, *others = sentences
    return said("{first}, {others}", first=first, others=listed(others)) if others else first
