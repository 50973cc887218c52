"""Commands on files alone: no study, no database."""

import argparse
import json
from pathlib import Path

from app.actions import audit_table as audits
from app.actions.analyse_file import AnalysisOptions, as_text
from app.actions.describe_cases import as_lines as described
from app.actions.describe_cases import baseline_of_cases, read_characteristics
from app.actions.output_files import check_outputs, write_outputs
from app.actions.plan_power import PowerPlan, as_lines, pilot_from_file, plan_power, stated_pilot
from app.actions.published_table import read_table
from app.actions.write_analysis import write_analysis
from app.commands.file_options import COMPONENTS
from app.domain.errors import InvalidInput, NotFound
from app.settings import Settings
from app.statistics.json_form import as_json
from app.statistics.power import Pilot


def analyse(arguments: argparse.Namespace, settings: Settings) -> int:
    """Analyse a file of readings; without --json the JSON goes to standard output."""
    del settings
    path = _readable(arguments.readings)
    outputs = {name: _path(getattr(arguments, name)) for name in ("json", "html", "imrmc")}
    results = write_analysis(
        path,
        AnalysisOptions(
            positive=arguments.positive,
            baseline=arguments.baseline,
            comparison=arguments.comparison,
            threshold=arguments.threshold,
            cutoffs=arguments.cutoffs,
            bootstrap=arguments.bootstrap,
            seed=arguments.seed,
            score_class=arguments.score_class,
            subgroup=arguments.subgroup,
        ),
        cases_path=None if arguments.cases is None else _readable(arguments.cases),
        json_path=outputs["json"],
        html_path=outputs["html"],
        imrmc_path=outputs["imrmc"],
    )
    written = ", ".join(str(out) for out in outputs.values() if out is not None)
    if written:
        print(
            f"{results.data.readers} readers, {results.data.cases} cases, positive class "
            f"{results.positive}: {written}"
        )
    else:
        print(as_text(results), end="")
    return 0


def baseline(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the baseline table of a file of cases."""
    del settings
    path = _readable(arguments.cases)
    out = _path(arguments.json)
    check_outputs([] if out is None else [out], source=path)
    found = read_characteristics(
        path.read_bytes(),
        path.name,
        group=arguments.group,
        categories=frozenset(arguments.categories),
    )
    table = baseline_of_cases(found, path.name)
    if out is not None:
        text = json.dumps(as_json(table), indent=2, ensure_ascii=False, allow_nan=False)
        write_outputs({out: f"{text}\n".encode()})
    print("\n".join(described(table)))
    if found.left_out:
        print(f"Left out, as neither numbers nor categories: {', '.join(found.left_out)}.")
    return 0


def power(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the power of readers x cases, from a pilot's file or stated components."""
    del settings
    plot = _path(arguments.plot)
    if plot is not None and plot.suffix.lower() not in {".svg", ".pdf", ".png"}:
        raise InvalidInput(f"{plot} has to end in .svg, .pdf or .png.")
    source = None if arguments.pilot is None else _readable(arguments.pilot)
    check_outputs([] if plot is None else [plot], source=source)
    pilot, observed = _pilot(arguments, source)
    difference = observed if arguments.difference is None else arguments.difference
    if difference is None:
        raise InvalidInput("Name the difference of AUC that is worth finding: --difference 0.05.")
    plan = plan_power(
        pilot,
        difference=difference,
        readers=arguments.readers,
        cases=arguments.cases,
        target=arguments.target,
        population=arguments.population,
    )
    if plot is not None:
        write_outputs({plot: _drawn(plan, plot)})
    print(
        f"Pilot of {pilot.cases} cases: var {pilot.var:.4g}, cov1 {pilot.cov1:.4g}, "
        f"cov2 {pilot.cov2:.4g}, cov3 {pilot.cov3:.4g}, "
        f"var-modality-reader {pilot.var_modality_reader:.4g}."
    )
    if observed is not None:
        print(f"Its own difference is {observed:.4g}, which is uncertain: plan for what matters.")
    print("\n".join(as_lines(plan)))
    return 0


def audit_table(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print which tables of whole numbers can lie behind printed figures."""
    del settings
    table = read_table(_readable(arguments.table))
    audit = audits.audit_table(table, positives=arguments.positives, negatives=arguments.negatives)
    print("\n".join(audits.as_lines(audit)))
    return 0


def _pilot(arguments: argparse.Namespace, source: Path | None) -> tuple[Pilot, float | None]:
    """Return the components, and the pilot's own difference where there is a file."""
    names = [name.replace("-", "_") for name in COMPONENTS]
    stated = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if source is not None:
        if stated or arguments.pilot_cases is not None:
            raise InvalidInput("Give the file of a pilot or its components, not both.")
        options = AnalysisOptions(
            positive=arguments.positive,
            baseline=arguments.baseline,
            comparison=arguments.comparison,
            score_class=arguments.score_class,
            bootstrap=0,
        )
        return pilot_from_file(source, options, covariance=arguments.covariance)
    if len(stated) < len(names) or arguments.pilot_cases is None:
        listed = ", ".join(f"--{name}" for name in COMPONENTS)
        raise InvalidInput(f"Give the file of a pilot, or all of {listed} and --pilot-cases.")
    return stated_pilot(cases=arguments.pilot_cases, **stated), None


def _drawn(plan: PowerPlan, out: Path) -> bytes:
    # matplotlib takes longer to load than a table takes to print.
    from app.statistics.figures import Form
    from app.statistics.study_figures import power_figure

    forms: dict[str, Form] = {".svg": "svg", ".pdf": "pdf", ".png": "png"}
    return power_figure(plan.table, target=plan.target, form=forms[out.suffix.lower()])


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _readable(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    try:
        path.open("rb").close()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    return path
