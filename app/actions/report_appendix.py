"""The later tables of a report: bootstrap, agreement, failures, subgroups."""

from app.actions.report_html import UNDEFINED, interval, number, table
from app.statistics.proportions import Proportion
from app.statistics.study import StudyAnalysis

_FAILURES_SHOWN = 50


def bootstraps(results: StudyAnalysis) -> str:
    """Return the bootstrap intervals as a table, or nothing."""
    rows: list[tuple[str, ...]] = []
    method = ""
    for reader in results.readers:
        found = reader.comparison.bootstrap if reader.comparison is not None else None
        if found is None:
            continue
        method = f"{found.method}, {found.resamples} resamples, seed {found.seed}"
        rows += [
            (
                reader.reader,
                name,
                number(each.value),
                interval(each.low, each.high).strip(),
                interval(each.bca_low, each.bca_high).strip() or UNDEFINED,
            )
            for name, each in found.intervals.items()
        ]
    if not rows:
        return ""
    return table(
        f"Bootstrap intervals of differences, positive class {results.positive}; {method}",
        ("Reader", "What", "Estimate", "Percentile", "BCa"),
        rows,
    )


def agreement(results: StudyAnalysis) -> str:
    """Return the agreement of all readers as a table, or nothing."""
    rows = [
        (
            name,
            str(found.readers.n),
            number(found.readers.observed),
            number(found.readers.prevalence),
            f"{number(coefficient.value)}{interval(coefficient.low, coefficient.high)}",
            coefficient.method,
        )
        for name, found in results.agreement.items()
        if found.readers is not None
        for coefficient in (found.readers.kappa, found.readers.ac1)
    ]
    if not rows:
        return ""
    return table(
        f"Agreement of all readers' calls; prevalence is the share of {results.positive} calls",
        ("Modality", "Cases", "Observed", "Prevalence", "Coefficient", "Method"),
        rows,
    )


def failures(results: StudyAnalysis) -> str:
    """Return the cases called wrong as a table, or nothing."""
    shown = results.failures[:_FAILURES_SHOWN]
    if not shown:
        return ""
    rows = [
        (
            each.case,
            each.truth,
            *(f"{each.wrong[name]} of {each.read[name]}" for name in results.modalities),
            {None: UNDEFINED, True: "wrong", False: "right"}[each.model_wrong],
        )
        for each in shown
    ]
    return table(
        f"Cases called wrong: {len(results.failures)}, of which {len(shown)} are listed",
        ("Case", "Truth", *(f"{name}: readers wrong" for name in results.modalities), "Model"),
        rows,
    )


def subgroups(results: StudyAnalysis) -> str:
    """Return each reader's areas and calls in each subgroup as a table, or nothing."""
    if results.subgroups is None:
        return ""
    rows: list[tuple[str, ...]] = []
    for part in results.subgroups.values:
        size = f"{part.data.positives} / {part.data.negatives}"
        for reader in part.readers:
            for name, metrics in reader.modalities.items():
                rows.append(
                    (
                        *(part.value, size, reader.reader, name),
                        number(metrics.auc.value) + interval(metrics.auc.low, metrics.auc.high),
                        *(_share(metrics.sensitivity), _share(metrics.specificity)),
                    )
                )
    return table(
        f"Subgroups by {results.subgroups.column}, positive class {results.positive}; no test "
        "between subgroups is made",
        (
            *("Subgroup", f"n {results.positive} / {results.negative}", "Reader", "Modality"),
            *("AUC", "Sensitivity", "Specificity"),
        ),
        rows,
    )


def _share(share: Proportion) -> str:
    return number(share.value) + interval(share.low, share.high)
