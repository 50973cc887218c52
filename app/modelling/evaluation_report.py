"""An evaluation as one HTML file that needs nothing beside it: no script, no network."""

from base64 import b64encode
from collections.abc import Iterable
from html import escape

from app.actions.report_html import UNDEFINED, interval, number, p_value, table
from app.modelling.evaluation import EvaluatedCohort, Evaluation
from app.modelling.evaluation_gallery import gallery
from app.modelling.gallery_pictures import GalleryPictures
from app.statistics.clustered import ClusteredAuc, Counts
from app.statistics.clustered_calibration import Coefficient
from app.statistics.clustered_means import ClusteredMean, ClusteredProportion

_BY_PATIENT = "95% intervals by patient"
_METHODS = {"zero_shot": "zero-shot (class names alone)", "linear_probe": "linear probe"}
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem;
  color: #1f2324; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 2rem; width: 100%; font-size: .9rem }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem }
th, td { border-bottom: 1px solid #bbb; padding: .25rem .6rem .25rem 0; text-align: left;
  vertical-align: top; font-variant-numeric: tabular-nums }
.note { color: #333; border-left: 4px solid #85837b; padding-left: .8rem; margin: .6rem 0 }
.figures { display: flex; flex-wrap: wrap; gap: 1rem }
.figures img { width: 31rem; max-width: 100% }
.hash { overflow-wrap: anywhere; font-size: .85rem }
.case { border-top: 2px solid #1f2324; padding: .8rem 0; display: grid; gap: .8rem 1.2rem;
  grid-template-columns: auto 1fr; break-inside: avoid }
.case h3 { grid-column: 1 / -1; margin: 0; font-size: 1rem; overflow-wrap: anywhere }
.pictures, .near { display: flex; gap: .5rem; align-items: flex-start; margin: 0 }
.case p { margin: 0 0 .4rem }
figure { margin: 0; font-size: .8rem; max-width: 14rem } .near figure { max-width: 8rem }
figcaption { overflow-wrap: anywhere }
.reason { border: 1px solid #85837b; padding: .3rem .6rem; min-height: 1.5rem }
@media (max-width: 50rem) { .case { grid-template-columns: 1fr } .pictures { flex-wrap: wrap } }
@media print { body { margin: 0; max-width: none; font-size: 11px } a { color: inherit } }
"""


def evaluation_report(
    evaluation: Evaluation, figures: Iterable[tuple[str, bytes]], pictures: GalleryPictures
) -> str:
    """Return the report; `figures` are (alternative text, SVG bytes)."""
    title = f"Evaluation of the model {evaluation.model.name}"
    drawn = "".join(
        f'<img alt="{escape(text)}" src="data:image/svg+xml;base64,{b64encode(svg).decode()}">'
        for text, svg in figures
    )
    parts = (
        _summary(evaluation),
        _warnings(evaluation),
        _accuracy(evaluation),
        _methods(evaluation),
        f'<div class="figures">{drawn}</div>',
        _calibration(evaluation),
        _subgroups(evaluation),
        _maps(evaluation),
        gallery(evaluation, pictures),
        _set_aside(evaluation),
        _how(evaluation),
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _summary(evaluation: Evaluation) -> str:
    data, model = evaluation.data, evaluation.model
    counted = (
        f"{data.images} images of {data.patients} patients in {data.table}. The positive class is "
        f"{evaluation.positive}; an image is called {evaluation.positive} from a probability of "
        f"{model.threshold:g} on. Every number is by image, every interval by patient."
    )
    lines = [
        counted,
        *(
            f"{name}: diagnosis from "
            + ", ".join(f"{source} ({count} images)" for source, count in sources.items())
            for name, sources in data.diagnosis_sources.items()
            if sources
        ),
    ]
    traced = (
        f"Model {model.name} ({model.backbone}), weights SHA-256 {model.weights_sha256}, training "
        f"images SHA-256 {model.training_images_sha256 or 'not recorded'}. Table SHA-256 "
        f"{data.table_sha256}, images SHA-256 {data.images_sha256}. reread "
        f"{evaluation.code['version']}, commit {evaluation.code['commit'] or 'unknown'}"
        f"{', with changes' if evaluation.code['changed_since'] else ''}; computed on "
        f"{model.device}."
    )
    said = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return f'{said}<p class="hash">{escape(traced)}</p>'


def _warnings(evaluation: Evaluation) -> str:
    """Write the remarks, those on the whole first; small parts say so in their own table."""
    shown = [warning for warning in evaluation.warnings if warning.code != "small_group"]
    return "".join(
        f'<p class="note">{_place(warning.where)}{escape(warning.text)}</p>'
        for warning in sorted(shown, key=lambda warning: warning.where != "")
    )


def _place(where: str) -> str:
    plain = where.replace("cohorts, ", "").replace("accuracy, ", "").replace("_", " ")
    return f"<strong>{escape(plain)}</strong>: " if plain else ""


def _images(n: Counts) -> str:
    return f"{n.images} ({n.patients})"


def _area(area: ClusteredAuc | None) -> str:
    if area is None:
        return "too few"
    if area.value is None:
        return UNDEFINED
    found = area.to_read
    return number(area.value) + (interval(found.low, found.high) if found else "")


def _share(share: ClusteredProportion | None) -> str:
    if share is None:
        return "too few"
    if share.value is None:
        return UNDEFINED
    counts = f"{share.numerator}/{share.denominator}"
    return f"{counts} = {share.value:.3f}{interval(share.low, share.high)}"


def _accuracy(evaluation: Evaluation) -> str:
    rows: list[tuple[str, ...]] = []
    for name, cohort in evaluation.cohorts.items():
        found = cohort.accuracy
        shares = (found.sensitivity, found.specificity, found.ppv, found.npv, found.prevalence)
        rows.append((name, _images(found.n), _area(found.auc), *map(_share, shares)))
    positive = evaluation.positive
    return table(
        f"Accuracy, positive class {positive}; {_BY_PATIENT}. PPV and NPV hold for the share of "
        f"{positive} beside them and for no other",
        (
            *("Cohort", "Images (patients)", "AUC", "Sensitivity", "Specificity", "PPV", "NPV"),
            f"Share of {positive}",
        ),
        rows,
    )


def _methods(evaluation: Evaluation) -> str:
    rows: list[tuple[str, ...]] = []
    for name, cohort in evaluation.cohorts.items():
        rows.append((name, "this model (CoOp)", _area(cohort.accuracy.auc), "", ""))
        for key, other in cohort.accuracy.alternatives.items():
            if other is None:
                rows.append((name, _METHODS[key], "the model has none", "", ""))
                continue
            gained = other.model_minus_this
            difference = (
                UNDEFINED
                if gained.difference is None
                else f"{gained.difference:+.3f}{interval(gained.low, gained.high)}"
            )
            rows.append((name, _METHODS[key], _area(other.auc), difference, p_value(gained.p)))
    return table(
        f"Three ways to score the same features, AUC for {evaluation.positive}; {_BY_PATIENT}",
        ("Cohort", "Scored by", "AUC", "This model minus it", "p"),
        rows,
    )


def _coefficient(found: Coefficient) -> str:
    return number(found.value) + interval(found.low, found.high)


def _mean(found: ClusteredMean | ClusteredProportion) -> str:
    return number(found.value) + interval(found.low, found.high)


def _calibration(evaluation: Evaluation) -> str:
    rows = [
        (
            name,
            str(found.images),
            *map(_coefficient, (found.in_the_large, found.intercept, found.slope)),
            number(found.observed_expected),
            _mean(found.brier),
        )
        for name, cohort in evaluation.cohorts.items()
        for found in (cohort.accuracy.calibration,)
    ]
    return table(
        f"Calibration of the probability of {evaluation.positive}; {_BY_PATIENT}. Perfect are 0, "
        "0, 1 and 1; a slope below 1 says that the probabilities are too extreme",
        ("Cohort", "Images", "In the large", "Intercept", "Slope", "Observed / expected", "Brier"),
        rows,
    )


def _subgroups(evaluation: Evaluation) -> str:
    rows: list[tuple[str, ...]] = []
    for name, cohort in evaluation.cohorts.items():
        for by, found in cohort.subgroups.items():
            characteristic = by.replace("_", " ")
            for value, part in found.parts.items():
                measured = (_area(part.auc), _share(part.sensitivity), _share(part.specificity))
                rows.append((name, characteristic, value, *_classes(part.n), *measured))
            if found.unknown.images:
                rows.append(
                    (name, characteristic, "not known", *_classes(found.unknown), *[""] * 3)
                )
    return table(
        f"Parts of the cohorts, positive class {evaluation.positive}; {_BY_PATIENT}; images "
        "(patients) of each class. Too few: fewer than 10 patients of a class needed. No "
        "test between parts is made",
        (
            *("Cohort", "By", "Value", evaluation.positive, evaluation.negative),
            *("AUC", "Sensitivity", "Specificity"),
        ),
        rows,
    )


def _classes(n: Counts) -> tuple[str, str]:
    return (
        f"{n.positive_images} ({n.positive_patients})",
        f"{n.negative_images} ({n.negative_patients})",
    )


def _maps(evaluation: Evaluation) -> str:
    rows: list[tuple[str, ...]] = []
    for name, cohort in evaluation.cohorts.items():
        rows += _map_rows(name, cohort)
    if not rows:
        return ""
    return table(
        f"Do the maps show what moves the model, and do they lie on the lesion? {_BY_PATIENT}. A "
        "gain above 0 speaks for the map",
        ("Cohort", "Images", "Check", "Map", "Beside it", "Gain of the map"),
        rows,
    )


def _map_rows(name: str, cohort: EvaluatedCohort) -> list[tuple[str, ...]]:
    found = cohort.maps
    if found is None:
        return []
    images = f"{found.images} of {found.of}, drawn from {found.drawn_from}, seed {found.seed}"
    blanking, placing = found.blanking, found.placing
    rows = [
        (
            *("answer while fields are blanked (lower is better)", blanking.deletion),
            *(blanking.deletion_random, "random map", blanking.deletion_gain),
        ),
        (
            *("answer while fields are restored (higher is better)", blanking.insertion),
            *(blanking.insertion_random, "random map", blanking.insertion_gain),
        ),
    ]
    if placing is not None:
        rows += [
            (
                *("strongest field lies on the lesion", placing.pointing),
                *(placing.pointing_centre, "the picture's centre", placing.pointing_gain),
            ),
            (
                *("share of the map outside the lesion (lower is better)", placing.energy_outside),
                *(_outside(placing.lesion_share), "even map", placing.energy_gain),
            ),
        ]
    return [
        (name, images, check, _mean(of_map), f"{what}: {number(other.value)}", _mean(gain))
        for check, of_map, other, what, gain in rows
    ]


def _outside(share: ClusteredMean) -> ClusteredMean:
    """Give what an even map has outside the lesion: all that is no lesion."""
    value = None if share.value is None else 1 - share.value
    return ClusteredMean(value, share.se, None, None, share.images, share.patients)


def _set_aside(evaluation: Evaluation) -> str:
    if not evaluation.set_aside:
        return ""
    return table(
        "Images measured in no cohort",
        ("Image", "Row", "Why"),
        [(each.image, str(each.row), each.reason) for each in evaluation.set_aside],
    )


def _how(evaluation: Evaluation) -> str:
    methods = dict.fromkeys(
        method
        for cohort in evaluation.cohorts.values()
        for found in (cohort.accuracy,)
        for method in (
            f"AUC: {found.auc.method}",
            f"shares: {found.sensitivity.method}",
            f"calibration: {found.calibration.method}",
            *(() if cohort.maps is None else (cohort.maps.blanking.method,)),
            *(
                ()
                if cohort.maps is None or cohort.maps.placing is None
                else (cohort.maps.placing.method,)
            ),
        )
    )
    return f'<p class="hash">Methods. {escape(". ".join(methods))}.</p>'
