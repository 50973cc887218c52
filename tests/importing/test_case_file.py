"""The case file: three sets of columns, every problem by row and column, never an exception."""

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.domain.case_file import CaseFile, parse_case_file
from app.domain.csv_table import MAX_BYTES, MAX_ROWS

OWN_HEADER = (
    "case_id,image,diagnosis,diagnosis_confirm,age,sex,anatom_site,fitzpatrick,"
    "patient_id,lesion_id,modality,synthetic"
)


def parse(text: str) -> CaseFile:
    return parse_case_file(text.encode(), name="cases.csv")


def places(parsed: CaseFile) -> list[tuple[int | None, str | None]]:
    return [(problem.row, problem.column) for problem in parsed.problems]


def only_problem(parsed: CaseFile) -> str:
    assert len(parsed.problems) == 1, [str(problem) for problem in parsed.problems]
    return str(parsed.problems[0])


# --- our own columns ---


def test_a_full_row_of_our_own_columns() -> None:
    parsed = parse(f"{OWN_HEADER}\nC1,a.jpg,BCC,histo,64,female,nose,II,P1,L1,dermoscopic,no\n")
    assert parsed.problems == ()
    assert parsed.format == "own"
    (case,) = parsed.cases
    assert (case.case_id, case.diagnosis, case.diagnosis_source) == ("C1", "BCC", "histopathology")
    assert (case.patient_id, case.lesion_id, case.age, case.sex) == ("P1", "L1", 64, "female")
    assert (case.anatomical_site, case.fitzpatrick, case.synthetic) == ("nose", 2, False)
    assert [(i.file, i.row, i.modality) for i in case.images] == [("a.jpg", 2, "dermoscopic")]


def test_image_and_diagnosis_are_enough_and_the_case_takes_the_name_of_its_image() -> None:
    parsed = parse("image,diagnosis\nPAT_1.JPG,SK\nISIC_2,bcc\n")
    assert parsed.problems == ()
    assert [case.case_id for case in parsed.cases] == ["PAT_1", "ISIC_2"]
    assert [case.diagnosis for case in parsed.cases] == ["SK", "BCC"]
    assert parsed.cases[0].images[0].modality == "other"
    assert (parsed.cases[0].age, parsed.cases[0].sex) == (None, "")


def test_rows_of_one_case_id_are_one_case_of_several_images() -> None:
    parsed = parse(
        "case_id,image,diagnosis,modality,age\n"
        "C1,a.jpg,BCC,dermoscopic,\nC2,b.jpg,SK,clinical,50\nC1,c.jpg,BCC,clinical smartphone,61\n"
    )
    assert parsed.problems == ()
    first, second = parsed.cases
    assert [(i.file, i.row, i.modality) for i in first.images] == [
        ("a.jpg", 2, "dermoscopic"),
        ("c.jpg", 4, "clinical"),
    ]
    assert first.age == 61  # filled from the row that says it
    assert len(second.images) == 1
    assert parsed.image_count == 3


def test_i3_rows_of_a_case_that_contradict_each_other_are_each_a_problem() -> None:
    parsed = parse(
        "case_id,image,diagnosis,age,patient_id,synthetic\n"
        "C1,a.jpg,BCC,60,P1,no\nC1,b.jpg,SK,61,P2,yes\n"
    )
    assert places(parsed) == [(3, c) for c in ("diagnosis", "patient_id", "age", "synthetic")]
    assert "'BCC' in an earlier row and 'SK' here" in str(parsed.problems[0])
    assert "'no' in an earlier row and 'yes' here" in str(parsed.problems[3])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("BCC", "BCC"),
        ("Basal cell  carcinoma", "BCC"),
        ("sk", "SK"),
        ("SEK", "SK"),
        ("Seborrheic keratosis", "SK"),
        ("seborrhoeic keratosis", "SK"),
    ],
)
def test_diagnoses_are_understood_by_their_usual_names(written: str, meant: str) -> None:
    parsed = parse(f"image,diagnosis\na.jpg,{written}\n")
    assert parsed.problems == ()
    assert parsed.cases[0].diagnosis == meant


@pytest.mark.parametrize("written", ["MEL", "NEV", "BKL", "benign keratosis", "BCC?", "0", "bccc"])
def test_any_other_diagnosis_is_a_problem_that_says_how_to_mend_it(written: str) -> None:
    sentence = only_problem(parse(f"image,diagnosis\na.jpg,{written}\n"))
    assert sentence.startswith(f"cases.csv, row 2, column diagnosis: '{written}' is neither basal")
    assert "remove the row or correct it" in sentence


def test_a_doubt_behind_a_comma_is_not_a_diagnosis() -> None:
    parsed = parse('image,diagnosis\na.jpg,"seborrheic keratosis, exclude melanoma"\n')
    assert places(parsed) == [(2, "diagnosis")]


@pytest.mark.parametrize("age", ["-1", "121", "999", "abc", "53.5", "٥٣", "1e2", "0x10", "85+"])
def test_ages_that_are_not_whole_years_up_to_120_are_problems(age: str) -> None:
    parsed = parse(f"image,diagnosis,age\na.jpg,BCC,{age}\n")
    assert places(parsed) == [(2, "age")]


@pytest.mark.parametrize(
    ("written", "years"), [("0", 0), ("120", 120), ("53.0", 53), ("", None), ("NaN", None)]
)
def test_ages_are_whole_years_or_missing(written: str, years: int | None) -> None:
    parsed = parse(f"image,diagnosis,age\na.jpg,BCC,{written}\n")
    assert parsed.problems == ()
    assert parsed.cases[0].age == years


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sex", "girl"),
        ("fitzpatrick", "7"),
        ("fitzpatrick", "0"),
        ("synthetic", "perhaps"),
        ("patient_id", "p" * 101),
        ("case_id", "a b"),
        ("case_id", "../x"),
        ("case_id", "c" * 65),
        ("case_id", "é1"),
    ],
)
def test_i3_a_cell_outside_its_range_is_named_by_row_and_column(column: str, value: str) -> None:
    assert places(parse(f"image,diagnosis,{column}\na.jpg,BCC,{value}\n")) == [(2, column)]


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/passwd", "sub\\a.jpg", "..", ".", "x/y.jpg"])
def test_i3_image_names_that_lead_elsewhere_are_problems(name: str) -> None:
    parsed = parse(f"case_id,image,diagnosis\nC1,{name},BCC\n")
    assert places(parsed) == [(2, "image")]
    assert parsed.cases == ()


def test_what_is_no_case_id_is_named_with_what_one_may_hold() -> None:
    problem = only_problem(parse("case_id;image;diagnosis\n病例 1;a.jpg;BCC"))
    assert "row 2, column case_id: '病例 1' is not a case id: it has 1 to 64 letters" in problem


def test_a_table_that_excel_saved_in_a_chinese_encoding_is_told_what_to_choose() -> None:
    table = "编号病例诊断部位年龄" * 40
    problem = only_problem(parse_case_file(table.encode("gb18030"), name="cases.csv"))
    assert "not text in UTF-8; in Excel choose Save as, CSV UTF-8" in problem


def test_an_image_name_that_cannot_be_a_case_id_asks_for_one() -> None:
    parsed = parse("image,diagnosis\nphoto 1 (é).jpg,BCC\n")
    assert "fill in case_id" in only_problem(parsed)
    assert parse("case_id,image,diagnosis\nC1,photo 1 (é).jpg,BCC\n").problems == ()


@pytest.mark.parametrize("second", ["a.jpg", "A.JPG", "a"])
def test_i3_an_image_listed_twice_is_a_problem(second: str) -> None:
    parsed = parse(f"case_id,image,diagnosis\nC1,a.jpg,BCC\nC2,{second},BCC\n")
    assert "column image: this image is already listed in row 2" in only_problem(parsed)


def test_an_image_and_its_other_kind_are_two_images() -> None:
    assert parse("case_id,image,diagnosis\nC1,a.jpg,BCC\nC1,a.png,BCC\n").image_count == 2


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("dermoscopic", "dermoscopic"),
        ("Dermatoscopy", "dermoscopic"),
        ("contact polarized dermoscopy", "dermoscopic"),
        ("non-dermoscopic", "other"),
        ("clinical: close-up", "clinical"),
        ("macroscopic", "clinical"),
        ("TBP tile: close-up", "other"),
        ("", "other"),
    ],
)
def test_modalities_are_dermoscopic_clinical_or_other(written: str, meant: str) -> None:
    parsed = parse(f"image,diagnosis,modality\na.jpg,BCC,{written}\n")
    assert parsed.cases[0].images[0].modality == meant


def test_i3_every_problem_is_listed_not_only_the_first() -> None:
    parsed = parse(
        "case_id,image,diagnosis,age,sex\n"
        "C1,a.jpg,MEL,200,it\n"
        ",,,,\n"
        "C2,,,x,\n"
        "C3,b.jpg,SK,40,m\n"
        "!,c.jpg,NV,40,f\n"
    )
    assert places(parsed) == [
        (2, "diagnosis"),
        (2, "age"),
        (2, "sex"),
        (4, "image"),
        (4, "diagnosis"),
        (4, "age"),
        (6, "case_id"),
        (6, "diagnosis"),
    ]


def test_columns_that_are_not_used_are_named() -> None:
    assert parse("image,diagnosis,fitzpatric\na.jpg,BCC,2\n").ignored_columns == ("fitzpatric",)


# --- the ISIC archive and PAD-UFES-20 ---

ISIC_NEW = (
    "isic_id,attribution,copyright_license,age_approx,anatom_site_general,diagnosis_1,"
    "diagnosis_2,diagnosis_3,diagnosis_4,diagnosis_5,diagnosis_confirm_type,image_type,"
    "lesion_id,patient_id,sex\n"
    "ISIC_0000001,MSK,CC-0,65.0,head/neck,Malignant,Malignant epidermal proliferations,"
    'Basal cell carcinoma,"Basal cell carcinoma, Nodular",,histopathology,dermoscopic,'
    "IL_1,IP_1,male\n"
    "ISIC_0000002,MSK,CC-0,,,Benign,Benign epidermal proliferations,Seborrheic keratosis,,,"
    "single image expert consensus,clinical: overview,IL_2,IP_2,female\n"
)


def test_the_isic_archive_with_five_levels_of_diagnosis() -> None:
    parsed = parse(ISIC_NEW)
    assert (parsed.format, parsed.problems) == ("isic", ())
    first, second = parsed.cases
    assert (first.case_id, first.diagnosis, first.age) == ("ISIC_0000001", "BCC", 65)
    assert (first.anatomical_site, first.diagnosis_source) == ("head/neck", "histopathology")
    assert (first.lesion_id, first.patient_id) == ("IL_1", "IP_1")
    assert first.images[0].file == "ISIC_0000001"
    assert first.images[0].modality == "dermoscopic"
    assert (second.diagnosis, second.diagnosis_source, second.images[0].modality) == (
        "SK",
        "single image expert consensus",
        "clinical",
    )
    assert "attribution" in parsed.ignored_columns


def test_the_isic_archive_with_its_older_diagnosis() -> None:
    parsed = parse(
        "isic_id,age_approx,benign_malignant,diagnosis,sex\n"
        "ISIC_1,70,malignant,basal cell carcinoma,male\n"
        "ISIC_2,50,benign,pigmented benign keratosis,female\n"
        "ISIC_3,50,benign,seborrheic keratosis,unknown\n"
    )
    assert [case.diagnosis for case in parsed.cases] == ["BCC", "", "SK"]
    assert "row 3, column diagnosis: 'pigmented benign keratosis'" in only_problem(parsed)


def test_an_isic_row_that_names_both_diagnoses_is_a_problem() -> None:
    parsed = parse(
        "isic_id,diagnosis_3,diagnosis\nISIC_1,Basal cell carcinoma,seborrheic keratosis\n"
    )
    assert places(parsed) == [(2, "diagnosis_3")]


def test_other_isic_diagnoses_are_named_at_their_most_exact_level() -> None:
    parsed = parse("isic_id,diagnosis_1,diagnosis_3\nISIC_1,Benign,Nevus\nISIC_2,,\n")
    assert places(parsed) == [(2, "diagnosis_3"), (3, "diagnosis_1")]
    assert "'Nevus'" in str(parsed.problems[0])


def test_isic_images_of_one_case_when_a_case_id_is_added() -> None:
    parsed = parse("case_id,isic_id,diagnosis\nA,ISIC_1,SK\nA,ISIC_2,SK\n")
    assert [(case.case_id, len(case.images)) for case in parsed.cases] == [("A", 2)]


PAD = (
    "patient_id,lesion_id,smoke,drink,background_father,background_mother,age,pesticide,gender,"
    "skin_cancer_history,cancer_history,has_piped_water,has_sewage_system,fitspatrick,region,"
    "diameter_1,diameter_2,diagnostic,itch,grew,hurt,changed,bleed,elevation,img_id,biopsed\n"
    "PAT_1,881,False,False,X,X,55,False,FEMALE,True,True,True,True,3.0,NECK,6.0,5.0,BCC,True,"
    "True,False,True,True,True,PAT_1_881_14.png,True\n"
    "PAT_2,1,,,,,77,,,,,,,,FACE,,,SEK,True,False,False,False,False,True,PAT_2_1_1.png,False\n"
)


def test_pad_ufes_20() -> None:
    parsed = parse(PAD)
    assert (parsed.format, parsed.problems) == ("pad-ufes-20", ())
    first, second = parsed.cases
    assert (first.case_id, first.diagnosis, first.diagnosis_source) == (
        "PAT_1_881_14",
        "BCC",
        "histopathology",
    )
    assert (first.sex, first.fitzpatrick, first.anatomical_site) == ("female", 3, "NECK")
    assert (second.diagnosis, second.diagnosis_source) == ("SK", "clinical consensus")
    assert first.images[0].modality == "clinical"


def test_pad_ufes_20_lists_each_row_of_another_diagnosis() -> None:
    parsed = parse("img_id,diagnostic\na.png,MEL\nb.png,BCC\nc.png,NEV\nd.png,ACK\n")
    assert places(parsed) == [(row, "diagnostic") for row in (2, 4, 5)]


# --- the text file itself ---

PLAIN = "image,diagnosis,anatom_site\na.jpg,BCC,ear é\nb.jpg,SK,back\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-32"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace("image,diagnosis", '"Image", DIAGNOSIS ').encode(),
        (PLAIN + "\n\n,,\n").encode(),
        PLAIN.replace("\n", ",,\n").encode(),
    ],
)
def test_i3_however_a_spreadsheet_wrote_it_the_same_cases_are_read(data: bytes) -> None:
    parsed = parse_case_file(data, name="cases.csv")
    assert parsed.problems == ()
    assert [(c.case_id, c.diagnosis, c.anatomical_site) for c in parsed.cases] == [
        ("a", "BCC", "ear é"),
        ("b", "SK", "back"),
    ]


def test_i3_rows_are_numbered_as_a_spreadsheet_shows_them() -> None:
    parsed = parse('image,diagnosis,anatom_site\n\na.jpg,BCC,"nose,\nleft\nside"\n\nb.jpg,MEL,\n')
    assert parsed.cases[0].images[0].row == 3
    assert places(parsed) == [(5, "diagnosis")]


def test_i3_a_file_that_is_not_in_utf_8_says_so_by_row() -> None:
    parsed = parse_case_file(PLAIN.encode("cp1252"), name="cases.csv")
    assert "row 2, column anatom_site: the cell holds characters that are not text" in (
        only_problem(parsed)
    )


def test_i3_a_nul_byte_is_a_problem_of_its_row() -> None:
    assert places(parse("image,diagnosis\na.jpg,BCC\nb\0.jpg,BCC\n"))[0] == (3, "image")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (b" \r\n\n", "the file is empty"),
        (b",,,\n,,\n", "no rows"),
        (b"image,diagnosis\n", "no row below"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"\xd0\xcf\x11\xe0rest", "Excel workbook"),
        (b"\x89PNG\r\n\x1a\n", "a picture"),
        (b"\xff\xd8\xff\xe0", "a picture"),
        (bytes(range(256)) * 20, "not text"),
        (b"\x00" * 5000 + b"x", "not text"),
        (b"hello,Bild\nworld,a.jpg\n", "no column names the images"),
        (b"hello,Bild\nworld,a.jpg\n", "the columns are: hello, bild"),
        (b"image\na.jpg\n", "column diagnosis: this column is needed"),
        (b"image,Diagnose,age\na.jpg,BCC,50\n", "that are not understood: diagnose;"),
        (b"x" * (MAX_BYTES + 1), "larger than 20 MB"),
    ],
)
def test_i3_what_is_not_a_case_file_is_one_problem(data: bytes, said: str) -> None:
    parsed = parse_case_file(data, name="cases.csv")
    assert said in only_problem(parsed)
    assert parsed.cases == ()


def test_i3_a_name_that_two_columns_have_is_a_problem() -> None:
    parsed = parse("image,diagnosis,age,Age\na.jpg,BCC,50,60\n")
    assert "row 1, column age: two columns have this name" in only_problem(parsed)
    assert parsed.cases[0].age == 50


def test_a_column_without_a_name_is_a_problem_only_when_it_has_cells() -> None:
    assert "column 1 from the left" in only_problem(parse(",image,diagnosis\n0,a.jpg,BCC\n"))
    assert parse("image,diagnosis,\na.jpg,BCC,\n").problems == ()


def test_a_row_with_too_many_cells_is_a_problem() -> None:
    assert "4 cells and the header 2" in only_problem(parse("image,diagnosis\na.jpg,BCC,x,y\n"))


def test_i3_a_quotation_mark_that_is_not_closed_is_a_problem_and_the_rest_is_read() -> None:
    parsed = parse('image,diagnosis\n"a"b.jpg,BCC\nc.jpg,MEL\nd.jpg,"SK\ne.jpg,SK\n')
    assert places(parsed) == [(2, None), (3, "diagnosis"), (4, None)]


def test_more_rows_than_a_study_can_hold_are_refused() -> None:
    rows = "".join(f"i{n}.jpg,BCC\n" for n in range(MAX_ROWS + 5))
    parsed = parse("image,diagnosis\n" + rows)
    assert "more than 20,000 rows" in only_problem(parsed)
    assert parsed.image_count == MAX_ROWS


# --- never an exception ---

HEADERS = (OWN_HEADER, "isic_id,diagnosis_1,diagnosis_3,diagnosis", "img_id,diagnostic,biopsed")
cells = st.one_of(
    st.sampled_from(["", "BCC", "SK", "a.jpg", "b", '"', "\0", "C1", "50", "yes", ",", "\n", ";"]),
    st.text(max_size=8),
)


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00\xd8")
@example(b"\xff\xfe\x00\x00\xff\xff\xff\xff")
@example(b'image,diagnosis\n"')
def test_i3_any_bytes_give_problems_never_an_exception(data: bytes) -> None:
    parsed = parse_case_file(data, name="any.csv")
    assert parsed.problems
    assert all(str(problem) for problem in parsed.problems)


@settings(max_examples=150)
@given(
    st.sampled_from(HEADERS),
    st.lists(st.lists(cells, max_size=12), max_size=6),
    st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
    st.booleans(),
)
def test_any_cells_give_cases_or_problems(
    header: str,
    rows: list[list[str]],
    encoding: str,
    is_quoted: bool,  # noqa: FBT001 - hypothesis
) -> None:
    out = io.StringIO()
    if is_quoted:
        csv.writer(out).writerows([header.split(","), *rows])
    else:
        out.write("\n".join([header, *(",".join(row) for row in rows)]))
    data = out.getvalue().encode(encoding, errors="surrogatepass")
    parsed = parse_case_file(data, name="any.csv")
    assert parsed.problems or all(c.diagnosis in {"BCC", "SK"} for c in parsed.cases)
    assert len({case.case_id for case in parsed.cases}) == len(parsed.cases)


@pytest.mark.photographs
@pytest.mark.skipif("REREAD_TEST_IMAGES" not in os.environ, reason="no photographs named")
def test_the_real_photographs_are_read_without_a_problem() -> None:
    file = Path(os.environ["REREAD_TEST_IMAGES"]) / "cases.csv"
    parsed = parse_case_file(file.read_bytes(), name=file.name)
    assert parsed.problems == ()
    assert parsed.image_count == 440
    assert {image.modality for case in parsed.cases for image in case.images} == {"clinical"}
