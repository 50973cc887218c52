"""Commands on files alone: no study, no database."""

import argparse
from pathlib import Path

from app.actions.analyse_file import AnalysisOptions, as_text, write_analysis
from app.domain.errors import NotFound
from app.settings import Settings


def analyse(arguments: argparse.Namespace, settings: Settings) -> int:
    """Analyse a file of readings; without --json the JSON goes to standard output."""
    del settings
    path = Path(arguments.readings)
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    results = write_analysis(
        path,
        AnalysisOptions(
            positive=arguments.positive,
            baseline=arguments.baseline,
            comparison=arguments.comparison,
            threshold=arguments.threshold,
            bootstrap=arguments.bootstrap,
            seed=arguments.seed,
        ),
        json_path=Path(arguments.json) if arguments.json else None,
    )
    if arguments.json:
        print(f"{results.data.readers} readers, {results.data.cases} cases: {arguments.json}")
    else:
        print(as_text(results), end="")
    return 0
