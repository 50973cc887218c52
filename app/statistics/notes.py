"""What a statistic has to say beside its number: why it is undefined, or how to read it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """A remark by one statistic, which does not know where in the study it stands."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Warning:  # noqa: A001 - the word the results and their readers use
    """A remark with its place in the study, as it stands beside the number."""

    code: str
    where: str
    text: str


def placed(notes: tuple[Note, ...], where: str) -> tuple[Warning, ...]:
    """Give each note its place."""
    return tuple(Warning(note.code, where, note.text) for note in notes)
