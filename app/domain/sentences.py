"""English sentences that can be said in another language: the pattern, and what goes into it."""

from collections.abc import Sequence
from typing import Self


class Sentence(str):  # noqa: SLOT000 - a str that carries two things more
    """The English sentence, as logs and programs get it, that remembers how it was made.

    `pattern` is what catalogues are keyed by; `values` are the parts that come into its braces.
    `field` names the field of a form that it speaks of, and stands beside on the page.
    """

    pattern: str
    values: dict[str, object]
    field: str | None = None

    def __new__(cls, pattern: str, **values: object) -> Self:
        """Put the values into the pattern."""
        made = super().__new__(cls, pattern.format(**values) if values else pattern)
        made.pattern = pattern
        made.values = values
        return made

    @classmethod
    def at(cls, sentence: str, field: str) -> Self:
        """Return the sentence as one of a field."""
        if isinstance(sentence, Sentence):
            made = cls(sentence.pattern, **sentence.values)
        else:
            made = cls(sentence)
        made.field = field
        return made


def said(pattern: str, /, **values: object) -> Sentence:
    """Return a sentence that `make languages` finds; without values its braces are braces."""
    return Sentence(pattern, **values)


def of_one(sentence: str, which: object) -> str:
    """Return a field's sentence as that of one form of many: "reason" becomes "reason-R01"."""
    if not isinstance(sentence, Sentence) or sentence.field is None:
        return sentence
    return Sentence.at(sentence, f"{sentence.field}-{which}")


def in_a_row(sentences: Sequence[Sentence]) -> Sentence:
    """Return whole sentences as one text; there is one at least."""
    first, *others = sentences
    return said("{first} {others}", first=first, others=in_a_row(others)) if others else first


def listed(sentences: Sequence[Sentence]) -> Sentence:
    """Return one sentence of several parts; there is one at least."""
    first, *others = sentences
    return said("{first}, {others}", first=first, others=listed(others)) if others else first
