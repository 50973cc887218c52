"""The later tables of a report: reliance, bootstrap, agreement, calibration, failures, cases."""

from app.actions.report_html import UNDEFINED, interval, number, p_value, table
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


def within_readers(results: StudyAnalysis) -> str:
    """Return each reader's agreement with himself or herself as a table, or nothing."""
    rows = [
        (
            *(reader, name, str(again.calls.n), number(again.calls.observed)),
            number(again.calls.kappa.value)
            + interval(again.calls.kappa.low, again.calls.kappa.high),
            number(again.calls.ac1.value) + interval(again.calls.ac1.low, again.calls.ac1.high),
        )
        for name, found in results.agreement.items()
        for reader, again in found.within.items()
        if again.calls is not None
    ]
    if not rows:
        return ""
    return table(
        "First and second reading of the same cases by the same reader; Cohen's kappa, Gwet's AC1",
        ("Reader", "Modality", "Cases", "Same call", "Kappa", "AC1"),
        rows,
    )


def reliance(results: StudyAnalysis) -> str:
    """Return how each reader used the model's advice as a table, or nothing."""
    rows = [
        (
            *(reader.reader, words, str(found.n), str(found.rescued), str(found.talked_out)),
            *(_share(share) for share in (found.switched_on_disagreement, found.rair, found.rsr)),
        )
        for reader in results.readers
        if reader.comparison is not None and reader.comparison.reliance is not None
        for words, found in (
            ("all", reader.comparison.reliance.all),
            (f"truly {results.positive}", reader.comparison.reliance.positives),
            (f"truly {results.negative}", reader.comparison.reliance.negatives),
        )
    ]
    if not rows:
        return ""
    return table(
        f"Reliance on the model, positive class {results.positive}; Schemmer 2023; about each "
        "reader and this model, on cases like these",
        (
            *("Reader", "Cases", "n", "Rescued", "Talked out", "Switched on disagreement"),
            *("Took right advice (RAIR)", "Withstood wrong advice (RSR)"),
        ),
        rows,
    )


def calibrations(results: StudyAnalysis) -> str:
    """Return the calibration of the scores as a table, or nothing."""
    arms = [
        (reader.reader, name, metrics.calibration)
        for reader in results.readers
        for name, metrics in reader.modalities.items()
    ]
    if results.model is not None:
        arms.append(("model", "alone", results.model.calibration))
    rows = [
        (
            *(who, name, str(found.n), number(found.in_the_large), number(found.slope)),
            *(number(found.observed_expected), number(found.brier)),
            p_value(found.spiegelhalter_p),
        )
        for who, name, found in arms
        if found is not None
    ]
    if not rows:
        return ""
    return table(
        f"Calibration of the scores as probabilities of {results.positive}; Van Calster 2019; "
        "Spiegelhalter 1986",
        (
            *("Reader", "Modality", "n", "In the large", "Slope", "Observed / expected"),
            *("Brier score", "Spiegelhalter p"),
        ),
        rows,
    )


def baseline(results: StudyAnalysis) -> str:
    """Return the baseline table of the cases, or nothing."""
    found = results.baseline
    if found is None:
        return ""
    rows: list[tuple[str, ...]] = []
    for row in found.rows:
        missing = f"{row.missing[0]} / {row.missing[1]}"
        if row.numeric is not None:
            groups = (row.numeric.first, row.numeric.second)
            shown = [
                f"{number(each.mean, 1)} (SD {number(each.sd, 1)}), n {each.n}, median "
                f"{number(each.median, 1)} ({number(each.q1, 1)} to {number(each.q3, 1)})"
                for each in groups
            ]
            tested = (row.numeric.test, p_value(row.numeric.p), number(row.numeric.smd, 2))
            rows.append((row.characteristic, *shown, *tested, missing))
        if row.categorical is not None:
            one = row.categorical
            tested = (one.test, p_value(one.p), number(one.smd, 2))
            rows.append((row.characteristic, "", "", *tested, missing))
            rows += [
                (f"- {category}", str(counts[0]), str(counts[1]), "", "", "", "")
                for category, counts in zip(one.categories, one.counts, strict=True)
            ]
    return table(
        f"The cases: {found.n[0]} {found.groups[0]} and {found.n[1]} {found.groups[1]}; "
        f"{found.method}",
        ("Characteristic", *found.groups, "Test", "p", "SMD", "Unknown"),
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
