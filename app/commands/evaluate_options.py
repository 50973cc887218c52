"""Options of evaluate and score; apart from the commands, so that help loads no torch."""

import argparse


def add_evaluate_options(evaluate: argparse.ArgumentParser) -> None:
    """Add what `reread evaluate` understands."""
    evaluate.add_argument("model", help="the model's folder, as reread train writes it")
    evaluate.add_argument("cases", help="the table of cases (CSV) with diagnoses, as for import")
    evaluate.add_argument("--images", required=True, help="the folder or ZIP file of the images")
    evaluate.add_argument("--json", required=True, metavar="FILE", help="write the numbers here")
    evaluate.add_argument("--html", metavar="FILE", help="write a report in one file here")
    evaluate.add_argument(
        "--cohort",
        default="external",
        metavar="NAME",
        help="how to call the images that the model was not made with (external)",
    )
    evaluate.add_argument(
        "--masks",
        metavar="DIR",
        help="lesion masks: PNG files named like the images, all but black is lesion",
    )
    evaluate.add_argument(
        "--reasons",
        metavar="FILE",
        help="the file of reasons that an earlier run wrote, filled in by a person",
    )
    evaluate.add_argument(
        "--maps",
        type=_count,
        default=40,
        metavar="NUMBER",
        help="images of each cohort whose maps are checked (40; 0 for none)",
    )
    evaluate.add_argument(
        "--seed", type=int, default=1, help="what those images are drawn from (1)"
    )


def add_score_options(score: argparse.ArgumentParser, study: str) -> None:
    """Add what `reread score` understands."""
    score.add_argument("target", help=f"{study}; or, with a table of cases, a model's folder")
    score.add_argument(
        "cases", nargs="?", help="a table of cases (CSV), with or without diagnoses, as for import"
    )
    score.add_argument("--images", metavar="DIR", help="the folder or ZIP file of its images")
    score.add_argument(
        "--out", metavar="DIR", help="the folder to write probabilities and overlays into"
    )


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("a number of images is not negative")
    return value
