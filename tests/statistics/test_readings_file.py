"""Files of readings: what is understood, and how every problem is said."""

from pathlib import Path

import pytest
from reference_data import FOLDER
from study_cast import random_rows

from app.actions.analyse_file import (
    AnalysisOptions,
    analyse_content,
    analyse_file,
    as_text,
)
from app.actions.write_analysis import write_analysis
from app.domain.errors import InvalidInput
from app.domain.readings_file import parse_readings
from app.domain.readings_imrmc import write_imrmc
from app.statistics.table import Row

HEADER = "reader_id,case_id,truth,modality,call,score\n"
GOOD = HEADER + "A,1,BCC,unaided,BCC,0.8\nA,1,BCC,aided,BCC,0.9\nA,2,SK,unaided,SK,0.1\n"


def sentences(text: str, positive: str | None = None) -> list[str]:
    problems = parse_readings(text.encode(), file="r.csv", positive=positive).problems
    return [str(problem) for problem in problems]


def test_a_long_file_is_read_as_it_stands() -> None:
    file = parse_readings(GOOD.encode(), file="r.csv")
    assert file.problems == ()
    assert (file.form, file.positive, file.score_class) == ("long CSV", "BCC", "BCC")
    assert file.readings[0] == ("A", "1", "BCC", "unaided", "BCC", 0.8, None, None)


@pytest.mark.parametrize(
    "header",
    [
        "reader,case,truth,treatment,call,rating\n",
        "readerID,caseID,truth,modalityID,call,score\n",
        "\ufeffReader ID;Case ID;Truth;Modality;Call;Score\n",
    ],
)
def test_synonyms_are_understood(header: str) -> None:
    text = header + GOOD.split("\n", 1)[1]
    if ";" in header:
        text = text.replace(",", ";")
    assert sentences(text) == []


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (
            "A,2,SK,unaided,SK,0.1",
            "r.csv, row 5, column modality: Reader A read case 2 unaided already in row 4. Number",
        ),
        ("A,2,BCC,aided,SK,0.1", "r.csv, row 5, column truth: Case 2 is BCC here and SK in row 4."),
        ("A,2,SK,aided,NV,0.1", "r.csv, row 5, column call: NV is a third class"),
        ("A,2,SK,aided,SK,nan", "r.csv, row 5, column score: nan is not a finite number."),
        ("A,2,SK,aided,SK,high", "r.csv, row 5, column score: high is not a number."),
        ("A,2,SK,aided,SK,1_0", "r.csv, row 5, column score: 1_0 is not a number."),
        ("A,2,SK,aided,SK,1e999", "r.csv, row 5, column score: 1e999 is not a finite number."),
        (",2,SK,aided,SK,0.1", "r.csv, row 5, column reader_id: The reader is missing."),
        ("A,2,,aided,SK,0.1", "r.csv, row 5, column truth: The reference diagnosis is missing."),
        ("A,2,SK,aided,SK", "r.csv, row 5: The row has 5 columns, the header 6."),
    ],
)
def test_each_problem_is_said_with_its_place(row: str, sentence: str) -> None:
    found = sentences(GOOD + row + "\n")
    assert len(found) == 1
    assert found[0].startswith(sentence)


def test_all_problems_are_listed_not_only_the_first() -> None:
    assert len(sentences(GOOD + "A,2,SK,aided,SK,x\n,3,SK,aided,SK,y\n")) == 3


def test_our_own_export_holds_scores_to_the_unit_interval() -> None:
    header = HEADER.strip() + ",ai_probability,simulated\n"
    assert sentences(header + "A,1,BCC,unaided,BCC,1.2,0.4,no\n") == [
        "r.csv, row 2, column score: 1.2 lies outside 0 to 1."
    ]
    file = parse_readings((header + "A,1,BCC,aided,BCC,0.9,0.4,yes\n").encode(), file="r.csv")
    assert file.simulated == {"A"}
    assert file.readings[0].ai_probability == 0.4


def test_missing_columns_are_named() -> None:
    assert sentences("reader,case,modality,score\n") == [
        "r.csv, row 1: There is no column for truth."
    ]


def test_empty_and_undecodable_files_are_refused() -> None:
    assert sentences("") == ["r.csv: The file is empty."]
    assert sentences(HEADER) == ["r.csv: The file holds no reading."]
    file = parse_readings(b"reader\n\xff\n", file="r.csv")
    assert "not UTF-8" in str(file.problems[0])


def test_a_file_without_bcc_names_its_positive_class() -> None:
    text = GOOD.replace("BCC", "MEL")
    assert sentences(text) == ["r.csv: Name the positive class; the file knows MEL and SK."]
    assert sentences(text, positive="mel") == []
    assert "is to be NV" in sentences(text, positive="NV")[0]


def test_zero_and_one_stand_for_the_classes() -> None:
    coded = parse_readings(
        GOOD.replace("BCC", "1").replace("SK", "0").encode(), file="r.csv", positive="BCC"
    )
    assert coded.readings[2].truth == "not BCC"
    assert parse_readings(GOOD.replace(",BCC,0", ",1,0").encode(), file="r.csv").problems == ()


def test_the_same_study_in_three_forms_gives_the_same_numbers(tmp_path: Path) -> None:
    wide = FOLDER / "data" / "d04_continuous200.csv"
    readings = parse_readings(wide.read_bytes(), file="wide").readings
    long_file, imrmc = tmp_path / "long.csv", tmp_path / "study.imrmc"
    long_file.write_text(
        HEADER + "".join(f"{r[0]},{r[1]},{r[2]},{r[3]},,{r[5]!r}\n" for r in readings)
    )
    imrmc.write_text(write_imrmc(readings, positive="1"))
    one, two, three = (analyse_file(path) for path in (wide, long_file, imrmc))
    assert one.readers == two.readers == three.readers


def test_an_imrmc_file_may_use_minus_one_for_the_truth_and_lack_none() -> None:
    text = "free text\nBEGIN DATA:\n-1,1,0,1\n-1,2,0,0\nA,1,m,3\nA,2,m,4\nA,3,m,4\n"
    assert sentences(text) == ["r.csv, row 7, column caseID: Case 3 has no truth row."]
    assert sentences(text.replace("A,3,m,4\n", "")) == []


def test_an_imrmc_file_obeys_the_programs_rules() -> None:
    """The rules of the Java program, checked apart from our own reader."""
    source = FOLDER / "data" / "VanDyke.csv"
    readings = parse_readings(source.read_bytes(), file="v").readings
    header, data = write_imrmc(readings, positive="1").split("BEGIN DATA:\n")
    assert header
    records = [line.split(",") for line in data.splitlines()]
    assert all(len(record) == 4 for record in records)
    truth = {record[1]: record[3] for record in records if record[0] == "truth"}
    assert {record[2] for record in records if record[0] == "truth"} == {"truth"}
    assert (len(truth), set(truth.values())) == (114, {"0", "1"})
    scores = [record for record in records if record[0] != "truth"]
    assert len({tuple(record[:3]) for record in scores}) == len(scores) == 1140
    assert all(record[1] in truth and float(record[3]) >= 0 for record in scores)


def test_names_with_commas_or_blanks_cannot_become_an_imrmc_file() -> None:
    readings = parse_readings(GOOD.replace("A,", "Dr A,").encode(), file="r").readings
    with pytest.raises(ValueError, match="comma or blank"):
        write_imrmc(readings, positive="BCC")


def test_write_analysis_writes_the_json_and_the_same_bytes_twice(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text(GOOD)
    options = AnalysisOptions(bootstrap=0)
    results = write_analysis(source, options, json_path=tmp_path / "out.json")
    assert (tmp_path / "out.json").read_text() == as_text(results)
    assert results.data.sha256 is not None
    assert results.data.missing == 1


def test_the_report_is_one_file_without_script_that_escapes_names(tmp_path: Path) -> None:
    source, report = tmp_path / "r.csv", tmp_path / "report.html"
    source.write_text(GOOD.replace("A,", "<b>A</b>,"))
    write_analysis(source, AnalysisOptions(bootstrap=0), html_path=report)
    text = report.read_text()
    assert "<b>A</b>" not in text
    assert "<script" not in text
    assert "positive class BCC" in text
    assert 'src="data:image/svg+xml' in text


def test_the_report_of_several_readers_names_the_population(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    write_analysis(FOLDER / "data" / "VanDyke.csv", AnalysisOptions(bootstrap=0), html_path=report)
    assert "5 readers: the test treats them as a sample" in report.read_text()


def test_the_report_shows_bootstrap_agreement_and_failures(tmp_path: Path) -> None:
    source, report = tmp_path / "r.csv", tmp_path / "report.html"
    lines = [
        f"{row[0]},{row[1]},{row[2]},{row[3]},{row[4]},{row[5]},{row[6]}" for row in random_rows()
    ]
    source.write_text("\n".join([HEADER.strip() + ",ai_probability", *lines]) + "\n")
    write_analysis(source, AnalysisOptions(bootstrap=50), html_path=report)
    text = report.read_text()
    for said in ("50 resamples, seed 1", "Fleiss 1971", "Cases called wrong", "model"):
        assert said in text
    assert text.count("<img") == 3 + 2 * 3


def test_a_bad_file_raises_with_its_problems(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text(GOOD + "A,2,SK,aided,SK,x\n")
    with pytest.raises(InvalidInput, match="row 5, column score") as refused:
        analyse_file(source)
    assert len(refused.value.problems) == 1


def test_a_modality_that_the_file_does_not_know_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text(GOOD)
    with pytest.raises(InvalidInput, match="unaided and later are to be compared"):
        analyse_file(source, AnalysisOptions(comparison="later"))


def test_scores_turn_with_the_positive_class() -> None:
    file = parse_readings(GOOD.encode(), file="r.csv", positive="SK")
    assert (file.positive, file.score_class) == ("SK", "BCC")


def with_sex(rows: list[Row], values: str = "fm") -> str:
    lines = [
        f"{row[0]},{row[1]},{row[2]},{row[3]},{row[4]},{row[5]},{values[int(row[1][1:]) % 2]}"
        for row in rows
    ]
    return "\n".join([HEADER.strip() + ",sex", *lines]) + "\n"


def test_subgroups_of_cases_are_analysed_apart(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text(with_sex(random_rows()))
    study = analyse_file(source, AnalysisOptions(bootstrap=0, subgroup="Sex"))
    assert study.subgroups is not None
    assert [part.value for part in study.subgroups.values] == ["f", "m"]
    assert sum(part.data.cases for part in study.subgroups.values) == study.data.cases
    assert any(warning.code == "subgroups" for warning in study.warnings)
    as_text(study)
    alone = tmp_path / "f.csv"
    alone.write_text(with_sex([row for row in random_rows() if int(row[1][1:]) % 2 == 0]))
    expected = analyse_file(alone, AnalysisOptions(bootstrap=0))
    assert study.subgroups.values[0].readers == expected.readers


def test_subgroups_that_cannot_be_are_refused(tmp_path: Path) -> None:
    source = tmp_path / "r.csv"
    source.write_text(with_sex(random_rows(1)))
    for name, sentence in (("age", "no column age"), ("truth", "no characteristic")):
        with pytest.raises(InvalidInput, match=sentence):
            analyse_file(source, AnalysisOptions(subgroup=name))
    source.write_text(with_sex(random_rows(1), "ff"))
    with pytest.raises(InvalidInput, match="has 1 values"):
        analyse_file(source, AnalysisOptions(bootstrap=0, subgroup="sex"))
    source.write_text(with_sex(random_rows(1)) + "R0,c0,BCC,later,BCC,0.5,m\n")
    with pytest.raises(InvalidInput, match="Case c0 has m here and f further up"):
        analyse_file(source, AnalysisOptions(bootstrap=0, subgroup="sex"))


def test_the_spelling_of_a_class_turns_no_score() -> None:
    lower = GOOD.replace("BCC", "bcc").encode()
    file = parse_readings(lower, file="r.csv")
    assert (file.positive, file.score_class) == ("bcc", "bcc")
    one = analyse_content(GOOD.encode(), name="r", options=AnalysisOptions(bootstrap=0))
    two = analyse_content(lower, name="r", options=AnalysisOptions(bootstrap=0))
    assert [r.modalities for r in one.readers] == [r.modalities for r in two.readers]


def test_a_class_of_the_scores_that_the_file_does_not_know_is_refused() -> None:
    options = AnalysisOptions(bootstrap=0, score_class="melanoma")
    with pytest.raises(InvalidInput, match="speak for melanoma, but the readings are about BCC"):
        analyse_content(GOOD.encode(), name="r", options=options)
