"""The wrong calls in a report: reasons counted, measures compared, and a gallery."""

from html import escape

from app.actions.report_html import UNDEFINED, table
from app.modelling.evaluation import Evaluation
from app.modelling.failure_reasons import OTHER, REASONS
from app.modelling.gallery_pictures import GalleryPictures, shown_calls
from app.modelling.wrong_calls import Medians, WrongCall

_NAMES = {
    "colour_contrast": "colour difference of middle and surround (CIELAB)",
    "sharpness": "sharpness (variance of the Laplacian)",
    "shorter_side": "shorter side, pixels",
    "luminance": "mean grey level, 0 to 255",
    "dark_share": "share of black pixels",
    "light_share": "share of white pixels",
    "contrast": "standard deviation of grey levels",
}
_SURE = 0.95


def gallery(evaluation: Evaluation, pictures: GalleryPictures) -> str:
    """Return the section on wrong calls."""
    calls = shown_calls(evaluation)
    shown = "".join(_case(call, evaluation, pictures) for call in calls)
    total = len(evaluation.wrong)
    scale = evaluation.model.map_scale
    rows, columns = evaluation.model.map_grid
    legend = (
        f"The {len(calls)} surest of {total} wrong calls"
        + (" (all are in the JSON and in the file for reasons)" if total > len(calls) else "")
        + ". On the maps orange speaks for BCC and blue for SK, strongest at "
        f"{scale:g} and beyond, the same on every image. Their cells are coarse, {rows} x "
        f"{columns}; they show what moved the model, not where the lesion is. Neighbours are the "
        "images of other patients in these data that the image encoder finds most alike (cosine)."
    )
    if not calls:
        return "<h2>Wrong calls</h2><p>There are none.</p>"
    return (
        f"<h2>Wrong calls</h2>{_reasons(evaluation)}{_measures(evaluation)}"
        f"<p>{escape(legend)}</p>{shown}"
    )


def _reasons(evaluation: Evaluation) -> str:
    rows = [
        (name, *(str(cohort.reasons[name]) for cohort in evaluation.cohorts.values()))
        for name in next(iter(evaluation.cohorts.values())).reasons
    ]
    return table(
        "Wrong calls by the reason a person gave",
        ("Reason", *evaluation.cohorts),
        rows,
    )


def _measures(evaluation: Evaluation) -> str:
    cohorts = evaluation.cohorts
    rows: list[tuple[str, ...]] = []
    for key, name in _NAMES.items():
        cells = [_medians(cohort.measures[key], key) for cohort in cohorts.values()]
        rows.append((name, *(cell for pair in cells for cell in pair)))
    header = [f"{name}: {kind}" for name in cohorts for kind in ("right calls", "wrong calls")]
    return table(
        "Medians of what was measured on the images; no test is made", ("Measure", *header), rows
    )


def _medians(found: Medians, key: str) -> tuple[str, str]:
    digits = 3 if key.endswith("share") else 1
    one, two = (
        UNDEFINED if value is None else f"{value:.{digits}f}"
        for value in (found.right, found.wrong)
    )
    return one, two


def _case(call: WrongCall, evaluation: Evaluation, pictures: GalleryPictures) -> str:
    sure = call.probability if call.called == evaluation.positive else 1 - call.probability
    title = (
        f"{call.image}: {call.truth}, called {call.called} "
        f"(probability of {evaluation.positive} {call.probability:.3f}"
        f"{', sure' if sure >= _SURE else ''}), {call.cohort}"
    )
    measures = call.measures
    said = (
        f"Colour difference {measures.colour_contrast:.1f}, sharpness {measures.sharpness:.1f}, "
        f"shorter side {measures.shorter_side} pixels, mean grey level {measures.luminance:.0f}, "
        f"black {measures.dark_share:.1%}, white {measures.light_share:.1%}."
    )
    other = sum(near.truth != call.truth for near in call.neighbours)
    close = f"{other} of its {len(call.neighbours)} nearest neighbours are {call.called}."
    near = "".join(
        _figure(
            pictures.neighbours[one.image],
            f"neighbour {one.image}",
            f"{one.truth}, {one.similarity:.3f}",
        )
        for one in call.neighbours
    )
    flagged = "".join(f"<p>{escape(sentence)}</p>" for sentence in call.flags)
    reason = call.reason or f"Reason ({', '.join(REASONS)}, {OTHER}):"
    return (
        f'<section class="case"><h3>{escape(title)}</h3><div class="pictures">'
        f"{_figure(pictures.photographs[call.image], f'photograph {call.image}', 'photograph')}"
        f"{_figure(pictures.maps[call.image], f'map over {call.image}', 'with the map')}</div>"
        f'<div><p>{escape(said)}</p>{flagged}<p>{escape(close)}</p><div class="near">{near}</div>'
        f'<p class="reason">{escape(reason)}</p></div></section>'
    )


def _figure(uri: str, text: str, caption: str) -> str:
    return (
        f'<figure><img alt="{escape(text)}" src="{uri}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
