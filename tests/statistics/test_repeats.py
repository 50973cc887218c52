"""A case read twice by one reader: the first reading counts, the second shows how they agree."""

import random

import numpy as np
import pytest

from app.actions.analyse_file import AnalysisOptions, analyse_content
from app.domain.errors import InvalidInput
from app.domain.readings_file import parse_readings
from app.statistics.agreement import cohen_kappa, gwet_ac1
from app.statistics.study import StudyAnalysis

HEADER = "reader,case,truth,modality,call,score,occasion\n"


def rows(seed: int = 4, cases: int = 40) -> list[str]:
    """One reader, ratings 0 to 5; every second case is read again, every eighth a third time."""
    rng = np.random.default_rng(seed)
    found: list[str] = []
    for case in range(cases):
        truth = int(case % 3 == 0)
        for modality in ("unaided", "aided"):
            for occasion in (1, 2, 3)[: 1 + (case % 2 == 0) + (case % 8 == 0)]:
                score = int(np.clip(round(2 + truth + rng.normal(0, 1.2)), 0, 5))
                call = int(score > 2)
                found.append(f"R,c{case},{truth},{modality},{call},{score},{occasion}\n")
    return found


def analysed(lines: list[str]) -> StudyAnalysis:
    content = (HEADER + "".join(lines)).encode()
    return analyse_content(content, name="r.csv", options=AnalysisOptions(bootstrap=0))


def of_occasion(lines: list[str], number: int) -> list[list[str]]:
    return [line.strip().split(",") for line in lines if line.endswith(f",{number}\n")]


def test_the_first_reading_counts_and_the_rest_changes_no_accuracy() -> None:
    lines = rows()
    once = analysed([line for line in lines if line.endswith(",1\n")])
    assert analysed(lines).readers == once.readers
    assert analysed(lines).data.rows == len(lines)
    shuffled = lines.copy()
    random.Random(2).shuffle(shuffled)  # noqa: S311
    assert analysed(shuffled).agreement == analysed(lines).agreement


def test_second_readings_agree_as_the_definitions_say() -> None:
    lines = rows()
    found = analysed(lines).agreement["aided"].within["R"]
    first = {row[1]: row for row in of_occasion(lines, 1) if row[3] == "aided"}
    second = {row[1]: row for row in of_occasion(lines, 2) if row[3] == "aided"}
    both = [(first[case], second[case]) for case in second]
    calls = np.array([[int(row[4]) for row in pair] for pair in both]).T == 1
    scores = np.array([[float(row[5]) for row in pair] for pair in both]).T
    assert found.calls is not None
    assert (found.calls.n, found.calls.readers) == (20, ("R, first", "R, second"))
    assert found.calls.kappa == cohen_kappa(*calls)
    assert found.calls.ac1 == gwet_ac1(calls)
    change = scores[1] - scores[0]
    assert found.scores is not None
    assert found.scores.n == 20
    assert found.scores.difference == pytest.approx(change.mean())
    assert found.scores.within_sd == pytest.approx(np.sqrt((change**2).sum() / 40))
    spread = 1.959963984540054 * np.sqrt(((change - change.mean()) ** 2).sum() / 19)
    assert (found.scores.low, found.scores.high) == pytest.approx(
        (change.mean() - spread, change.mean() + spread)
    )
    assert found.scores.ac2 is not None


def test_third_readings_are_counted_and_not_used() -> None:
    warning = next(w for w in analysed(rows()).warnings if w.code == "later_readings")
    assert warning.text.startswith("10 third or later readings")


def test_one_repeated_case_has_no_limits_and_nothing_is_silent() -> None:
    lines = [line for line in rows() if line.endswith(",1\n") or line.startswith("R,c0,")]
    found = analysed(lines).agreement["unaided"].within["R"]
    assert found.scores is not None
    assert (found.scores.n, found.scores.low, found.scores.high) == (1, None, None)
    assert found.calls is not None


def test_a_file_without_the_column_has_no_agreement_within() -> None:
    content = "".join(line.rsplit(",", 1)[0] + "\n" for line in rows() if line.endswith(",1\n"))
    header = HEADER.replace(",occasion", "")
    options = AnalysisOptions(bootstrap=0)
    found = analyse_content((header + content).encode(), name="r.csv", options=options)
    assert [each.within for each in found.agreement.values()] == [{}, {}]


@pytest.mark.parametrize("text", ["0", "-1", "first", "", "1.5", "9999999"])
def test_an_occasion_that_is_no_number_is_refused_with_its_place(text: str) -> None:
    file = parse_readings((HEADER + f"R,c0,1,aided,1,3,{text}\n").encode(), file="r.csv")
    said = f"'{text}' is no occasion: write 1 for the first reading, 2, ..."
    assert [str(problem) for problem in file.problems] == [f"r.csv, row 2, column occasion: {said}"]


def test_the_same_occasion_twice_is_refused() -> None:
    line = "R,c0,1,aided,1,3,2\n"
    with pytest.raises(InvalidInput, match=r"row 3.*read case c0 aided on occasion 2 already in"):
        analysed([line, line])


def test_a_case_of_another_truth_on_its_second_reading_is_refused() -> None:
    with pytest.raises(InvalidInput, match="Case c0 is 0 here and 1 in row 2"):
        analysed(["R,c0,1,aided,1,3,1\n", "R,c0,0,aided,1,3,2\n"])
