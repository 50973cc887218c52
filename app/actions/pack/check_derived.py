"""A pack's files that follow from readings and cases: made again, and compared."""

import hashlib
import json

from app.actions.analysis_report import html_report
from app.actions.pack.check import Check
from app.actions.pack.derived import (
    FROM_READINGS,
    ParsedReadings,
    parse_pack_readings,
    results_of,
)
from app.actions.pack.figures import planned_figures
from app.actions.pack.source import read_whole
from app.domain.same_numbers import differences
from app.domain.strict_json import parse_json
from app.statistics.study import StudyAnalysis


def check_derived(check: Check) -> None:
    """Make the wide table, the iMRMC file and the results again from the readings."""
    readings = read_whole(check.source, "readings.csv")
    parsed = parse_pack_readings(readings, positive=check.manifest.positive)
    for name, make in FROM_READINGS.items():
        if name not in check.digests:
            continue
        try:
            made = make(readings, parsed)
        except (ValueError, KeyError) as fault:
            check.problems.append(f"readings.csv: {name} cannot be made from it ({fault!r})")
            continue
        if hashlib.sha256(made).hexdigest() != check.digests[name]:
            check.problems.append(f"{name}: it is not what readings.csv gives")
    if "results.json" in check.digests:
        _check_results(check, parsed)


def _check_results(check: Check, parsed: ParsedReadings) -> None:
    cases = read_whole(check.source, "cases.csv") if "cases.csv" in check.digests else b""
    results, made = results_of(parsed, cases)
    try:
        found: object = parse_json(check.text("results.json"))
    except ValueError as fault:
        check.problems.append(f"results.json: it cannot be read ({fault})")
        return
    check.add("results.json", differences(found, json.loads(made)))
    check.checked.append(
        "every number of results.json computed again from readings and cases (to 1e-9), with "
        "readings-wide.csv and readings.imrmc (to the byte)"
    )
    if results is not None and check.methods is not None:
        _check_report(check, parsed, results, check.methods)


def _check_report(
    check: Check, parsed: ParsedReadings, results: StudyAnalysis, methods: str
) -> None:
    """Write the report again around the pack's own figures, which are not drawn again."""
    figures = [
        (figure.shows, read_whole(check.source, figure.name))
        for figure in planned_figures(parsed, results)
        if figure.name in check.digests and figure.name.endswith(".svg")
    ]
    made = html_report(results, figures, methods=methods).encode()
    if hashlib.sha256(made).hexdigest() != check.digests.get("report.html"):
        check.problems.append("report.html: it is not what results, figures and methods make")
    check.checked.append(
        "report.html written again around the pack's figures; the figures were not drawn again"
    )
