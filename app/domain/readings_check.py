"""Rows of a file, checked one against the other and turned into readings.

Every problem is kept with its row and column; nothing is repaired and nothing is left out. Where a
reader read a case again in the same modality (the column occasion), the first reading counts, the
second tells how far the reader agrees with himself or herself, and later ones are counted.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import isfinite

from app.domain.readings_classes import Classes
from app.domain.readings_rows import Problems, RawRow, Reading, is_number, missing

Cell = tuple[str, str, str]
"""Reader, case, modality."""


@dataclass(slots=True)
class RowChecker:
    """Turns raw rows into readings, remembering what earlier rows said."""

    classes: Classes
    own_export: bool
    problems: Problems
    _occasions: dict[Cell, dict[int, Reading]] = field(
        default_factory=dict[Cell, dict[int, Reading]]
    )
    simulated: set[str] = field(default_factory=set[str])
    subgroups: dict[str, str] = field(default_factory=dict[str, str])
    _truth: dict[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    _seen: dict[tuple[Cell, int], int] = field(default_factory=dict[tuple[Cell, int], int])
    _advice: dict[tuple[str, str, str], tuple[float | str, int]] = field(
        default_factory=dict[tuple[str, str, str], tuple[float | str, int]]
    )

    def check(self, rows: Iterable[RawRow]) -> None:
        """Check all rows in their order."""
        for row in rows:
            self._check(row)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Return each reader's first reading of each case in each modality."""
        return tuple(found[min(found)] for found in self._occasions.values())

    @property
    def repeats(self) -> tuple[Reading, ...]:
        """Return the second readings, where there are any."""
        several = [found for found in self._occasions.values() if len(found) > 1]
        return tuple(found[sorted(found)[1]] for found in several)

    @property
    def later(self) -> int:
        """Return how many readings are third or later ones."""
        return sum(max(0, len(found) - 2) for found in self._occasions.values())

    def _check(self, row: RawRow) -> None:
        before = len(self.problems.found)
        reader, case, modality = (self._name(row, name) for name in ("reader", "case", "modality"))
        truth = self._class(row, "truth", required=True)
        call, ai_call = self._class(row, "call"), self._class(row, "ai_call")
        occasion = self._occasion(row)
        score = self._number(row, "score", unit=self.own_export)
        ai_probability = self._number(row, "ai_probability", unit=True)
        self._mark_simulated(row, reader)
        self._keep_subgroup(row, case)
        if len(self.problems.found) > before or truth is None or occasion is None:
            return
        cell = (reader, case, modality)
        self._truth_agrees(row, case, truth)
        self._not_twice(row, cell, occasion)
        for column, value in (("ai_probability", ai_probability), ("ai_call", ai_call)):
            self._advice_agrees(row, reader, case, column, value)
        self._occasions.setdefault(cell, {})[occasion] = Reading(
            reader, case, truth, modality, call, score, ai_probability, ai_call
        )

    def _add(self, row: RawRow, column: str, sentence: str) -> None:
        self.problems.add(sentence, row.line, row.headers.get(column, column))

    def _name(self, row: RawRow, column: str) -> str:
        text = row.texts.get(column, "")
        if not text:
            self._add(row, column, f"The {column} is missing.")
        return text

    def _class(self, row: RawRow, column: str, *, required: bool = False) -> str | None:
        text = row.texts.get(column, "")
        if missing(text):
            if required:
                self._add(row, column, "The reference diagnosis is missing.")
            return None
        name = self.classes.named(text)
        if name is None:
            known = f"{self.classes.positive} or {self.classes.negative}"
            self._add(row, column, f"{text} is no class of this file, which knows {known}.")
        return name

    def _number(self, row: RawRow, column: str, *, unit: bool) -> float | None:
        text = row.texts.get(column, "")
        if missing(text):
            return None
        if not is_number(text):
            hint = " (write the decimal mark as a point)" if "," in text else ""
            self._add(row, column, f"{text} is not a number{hint}.")
            return None
        value = float(text)
        if not isfinite(value):
            self._add(row, column, f"{text} is not a finite number.")
            return None
        if unit and not 0 <= value <= 1:
            self._add(row, column, f"{text} lies outside 0 to 1.")
            return None
        return value

    def _occasion(self, row: RawRow) -> int | None:
        """Return the number of the reading: 1 where the file has no such column."""
        text = row.texts.get("occasion", "1")
        if text.isascii() and text.isdecimal() and len(text) < 7 and int(text) >= 1:  # noqa: PLR2004
            return int(text)
        self._add(
            row, "occasion", f"'{text}' is no occasion: write 1 for the first reading, 2, ..."
        )
        return None

    def _mark_simulated(self, row: RawRow, reader: str) -> None:
        text = row.texts.get("simulated", "").casefold()
        if text in {"yes", "true", "1"}:
            self.simulated.add(reader)
        elif text not in {"", "no", "false", "0"}:
            self._add(row, "simulated", f"{text} is neither yes nor no.")

    def _keep_subgroup(self, row: RawRow, case: str) -> None:
        value = row.texts.get("subgroup")
        if value is not None and self.subgroups.setdefault(case, value) != value:
            known = self.subgroups[case]
            self._add(row, "subgroup", f"Case {case} has {value} here and {known} further up.")

    def _truth_agrees(self, row: RawRow, case: str, truth: str) -> None:
        known, line = self._truth.setdefault(case, (truth, row.line))
        if known != truth:
            self._add(row, "truth", f"Case {case} is {truth} here and {known} in row {line}.")

    def _not_twice(self, row: RawRow, cell: Cell, occasion: int) -> None:
        line = self._seen.setdefault((cell, occasion), row.line)
        if line != row.line:
            reader, case, modality = cell
            again = f" on occasion {occasion}" if "occasion" in row.texts else ""
            sentence = f"Reader {reader} read case {case} {modality}{again} already in row {line}."
            hint = "" if again else " Number repeated readings in a column occasion."
            self._add(row, "modality", sentence + hint)

    def _advice_agrees(
        self, row: RawRow, reader: str, case: str, column: str, value: float | str | None
    ) -> None:
        if value is None:
            return
        known, line = self._advice.setdefault((reader, case, column), (value, row.line))
        if known != value:
            sentence = f"Reader {reader} saw {known} on case {case} in row {line}, {value} here."
            self._add(row, column, sentence)
