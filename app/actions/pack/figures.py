"""The figures of a pack, from the bytes of readings.csv."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from app.actions.analyse_file import AnalysisOptions, read_file, table_of
from app.statistics.figures import Form, roc_figure
from app.statistics.flow_figure import reclassification_figure
from app.statistics.study import StudyAnalysis
from app.statistics.study_figures import averaged_roc_figure, bars_figure, forest_figure


@dataclass(frozen=True)
class DrawnFigure:
    """A figure: the name of its file, what it shows, and its bytes."""

    name: str
    shows: str
    content: bytes


def draw_figures(content: bytes, results: StudyAnalysis) -> Iterator[DrawnFigure]:
    """Draw what the readings make: of all readers as SVG and PDF, of each reader as SVG."""
    options = AnalysisOptions(positive=results.positive)
    table = table_of(read_file(content, "readings.csv", options), options)
    about = f"positive class {results.positive}"
    sha256 = results.data.sha256
    together = (
        ("forest", "Differences of AUC with intervals", partial(forest_figure, results)),
        (
            "averaged-roc",
            "ROC curves averaged over readers",
            partial(averaged_roc_figure, table, positive=results.positive, sha256=sha256),
        ),
        ("right-calls", "Share of right calls", partial(bars_figure, results)),
    )
    for name, shows, draw in together:
        for form in ("svg", "pdf"):
            drawn = _drawn(draw, form)
            if drawn is not None:
                yield DrawnFigure(f"figures/{name}.{form}", f"{shows}, {about}", drawn)
    for reader in results.readers:
        each = (
            (
                "roc",
                "ROC curves",
                partial(roc_figure, table, reader.reader, positive=results.positive, sha256=sha256),
            ),
            ("changes", "Changed calls", partial(reclassification_figure, results, reader.reader)),
        )
        for name, shows, draw in each:
            drawn = _drawn(draw, "svg")
            if drawn is not None:
                about_reader = f"{shows} of reader {reader.reader}, {about}"
                yield DrawnFigure(f"figures/{name}-{reader.reader}.svg", about_reader, drawn)


def _drawn(draw: "partial[bytes]", form: Form) -> bytes | None:
    """Return the figure, or None where the readings do not make it."""
    try:
        return draw(form=form)
    except ValueError:
        return None
