"""How one reader's calls moved from the first to the second modality, drawn as bands."""

# matplotlib's stubs leave the keyword arguments of every drawing method untyped.
# pyright: reportUnknownMemberType=false

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from app.statistics.figures import Form, render
from app.statistics.reclassification import Reclassification
from app.statistics.study import StudyAnalysis

_LABEL = {"facecolor": "white", "edgecolor": "none", "pad": 1.2}
_RIGHT, _WRONG = "#009E73", "#D55E00"  # green and vermilion, told apart without red-green vision


def reclassification_figure(results: StudyAnalysis, reader: str, *, form: Form = "svg") -> bytes:
    """Draw how one reader's calls moved, for each true class: right bands green, wrong vermilion.

    Each band carries its count. Blocks of wrong calls, and bands that end in one, are hatched, so
    that it reads without colour.
    ValueError for a reader without a comparison of calls.
    """
    found = next((each for each in results.readers if each.reader == reader), None)
    if found is None or found.comparison is None or found.comparison.n == 0:
        raise ValueError(f"Reader {reader} has no calls in both modalities.")
    figure = Figure(figsize=(7.6, 3.8))  # margins as in figures.py
    left, right = (
        figure.add_axes((0.01, 0.07, 0.48, 0.77)),
        figure.add_axes((0.51, 0.07, 0.48, 0.77)),
    )
    counts = found.comparison.reclassification
    names = (results.modalities[0], results.modalities[1])
    _alluvial(left, counts.events, counts, names, right_at=1, title=results.positive)
    _alluvial(right, counts.nonevents, counts, names, right_at=0, title=results.negative)
    simulated = " (simulated)" if found.simulated else ""
    figure.suptitle(
        f"Reader {reader}{simulated}: calls by true class, positive class {results.positive}",
        fontsize=10,
    )
    return render(figure, form, sha256=results.data.sha256)


def _alluvial(
    axes: Axes,
    table: tuple[tuple[int, ...], ...],
    counts: Reclassification,
    names: tuple[str, str],
    *,
    right_at: int,
    title: str,
) -> None:
    """Two columns of blocks (the calls before and after) and bands between them."""
    total = max(1, sum(map(sum, table)))
    gap, width = 0.06, 0.12
    order = (right_at, 1 - right_at)
    heights = np.array(table, dtype=np.float64) / total
    after, before = [1.0, 1.0], [1.0, 1.0]
    for ends, sums in ((before, heights.sum(axis=1)), (after, heights.sum(axis=0))):
        top = 1 + gap
        for call in order:
            ends[call] = top
            _block(axes, 0 if ends is before else 1 - width, top, float(sums[call]), width,
                   right=call == right_at, label=counts.labels[call])  # fmt: skip
            top -= float(sums[call]) + gap
    for start in order:
        for end in order:
            height = float(heights[start, end])
            if height == 0:
                continue
            _band(axes, before[start], after[end], height, width, right=end == right_at)
            middle = 0.3 if start == end else 0.62 if start == right_at else 0.42
            y = before[start] + (after[end] - before[start]) * middle - height / 2
            said = axes.text(middle, y, str(table[start][end]), ha="center", va="center")
            said.set(fontsize=8, fontweight="bold", bbox=_LABEL)
            before[start] -= height
            after[end] -= height
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.08, 1.16)
    axes.set_yticks([])
    axes.set_xticks([width / 2, 1 - width / 2], list(names))
    axes.set_title(f"Truly {title}, n = {sum(map(sum, table))}", fontsize=10)
    for side in ("left", "right", "top", "bottom"):
        axes.spines[side].set_visible(False)


def _block(
    axes: Axes, x: float, top: float, height: float, width: float, *, right: bool, label: str
) -> None:
    if height == 0:
        return
    colour = _RIGHT if right else _WRONG
    axes.add_patch(
        Rectangle(
            (x, top - height),
            width,
            height,
            facecolor=colour,
            edgecolor="white",
            hatch=None if right else "///",
        )
    )
    axes.text(x + width / 2, top + 0.015, label, ha="center", fontsize=8)


def _band(
    axes: Axes, start: float, end: float, height: float, width: float, *, right: bool
) -> None:
    left, far = width, 1 - width
    bend = 0.5
    points = [
        (left, start),
        (bend, start),
        (bend, end),
        (far, end),
        (far, end - height),
        (bend, end - height),
        (bend, start - height),
        (left, start - height),
        (left, start),
    ]
    curve = Path.CURVE4
    codes = [Path.MOVETO, *[curve] * 3, Path.LINETO, *[curve] * 3, Path.CLOSEPOLY]
    colour = _RIGHT if right else _WRONG
    shape = Path(points, codes)
    axes.add_patch(PathPatch(shape, facecolor=colour, alpha=0.35, linewidth=0))
    if not right:
        marked = PathPatch(shape, fill=False, edgecolor=colour, hatch="////", linewidth=0)
        axes.add_patch(marked)
