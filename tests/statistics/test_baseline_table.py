"""The baseline table of a file of cases, by the command and inside an analysis."""

import json
from pathlib import Path

import numpy as np
import pytest
from study_cast import random_rows

from app.__main__ import main
from app.actions.analyse_file import AnalysisOptions, analyse_content
from app.actions.describe_cases import baseline_of_cases, read_characteristics, subgroup_values
from app.domain.errors import InvalidInput
from app.statistics.baseline import categorical_baseline, numeric_baseline

HEADER = "case_id,diagnosis,age,sex,fitzpatrick,ward,note\n"
OPTIONS = AnalysisOptions(bootstrap=0)


def cases(number: int = 70) -> list[list[str]]:
    """The cases of random_rows: the first thirty BCC; some ages and skin types are unknown."""
    rng = np.random.default_rng(3)
    return [
        [
            f"c{n}",
            "BCC" if n < 30 else "SK",
            "" if n % 17 == 0 else str(round(float(rng.normal(68 if n < 30 else 60, 9)))),
            rng.choice(["male", "Male", "female"]),
            "" if n % 5 == 0 else str(rng.integers(1, 4)),
            str(rng.integers(1, 4)),
            f"text {n}",
        ]
        for n in range(number)
    ]


def text_of(rows: list[list[str]], header: str = HEADER) -> bytes:
    return (header + "".join(",".join(row) + "\n" for row in rows)).encode()


def readings() -> bytes:
    lines = [f"{r[0]},{r[1]},{r[2]},{r[3]},{r[4]},{r[5]}" for r in random_rows()]
    return ("reader,case,truth,modality,call,score\n" + "\n".join(lines) + "\n").encode()


def test_each_row_is_the_test_of_its_column_on_the_cases_that_have_it() -> None:
    rows = cases()
    found = read_characteristics(text_of(rows), "cases.csv", categories=frozenset({"ward"}))
    table = baseline_of_cases(found, "cases.csv")
    assert (table.groups, table.n) == (("BCC", "SK"), (30, 40))
    assert found.left_out == ("note",)
    age, sex, skin, ward = table.rows
    known = [row for row in rows if row[2]]
    first = np.array([row[1] == "BCC" for row in known])
    assert age.numeric == numeric_baseline(np.array([float(row[2]) for row in known]), first)
    assert age.missing == (2, 3)
    all_first = np.array([row[1] == "BCC" for row in rows])
    # "Male" and "male" are one category, spelt as it comes first.
    spelt = next(row[3] for row in rows if row[3].casefold() == "male")
    sexes = tuple(spelt if row[3].casefold() == "male" else row[3] for row in rows)
    assert sex.categorical == categorical_baseline(sexes, all_first)
    assert skin.categorical is not None
    assert skin.categorical.categories == ("1", "2", "3")
    assert ward.categorical is not None
    numbers = read_characteristics(text_of(rows), "cases.csv")
    assert baseline_of_cases(numbers, "cases.csv").rows[3].numeric is not None


def test_the_command_prints_the_tests_and_writes_the_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "cases.csv", tmp_path / "baseline.json"
    path.write_bytes(text_of(cases()))
    assert main(["baseline", str(path), "--categories", "ward", "--json", str(out)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("BCC: 30 cases.\nSK: 40 cases.\n")
    assert "age: " in printed
    assert "unknown of 2 and 3" in printed
    assert "Left out, as neither numbers nor categories: note." in printed
    written = json.loads(out.read_text())
    assert [row["characteristic"] for row in written["rows"]] == [
        *("age", "sex", "fitzpatrick", "ward")
    ]
    assert written["rows"][0]["numeric"]["test"] in {"Student", "Welch", "Mann-Whitney"}


@pytest.mark.parametrize(
    ("lines", "options", "sentence"),
    [
        (["c1,BCC,60,,,,", "c2,BCC,61,,,,"], [], "holds BCC. Name a column of two values"),
        (["c1,BCC,60,,,,", "c1,SK,61,,,,"], [], "row 3: case c1 is already in row 2"),
        (["c1,BCC,60,,,,"], ["--group", "ward 7"], "there is no column ward 7"),
        (["c1,BCC,60,,,,"], ["--categories", "hospital"], "there is no column hospital"),
        ([], [], "there is no row below the column names"),
    ],
)
def test_a_file_that_makes_no_table_is_refused_with_a_sentence(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    lines: list[str],
    options: list[str],
    sentence: str,
) -> None:
    path, out = tmp_path / "cases.csv", tmp_path / "baseline.json"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines))
    assert main(["baseline", str(path), "--json", str(out), *options]) == 1
    assert sentence in capsys.readouterr().err
    assert not out.exists()


def test_an_analysis_compares_the_true_classes_of_the_cases_that_were_read() -> None:
    found = read_characteristics(text_of(cases(69)), "cases.csv")
    results = analyse_content(readings(), name="r.csv", options=OPTIONS, cases=found)
    assert results.baseline is not None
    assert (results.baseline.groups, results.baseline.n) == (("BCC", "SK"), (30, 40))
    assert results.baseline.rows[0].missing == (2, 4)  # one more: the case without a row
    assert "1 of 70 cases have no row" in " ".join(w.text for w in results.warnings)
    same = analyse_content(readings(), name="r.csv", options=OPTIONS)
    assert same.baseline is None
    assert same.readers == results.readers


def test_cases_of_another_study_are_refused() -> None:
    found = read_characteristics(text_of([["x1", "BCC", *[""] * 5]]), "cases.csv")
    with pytest.raises(InvalidInput, match="No case of the readings has a row"):
        analyse_content(readings(), name="r.csv", options=OPTIONS, cases=found)


def test_subgroups_are_made_by_a_column_of_the_cases() -> None:
    found = read_characteristics(text_of(cases()), "cases.csv")
    options = AnalysisOptions(bootstrap=0, subgroup="sex")
    results = analyse_content(readings(), name="r.csv", options=options, cases=found)
    assert results.subgroups is not None
    assert results.subgroups.column == "sex"
    assert sum(part.data.cases for part in results.subgroups.values) == 70
    options = AnalysisOptions(bootstrap=0, subgroup="hospital")
    with pytest.raises(InvalidInput, match="no hospital to make subgroups of, but age, sex"):
        analyse_content(readings(), name="r.csv", options=options, cases=found)


def test_numbers_of_many_values_are_parted_at_their_median() -> None:
    rows = cases()
    values = subgroup_values(read_characteristics(text_of(rows), "cases.csv"), "age")
    middle = np.median([float(row[2]) for row in rows if row[2]])
    expected = {
        row[0]: "" if not row[2] else f"{middle:g} and below" if float(row[2]) <= middle
        else f"above {middle:g}"
        for row in rows
    }  # fmt: skip
    assert values == expected


def test_a_characteristic_known_in_one_class_only_is_said_so() -> None:
    rows = [[*row[:2], row[2] if row[1] == "BCC" else "", *row[3:]] for row in cases()]
    found = read_characteristics(text_of(rows), "cases.csv")
    results = analyse_content(readings(), name="r.csv", options=OPTIONS, cases=found)
    assert results.baseline is not None
    assert results.baseline.rows[0].numeric is None
    assert "one_group" in {warning.code for warning in results.warnings}
    json.dumps(results.json(), allow_nan=False)


def test_the_report_holds_the_cases_the_reliance_and_the_calibration(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_bytes(text_of(cases()))
    lines = [
        f"{r[0]},{r[1]},{r[2]},{r[3]},{r[4]},{r[5]},{r[6]},{occasion}"
        for r in random_rows(2)
        for occasion in (1, 2)
    ]
    header = "reader,case,truth,modality,call,score,ai_probability,occasion\n"
    (tmp_path / "r.csv").write_text(header + "\n".join(lines) + "\n")
    out = tmp_path / "report.html"
    arguments = ["analyse", str(tmp_path / "r.csv"), "--bootstrap", "0", "--html", str(out)]
    assert main([*arguments, "--cases", str(tmp_path / "cases.csv"), "--subgroup", "sex"]) == 0
    report = out.read_text()
    for caption in (
        "Reliance on the model, positive class BCC; Schemmer 2023",
        "Calibration of the scores as probabilities of BCC",
        "First and second reading of the same cases",
        "Subgroups by sex, positive class BCC",
        "The cases: 30 BCC and 40 SK; Shapiro-Wilk",
    ):
        assert caption in report
