"""Audit published accuracy: which integer tables fit a printed row, and which figures cannot."""

import csv
import io
from pathlib import Path

from app.domain.errors import InvalidInput
from app.statistics.published import FIGURES, Audit, PublishedRow, audit_row, class_sizes_that_fit

_WHOLE_SEARCH = 2000  # cases up to which all class sizes are tried


def read_rows(path: Path) -> tuple[PublishedRow, ...]:
    """Read `row,sensitivity,specificity,ppv,npv,auc,accuracy`; a figure not printed stays empty.

    Raises InvalidInput for a file without rows or with a figure that is no number from 0 to 1.
    """
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    rows: list[PublishedRow] = []
    for line, record in enumerate(reader, start=2):
        figures = {name: (record.get(name) or "").strip() for name in FIGURES}
        figures = {name: text for name, text in figures.items() if text}
        for name, text in figures.items():
            if not _is_share(text):
                raise InvalidInput(f"{path.name}, row {line}, column {name}: {text} is no share.")
        if figures:
            rows.append(PublishedRow((record.get("row") or f"row {line}").strip(), figures))
    if not rows:
        raise InvalidInput(f"{path.name} holds no row with one of {', '.join(FIGURES)}.")
    return tuple(rows)


def _is_share(text: str) -> bool:
    digits = text.replace(".", "", 1)
    return digits.isascii() and digits.isdecimal() and 0 <= float(text) <= 1


def audit_table(
    rows: tuple[PublishedRow, ...], *, positives: int, negatives: int
) -> tuple[tuple[Audit, ...], tuple[tuple[int, int], ...] | None]:
    """Audit every row, and find all class sizes of the same total under which all rows fit.

    The second part is None where the total is too large to try them all.
    """
    if min(positives, negatives) < 1:
        raise InvalidInput("Both classes need at least one case.")
    total = positives + negatives
    sizes = class_sizes_that_fit(rows, total) if total <= _WHOLE_SEARCH else None
    return tuple(audit_row(row, positives, negatives) for row in rows), sizes


def as_lines(audits: tuple[Audit, ...], sizes: tuple[tuple[int, int], ...] | None) -> list[str]:
    """Return the audit as sentences."""
    lines: list[str] = []
    for audit in audits:
        stated = f"{audit.positives} positive and {audit.negatives} negative cases"
        if audit.tables:
            fits = ", ".join(f"({t.tp}, {t.fn}, {t.tn}, {t.fp})" for t in audit.tables)
            lines.append(f"{audit.row}: fits {stated} with TP, FN, TN, FP = {fits}.")
        else:
            ways = "; or ".join(" and ".join(names) for names in audit.contradicting)
            lines.append(
                f"{audit.row}: no table of {stated} gives all its figures. One would fit without "
                f"{ways}."
            )
    if sizes is not None:
        listed = ", ".join(f"{p} and {n}" for p, n in sizes) or "none"
        lines.append(f"Class sizes (positive and negative) under which all rows fit: {listed}.")
    return lines
