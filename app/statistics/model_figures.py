"""Figures of a model's evaluation: ROC curves and calibration of each cohort."""

# matplotlib's stubs leave the keyword arguments of every drawing method untyped.
# pyright: reportUnknownMemberType=false

from collections.abc import Mapping

from matplotlib.figure import Figure

from app.statistics.figures import BASELINE, COMPARISON, MODEL, Form, Style, render
from app.statistics.model_cohort import CohortAccuracy

_STYLES = (COMPARISON, BASELINE, MODEL, Style("#009E73", "-.", "^"), Style("#CC79A7", ":", "v"))


def cohorts_roc_figure(
    cohorts: Mapping[str, CohortAccuracy], *, positive: str, negative: str, form: Form = "svg"
) -> bytes:
    """Draw each cohort's ROC curve with its area, and its calls at the threshold as a point."""
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for (name, cohort), style in zip(cohorts.items(), _STYLES, strict=False):
        if not cohort.roc:
            continue
        area = cohort.auc
        interval = "" if area.low is None else f" ({area.low:.2f} to {area.high:.2f})"
        axes.plot(
            [1 - point.specificity for point in cohort.roc],
            [point.sensitivity for point in cohort.roc],
            color=style.colour,
            linestyle=style.line,
            label=f"{name}, {cohort.n.images} images: AUC {area.value:.2f}{interval}",
        )
        right, negative_right = cohort.sensitivity, cohort.specificity
        if right.value is not None and negative_right.value is not None:
            axes.plot(
                [1 - negative_right.value],
                [right.value],
                color=style.colour,
                marker=style.marker,
                linestyle="none",
            )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(f"1 - specificity (share of {negative} called {positive})")
    axes.set_ylabel(f"Sensitivity (share of {positive} called {positive})")
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    return render(figure, form)


def calibration_figure(
    cohorts: Mapping[str, CohortAccuracy], *, positive: str, form: Form = "svg"
) -> bytes:
    """Draw what each group of neighbouring probabilities promised, and what came true."""
    figure = Figure(figsize=(5.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    for (name, cohort), style in zip(cohorts.items(), _STYLES, strict=False):
        groups = [group for group in cohort.calibration.curve if group.observed.value is not None]
        if not groups:
            continue
        values = [group.observed.value or 0.0 for group in groups]
        lows = [
            v if g.observed.low is None else g.observed.low
            for v, g in zip(values, groups, strict=True)
        ]
        highs = [
            v if g.observed.high is None else g.observed.high
            for v, g in zip(values, groups, strict=True)
        ]
        axes.errorbar(
            [group.predicted for group in groups],
            values,
            yerr=[
                [value - low for value, low in zip(values, lows, strict=True)],
                [high - value for value, high in zip(values, highs, strict=True)],
            ],
            color=style.colour,
            linestyle=style.line,
            marker=style.marker,
            markersize=4,
            linewidth=1,
            elinewidth=0.8,
            label=f"{name}: {len(groups)} groups of about {groups[0].observed.denominator} images",
        )
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_aspect("equal")
    axes.set_xlabel(f"Mean probability of {positive} in the group")
    axes.set_ylabel(f"Share of {positive} in the group, 95% interval by patient")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", fontsize=8, frameon=False)
    return render(figure, form)
