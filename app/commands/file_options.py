"""The options of the commands on files; apart from the commands, so that help loads no numpy."""

import argparse

POPULATIONS = (
    "random_readers_random_cases",
    "fixed_readers_random_cases",
    "random_readers_fixed_cases",
)
COMPONENTS = {
    "var": "variance of an AUC over cases",
    "cov1": "covariance of a reader's two AUCs",
    "cov2": "covariance of two readers' AUCs in one modality",
    "cov3": "covariance of two readers' AUCs in two modalities",
    "var-modality-reader": "variance of the modality x reader interaction",
}


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


# argparse names the type where a text is not understood.
_numbers.__name__ = "list of numbers"
_counts.__name__ = "list of whole numbers"


def add_analyse_options(analyse: argparse.ArgumentParser) -> None:
    """Add what `reread analyse` understands."""
    analyse.add_argument("readings", help="readings.csv, or another long CSV, wide CSV or .imrmc")
    _add_reading_options(analyse)
    analyse.add_argument("--threshold", type=float, help="score from which a case is called")
    analyse.add_argument(
        "--cutoffs",
        type=_numbers,
        default=(),
        metavar="0.2,0.6",
        help="scores that part the categories of a further NRI; a score equal to one lies above it",
    )
    analyse.add_argument(
        "--subgroup",
        metavar="COLUMN",
        help="analyse the parts of the cases too, by this column of --cases, else of the readings",
    )
    analyse.add_argument(
        "--cases",
        metavar="CASES",
        help="a CSV file of the cases' characteristics, one row a case: for the baseline table",
    )
    analyse.add_argument("--bootstrap", type=int, default=2000, help="resamples; 0 for none")
    analyse.add_argument("--seed", type=int, default=1, help="of the bootstrap (1)")
    analyse.add_argument("--json", metavar="OUT", help="write the numbers here")
    analyse.add_argument(
        "--html", metavar="OUT", help="write a report here: one file with tables and figures"
    )
    analyse.add_argument(
        "--imrmc", metavar="OUT", help="write the scores here as an iMRMC file, truth 1: positive"
    )


def add_baseline_options(baseline: argparse.ArgumentParser) -> None:
    """Add what `reread baseline` understands."""
    baseline.add_argument("cases", help="a CSV file of cases, one row a case")
    baseline.add_argument(
        "--group", metavar="COLUMN", help="the column of two values that parts the cases"
    )
    baseline.add_argument(
        "--categories",
        type=_names,
        default=(),
        metavar="A,B",
        help="columns whose numbers are codes of categories",
    )
    baseline.add_argument("--json", metavar="OUT", help="write the numbers here")


def add_power_options(power: argparse.ArgumentParser) -> None:
    """Add what `reread power` understands."""
    power.add_argument(
        "pilot", nargs="?", help="readings of a pilot, as for analyse; or state its components"
    )
    _add_reading_options(power)
    power.add_argument(
        "--covariance",
        choices=("jackknife", "delong", "unbiased"),
        default="jackknife",
        help="how the pilot's covariances are estimated (jackknife)",
    )
    for name, meaning in COMPONENTS.items():
        power.add_argument(f"--{name}", type=float, metavar="V", help=f"without a file: {meaning}")
    power.add_argument(
        "--pilot-cases", type=int, metavar="N", help="without a file: cases of the components"
    )
    power.add_argument(
        "--difference",
        type=float,
        help="difference of AUC worth finding; without it the pilot's own, which is uncertain",
    )
    power.add_argument(
        "--readers", type=_counts, default=(4, 6, 8, 10), metavar="4,6,8", help="numbers of readers"
    )
    power.add_argument(
        "--cases",
        type=_counts,
        default=(100, 200, 400, 800),
        metavar="100,200",
        help="numbers of cases",
    )
    power.add_argument("--target", type=float, default=0.8, help="power to reach (0.8)")
    power.add_argument(
        "--population",
        choices=POPULATIONS,
        default=POPULATIONS[0],
        help=f"to whom the result is to apply ({POPULATIONS[0]})",
    )
    power.add_argument(
        "--plot", metavar="OUT", help="draw the table here: a name ending in .svg, .pdf or .png"
    )


def add_audit_options(audit: argparse.ArgumentParser) -> None:
    """Add what `reread audit-table` understands."""
    audit.add_argument("table", help="the figures as printed (CSV), one row a reader and modality")
    audit.add_argument(
        "--positives", type=int, required=True, help="cases of the positive class, as stated"
    )
    audit.add_argument(
        "--negatives", type=int, required=True, help="cases of the negative class, as stated"
    )


def _add_reading_options(parser: argparse.ArgumentParser) -> None:
    """Add how a file of readings is to be understood."""
    parser.add_argument("--positive", help="the positive class (BCC where the file knows it)")
    parser.add_argument("--baseline", default="unaided", help="the modality to compare with")
    parser.add_argument("--comparison", default="aided", help="the modality compared")
    parser.add_argument(
        "--score-class",
        metavar="CLASS",
        help="the class for which a high score speaks: BCC where the file knows it, else the "
        "positive class. Scores that speak for the negative class are turned",
    )
