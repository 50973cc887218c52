"""Audit published accuracy: which integer tables fit a printed row, and which figures cannot."""

from dataclasses import dataclass

from app.actions.published_table import PublishedTable
from app.domain.errors import InvalidInput
from app.statistics.published import Audit, audit_row, class_sizes_that_fit
from app.statistics.published_change import ChangeAudit, Reading, audit_change

_WHOLE_SEARCH = 2000  # cases up to which all class sizes are tried
_MOST_CASES = 5000  # beyond, a row with few figures has too many tables to try


@dataclass(frozen=True, slots=True)
class TableAudit:
    """What was found; `sizes` are all class sizes under which all rows fit, None if not tried."""

    rows: tuple[Audit, ...]
    changes: tuple[ChangeAudit, ...]
    sizes: tuple[tuple[int, int], ...] | None


def audit_table(table: PublishedTable, *, positives: int, negatives: int) -> TableAudit:
    """Audit every row and comparison, and find all class sizes of the same total that fit."""
    if min(positives, negatives) < 1:
        raise InvalidInput("Both classes need at least one case.")
    total = positives + negatives
    if total > _MOST_CASES:
        raise InvalidInput(f"Tables of more than {_MOST_CASES} cases are not audited.")
    audits = {row.name: audit_row(row, positives, negatives) for row in table.rows}
    changes = tuple(
        audit_change(
            change,
            audits[change.against].tables,
            audits[change.row].tables,
            positives=positives,
            negatives=negatives,
        )
        for change in table.changes
    )
    # Without both shares of a class a row has too many tables to try them under all sizes.
    narrow = all({"sensitivity", "specificity"} <= row.figures.keys() for row in table.rows)
    tried = narrow and total <= _WHOLE_SEARCH
    sizes = class_sizes_that_fit(table.rows, total) if tried else None
    return TableAudit(tuple(audits.values()), changes, sizes)


def as_lines(audit: TableAudit) -> list[str]:
    """Return the audit as sentences."""
    stated = audit.rows[0]
    about = (
        f"{stated.positives} positive and {stated.negatives} negative cases are stated; tables are "
        "TP, FN, TN, FP; an AUC is read as that of calls, (sensitivity + specificity) / 2."
    )
    lines = [about, *(_row_line(row) for row in audit.rows)]
    for change in audit.changes:
        lines += _change_lines(change)
    if audit.sizes is None:
        lines.append("Other class sizes were not tried.")
    else:
        listed = ", ".join(f"{p} and {n}" for p, n in audit.sizes) or "none"
        lines.append(f"Class sizes (positive and negative) under which all rows fit: {listed}.")
    return lines


def _row_line(audit: Audit) -> str:
    if audit.tables:
        fits = " or ".join(f"({t.tp}, {t.fn}, {t.tn}, {t.fp})" for t in audit.tables)
        return f"{audit.row}: fits {fits}."
    ways = "; or ".join(" and ".join(names) for names in audit.contradicting)
    return f"{audit.row}: NO TABLE gives all its figures. One would fit without {ways}."


def _change_lines(audit: ChangeAudit) -> list[str]:
    change = audit.change
    who = f"{change.row} against {change.against}"
    lines: list[str] = []
    for name, printed, found in (("NRI", change.nri, audit.nri), ("IDI", change.idi, audit.idi)):
        if printed is not None and not found:
            lines.append(f"{who}: {name} {printed} cannot be looked at: a row has no table.")
        elif printed is not None:
            lines.append(f"{who}: {name} {printed} {_agreeing(name, found)}.")
    if audit.p is not None:
        verdict = "can" if audit.p.possible else "CANNOT"
        lines.append(
            f"{who}: p {change.nri_p} {verdict} belong to an NRI of {change.nri}: its standard "
            f"error is at most {audit.p.largest_se:.3f}, so p is at most {audit.p.largest_p:.2g}."
        )
    return lines


def _agreeing(name: str, found: tuple[Reading, ...]) -> str:
    agree = " and ".join(reading.input for reading in found if reading.agrees)
    values = ", ".join(f"{_range(reading)} of {reading.input}" for reading in found)
    said = f"is the {name} of {agree}" if agree else "is NONE of those the tables give"
    return f"{said} ({values})"


def _range(reading: Reading) -> str:
    low, high = f"{reading.low:.3f}", f"{reading.high:.3f}"
    return low if low == high else f"{low} to {high}"
