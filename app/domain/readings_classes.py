"""Which two classes a file of readings is about, and which of them is the positive one."""

from dataclasses import dataclass

from app.domain.readings_rows import Problems, RawRow, is_number, missing

ZERO_ONE = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
CALLS = ("call", "ai_call")


@dataclass(frozen=True, slots=True)
class Classes:
    """The two classes, and how a text of the file names one of them."""

    positive: str
    negative: str
    coded: bool

    def named(self, text: str) -> str | None:
        """Return the class a text names, or None."""
        if self.coded and text in ZERO_ONE:
            return self.positive if ZERO_ONE[text] else self.negative
        for name in (self.positive, self.negative):
            if text.casefold() == name.casefold():
                return name
        return None


def find_classes(rows: list[RawRow], positive: str | None, problems: Problems) -> Classes | None:
    """Name the two classes; None, with problems, where the file names more or leaves it open."""
    texts = [
        (row.texts.get(column, ""), row.line, row.headers.get(column, column))
        for column in ("truth", *CALLS)
        for row in rows
    ]
    texts = [entry for entry in texts if not missing(entry[0])]
    # 0 and 1 stand for the classes unless another number shows that numbers are names here.
    coded = all(text in ZERO_ONE for text, _, _ in texts if is_number(text))
    names: dict[str, str] = {}
    too_many = False
    for text, line, header in texts:
        if (coded and text in ZERO_ONE) or text.casefold() in names:
            continue
        if len(names) == 2:  # noqa: PLR2004 - a reading chooses between two classes
            listed = " or ".join(names.values())
            problems.add(f"{text} is a third class; a reading says {listed}.", line, header)
            too_many = True
            continue
        names[text.casefold()] = text
    if too_many:
        return None
    return _choose(list(names.values()), positive, coded=coded, problems=problems)


def _choose(
    names: list[str], positive: str | None, *, coded: bool, problems: Problems
) -> Classes | None:
    known = {name.casefold(): name for name in names}
    listed = " and ".join(names)
    if positive is None:
        if "bcc" in known:
            positive = "BCC"
        elif not names:
            return Classes("1", "0", coded=True)
        else:
            problems.add(f"Name the positive class; the file knows {listed}.")
            return None
    chosen = known.pop(positive.casefold(), None)
    if chosen is None and len(names) == 2:  # noqa: PLR2004
        problems.add(f"The positive class is to be {positive}, but the file knows {listed}.")
        return None
    other = next(iter(known.values()), f"not {chosen or positive}")
    return Classes(chosen or positive, other, coded=coded)
