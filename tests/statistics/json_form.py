"""The form of the results as JSON, as it was promised: every key, and what may be null."""

from typing import Any

NUMBER, COUNT, TEXT = "a number", "a whole number", "a text"
SHARE = {"value": NUMBER, "low": NUMBER, "high": NUMBER, "numerator": COUNT, "denominator": COUNT}
AREA = {"value": NUMBER, "se": NUMBER, "low": NUMBER, "high": NUMBER}
CHANGE = {"difference": NUMBER, "p": NUMBER, "low": NUMBER, "high": NUMBER}
IMPROVED = {"value": NUMBER, "se": NUMBER, "z": NUMBER, "p": NUMBER, "low": NUMBER, "high": NUMBER}
NRI = {**IMPROVED, "events": NUMBER, "nonevents": NUMBER}
F_TEST = {"f": NUMBER, "df1": COUNT, "df2": NUMBER, "se": NUMBER, **CHANGE}
ROCKETTE = {
    "random_readers_random_cases": F_TEST,
    "fixed_readers_random_cases": {"chi2": NUMBER, "df": COUNT, **CHANGE},
    "random_readers_fixed_cases": F_TEST,
    "components": dict.fromkeys(
        ("var", "cov1", "cov2", "cov3", "var_reader", "var_modality_reader"), NUMBER
    ),
}
U = dict.fromkeys(("variance", "df", "p", "low", "high"), NUMBER)
MEASURE = {
    "obuchowski_rockette": dict.fromkeys(("delong", "jackknife", "unbiased"), ROCKETTE),
    "u_statistics": {"unbiased": U, "mle": U},
}
MODALITY = {
    "auc": AREA,
    "auc_calls": AREA,
    **dict.fromkeys(("sensitivity", "specificity", "ppv", "npv", "accuracy"), SHARE),
}
COMPARISON = {
    "auc": {"difference": NUMBER, "se": NUMBER, "z": NUMBER, **CHANGE},
    **dict.fromkeys(("sensitivity", "specificity", "ppv", "npv"), CHANGE),
    "nri": dict.fromkeys(("calls", "category_free", "refitted"), NRI),
    "idi": dict.fromkeys(("calls", "scores", "refitted"), IMPROVED),
    "reclassification": {"events": [[COUNT]], "nonevents": [[COUNT]]},
    "reliance": {"all": {"rescued": COUNT, "talked_out": COUNT}},
}
NAMES = ("readers", "cases", "positives", "negatives", "missing", "rows")
WARNING = {"code": TEXT, "where": TEXT, "text": TEXT}


def form_of(modalities: list[str]) -> dict[str, Any]:
    """The form of a study of these modalities."""
    reader = {
        "reader": TEXT,
        "modalities": dict.fromkeys(modalities, MODALITY),
        "comparison": COMPARISON,
    }
    return {
        "data": {"sha256": TEXT, **dict.fromkeys(NAMES, COUNT)},
        "positive": TEXT,
        "modalities": [TEXT],
        "readers": [reader],
        "mrmc": dict.fromkeys(("auc", "auc_calls", "sensitivity", "specificity"), MEASURE),
        "agreement": {key: {"readers": {"n": COUNT, "observed": NUMBER}} for key in modalities},
        "warnings": [WARNING],
    }


def departures(found: object, form: object, place: str = "") -> list[str]:
    """Where the results depart from the form; null is allowed for whatever may be undefined."""
    if found is None:
        always = place.endswith(
            (".n", ".reader", ".positive", ".df1", ".numerator", ".denominator")
        )
        return [f"{place} is null"] if always or place in {"", ".data", ".readers"} else []
    if isinstance(form, dict):
        if not isinstance(found, dict):
            return [f"{place} is no object"]
        lacking = [f"{place}.{key} is not there" for key in form if key not in found]
        return lacking + [
            sentence
            for key in form
            if key in found
            for sentence in departures(found[key], form[key], f"{place}.{key}")
        ]
    if isinstance(form, list):
        if not isinstance(found, list):
            return [f"{place} is no list"]
        return [
            sentence
            for index, part in enumerate(found)
            for sentence in departures(part, form[0], f"{place}[{index}]")
        ]
    return _value(found, str(form), place)


def _value(found: object, form: str, place: str) -> list[str]:
    if form == TEXT:
        return [] if isinstance(found, str) and found else [f"{place} is no text"]
    if isinstance(found, bool) or not isinstance(found, int | float):
        return [f"{place} is no number"]
    if form == COUNT and not isinstance(found, int):
        return [f"{place} is no whole number"]
    return [f"{place} is 0"] if place.endswith(".p") and found == 0 else []
