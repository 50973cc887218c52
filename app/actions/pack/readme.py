"""The README of a pack: what lies where, and how to check it."""

from app import __version__

FILES: dict[str, str] = {
    "readings.csv": "the calls that count: one row per reader, case and modality",
    "readings_not_counted.csv": "calls that do not count, each with the reason",
    "readings-wide.csv": "the calls of readings.csv, one row per reader and case",
    "cases.csv": "the cases with demographics and reference standard",
    "predictions.csv": "the models' output for every image and case",
    "overlays/": "the Grad-CAM maps; predictions.csv says whose they are",
    "allocation.csv": "the order in which each reader saw the cases",
    "readers.csv": "the readers (pseudonyms), simulated or not: experience, order, seed, digest, "
    "what they read",
    "viewing.csv": "how long the map lay open and how far images were enlarged, by the browser",
    "study.json": "the study's settings, the versions of its protocol, and the models",
    "results.json": "all results, unrounded, computed from readings.csv and cases.csv alone",
    "readings.imrmc": "the scores for iMRMC and other programs for reader studies",
    "figures/": "figures as SVG and PDF",
    "methods.md": "the methods text, with deviations, made from settings and data",
    "report.html": "results, figures and methods on one page that needs nothing beside it",
    "flow.md, flow.svg": "the flow of cases and readings",
    "checklists/": "STARD-AI, CLAIM, CONSORT-AI and DECIDE-AI, filled as far as the study knows",
    "codebook.csv": "every column of every table",
    "audit.jsonl": "the study's log; its last event is this export, with the SHA-256 of every file",
    "load.R, load.py": "load and check the pack and print each reader's AUC",
    "manifest.json": "the SHA-256 of every other file, and the head of the log",
}


def readme(*, title: str, code: str, demonstration: bool) -> str:
    """Return README.md."""
    rows = "\n".join(f"| `{name}` | {what} |" for name, what in FILES.items())
    warning = (
        "\n**This is a demonstration study. Its numbers say nothing about skin cancer.**\n"
        if demonstration
        else ""
    )
    return f"""# {title}

The export of the reader study `{code}`, unblinded, made by reread {__version__}.
{warning}
| file | what it holds |
|---|---|
{rows}

Tables are CSV files: UTF-8, comma, a header, line feeds. Times are UTC, by the server's clock.
An empty cell says that there is no value. Text that a spreadsheet would take for a formula has an
apostrophe in front.

## Check it

With reread, offline, without any database:

    reread verify THIS-FOLDER-OR-ZIP --anchor NUMBER:HASH

It proves that the log is whole and unaltered, that every reveal came after its locked unaided call
and every revised call after its reveal, that the tables are what the log says, and it computes the
results again. The anchor is the head of the log as it was noted outside at the export; without one,
a log that was made anew as a whole is not found. Where `manifest.json` has a signature,
`--public-key` with the key that the installation made known says that it gave out this head.

Without reread: `Rscript load.R` or `python3 load.py` in this folder compare every file with
`manifest.json`. Spreadsheet programs change a CSV file when they save it; work on a copy.
"""
