"""Small studies to analyse: a reader's two-by-two tables, and readings made from them."""

from collections.abc import Iterator

import numpy as np

from app.statistics.study import StudyAnalysis, analyse
from app.statistics.table import Row, table_from_rows

Counts = tuple[int, int, int, int]
"""TP, FN, TN, FP, as the paper's table lists them."""


def rows_of_calls(reader: str, unaided: Counts, aided: Counts) -> Iterator[Row]:
    """Make calls with these margins; right calls are put on the first cases of each class."""
    for modality, (tp, fn, tn, fp) in (("unaided", unaided), ("aided", aided)):
        for number in range(tp + fn):
            call = "SK" if number < tp else "BCC"
            yield (reader, f"s{number}", "SK", modality, call, None, None, None)
        for number in range(tn + fp):
            call = "BCC" if number < tn else "SK"
            yield (reader, f"b{number}", "BCC", modality, call, None, None, None)


def random_rows(
    readers: int = 3, positives: int = 30, negatives: int = 40, seed: int = 7
) -> list[Row]:
    """Readers whose aided scores are better, on an eleven-point scale, with the AI's output."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for c in range(positives + negatives):
        truth = "BCC" if c < positives else "SK"
        signal = 1.0 if c < positives else 0.0
        advice = float(np.clip(rng.normal(0.35 + 0.3 * signal, 0.2), 0, 1).round(3))
        for r in range(readers):
            for modality, lift in (("unaided", 0.25), ("aided", 0.4)):
                noise = rng.normal(0.5 - lift / 2 + lift * signal, 0.2)
                score = float(np.clip(noise, 0, 1).round(1))
                call = "BCC" if score >= 0.5 else "SK"
                rows.append((f"R{r}", f"c{c}", truth, modality, call, score, advice, None))
    return rows


def analysed(rows: list[Row], **options: object) -> StudyAnalysis:
    options.setdefault("bootstrap", 0)
    return analyse(table_from_rows(rows), **options)  # type: ignore[arg-type]
