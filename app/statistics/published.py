"""Published accuracy, taken back to whole numbers: which two-by-two tables can lie behind it.

Each share of a published row is a ratio of whole numbers, rounded. Few tables, or none, give all
of them at once; where none does, the figures contradict each other or the stated class sizes.
"""

from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations
from math import ceil, floor, sqrt

from app.statistics.tails import two_sided_normal

FIGURES = ("sensitivity", "specificity", "ppv", "npv", "auc", "accuracy")


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """One row of a table as printed: figures as texts, whose decimals say how they were rounded."""

    name: str
    figures: dict[str, str]


@dataclass(frozen=True, slots=True, order=True)
class Counts:
    """A two-by-two table of calls."""

    tp: int
    fn: int
    tn: int
    fp: int

    def figure(self, name: str) -> float | None:
        """Return a figure of this table; None where its denominator is 0. AUC is that of calls."""
        sensitivity = _ratio(self.tp, self.tp + self.fn)
        specificity = _ratio(self.tn, self.tn + self.fp)
        if name == "auc":
            # On binary calls the area is the mean of sensitivity and specificity.
            if sensitivity is None or specificity is None:
                return None
            return (sensitivity + specificity) / 2
        total = self.tp + self.fn + self.tn + self.fp
        known = {
            "sensitivity": sensitivity,
            "specificity": specificity,
            "ppv": _ratio(self.tp, self.tp + self.fp),
            "npv": _ratio(self.tn, self.tn + self.fn),
            "accuracy": _ratio(self.tp + self.tn, total),
        }
        return known[name]


@dataclass(frozen=True, slots=True)
class Audit:
    """Whether one row can be true with these class sizes.

    `tables` are all tables that fit. Where there is none, `contradicting` lists the smallest sets
    of figures without which some table fits.
    """

    row: str
    positives: int
    negatives: int
    tables: tuple[Counts, ...]
    contradicting: tuple[tuple[str, ...], ...]


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def rounded_from(printed: str) -> tuple[float, float]:
    """Return the values that round to what is printed, in either convention for halves."""
    exponent = Decimal(printed).as_tuple().exponent
    half = 0.5 * 10 ** (exponent if isinstance(exponent, int) else 0) + 1e-12
    return float(printed) - half, float(printed) + half


def _candidates(size: int, printed: str | None) -> range:
    """Return the counts out of `size` whose share rounds to what is printed."""
    if printed is None:
        return range(size + 1)
    low, high = rounded_from(printed)
    return range(max(0, ceil(low * size)), min(size, floor(high * size)) + 1)


def tables_that_fit(figures: dict[str, str], positives: int, negatives: int) -> tuple[Counts, ...]:
    """Return all tables with these class sizes that give every printed figure.

    ValueError for an unknown figure, and for a figure that is no number from 0 to 1.
    """
    for name, printed in figures.items():
        if name not in FIGURES:
            raise ValueError(f"{name} is not one of {', '.join(FIGURES)}.")
        if not 0 <= Decimal(printed) <= 1:
            raise ValueError(f"{name} is {printed}, which does not lie between 0 and 1.")
    joint = {
        name: rounded_from(printed) for name, printed in figures.items() if name not in FIGURES[:2]
    }
    return tuple(
        counts
        for tp in _candidates(positives, figures.get("sensitivity"))
        for tn in _candidates(negatives, figures.get("specificity"))
        if _all_fit(counts := Counts(tp, positives - tp, tn, negatives - tn), joint)
    )


def _all_fit(counts: Counts, figures: dict[str, tuple[float, float]]) -> bool:
    for name, (low, high) in figures.items():
        value = counts.figure(name)
        if value is None or not low <= value <= high:
            return False
    return True


def audit_row(row: PublishedRow, positives: int, negatives: int) -> Audit:
    """Audit one row against stated class sizes."""
    tables = tables_that_fit(row.figures, positives, negatives)
    if tables:
        return Audit(row.name, positives, negatives, tables, ())
    for size in range(1, len(row.figures)):
        found = tuple(
            dropped
            for dropped in combinations(row.figures, size)
            if tables_that_fit(
                {name: value for name, value in row.figures.items() if name not in dropped},
                positives,
                negatives,
            )
        )
        if found:
            return Audit(row.name, positives, negatives, (), found)
    return Audit(row.name, positives, negatives, (), (tuple(row.figures),))


def class_sizes_that_fit(rows: tuple[PublishedRow, ...], total: int) -> tuple[tuple[int, int], ...]:
    """Return all (positives, negatives) of `total` cases with which every row has a table."""
    return tuple(
        (positives, total - positives)
        for positives in range(1, total)
        if all(tables_that_fit(row.figures, positives, total - positives) for row in rows)
    )


@dataclass(frozen=True, slots=True)
class NriAudit:
    """Whether a published NRI can have the published p-value.

    `largest_se` is sqrt(1/m + 1/n), which no NRI on m events and n non-events exceeds, and
    `largest_p` the p-value it would give.
    """

    largest_se: float
    largest_p: float
    possible: bool


def audit_nri(nri: float, p: float, events: int, nonevents: int) -> NriAudit:
    """Audit an NRI and its two-sided normal p-value (Pencina 2011)."""
    largest_se = sqrt(1 / events + 1 / nonevents)
    largest_p = two_sided_normal(nri / largest_se)
    return NriAudit(largest_se, largest_p, p <= largest_p)
