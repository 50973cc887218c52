"""analyse(): from rows to the result, on the paper's tables and on degenerate studies."""

import json
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from reference_data import FOLDER
from study_cast import analysed, random_rows, rows_of_calls

from app.actions.analyse_file import AnalysisOptions, analyse_file
from app.statistics.prepare import PrepareError
from app.statistics.study import StudyAnalysis
from app.statistics.table import Row, TableError, table_from_rows
from app.statistics.ustatistics import u_statistics

# The integer tables that fit the paper's Table (positive class SK): TP, FN, TN, FP.
READER_1 = ((517, 91, 65, 34), (563, 45, 71, 28))
READER_2 = ((556, 52, 65, 34), (575, 33, 68, 31))


def paper() -> StudyAnalysis:
    rows = [*rows_of_calls("1", *READER_1), *rows_of_calls("2", *READER_2)]
    return analysed(rows, positive="SK")


def codes(study: StudyAnalysis) -> set[str]:
    return {warning.code for warning in study.warnings}


def test_the_papers_four_kinds_of_nri_of_dermatologist_1() -> None:
    comparison = paper().readers[0].comparison
    assert comparison is not None
    nri = comparison.nri
    values = [kind.value for kind in (nri.calls, nri.refitted, nri.refitted_category_free) if kind]
    assert [round(value, 3) for value in values if value is not None] == [0.136, 0.643, 1.286]


def test_the_papers_refitted_nri_and_idi_of_both_dermatologists() -> None:
    found = []
    for reader in paper().readers:
        comparison = reader.comparison
        assert comparison is not None
        assert comparison.nri.refitted is not None
        assert comparison.idi.refitted is not None
        found.append((comparison.nri.refitted.value, comparison.idi.refitted.value))
    assert [tuple(round(value, 2) for value in pair if value) for pair in found] == [
        (0.64, 0.18),
        (0.06, 0.11),
    ]


def test_the_papers_areas_are_those_of_binary_calls() -> None:
    for reader, published in zip(paper().readers, ((0.75, 0.82), (0.79, 0.82)), strict=True):
        metrics = list(reader.modalities.values())
        for metric, area in zip(metrics, published, strict=True):
            assert metric.auc_calls.value is not None
            assert metric.auc_calls.value == pytest.approx(area, abs=0.0051)
            assert metric.sensitivity.value is not None
            assert metric.specificity.value is not None
            half = (metric.sensitivity.value + metric.specificity.value) / 2
            assert metric.auc_calls.value == pytest.approx(half, abs=1e-15)
            assert metric.auc.value is None


def test_on_calls_nri_and_idi_are_the_change_of_sensitivity_and_specificity() -> None:
    for reader in analysed(random_rows()).readers:
        comparison = reader.comparison
        assert comparison is not None
        gain = comparison.sensitivity.difference, comparison.specificity.difference
        assert None not in gain
        total = sum(part for part in gain if part is not None)
        assert comparison.nri.calls is not None
        assert comparison.idi.calls is not None
        assert comparison.nri.calls.value == pytest.approx(total, abs=1e-12)
        assert comparison.idi.calls.value == pytest.approx(total, abs=1e-12)


def test_the_order_of_rows_changes_no_number() -> None:
    rows = random_rows()
    once = json.dumps(analysed(rows).json())
    random.Random(3).shuffle(rows)  # noqa: S311
    assert json.dumps(analysed(rows).json()) == once


def test_renaming_readers_changes_no_number_of_theirs() -> None:
    rows = random_rows()
    renamed: list[Row] = [(f"Dr {row[0]}", *row[1:]) for row in rows]
    before, after = analysed(rows), analysed(renamed)
    for one, other in zip(before.readers, after.readers, strict=True):
        assert replace(other, reader=one.reader) == one


def test_missing_pairs_are_left_out_and_counted() -> None:
    rows = [row for row in random_rows() if not (row[3] == "aided" and row[1] in {"c0", "c1"})]
    study = analysed(rows)
    assert study.data.missing == 6
    comparison = study.readers[0].comparison
    assert comparison is not None
    assert (comparison.n, comparison.missing) == (68, 2)
    assert study.readers[0].modalities["unaided"].n == 70
    assert "missing_pairs" in codes(study)


def test_identical_arms_have_no_difference_and_p_one() -> None:
    rows = [row for row in random_rows() if row[3] == "unaided"]
    rows += [(*row[:3], "aided", *row[4:]) for row in rows]
    comparison = analysed(rows).readers[0].comparison
    assert comparison is not None
    assert (comparison.auc.z, comparison.auc.p) == (0, 1)
    assert comparison.sensitivity.p == 1
    assert comparison.ppv.p == 1
    assert comparison.nri.calls is not None
    assert (comparison.nri.calls.value, comparison.nri.calls.z) == (0, None)


def test_one_event_gives_areas_without_standard_error_and_says_so() -> None:
    study = analysed(random_rows(positives=1))
    unaided = study.readers[0].modalities["unaided"]
    assert unaided.auc.value is not None
    assert (unaided.auc.se, unaided.auc.low) == (None, None)
    assert {"too_few_cases", "few_events"} <= codes(study)


def test_perfect_separation_warns_and_offers_another_interval() -> None:
    rows: list[Row] = [
        ("R", f"c{n}", "BCC" if n < 20 else "SK", arm, None, 0.9 if n < 20 else 0.1, None, None)
        for n in range(40)
        for arm in ("unaided", "aided")
    ]
    study = analysed(rows)
    area = study.readers[0].modalities["unaided"].auc
    assert (area.value, area.low, area.high) == (1, 1, 1)
    assert area.alternative is not None
    assert 0.8 < area.alternative.low < 1
    assert {"perfect_separation", "separation"} <= codes(study)


def test_a_constant_reader_has_an_area_of_one_half() -> None:
    rows: list[Row] = [(*row[:4], "SK", 0.2, None, None) for row in random_rows()]
    study = analysed(rows)
    unaided = study.readers[0].modalities["unaided"]
    assert unaided.auc.value == 0.5
    assert unaided.ppv.value is None
    assert "zero_variance" in codes(study)


def test_only_one_class_leaves_areas_undefined_with_a_sentence() -> None:
    study = analysed([row for row in random_rows() if row[2] == "BCC"])
    assert study.readers[0].modalities["aided"].auc.value is None
    assert study.readers[0].modalities["aided"].specificity.value is None
    assert "too_few_cases" in codes(study)


def test_x3_below_twenty_events_nri_and_idi_carry_no_p() -> None:
    comparison = analysed(random_rows(positives=19)).readers[0].comparison
    assert comparison is not None
    assert comparison.nri.category_free is not None
    assert comparison.nri.category_free.value is not None
    assert (comparison.nri.category_free.z, comparison.nri.category_free.p) == (None, None)


def test_the_model_is_judged_on_the_same_cases() -> None:
    study = analysed(random_rows())
    assert study.model is not None
    assert study.model.n == 70
    assert study.model.auc.value is not None
    assert analysed([(*row[:6], None, None) for row in random_rows()]).model is None


def test_reliance_counts_add_up() -> None:
    comparison = analysed(random_rows()).readers[0].comparison
    assert comparison is not None
    assert comparison.reliance is not None
    whole, by_class = comparison.reliance.all, comparison.reliance
    assert whole.n == by_class.positives.n + by_class.negatives.n
    assert whole.rescued - whole.talked_out == comparison.accuracy.gained - comparison.accuracy.lost
    assert whole.ai_right.n + whole.ai_wrong.n == whole.n


def test_swapping_the_positive_class_swaps_sensitivity_and_specificity_and_keeps_areas() -> None:
    table = table_from_rows(random_rows(), score_class="BCC")
    from app.statistics.study import analyse

    one = analyse(table, positive="BCC", bootstrap=0).readers[1]
    other = analyse(table, positive="SK", bootstrap=0).readers[1]
    for name, metrics in one.modalities.items():
        swapped = other.modalities[name]
        assert metrics.sensitivity == swapped.specificity
        assert metrics.ppv == swapped.npv
        assert metrics.auc.value == pytest.approx(swapped.auc.value, abs=1e-15)
        assert metrics.auc.se == pytest.approx(swapped.auc.se, abs=1e-15)


def test_an_unknown_class_or_modality_is_refused_with_a_sentence() -> None:
    with pytest.raises(PrepareError, match="positive class is to be NV"):
        analysed(random_rows(), positive="NV")
    with pytest.raises(PrepareError, match="unaided and later are to be compared"):
        analysed(random_rows(), comparison="later")


def test_contradicting_rows_are_refused() -> None:
    rows = random_rows()
    with pytest.raises(TableError, match="two unaided readings"):
        table_from_rows([*rows, rows[0]])
    with pytest.raises(TableError, match="two different reference diagnoses"):
        table_from_rows([*rows, ("X", "c0", "SK", "unaided", "SK", 0.1, None, None)])
    with pytest.raises(TableError, match="not a finite number"):
        table_from_rows([("X", "c0", "SK", "unaided", "SK", float("inf"), None, None)])


def test_no_json_number_is_infinite_or_undefined() -> None:
    for rows in (random_rows(), random_rows(positives=1), random_rows(1, 2, 2)):
        json.dumps(analysed(rows).json(), allow_nan=False)


def test_vandyke_from_its_file_gives_the_published_p_values() -> None:
    study = analyse_file(FOLDER / "data" / "VanDyke.csv", AnalysisOptions(bootstrap=0))
    assert study.mrmc is not None
    area = study.mrmc.auc
    assert area.obuchowski_rockette is not None
    assert area.u_statistics is not None
    delong = area.obuchowski_rockette["delong"].random_readers_random_cases
    assert delong is not None
    assert delong.p == pytest.approx(0.0512330308248101, abs=1e-9)
    fixed = area.obuchowski_rockette["jackknife"].fixed_readers_random_cases
    assert fixed.p == pytest.approx(0.0192798430707541, abs=1e-9)
    assert area.u_statistics["unbiased"].p == pytest.approx(0.0556466643218105, abs=1e-9)
    assert area.default == "random_readers_random_cases"


def test_two_readers_get_the_fixed_reader_analysis_and_the_sentence_why() -> None:
    study = analysed(random_rows(2))
    assert study.mrmc is not None
    assert study.mrmc.auc.default == "fixed_readers_random_cases"
    assert "these readers only" in study.mrmc.population
    assert study.mrmc.population.endswith("estimated from 1 degree of freedom.")
    assert "few_readers" in codes(study)


def test_one_reader_has_a_fixed_reader_test_equal_to_delong() -> None:
    study = analysed(random_rows(1))
    assert study.mrmc is not None
    assert study.mrmc.auc.obuchowski_rockette is not None
    tested = study.mrmc.auc.obuchowski_rockette["delong"]
    compared = study.readers[0].comparison
    assert compared is not None
    assert tested.random_readers_random_cases is None
    assert tested.fixed_readers_random_cases.p == pytest.approx(compared.auc.p, abs=1e-12)


def test_missing_readings_stay_in_the_u_statistics_and_leave_the_fixed_analysis() -> None:
    rows = [row for n, row in enumerate(random_rows(5)) if n % 37]
    study = analysed(rows)
    assert study.mrmc is not None
    assert study.mrmc.auc.cases < 70
    assert study.mrmc.auc.u_statistics is not None
    assert "incomplete_cases" in codes(study)


@pytest.mark.parametrize(
    ("readers", "missing", "reported"),
    [
        (5, 0, "random_readers_random_cases"),
        (5, 7, "random_readers_random_cases"),  # 63 of 70 cases are whole: nine tenths
        (5, 8, "u_statistics"),
        (3, 8, "fixed_readers_random_cases"),  # so few readers are no sample of readers
    ],
)
def test_every_reading_is_reported_on_where_too_few_cases_were_read_by_everybody(
    readers: int, missing: int, reported: str
) -> None:
    withheld = {(f"R{n % readers}", f"c{n}", "aided") for n in range(missing)}
    rows = [row for row in random_rows(readers) if (row[0], row[1], row[3]) not in withheld]
    study = analysed(rows)
    assert study.mrmc is not None
    assert study.mrmc.auc.cases == 70 - missing
    measures = study.mrmc.auc, study.mrmc.auc_calls, study.mrmc.sensitivity, study.mrmc.specificity
    assert [measure.default for measure in measures] == [reported] * 4
    assert all(measure.obuchowski_rockette is not None for measure in measures)


def test_intervals_of_u_statistics_end_at_what_an_area_can_be() -> None:
    study = analysed(random_rows(2, 3, 3))
    assert study.mrmc is not None
    measures = study.mrmc.auc, study.mrmc.sensitivity, study.mrmc.specificity
    ends = {
        (each.low, each.high)
        for measure in measures
        if measure.u_statistics_modalities is not None
        for each in measure.u_statistics_modalities["unbiased"].values()
        if each.low is not None and each.high is not None
    }
    assert all(0 <= low <= high <= 1 for low, high in ends)
    assert {0.0, 1.0} & {end for pair in ends for end in pair}  # some did pass it


def test_readers_of_different_cases_get_no_obuchowski_rockette_but_a_sentence() -> None:
    rows = [row for row in random_rows(2) if (row[0] == "R0") == (int(row[1][1:]) % 2 == 0)]
    study = analysed(rows)
    assert study.mrmc is not None
    assert study.mrmc.auc.obuchowski_rockette is None
    assert "too_few_cases" in codes(study)


def test_missing_cells_change_nothing_when_none_is_missing() -> None:
    """The general formula for incomplete designs equals the fast one on a complete design."""
    rng = np.random.default_rng(3)
    truth = np.arange(24) < 10
    scores = rng.integers(0, 5, (2, 4, 24)).astype(np.float64)
    fast = u_statistics(truth, scores)
    wider = np.concatenate((scores, np.full((2, 4, 1), np.nan)), axis=2)
    slow = u_statistics(np.append(truth, False), wider)
    for estimator, result in fast.items():
        general = slow[estimator].difference
        assert general.variance == pytest.approx(result.difference.variance, abs=1e-15)


def test_the_list_of_failures_counts_wrong_calls() -> None:
    study = analysed(random_rows())
    wrong = sum(failure.wrong["aided"] for failure in study.failures)
    right = [reader.modalities["aided"].accuracy for reader in study.readers]
    assert wrong == sum(share.denominator - share.numerator for share in right)
    most = [failure.wrong["aided"] for failure in study.failures]
    assert most == sorted(most, reverse=True)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"bootstrap": 1}, "resamples, or 0 for none"),
        ({"bootstrap": -5}, "resamples, or 0 for none"),
        ({"seed": -1}, "seed has to be"),
        ({"threshold": float("nan")}, "threshold has to be a finite"),
        ({"cutoffs": (0.6, 0.2)}, "in rising order"),
    ],
)
def test_options_that_make_no_analysis_are_refused(
    options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(PrepareError, match=sentence):
        analysed(random_rows(1), **options)


def test_ratings_of_any_size_are_ranked_without_overflow() -> None:
    rows = [
        (*row[:4], None, ((row[5] or 0) - 0.5) * 1e308 * 3, None, None) for row in random_rows(2)
    ]
    large = analysed(rows, bootstrap=50)
    plain = analysed(random_rows(2), bootstrap=50)
    for one, other in zip(large.readers, plain.readers, strict=True):
        assert one.comparison is not None
        assert other.comparison is not None
        assert one.comparison.auc == other.comparison.auc
    assert "score_scale" in codes(large)


def test_bootstrap_intervals_are_the_same_for_the_same_seed_and_hold_the_estimate() -> None:
    first, again = analysed(random_rows(), bootstrap=500), analysed(random_rows(), bootstrap=500)
    other = analysed(random_rows(), bootstrap=500, seed=2)
    assert first == again
    assert first != other
    for reader in first.readers:
        assert reader.comparison is not None
        assert reader.comparison.bootstrap is not None
        intervals = reader.comparison.bootstrap.intervals
        assert {"auc", "nri.calls", "nri.category_free", "idi.scores"} <= set(intervals)
        for name, interval in intervals.items():
            assert interval.low <= interval.high, name
        area = intervals["auc"]
        assert area.value == pytest.approx(reader.comparison.auc.difference, abs=1e-12)
        assert area.low < area.value < area.high
        assert area.se == pytest.approx(reader.comparison.auc.se, rel=0.2)


def test_bootstrapped_estimates_are_the_estimates() -> None:
    comparison = analysed(random_rows(), bootstrap=50, cutoffs=(0.3, 0.6)).readers[0].comparison
    assert comparison is not None
    assert comparison.bootstrap is not None
    found = {name: interval.value for name, interval in comparison.bootstrap.intervals.items()}
    for name, part in (
        ("nri.calls", comparison.nri.calls),
        ("nri.category_free", comparison.nri.category_free),
        ("nri.refitted", comparison.nri.refitted),
        ("nri.refitted_category_free", comparison.nri.refitted_category_free),
        ("idi.calls", comparison.idi.calls),
        ("idi.scores", comparison.idi.scores),
        ("idi.refitted", comparison.idi.refitted),
    ):
        assert part is not None
        assert found[name] == pytest.approx(part.value, abs=1e-12), name
    assert comparison.nri.categories is not None
    assert comparison.reclassification_categories is not None
    assert len(comparison.reclassification_categories.events) == 3


def test_scores_that_point_the_other_way_are_asked_about_and_not_turned() -> None:
    rows: list[Row] = [(*row[:5], 1 - (row[5] or 0), None, None) for row in random_rows()]
    study = analysed(rows)
    assert "score_direction" in codes(study)
    area = study.readers[0].modalities["aided"].auc.value
    assert area is not None
    assert area < 0.5


@pytest.mark.parametrize("seed", [1, 2, 4, 5])
def test_u_statistics_of_incomplete_readings_are_those_of_the_definition(seed: int) -> None:
    """Variance = A^2 - mean product of successes that share no reader and no case, by loops."""
    rng = np.random.default_rng(seed)
    truth = np.arange(9) < 4
    scores = rng.integers(0, 4, (2, 3, 9)).astype(np.float64)
    scores[rng.random(scores.shape) < 0.2] = np.nan
    cells: list[dict[tuple[int, int, int], float]] = [
        {
            (r, i, j): float(arm[r, i] > arm[r, j]) + float(arm[r, i] == arm[r, j]) / 2
            for r in range(3)
            for i in np.flatnonzero(truth)
            for j in np.flatnonzero(~truth)
            if not np.isnan(arm[r, [i, j]]).any()
        }
        for arm in scores
    ]

    def covariance(
        a: dict[tuple[int, int, int], float], b: dict[tuple[int, int, int], float]
    ) -> float:
        apart = [
            x * y
            for one, x in a.items()
            for other, y in b.items()
            if all(p != q for p, q in zip(one, other, strict=True))
        ]
        areas = [sum(each.values()) / len(each) for each in (a, b)]
        return areas[0] * areas[1] - sum(apart) / len(apart)

    zero, one = cells
    expected = covariance(zero, zero) + covariance(one, one) - 2 * covariance(zero, one)
    difference = u_statistics(truth, scores)["unbiased"].difference
    assert expected > 0
    assert difference.variance == pytest.approx(expected, abs=1e-12)


def test_identical_arms_of_several_readers_have_no_test_and_say_why() -> None:
    rows = [row for row in random_rows(4) if row[3] == "unaided"]
    rows += [(*row[:3], "aided", *row[4:]) for row in rows]
    study = analysed(rows)
    assert study.mrmc is not None
    assert study.mrmc.auc.obuchowski_rockette is not None
    for analysis in study.mrmc.auc.obuchowski_rockette.values():
        assert analysis.fixed_readers_random_cases.difference == 0
        assert analysis.fixed_readers_random_cases.p is None
        assert analysis.random_readers_fixed_cases is not None
        assert analysis.random_readers_random_cases is not None
        assert analysis.random_readers_fixed_cases.p is None
        assert analysis.random_readers_random_cases.p is None
    assert "no_denominator" in codes(study)
    json.dumps(study.json(), allow_nan=False)


def test_calls_without_scores_are_averaged_over_readers_and_areas_are_not() -> None:
    study = paper()
    assert study.mrmc is not None
    assert study.mrmc.auc.obuchowski_rockette is None
    assert study.mrmc.sensitivity.obuchowski_rockette is not None
    assert study.mrmc.sensitivity.positives == 608
    assert study.mrmc.specificity.negatives == 99
    assert "no_scores" in codes(study)
    assert "too_few_cases" not in codes(study)


def test_a_gain_that_is_the_same_for_all_cases_has_no_p_value() -> None:
    rows: list[Row] = []
    for n in range(60):
        truth, score = ("BCC", 0.1 + 0.1 * (n % 7)) if n < 30 else ("SK", 0.1 + 0.1 * (n % 5))
        rows.append(("R", f"c{n}", truth, "unaided", None, score, None, None))
        rows.append(("R", f"c{n}", truth, "aided", None, score + 0.1, None, None))
    comparison = analysed(rows).readers[0].comparison
    assert comparison is not None
    assert comparison.idi.scores is not None
    assert comparison.idi.scores.value == pytest.approx(0, abs=1e-12)
    assert (comparison.idi.scores.z, comparison.idi.scores.p) == (None, None)
    assert comparison.auc.p == 1


@pytest.mark.parametrize(
    ("keep", "sentence"),
    [
        (lambda r, _, arm: (arm == "aided") == (r > 2), "No reader read in both modalities"),
        (lambda _, c, arm: (arm == "aided") == (c % 2 == 0), "No case was read in both modalities"),
        (lambda r, c, _: c % 6 == r, "No case was read by every reader in both modalities"),
        (lambda r, c, _: c % 2 == r % 2, "split-plot or unbalanced"),
    ],
)
def test_nested_and_split_designs_are_named_and_served_by_u_statistics_alone(
    keep: Callable[[int, int, str], bool], sentence: str
) -> None:
    rows = [row for row in random_rows(6) if keep(int(row[0][1:]), int(row[1][1:]), row[3])]
    study = analysed(rows)
    assert study.mrmc is not None
    assert study.mrmc.auc.obuchowski_rockette is None
    assert study.mrmc.auc.u_statistics is not None
    assert study.mrmc.auc.u_statistics["unbiased"].p is not None
    [warning] = [each for each in study.warnings if each.code == "incomplete_design"]
    assert sentence in warning.text
    json.dumps(study.json(), allow_nan=False)


def test_a_crossed_design_with_holes_is_not_called_nested() -> None:
    rows = [row for n, row in enumerate(random_rows(5)) if n % 37]
    assert "incomplete_design" not in codes(analysed(rows))
