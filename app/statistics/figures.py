"""Figures as SVG, PDF or PNG bytes: the same data give the same bytes.

Figures are built on Figure objects, never through pyplot, whose global state is not for threads.
Colours are those of Okabe and Ito, told apart with all kinds of colour vision; line style and
marker repeat what the colour says.
"""

# matplotlib's stubs leave the keyword arguments of every drawing method untyped.
# pyright: reportUnknownMemberType=false

import io
from dataclasses import dataclass
from threading import Lock
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from app.statistics.prepare import Prepared, prepare
from app.statistics.proportions import Proportion
from app.statistics.reading_metrics import ModalityMetrics, Readings, modality_metrics
from app.statistics.roc_curve import roc_curve
from app.statistics.table import ReadingTable

Form = Literal["svg", "pdf", "png"]

# Ids inside an SVG come from this salt instead of a random one.
mpl.rcParams["svg.hashsalt"] = "reread"
_DATELESS = {
    "svg": {"Date": None, "Creator": "reread"},
    "pdf": {"CreationDate": None, "Creator": "reread"},
    "png": {"Software": None},
}
_rendering = Lock()


@dataclass(frozen=True, slots=True)
class Style:
    """How one set of readings is drawn everywhere."""

    colour: str
    line: str
    marker: str


BASELINE = Style("#0072B2", "-", "o")
COMPARISON = Style("#D55E00", "--", "s")
MODEL = Style("#000000", ":", "D")


def render(figure: Figure, form: Form, *, sha256: str | None = None) -> bytes:
    """Return the bytes of a figure; `sha256` of the readings it was drawn from stands inside."""
    buffer = io.BytesIO()
    metadata = dict(_DATELESS[form])
    if sha256 is not None:
        metadata["Subject" if form == "pdf" else "Description"] = f"Readings with SHA-256 {sha256}"
    with _rendering:
        figure.savefig(buffer, format=form, metadata=metadata, dpi=150)
    return buffer.getvalue()


def roc_figure(
    table: ReadingTable,
    reader: str,
    *,
    positive: str = "BCC",
    baseline: str = "unaided",
    comparison: str = "aided",
    threshold: float | None = None,
    form: Form = "svg",
    sha256: str | None = None,
) -> bytes:
    """Draw one reader's ROC curves in both modalities, the model's, and the calls as points.

    The bars at a point are the Wilson intervals of its sensitivity and specificity. ValueError
    for an unknown reader; PrepareError as in `analyse`.
    """
    study = prepare(table, positive, baseline, comparison, threshold)
    if reader not in study.readers:
        raise ValueError(f"There is no reader {reader} in these readings.")
    r = study.readers.index(reader)
    # Margins that fit what always stands there: to find them would draw each figure twice.
    figure = Figure(figsize=(5.2, 5.6))
    axes = figure.add_axes((0.12, 0.08, 0.86, 0.84))
    _frame(axes, study)
    for m, name in enumerate(study.modalities):
        readings = Readings(study.truth, study.called[m, r], study.scores[m, r])
        _draw(axes, readings, name, (BASELINE, COMPARISON)[m])
    model = Readings(study.truth, study.model_called, study.model_scores)
    if model.has_call.any() or model.has_score.any():
        _draw(axes, model, "model alone", MODEL)
    positives = int(study.truth[study.read[:, r].any(axis=0)].sum())
    cases = int(study.read[:, r].any(axis=0).sum())
    simulated = " (simulated)" if reader in study.simulated else ""
    axes.set_title(
        f"Reader {reader}{simulated}\nPositive class {study.positive}: "
        f"{positives} {study.positive}, {cases - positives} {study.negative}",
        fontsize=10,
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", fontsize=8, frameon=False)
    else:
        axes.text(0.5, 0.3, "No curve: cases of one class only", ha="center", fontsize=9)
    return render(figure, form, sha256=sha256)


def _frame(axes: Axes, study: Prepared) -> None:
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(f"1 - specificity (share of {study.negative} called {study.positive})")
    axes.set_ylabel(f"Sensitivity (share of {study.positive} called {study.positive})")


def _draw(axes: Axes, readings: Readings, name: str, style: Style) -> None:
    metrics = modality_metrics(readings, probabilities=False)
    label = f"{name}: {_said(metrics)}"
    scored = readings.has_score
    truth = readings.truth[scored]
    if truth.any() and not truth.all():
        curve = roc_curve(truth, readings.scores[scored])
        axes.plot(
            1 - curve.specificity,
            curve.sensitivity,
            color=style.colour,
            linestyle=style.line,
            label=label,
        )
        label = f"{name}: calls"
    point = metrics.specificity.value, metrics.sensitivity.value
    if point[0] is None or point[1] is None:
        return
    axes.errorbar(
        [1 - point[0]],
        [point[1]],
        xerr=_bars(metrics.specificity, flipped=True),
        yerr=_bars(metrics.sensitivity, flipped=False),
        color=style.colour,
        marker=style.marker,
        markersize=6,
        elinewidth=0.8,
        linestyle="none",
        label=label,
    )


def _bars(share: Proportion, *, flipped: bool) -> np.ndarray:
    """Lengths of the bars below and above a point, (2, 1)."""
    if share.value is None or share.low is None or share.high is None:
        return np.zeros((2, 1))
    lengths = [share.value - share.low, share.high - share.value]
    return np.array(lengths[::-1] if flipped else lengths)[:, None]


def _said(metrics: ModalityMetrics) -> str:
    area, kind = metrics.auc, "AUC"
    if area.value is None:
        area, kind = metrics.auc_calls, "AUC of the calls"
    if area.value is None:
        return "no AUC"
    interval = "" if area.low is None else f" ({area.low:.2f} to {area.high:.2f})"
    return f"{kind} {area.value:.2f}{interval}"
