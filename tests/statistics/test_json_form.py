"""The JSON of an analysis has every key that was promised, whatever form the readings came in."""

import copy
import json
from typing import Any

import pytest
from json_form import departures, form_of
from reference_data import FOLDER
from study_cast import random_rows

from app.actions.analyse_file import AnalysisOptions, analyse_content, as_text, read_file
from app.actions.convert_readings import as_imrmc

OWN = (
    "reader_id,case_id,truth,modality,call,score,confidence,position,model_version,ai_probability,"
    "ai_call,simulated,reading_id\n"
)


def own_export() -> bytes:
    """Our own columns, two readers: 30 BCC and 40 SK."""
    lines = [
        f"{reader},{case},{truth},{arm},{call},{score},50,1,m,"
        f"{probability if arm == 'aided' else ''},,yes,id\n"
        for reader, case, truth, arm, call, score, probability, _ in random_rows(2)
    ]
    return (OWN + "".join(lines)).encode()


def foreign() -> bytes:
    return (FOLDER / "data" / "VanDyke.csv").read_bytes()


def wide() -> bytes:
    return (FOLDER / "data" / "d11_conf7_707.csv").read_bytes()


def imrmc() -> bytes:
    options = AnalysisOptions()
    return as_imrmc(read_file(own_export(), "r.csv", options), options)


FILES: dict[str, tuple[bytes, AnalysisOptions]] = {
    "own export": (own_export(), AnalysisOptions(bootstrap=50)),
    "foreign long CSV": (foreign(), AnalysisOptions(bootstrap=0)),
    "wide CSV": (wide(), AnalysisOptions(bootstrap=0)),
    "iMRMC": (imrmc(), AnalysisOptions(positive="1", bootstrap=0)),
}


def analysed(name: str) -> dict[str, Any]:
    content, options = FILES[name]
    return json.loads(as_text(analyse_content(content, name=name, options=options)))


@pytest.mark.parametrize("name", FILES)
def test_the_results_have_the_promised_form(name: str) -> None:
    results = analysed(name)
    assert len(results["modalities"]) == 2
    assert departures(results, form_of(results["modalities"])) == []
    assert results["data"]["cases"] == results["data"]["positives"] + results["data"]["negatives"]
    assert results["warnings"]


def test_what_an_own_export_defines_is_not_null() -> None:
    results = analysed("own export")
    reader = results["readers"][0]
    assert all(reader["comparison"]["nri"][key] for key in ("calls", "category_free", "refitted"))
    assert all(reader["comparison"]["idi"][key] for key in ("calls", "scores", "refitted"))
    assert reader["comparison"]["reliance"]["all"]["n"] == 70
    analysis = results["mrmc"]["auc"]["obuchowski_rockette"]["jackknife"]
    assert None not in {analysis["random_readers_random_cases"][key] for key in ("f", "df2", "p")}
    assert results["mrmc"]["sensitivity"]["u_statistics"]["mle"]["variance"] is not None
    assert results["agreement"]["aided"]["readers"]["n"] == 70


def test_what_a_single_reader_lacks_is_null_and_not_left_out() -> None:
    results = analysed("wide CSV")
    analysis = results["mrmc"]["auc"]["obuchowski_rockette"]["delong"]
    assert analysis["random_readers_random_cases"] is None
    assert analysis["fixed_readers_random_cases"]["p"] is not None
    assert results["mrmc"]["auc"]["u_statistics"] is None
    assert results["agreement"]["aided"]["readers"] is None


def test_differences_are_comparison_minus_baseline() -> None:
    for reader in analysed("own export")["readers"]:
        for key in ("auc", "sensitivity", "specificity", "ppv", "npv"):
            arms = [reader["modalities"][arm][key]["value"] for arm in ("unaided", "aided")]
            difference = reader["comparison"][key]["difference"]
            assert difference == pytest.approx(arms[1] - arms[0], abs=1e-12)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda r: r["data"].pop("missing"), ".data.missing is not there"),
        (lambda r: r["readers"][1]["comparison"]["nri"].pop("refitted"), "nri.refitted is not"),
        (lambda r: r["readers"][0].update(reader=None), "readers[0].reader is null"),
        (lambda r: r["readers"][0]["comparison"]["auc"].update(p=0.0), "auc.p is 0"),
        (lambda r: r["data"].update(rows=1.5), ".data.rows is no whole number"),
        (lambda r: r["mrmc"]["auc"]["u_statistics"].pop("mle"), "u_statistics.mle is not there"),
    ],
)
def test_a_departure_from_the_form_is_found(change: Any, sentence: str) -> None:  # noqa: ANN401
    results = copy.deepcopy(analysed("own export"))
    change(results)
    found = departures(results, form_of(results["modalities"]))
    assert len(found) == 1
    assert sentence in found[0]
