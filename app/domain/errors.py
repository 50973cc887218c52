"""Refusals: everything the application may say no to, each with a status and a sentence.

`str(refusal)` is the sentence shown to the person. Anything that is not a `Refusal` is a bug
and becomes a 500.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from app.domain.sentences import Sentence, said


@dataclass(frozen=True)
class Problem:
    """One thing to mend in a file, found by file, row (as a spreadsheet counts) and column."""

    file: str
    row: int | None
    column: str | None
    sentence: str

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column}")
        return f"{', '.join(place)}: {self.sentence}"


def to_mend(problems: Sequence[Problem]) -> Sentence:
    """Count the problems in words."""
    if len(problems) == 1:
        return said("1 thing to mend")
    return said("{count} things to mend", count=len(problems))


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error of the program
    """The request cannot be done as asked."""

    status: ClassVar[int] = 400

    @property
    def sentence(self) -> str:
        """Return the sentence as it was made: pages say it in the reader's language."""
        return self.args[0] if self.args and isinstance(self.args[0], str) else str(self)


class SignInNeeded(Refusal):
    """Nobody is signed in, or the session has ended."""

    status = 401


class NotAllowed(Refusal):
    """The person may not do this."""

    status = 403


class PasswordNeeded(NotAllowed):
    """A grave act, and the password was entered too long ago."""


class SecondFactorNeeded(NotAllowed):
    """A second factor is asked for here, and the person has not set one up."""


class NotFound(Refusal):
    """The thing does not exist, or the person may not know that it does."""

    status = 404


class Conflict(Refusal):
    """What is asked contradicts what is already recorded; `field` names a form's field."""

    status = 409

    def __init__(self, sentence: str, *, field: str | None = None) -> None:
        super().__init__(Sentence.at(sentence, field) if field else sentence)


class TooLarge(Refusal):
    """More was sent than is accepted."""

    status = 413


class InvalidInput(Refusal):
    """What was sent cannot be used; `problems` lists each place to mend, `field` a form's field."""

    status = 422

    def __init__(
        self, sentence: str, problems: Iterable[Problem] = (), *, field: str | None = None
    ) -> None:
        super().__init__(Sentence.at(sentence, field) if field else sentence)
        self.problems = tuple(problems)

    @classmethod
    def of_file(cls, name: str, sentence: Sentence) -> Self:
        """Refuse a file as a whole, by its name."""
        problem = Problem(name, None, None, sentence)
        return cls(said("{name}: {sentence}", name=name, sentence=sentence), (problem,))


class TooManyAttempts(Refusal):
    """Too many tries; the person may try again after `retry_after` seconds."""

    status = 429

    def __init__(self, sentence: str, *, retry_after: int) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after


class Unavailable(Refusal):
    """Something this application needs is not there at the moment."""

    status = 503


class BrokenOff(Unavailable):
    """A transaction ended by something that passes; the same again may well succeed."""
