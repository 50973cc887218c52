"""Methods, flow and checklists say what the study is, and nothing that it is not."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from app.actions.pack.checklists import BY_AUTHORS, NAMES, checklist, read_checklist
from app.actions.pack.flow import flow_svg, flow_text
from app.actions.pack.methods import methods_text
from app.domain.study_facts import Exclusion, ReaderFacts, SeenBefore, StudyFacts

TWICE = Exclusion("c7", "twice in the set", None)
BACK = Exclusion("c8", "no lesion", "the other file")


def facts(**settings: object) -> StudyFacts:
    """A study made up for these tests."""
    changed = {name: settings.pop(name) for name in list(settings) if name in FACTS}
    return StudyFacts(**{**FACTS, "study": {**STUDY, **settings}, **changed})


STUDY = {
    "code": "made-up",
    "seed": 7,
    "positive_class": "BCC",
    "allocation_algorithm": "sha256-sort-1",
    "demonstration": False,
    "opened_at": "2027-01-02T08:00:00+00:00",
    "closed_at": "2027-02-03T08:00:00+00:00",
    "unblinded_at": "2027-02-04T08:00:00+00:00",
    "data_sha256": "d" * 64,
}
FACTS: dict[str, object] = {
    "study": STUDY,
    "model": {
        "name": "m", "backbone": "b", "weights_sha256": "e" * 64, "threshold": 0.5,
        "demonstration": False,
    },
    "software_version": "9.9",
    "cases": 12,
    "training": 0,
    "images": 15,
    "synthetic_images": 0,
    "patients": 11,
    "truth": {"BCC": 7, "SK": 5},
    "sources": (("BCC", "histopathology", 7), ("SK", "consensus", 5)),
    "excluded": (),
    "versions": (),
    "overrides": (),
    "corrections": (),
    "copied": 0,
    "additions": (),
    "never_added": 0,
    "seen_before": (),
    "training_list": None,
    "readers": (ReaderFacts("R01", False, 12, 12, 12), ReaderFacts("R02", False, 12, 9, 8)),
    "results": {
        "data": {"rows": 41, "readers": 2, "cases": 12, "positives": 7, "negatives": 5,
                 "missing": 7, "sha256": "f" * 64},
        "positive": "BCC",
        "negative": "SK",
        "readers": [{"comparison": {"bootstrap": {"resamples": 2000, "seed": 1}}}],
        "mrmc": {"population": "These readers only.",
                 "auc": {"default": "fixed_readers_random_cases",
                         "obuchowski_rockette": {"delong": {}}, "u_statistics": {"unbiased": {}}}},
    },
    "adjudicated": 0,
    "with_ai": 24,
    "without_ai": 0,
    "uncounted": (),
    "without_patient": 0,
    "consents": (),
}  # fmt: skip


def test_the_methods_text_says_the_study_in_numbers() -> None:
    text = methods_text(facts())
    for said in (
        "2 readers took part. 24 places of their orders were to be read",
        "21 unaided and 20 revised calls were locked",
        "12 cases with 15 images were imported: 7 BCC and 5 SK. They are of 11 patients.",
        "histopathology (BCC, 7) and consensus (SK, 5)",
        "2,000 resamples of cases within each class (seed 1)",
        "fixed readers, random cases",
        "These readers only.",
        "Of 48 readings that were to count, 7 are missing.",
        "opened on 2027-01-02",
        "reread 9.9",
    ):
        assert said in text, said
    assert STUDY["data_sha256"] in text
    assert "simulated" not in text
    assert "None is recorded" in text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"design": "sequential"}, "The study was sequential."),
        ({"design": "hidden_share", "unaided_only_percent": 20}, "after the lock (20%)"),
        ({"design": "crossover", "washout_days": 35}, "at least 35 days apart"),
        ({"design": "parallel"}, "parallel arms"),
        ({"repeats": 3}, "3 cases were read twice by each reader"),
        ({"show_probability": False}, "readers were shown the model's call and a Grad-CAM map"),
        ({}, "a confidence from 0 to 100 per cent in that call"),
        (
            {"confidence_scale": "five_steps"},
            "a confidence in five steps (0, 25, 50, 75 and 100 per cent) in that call",
        ),
        ({"ask_management": True}, "biopsy or no biopsy"),
        ({"cases_per_sitting": 40}, "A sitting had 40 cases."),
        ({"demonstration": True}, "nothing here says anything about skin cancer"),
        ({"synthetic_images": 15}, "15 images were generated and no photograph"),
        ({"training": 2}, "2 cases of these served for training"),
        ({"without_patient": 1}, " Of 11 the patient is named: 11 patients."),
        ({}, "The study had no consent text in the system."),
        (
            {"consents": (2, 1)},
            "held: version 1 was accepted by 2 readers and version 2 was accepted by 1 reader.",
        ),
        ({"excluded": (TWICE,)}, "Case c7 was excluded: twice in the set"),
        ({"excluded": (BACK,)}, "- The exclusion of case c8 was undone: the other file"),
        ({"training_list": (9000, "a" * 64)}, "compared with the 9,000 images that the model was"),
        ({"training_list": (9000, "a" * 64)}, "Nothing alike was found."),
        ({"training_list": (0, "None")}, "whether it has seen these pictures is not known"),
        (
            {"seen_before": (SeenBefore(3, {"training": 2, "patient": 1}, "The old set"),)},
            "kept (2x image alike one of the model's training images and 1x of a patient among the",
        ),
        ({"seen_before": (SeenBefore(1, None, "Known."),)}, "1 match was looked at and kept, for"),
        (
            {
                "readers": (
                    ReaderFacts("R01", False, 12, 12, 12, 4, "dermatology", "specialist"),
                    ReaderFacts("R02", False, 12, 9, 8, 9, "dermatology", "in training"),
                )
            },
            "6.5 years of experience (range 4 to 9); specialty: dermatology (2); training: special",
        ),
        (
            {
                "readers": (
                    ReaderFacts("R01", True, 12, 12, 12),
                    ReaderFacts("R02", False, 12, 9, 8, 0, "other", "medical student"),
                )
            },
            "They stated (1 of them were asked) a median of 0 years",
        ),
        ({"overrides": (("R02", 14, "illness"),)}, "R02's washout was set to 14 days: illness"),
        ({"corrections": (("void", "a child pressed the key"),)}, "A reading was voided: a child"),
        ({"additions": ((3, "more came"), (1, "one more"))}, "4 cases were added while the study"),
        ({"copied": 9, "copied_from": "pilot"}, "9 cases were copied, under new codes, from the"),
        ({"additions": ((1, "one more"),)}, "1 case was added: one more"),
        ({"analysed_readings": "original"}, "Readings were analysed as they were locked, as the"),
        ({"analysed_readings": "corrected"}, "analysed as corrected, voided ones left out"),
    ],
)
def test_the_methods_text_follows_the_settings(settings: dict[str, object], said: str) -> None:
    assert said in methods_text(facts(**settings))


U_ALONE = {
    **FACTS["results"],
    "mrmc": {
        "population": "These readers only.",
        "auc": {
            "default": "u_statistics",
            "obuchowski_rockette": None,
            "u_statistics": {"unbiased": {}},
        },
    },
}

U_FIRST = {
    **FACTS["results"],
    "mrmc": {
        "population": "Readers like these.",
        "auc": {
            "default": "u_statistics",
            "obuchowski_rockette": {"delong": {}},
            "u_statistics": {"unbiased": {}},
        },
    },
}


@pytest.mark.parametrize(
    ("settings", "said", "not_said"),
    [
        (
            {"results": U_FIRST},
            "fewer than nine tenths of the cases were read by everybody in both modalities",
            "too few cases",
        ),
        (
            {"results": U_ALONE},
            "analysed by U-statistics [7], over readers and cases",
            "Hillis's d",
        ),
        ({}, "by Obuchowski and Rockette's method with Hillis's degrees of freedom", "too few cas"),
        ({"design": "parallel"}, "there is no NRI and no IDI", "McNemar's test with Tango"),
        ({"design": "parallel"}, "in the arm that they read in", "read in both."),
        ({"design": "parallel"}, "assigned to the arms in pairs", "every case is read with the"),
        ({"design": "hidden_share"}, "every case is read with the model by some", "in pairs"),
        ({"design": "crossover"}, "changed over for the next reader", "in pairs"),
        ({"design": "crossover"}, "Where a case was read with the model, after", "[1]. After"),
        (
            {"design": "hidden_share", "with_ai": 18, "without_ai": 6},
            "at 6 places of the orders; these are not missing. Of 42 readings that were to count",
            "of the table",
        ),
        (
            {"design": "parallel", "with_ai": 20, "without_ai": 21},
            "None of 41 readings that were to count is missing.",
            "are missing",
        ),
        ({"adjudicated": 12}, "as recorded in the study by adjudicators", "stated at import"),
        ({"adjudicated": 5}, "stated at import, and of 5 cases as recorded", "at import:"),
        (
            {"readers": (ReaderFacts("R01", False, 9, 9, 9), ReaderFacts("R02", False, 9, 0, 0))},
            "No call was made by R02.",
            "by R01",
        ),
    ],
)
def test_the_methods_text_claims_nothing_that_the_design_does_not_have(
    settings: dict[str, object], said: str, not_said: str
) -> None:
    text = methods_text(facts(**settings)).partition("## References")[0]
    assert said in text
    assert not_said not in text


@pytest.mark.parametrize(
    "settings", [{}, {"design": "parallel"}, {"design": "crossover", "results": U_ALONE}]
)
def test_every_reference_is_cited_and_every_citation_has_its_reference(
    settings: dict[str, object],
) -> None:
    text, _, listed = methods_text(facts(**settings)).partition("## References")
    cited = [n for found in re.findall(r"\[(\d[\d, ]*)\]", text) for n in found.split(", ")]
    numbers = re.findall(r"^(\d+)\. ", listed, re.MULTILINE)
    assert list(dict.fromkeys(cited)) == numbers == [str(n + 1) for n in range(len(numbers))]
    assert ("Efron" in listed) == ("resamples" in text)
    assert ("Pencina" in listed) == ("NRI and IDI are given" in text)


def test_in_parallel_arms_no_checklist_points_to_a_reader_compared_with_themselves() -> None:
    for name in NAMES:
        sequential, parallel = checklist(name, facts()), checklist(name, facts(design="parallel"))
        assert "reliance" not in parallel
        assert "differences and their intervals" not in parallel
        if name != "claim":
            assert "reliance" in sequential


def test_the_methods_text_says_which_readings_the_analysis_used() -> None:
    corrections = (("void", "a child pressed the key"), ("correct", "the wrong key"))
    text = methods_text(facts(corrections=corrections))
    assert "uses corrected readings as corrected (1) and leaves voided ones out (1)" in text
    assert "as it was locked in readings_not_counted.csv" in text
    assert "readings_not_counted.csv" not in methods_text(facts())
    locked = methods_text(facts(corrections=corrections, analysed_readings="original"))
    assert "uses every reading as it was locked" in locked
    assert "corrected (1) and voided ones (1) too" in locked


def test_an_override_is_told_with_its_reader_and_reason() -> None:
    text = methods_text(facts(design="crossover", overrides=(("R02", 14, "illness"),)))
    assert "- R02's washout was set to 14 days: illness" in text
    assert "at least 28 days apart" in text
    assert "For 1 reader another washout was set; the deviations name them." in text


def test_simulated_readers_are_said_to_be_programs_in_text_and_flow() -> None:
    simulated = facts(readers=(ReaderFacts("R01", True, 12, 12, 12), ReaderFacts("R02", False, 12, 12, 12)))  # fmt: skip  # noqa: E501
    assert "1 of them is a program, not people (R01)" in methods_text(simulated)
    assert "R01 (simulated)" in flow_text(simulated)
    assert "R01 (simulated)" in flow_svg(simulated)
    for name in NAMES:
        assert "1 of them is a program, not people (R01)" in checklist(name, simulated)


def test_an_amendment_is_told_with_its_reason_and_the_first_version_is_none() -> None:
    versions = (
        {"number": 1, "written_at": "2027-01-02T08:00:00+00:00", "reason": "The study was opened."},
        {"number": 2, "written_at": "2027-01-09T08:00:00+00:00", "reason": "A clearer\nquestion."},
    )
    text = methods_text(facts(versions=versions))
    assert "- Version 2 of the protocol, 2027-01-09: A clearer question." in text
    assert "The study was opened." not in text


def test_the_flow_counts_what_left_and_where() -> None:
    text = flow_text(facts(excluded=(TWICE, BACK), training=2))
    for said in (
        "Imported: 12 cases (7 BCC, 5 SK)",
        "Excluded: 1 case",
        "c7: twice in the set",
        "1 exclusion was undone, not left here:",
        "c8: no lesion; undone: the other file",
        "Training, not counted: 2 cases",
        "R02: 12 assigned, 9 unaided, 8 revised",
        "R02: 3 never called, 1 without revised call",
        "Analysed: 41 readings",
    ):
        assert said in text, said


def test_every_call_that_was_locked_is_found_in_the_flow() -> None:
    apart = (("call_before_ai", 10), ("training", 4), ("void", 1))
    text = flow_text(facts(design="parallel", with_ai=10, without_ai=10, uncounted=apart))
    for said in (
        "Together: 41 calls locked",
        "Planned: 10 places with AI, 10 without, that count",
        "Not counted: 14 calls",
        "before the AI was shown: 10",
        "of training cases: 4",
    ):
        assert said in text, said


def test_a_withheld_output_is_no_missing_call_in_the_flow() -> None:
    text = flow_text(facts(design="hidden_share", unaided_only_percent=20))
    assert "R02: 3 never called" in text
    assert "without revised call" not in text


def test_the_flow_is_drawn_as_sound_svg_whatever_a_reason_holds() -> None:
    hostile = '<script>alert("x")</script> & "quoted" \x07 ' + "very long " * 30
    drawn = flow_svg(facts(excluded=(Exclusion("c7", hostile, None),)))
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert not [element for element in root.iter() if element.tag.endswith("script")]
    shown = ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]
    assert any(text.startswith('c7: <script>alert("x")') and text.endswith("…") for text in shown)


NUMBERS = {"stard-ai": 48, "claim": 44, "consort-ai": 51, "decide-ai": 38}


@pytest.mark.parametrize("name", NAMES)
def test_a_checklist_has_every_item_once_and_says_what_a_person_writes(
    folder: Path, name: str
) -> None:
    title, remarks, items = read_checklist(name)
    assert title
    assert "(" in remarks, "where the list is published"
    assert len({item.number for item in items}) == len(items) == NUMBERS[name]
    text = (folder / "checklists" / f"{name}.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == len(items)
    for item, row in zip(items, rows, strict=True):
        assert row.startswith(f"| {item.number} | ")
        assert len(re.split(r"(?<!\\)\|", row)) == 5
        assert (BY_AUTHORS in row) == (not item.answer or "[authors]" in item.answer), item
        assert "{" not in row
        assert "[authors]" not in row
    assert BY_AUTHORS in text
    assert "2 readers took part" in text or "6 cases with 6 images" in text


def test_claim_has_its_44_items_in_order() -> None:
    assert [item.number for item in read_checklist("claim")[2]] == [str(n) for n in range(1, 45)]


def test_stard_ai_has_its_40_items_in_48_rows_in_order() -> None:
    parts = {15: "abcd", 16: "abc", 17: "ab", 26: "ab", 40: "ab"}
    wanted = [f"{n}{part}" for n in range(1, 41) for part in parts.get(n, [""])]
    assert [item.number for item in read_checklist("stard-ai")[2]] == wanted


def test_consort_ai_has_its_14_items_beside_the_37_of_consort_2010() -> None:
    numbers = [item.number for item in read_checklist("consort-ai")[2]]
    of_ai = [number for number in numbers if number.endswith(")")]
    assert of_ai == (
        ["1a,b (i)", "1a,b (ii)", "2a (i)", "4a (i)", "4a (ii)", "4b (i)"]
        + [f"5 ({roman})" for roman in ("i", "ii", "iii", "iv", "v", "vi")]
        + ["19 (i)", "25 (i)"]
    )
    assert len(numbers) - len(of_ai) == 37


def test_decide_ai_has_its_17_items_in_28_parts_and_10_generic_ones() -> None:
    numbers = [item.number for item in read_checklist("decide-ai")[2]]
    of_ai = [number for number in numbers if number[0].isdigit()]
    assert len({number.rstrip("abc") for number in of_ai}) == 17
    assert len(of_ai) == 28
    generic = [number for number in numbers if not number[0].isdigit()]
    assert generic == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X"]


def test_the_packs_texts_tell_its_own_numbers(folder: Path) -> None:
    text = (folder / "methods.md").read_text()
    results = json.loads((folder / "results.json").read_text())
    assert "12 places of their orders were to be read" in text
    assert "11 unaided and 10 revised calls were locked" in text
    assert results["data"]["sha256"] in text
    assert "6 images were generated" in text
    assert "methods" in (folder / "report.html").read_text().lower()
    assert "11 unaided and 10 revised calls were locked" in (folder / "report.html").read_text()
