"""Figures about a whole study: averaged ROC, forest of differences, bars, power."""

# matplotlib's stubs leave the keyword arguments of every drawing method untyped.
# pyright: reportUnknownMemberType=false

import numpy as np
from matplotlib.figure import Figure

from app.statistics.arrays import Floats
from app.statistics.figures import BASELINE, COMPARISON, MODEL, Form, render
from app.statistics.power import Power
from app.statistics.prepare import prepare
from app.statistics.roc_curve import roc_curve
from app.statistics.study import StudyAnalysis
from app.statistics.study_results import ReaderAnalysis
from app.statistics.table import ReadingTable

_STYLES = (BASELINE, COMPARISON)


def averaged_roc_figure(
    table: ReadingTable,
    *,
    positive: str = "BCC",
    baseline: str = "unaided",
    comparison: str = "aided",
    form: Form = "svg",
    sha256: str | None = None,
) -> bytes:
    """Draw each modality's ROC curve averaged over readers, and each reader's faintly.

    Sensitivities are averaged at equal specificity, so that the area under the average is the
    average of the areas. ValueError where no reader scored cases of both classes.
    """
    study = prepare(table, positive, baseline, comparison, None)
    figure = Figure(figsize=(5.2, 5.6), layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.8)
    grid = np.linspace(0, 1, 1001)
    simulated = f" ({len(study.simulated)} simulated)" if study.simulated else ""
    drawn = 0
    for name, scores, style in zip(study.modalities, study.scores, _STYLES, strict=False):
        curves: list[Floats] = []
        for row in scores:
            known = ~np.isnan(row)
            truth = study.truth[known]
            if not truth.any() or truth.all():
                continue
            curve = roc_curve(truth, row[known])
            x, y = (1 - curve.specificity)[::-1], curve.sensitivity[::-1]
            axes.plot(x, y, color=style.colour, linewidth=0.6, alpha=0.4)
            curves.append(np.interp(grid, x, y))
        if curves:
            drawn += 1
            axes.plot(
                grid,
                np.mean(curves, axis=0),
                color=style.colour,
                linestyle=style.line,
                linewidth=2,
                label=f"{name}: mean of {len(curves)} readers{simulated}",
            )
    if not drawn:
        raise ValueError("No reader scored cases of both classes.")
    axes.set_aspect("equal")
    axes.set_xlabel(f"1 - specificity (share of {study.negative} called {study.positive})")
    axes.set_ylabel(f"Sensitivity (share of {study.positive} called {study.positive})")
    positives = int(study.truth.sum())
    axes.set_title(
        f"Positive class {study.positive}: {positives} {study.positive}, "
        f"{study.truth.size - positives} {study.negative}",
        fontsize=10,
    )
    axes.legend(loc="lower right", fontsize=8, frameon=False)
    return render(figure, form, sha256=sha256)


def forest_figure(results: StudyAnalysis, *, form: Form = "svg") -> bytes:
    """Draw each reader's difference of AUC with its interval, and that over readers."""
    rows: list[tuple[str, float, float | None, float | None]] = []
    for reader in results.readers:
        found = reader.comparison
        if found is None:
            continue
        tested, kind = (
            (found.auc, "")
            if found.auc.difference is not None
            else (
                found.auc_calls,
                " (calls)",
            )
        )
        if tested.difference is not None:
            rows.append((_name(reader) + kind, tested.difference, tested.low, tested.high))
    pooled = _pooled(results)
    if pooled is not None:
        rows.append(pooled)
    figure = Figure(figsize=(6.4, 1.6 + 0.35 * len(rows)), layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color="#999999", linewidth=0.8)
    for place, (_, difference, low, high) in enumerate(rows):
        last = pooled is not None and place == len(rows) - 1
        colour = "#000000" if last else BASELINE.colour
        if low is not None and high is not None:
            axes.plot([low, high], [place, place], color=colour, linewidth=1.5)
        axes.plot([difference], [place], color=colour, marker="D" if last else "o", markersize=6)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    first, *_, second = (*results.modalities, *results.modalities)[:2]
    axes.set_xlabel(f"Difference of AUC, {second} - {first}, with 95% interval")
    axes.set_title(_about(results), fontsize=10)
    return render(figure, form, sha256=results.data.sha256)


def _name(reader: ReaderAnalysis) -> str:
    return f"{reader.reader} (simulated)" if reader.simulated else reader.reader


def _about(results: StudyAnalysis) -> str:
    data = results.data
    return (
        f"Positive class {results.positive}: {data.positives} {results.positive}, "
        f"{data.negatives} {results.negative}"
    )


def _pooled(results: StudyAnalysis) -> tuple[str, float, float | None, float | None] | None:
    together = results.mrmc
    if together is None or len(results.readers) == 1:
        return None
    scored = together.auc.obuchowski_rockette is not None or together.auc.u_statistics is not None
    measure = together.auc if scored else together.auc_calls
    if measure.default == "u_statistics" and measure.u_statistics is not None:
        found = measure.u_statistics["unbiased"]
        return "all, U-statistics", found.value, found.low, found.high
    if measure.obuchowski_rockette is None:
        return None
    analysis = measure.obuchowski_rockette["delong"]
    if measure.default == "random_readers_random_cases":
        test = analysis.random_readers_random_cases
        name = "all, readers random"
    else:
        test, name = analysis.fixed_readers_random_cases, "all, these readers"
    return None if test is None else (name, test.difference, test.low, test.high)


def bars_figure(results: StudyAnalysis, *, form: Form = "svg") -> bytes:
    """Draw the share of right calls: each reader unaided and aided, the model, reference = 100%."""
    bars: list[tuple[str, float, str, str]] = []
    for reader in results.readers:
        for (name, metrics), style in zip(reader.modalities.items(), _STYLES, strict=False):
            share = metrics.accuracy.value
            if share is not None:
                bars.append(
                    (
                        f"{_name(reader)}\n{name}".replace(" (", "\n("),
                        share,
                        style.colour,
                        style.marker,
                    )
                )
    if results.model is not None and results.model.accuracy.value is not None:
        bars.append(("model", results.model.accuracy.value, MODEL.colour, ""))
    bars.append(("reference", 1.0, "#BBBBBB", ""))
    figure = Figure(figsize=(1.5 + 0.75 * len(bars), 3.8), layout="constrained")
    axes = figure.add_subplot()
    hatches = {"s": "//"}
    for place, (_, share, colour, marker) in enumerate(bars):
        hatch = hatches.get(marker)
        axes.bar([place], [100 * share], color=colour, hatch=hatch, edgecolor="white")
        axes.text(place, 100 * share + 1, f"{100 * share:.1f}", ha="center", fontsize=8)
    axes.set_xticks(range(len(bars)), [bar[0] for bar in bars], fontsize=8)
    axes.set_ylim(0, 108)
    axes.set_ylabel("Right calls (%)")
    axes.set_title(_about(results), fontsize=10)
    return render(figure, form, sha256=results.data.sha256)


def power_figure(
    table: tuple[tuple[Power, ...], ...], *, target: float = 0.8, form: Form = "svg"
) -> bytes:
    """Draw power over the number of cases, a line for each number of readers, and the target."""
    figure = Figure(figsize=(5.6, 4), layout="constrained")
    axes = figure.add_subplot()
    for place, row in enumerate(table):
        axes.plot(
            [cell.cases for cell in row],
            [cell.power for cell in row],
            color=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00")[place % 6],
            marker="osD^vP"[place % 6],
            label=f"{row[0].readers} readers",
        )
    axes.axhline(target, color="#999999", linewidth=0.8)
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("Cases")
    axes.set_ylabel("Power")
    first = table[0][0]
    place = first.population.replace("_", " ")
    axes.set_title(f"Difference {first.difference:.4g}, {place}\n{first.method}", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    return render(figure, form)
