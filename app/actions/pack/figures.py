"""The figures of a pack, from the rows of readings.csv."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from app.actions.analyse_file import table_of
from app.actions.pack.derived import ParsedReadings
from app.domain.errors import InvalidInput
from app.statistics.figures import Form, roc_figure
from app.statistics.flow_figure import reclassification_figure
from app.statistics.study import StudyAnalysis
from app.statistics.study_figures import averaged_roc_figure, bars_figure, forest_figure


@dataclass(frozen=True)
class PlannedFigure:
    """A figure that a pack has where the readings make it: its file, what it shows, its drawing."""

    name: str
    shows: str
    draw: Callable[[], bytes]


@dataclass(frozen=True)
class DrawnFigure:
    """A figure: the name of its file, what it shows, and its bytes."""

    name: str
    shows: str
    content: bytes


def planned_figures(parsed: ParsedReadings, results: StudyAnalysis) -> Iterator[PlannedFigure]:
    """Plan the figures: of all readers as SVG and PDF, of each reader as SVG."""
    if isinstance(parsed.found, InvalidInput):  # there are no results of such readings
        raise parsed.found
    table = table_of(parsed.found, parsed.options)
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
    forms: tuple[Form, ...] = ("svg", "pdf")
    for name, shows, draw in together:
        for form in forms:
            path = f"figures/{name}.{form}"
            yield PlannedFigure(path, f"{shows}, {about}", partial(draw, form=form))
    for reader in results.readers:
        roc = partial(roc_figure, table, reader.reader, positive=results.positive, sha256=sha256)
        changes = partial(reclassification_figure, results, reader.reader)
        for name, shows, draw in (
            ("roc", "ROC curves", roc),
            ("changes", "Changed calls", changes),
        ):
            path = f"figures/{name}-{reader.reader}.svg"
            about_reader = f"{shows} of reader {reader.reader}, {about}"
            yield PlannedFigure(path, about_reader, partial(draw, form="svg"))


def draw_figures(parsed: ParsedReadings, results: StudyAnalysis) -> Iterator[DrawnFigure]:
    """Draw the figures that the readings make."""
    for figure in planned_figures(parsed, results):
        try:
            drawn = figure.draw()
        except ValueError:  # these readings do not make it
            continue
        yield DrawnFigure(figure.name, figure.shows, drawn)
