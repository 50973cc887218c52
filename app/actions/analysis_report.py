"""The results of a study as one HTML file that needs nothing beside it: no script, no network."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from markdown_it import MarkdownIt

from app.actions.report_appendix import (
    agreement,
    baseline,
    bootstraps,
    calibrations,
    failures,
    reliance,
    subgroups,
    within_readers,
)
from app.actions.report_html import UNDEFINED, interval, number, p_value, table
from app.statistics.comparison import Comparison
from app.statistics.mrmc import Measure, Mrmc
from app.statistics.proportions import Proportion
from app.statistics.reading_metrics import ModalityMetrics
from app.statistics.reclassification import Improvement
from app.statistics.roc import Auc
from app.statistics.study import StudyAnalysis

_MEASURES = ("AUC", "AUC of calls", "Sensitivity", "Specificity", "PPV", "NPV")
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 2rem; width: 100% }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem }
th, td { border-bottom: 1px solid #bbb; padding: .25rem .6rem .25rem 0; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums }
.note { color: #333; border-left: 4px solid #d55e00; padding-left: .8rem }
img { max-width: 100% }
"""
_PRINTED = """
body { font-size: 12px; max-width: none; margin: 0; padding: 0 }
thead, tr, caption, p { break-inside: avoid }
caption, h1, h2, h3 { break-after: avoid }
tbody, tbody > tr:first-child { break-before: avoid }
img { max-height: 11cm }
"""


def html_report(
    results: StudyAnalysis, figures: Iterable[tuple[str, bytes]] = (), *, methods: str = ""
) -> str:
    """Return the report; `figures` are (alternative text, SVG bytes), `methods` is Markdown."""
    positive = results.positive
    parts = [_summary(results)]
    parts += [_warnings(results)]
    parts += [_readers(results), _comparisons(results), _improvements(results)]
    if results.mrmc is not None:
        parts.append(_mrmc(results.mrmc, positive))
    parts += [reliance(results), bootstraps(results), agreement(results), within_readers(results)]
    parts += [calibrations(results), subgroups(results), failures(results), baseline(results)]
    for text, svg in figures:
        data = b64encode(svg).decode()
        parts.append(f'<p><img alt="{escape(text)}" src="data:image/svg+xml;base64,{data}"></p>')
    # Markdown without HTML: what people typed stays text. Nor images: whoever opens the file would
    # ask the address that a text names.
    markdown = MarkdownIt("commonmark", {"html": False}).disable("image")
    parts.append(markdown.render(methods))
    title = f"Reader study: {positive} or {results.negative}"
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f'</title><style>{_STYLE}</style><style media="print">{_PRINTED}</style></head>'
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _summary(results: StudyAnalysis) -> str:
    data = results.data
    counts = (
        f"{data.readers} readers, {data.cases} cases: {data.positives} {results.positive}, the "
        f"positive class, and {data.negatives} {results.negative}. {data.rows} rows; "
        f"{data.missing} of {data.rows + data.missing} readings that all readers could have made "
        "of all cases in all modalities are not among them, by the design or by chance."
    )
    compared = " and ".join(results.modalities)
    lines = [counts, f"Compared: {compared}; differences are comparison minus baseline."]
    if data.sha256 is not None:
        lines.append(f"SHA-256 of the data: {data.sha256}")
    simulated = [reader.reader for reader in results.readers if reader.simulated]
    if simulated:
        lines.append(f"Simulated readers: {', '.join(simulated)}.")
    return "".join(f"<p>{escape(line)}</p>" for line in lines)


def _warnings(results: StudyAnalysis) -> str:
    return "".join(
        f'<p class="note"><strong>{escape(warning.where)}</strong>: {escape(warning.text)}</p>'
        for warning in results.warnings
    )


def _area(area: Auc) -> str:
    return number(area.value) + interval(area.low, area.high)


def _share(share: Proportion) -> str:
    if share.value is None:
        return UNDEFINED
    counts = f"{share.numerator}/{share.denominator}"
    return f"{counts} = {share.value:.3f}{interval(share.low, share.high)}"


def _metrics(who: str, arm: str, metrics: ModalityMetrics) -> tuple[str, ...]:
    shares = (metrics.sensitivity, metrics.specificity, metrics.ppv, metrics.npv)
    return (
        *(who, arm, str(metrics.n), _area(metrics.auc), _area(metrics.auc_calls)),
        *(_share(share) for share in shares),
    )


def _readers(results: StudyAnalysis) -> str:
    rows = [
        _metrics(reader.reader, name, metrics)
        for reader in results.readers
        for name, metrics in reader.modalities.items()
    ]
    if results.model is not None:
        rows.append(_metrics("model", "alone", results.model))
    return table(
        f"Accuracy, positive class {results.positive}; AUC by DeLong, shares with Wilson intervals "
        "(95%); about each reader, on cases like these",
        ("Reader", "Modality", "n", *_MEASURES),
        rows,
    )


def _comparison_row(reader: str, found: Comparison) -> tuple[str, ...]:
    tested = (
        found.auc,
        found.auc_calls,
        found.sensitivity,
        found.specificity,
        found.ppv,
        found.npv,
    )
    cells = (
        UNDEFINED
        if each.difference is None
        else f"{each.difference:+.3f}{interval(each.low, each.high)}, p {p_value(each.p)}"
        for each in tested
    )
    return (reader, f"{found.n or found.n_scored} ({found.missing} missing)", *cells)


def _comparisons(results: StudyAnalysis) -> str:
    return table(
        f"Paired differences, positive class {results.positive}; DeLong; McNemar and Tango; "
        "weighted generalised score; about each reader, on cases like these",
        ("Reader", "n", *_MEASURES),
        [
            _comparison_row(reader.reader, reader.comparison)
            for reader in results.readers
            if reader.comparison is not None
        ],
    )


def _improvement_row(reader: str, name: str, found: Improvement) -> tuple[str, ...]:
    return (
        *(reader, name, found.input, f"{found.n_events} / {found.n_nonevents}"),
        number(found.value) + interval(found.low, found.high),
        *(number(found.events), number(found.nonevents), p_value(found.p)),
    )


def _improvements(results: StudyAnalysis) -> str:
    rows: list[tuple[str, ...]] = []
    for reader in results.readers:
        if reader.comparison is None:
            continue
        nri, idi = reader.comparison.nri, reader.comparison.idi
        named = [("NRI", part) for part in (nri.calls, nri.category_free, nri.refitted)]
        named += [("NRI", nri.categories)]
        named += [("IDI", part) for part in (idi.calls, idi.scores, idi.refitted)]
        rows += [
            _improvement_row(reader.reader, name, part) for name, part in named if part is not None
        ]
    return table(
        f"Reclassification, events are {results.positive}; Pencina 2008 and 2011",
        ("Reader", "Index", "Input", "Events / non-events", "Value", "Events", "Non-events", "p"),
        rows,
    )


def _mrmc(found: Mrmc, positive: str) -> str:
    rows: list[tuple[str, ...]] = []
    for name in ("auc", "auc_calls", "sensitivity", "specificity"):
        measure: Measure = getattr(found, name)
        if measure.default == "u_statistics" and measure.u_statistics is not None:
            every = measure.u_statistics["unbiased"]
            difference = f"{every.value:+.3f}{interval(every.low, every.high)}"
            population = "readers and cases like these (U-statistics)"
            rows.append((name, population, "all", difference, p_value(every.p)))
        if measure.obuchowski_rockette is None:
            continue
        analysis = measure.obuchowski_rockette["delong"]
        for test in (
            analysis.random_readers_random_cases,
            analysis.fixed_readers_random_cases,
            analysis.random_readers_fixed_cases,
        ):
            if test is not None:
                difference = f"{test.difference:+.3f}{interval(test.low, test.high)}"
                rows.append(
                    (name, test.population, str(measure.cases), difference, p_value(test.p))
                )
    return table(
        f"All readers together, positive class {positive}; Obuchowski-Rockette with DeLong's "
        "covariances, on the cases that everybody read in both modalities; before it U-statistics, "
        f"of every reading, where those cases are too few. {found.population}",
        ("Measure", "Population", "Cases", "Difference", "p"),
        rows,
    )
