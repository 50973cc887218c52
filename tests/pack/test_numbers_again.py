"""The numbers of the results page again, from readings.csv alone by other means (X1, X3).

Nothing of app.statistics is used here: areas are counted pair by pair, tests and intervals are
scipy's or written from their definitions. The page must show these numbers as they round, and
analysis.json and the pack must hold them to 1e-9. Intervals of the bootstrap are drawn, so of that
table only the estimates are computed again.
"""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from html import unescape
from html.parser import HTMLParser
from math import log, sqrt
from pathlib import Path
from statistics import fmean, variance
from typing import Any
from uuid import UUID

import pytest
from scipy.optimize import brentq, root
from scipy.special import expit
from scipy.stats import binomtest, norm
from sklearn.metrics import brier_score_loss, cohen_kappa_score, roc_auc_score

from app.domain.access import Account
from app.storage import Storage
from tests.conftest import Cast, open_cast_of
from tests.pack.conftest import export
from tests.reading.steps import call, lock, lock_aided_call, serve, show_ai, superuser, unblind
from tests.web.site import Site

Z = norm.ppf(0.975)
ARMS = ("unaided", "aided")
NAMES = {"R01": "Rita R01", "R02": "Rolf R02"}
MODEL = "The model alone"
# case -> (truth, called, score), each as if the question were "is it a BCC"
Read = dict[str, tuple[bool, bool, float]]
Row = tuple[bool, bool, float]


CASES = 60  # every third is SK: twenty, below which no p of NRI and IDI is given
ROLF_READ = 50


def said(number: int, *, truth: bool, seed: int, right: float) -> tuple[str, int]:
    """A call and how sure: the same for this case and seed in each run."""
    chance = random.Random(1000 * seed + number)  # noqa: S311 - calls that are made up
    is_bcc = truth if chance.random() < right else not truth
    return "BCC" if is_bcc else "SK", chance.randrange(0, 100, 5)


@pytest.fixture(scope="module")
def finished(postgres: str, storage: Storage) -> Iterator[Cast]:
    """Rita has read all cases, Rolf fifty and the unaided half of another; unblinded."""
    with open_cast_of(postgres, storage, cases=CASES) as cast:
        with superuser(cast) as owner:
            numbers = {
                case: int(code[1:])
                for case, code in owner.execute("SELECT id, code FROM study_case")
            }
        for seed, (reader, count) in enumerate(((cast.rita, CASES), (cast.rolf, ROLF_READ)), 1):
            for _ in range(count):
                number = numbers[case_before(cast, reader)]
                truth = number % 3 != 0
                unaided = call(*said(number, truth=truth, seed=seed, right=0.7))
                aided = call(*said(number, truth=truth, seed=10 + seed, right=0.8))
                lock_aided_call(cast, reader, show_ai(cast, reader, unaided), aided)
        lock(cast, cast.rolf)
        unblind(cast)
        yield cast


def case_before(cast: Cast, reader: Account) -> UUID:
    """The case that the reader reads next, as the database knows it."""
    assignment = serve(cast, reader)
    with superuser(cast) as owner:
        return owner.execute(
            "SELECT case_id FROM assignment WHERE id = %s", [assignment]
        ).fetchone()[0]


@pytest.fixture(scope="module")
def folder(finished: Cast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack as a folder."""
    out = tmp_path_factory.mktemp("export") / "pack"
    export(finished, out, overlays=False)
    return out


@pytest.fixture(scope="module")
def downloaded(finished: Cast) -> dict[str, str]:
    """What the coordinator gets: the page, its numbers and the readings."""
    browser = Site(finished).browser(finished.cora)
    return {
        name: browser.get(f"/studies/bcc-sk/{path}").text
        for name, path in (
            ("page", "results"),
            ("numbers", "results/analysis.json"),
            ("readings", "export/readings.csv"),
        )
    }


@pytest.fixture(scope="module")
def read(downloaded: dict[str, str]) -> dict[str, dict[str, Read]]:
    """Reader, and "model" -> modality -> what was called, by case."""
    found: dict[str, dict[str, Read]] = {name: {arm: {} for arm in ARMS} for name in NAMES}
    model: Read = {}
    for row in csv.DictReader(io.StringIO(downloaded["readings"])):
        truth = row["truth"] == "BCC"
        found[row["reader_id"]][row["modality"]][row["case_id"]] = (
            truth, row["call"] == "BCC", float(row["score"]),
        )  # fmt: skip
        if row["ai_call"]:
            model[row["case_id"]] = (truth, row["ai_call"] == "BCC", float(row["ai_probability"]))
    return {**found, "model": {"alone": model}}


class Tables(HTMLParser):
    """The bodies of a page's tables: id -> rows -> the words of each cell."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: dict[str, list[list[str]]] = {}
        self._table = ""
        self._within = False
        self._cell: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag == "caption":
            self._table = str(dict(attrs)["id"]).removesuffix("-caption")
            self.rows[self._table] = []
        elif tag == "tbody":
            self._within = True
        elif self._within and tag == "tr":
            self.rows[self._table].append([])
        elif self._within and tag in {"td", "th"}:
            self._cell = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "tbody":
            self._within = False
        elif tag in {"td", "th"} and self._cell is not None:
            self.rows[self._table][-1].append(" ".join(self._cell.split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell += data


# ---------------------------------------------------------------- as the page writes


NUMBER = re.compile(r"[-\N{MINUS SIGN}]?\d+(?:\.\d+)?")
NONE = "\N{EN DASH}"


def told(value: float) -> str:
    """A number to all its places: the page rounds it."""
    return f"{value:.15f}"


def told_p(value: float | None) -> str:
    return NONE if value is None else "< 0.001" if value < 0.001 else told(value)


def reach(value: float, low: float, high: float) -> str:
    return f"{told(value)} {told(low)} to {told(high)}"


def share(over: int, of: int) -> str:
    return f"{told(100 * over / of)} % {over}/{of}" if of else NONE


def differing(shown: Sequence[Sequence[str]], mine: Sequence[Sequence[str]]) -> list[str]:
    """The cells that do not say the same: words and counts to the letter, numbers as they round.

    Cells behind the last one of a row of mine say no number, or the test says it elsewhere.
    """
    assert len(shown) == len(mine)
    assert mine
    return [
        f"{theirs} for {ours}"
        for row, own in zip(shown, mine, strict=True)
        for theirs, ours in zip(row, [*own, *row[len(own) :]], strict=True)
        if not same(theirs, ours)
    ]


def same(shown: str, mine: str) -> bool:
    words, own_words = (NUMBER.sub("#", text) for text in (shown, mine))
    return words == own_words and all(
        rounds(theirs, ours)
        for theirs, ours in zip(NUMBER.findall(shown), NUMBER.findall(mine), strict=True)
    )


def rounds(shown: str, mine: str) -> bool:
    if "." not in mine:
        return shown == mine
    whole, _, places = shown.replace("\N{MINUS SIGN}", "-").partition(".")
    return bool(places) and (
        abs(float(f"{whole}.{places}") - float(mine)) <= 0.5 * 10 ** -len(places) + 1e-9
    )


def test_a_number_that_is_not_the_rounded_one_would_be_found() -> None:
    mine = [["Rita", reach(-0.12346, -0.5, 0.25), "3"]]
    assert differing([["Rita", "-0.123 -0.500 to 0.250", "3"]], mine) == []
    for cell in ("-0.124 -0.500 to 0.250", "0.123 -0.500 to 0.250", "-0.123 -0.500", "-0.123"):
        assert len(differing([["Rita", cell, "3"]], mine)) == 1
    assert len(differing([["Rolf", "-0.123 -0.500 to 0.250", "4"]], mine)) == 2


# ---------------------------------------------------------------- areas


def placements(rows: Sequence[Row], of: Callable[[Row], float]) -> tuple[list[float], list[float]]:
    """Each positive's share of negatives below it, and the other way round, ties one half."""
    positives = [of(row) for row in rows if row[0]]
    negatives = [of(row) for row in rows if not row[0]]

    def above(x: float, y: float) -> float:
        return float(x > y) + float(x == y) / 2

    return (
        [fmean(above(x, y) for y in negatives) for x in positives],
        [fmean(above(x, y) for x in positives) for y in negatives],
    )


def spread(*both: Sequence[float]) -> float:
    return sum(variance(part) / len(part) for part in both)


def area(rows: Sequence[Row], of: Callable[[Row], float]) -> tuple[float, float, float]:
    """An area and its interval by DeLong's variance."""
    above, below = placements(rows, of)
    value, error = fmean(above), sqrt(spread(above, below))
    assert value == pytest.approx(
        roc_auc_score([row[0] for row in rows], [of(row) for row in rows]), abs=1e-12
    )
    return value, max(value - Z * error, 0), min(value + Z * error, 1)


def area_changed(
    pairs: Sequence[tuple[Row, Row]], of: Callable[[Row], float]
) -> tuple[float, float, float, float]:
    """A difference, its interval and its p, by the paired test."""
    one, two = (placements([pair[arm] for pair in pairs], of) for arm in (0, 1))
    moved = [[b - a for a, b in zip(*side, strict=True)] for side in zip(one, two, strict=True)]
    value, error = fmean(moved[0]), sqrt(spread(*moved))
    return value, value - Z * error, value + Z * error, 2 * norm.sf(abs(value) / error)


def called(row: Row) -> float:
    return float(row[1])


def score(row: Row) -> float:
    return row[2]


def paired(read: dict[str, dict[str, Read]], reader: str) -> dict[str, tuple[Row, Row]]:
    before, after = (read[reader][arm] for arm in ARMS)
    return {case: (before[case], after[case]) for case in sorted(before.keys() & after.keys())}


def test_x1_areas_are_counted_again_pair_by_pair(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    numbers = json.loads(downloaded["numbers"])
    rows = []
    for told_of, reader in zip(numbers["readers"], NAMES, strict=True):
        both = len(paired(read, reader))
        row = [NAMES[reader], str(both)]
        for arm in ARMS:
            readings = list(read[reader][arm].values())
            found = area(readings, score)
            held = told_of["modalities"][arm]["auc"]
            assert [held[key] for key in ("value", "low", "high")] == pytest.approx(found, abs=1e-9)
            more = "" if len(readings) == both else f" of {len(readings)} cases"
            row.append(reach(*found) + more)
        found = area_changed(list(paired(read, reader).values()), score)
        held = told_of["comparison"]["auc"]
        keys = ("difference", "low", "high", "p")
        assert [held[key] for key in keys] == pytest.approx(found, abs=1e-9)
        rows.append([*row, reach(*found[:3]), told_p(found[3]), ""])
    alone = read["model"]["alone"]
    rows.append([MODEL, str(len(alone)), reach(*area(list(alone.values()), score))])
    shown = Tables(downloaded["page"]).rows["auc"]
    assert differing(shown, rows) == []


# ---------------------------------------------------------------- calls

MEASURES: dict[str, tuple[Callable[[Row], bool], Callable[[Row], bool]]] = {
    # of which cases, and which of them count
    "Sensitivity": (lambda row: row[0], lambda row: row[1]),
    "Specificity": (lambda row: not row[0], lambda row: not row[1]),
    "PPV": (lambda row: row[1], lambda row: row[0]),
    "NPV": (lambda row: not row[1], lambda row: not row[0]),
}


def counted(rows: Sequence[Row], measure: str) -> tuple[int, int]:
    of, over = MEASURES[measure]
    kept = [row for row in rows if of(row)]
    return sum(map(over, kept)), len(kept)


def wilson(over: int, of: int) -> str:
    interval = binomtest(over, of).proportion_ci(method="wilson")
    low, high = (told(100 * bound) for bound in interval)
    return f"{share(over, of)}, {low} to {high}"


def tango(gained: int, lost: int, n: int) -> tuple[float, float]:
    """Where Tango's score statistic is -Z and Z (1998, equation 7)."""

    def statistic(delta: float) -> float:
        b = -gained - lost + (2 * n - gained + lost) * delta
        c = -lost * delta * (1 - delta)
        chance = (sqrt(b * b - 8 * n * c) - b) / (4 * n)
        return (gained - lost - n * delta) / sqrt(n * (2 * chance + delta * (1 - delta)))

    middle, edge = (gained - lost) / n, 1 - 1e-12
    return (
        brentq(lambda delta: statistic(delta) - Z, -edge, middle),
        brentq(lambda delta: statistic(delta) + Z, middle, edge),
    )


def share_changed(
    pairs: Sequence[tuple[Row, Row]], measure: str
) -> tuple[float, float, float, float]:
    """A difference of sensitivities or specificities, Tango's interval, McNemar's exact p."""
    of, over = MEASURES[measure]
    kept = [pair for pair in pairs if of(pair[0])]
    gained = sum(over(two) and not over(one) for one, two in kept)
    lost = sum(over(one) and not over(two) for one, two in kept)
    p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    return (gained - lost) / len(kept), *tango(gained, lost, len(kept)), p


def value_changed(
    pairs: Sequence[tuple[Row, Row]], measure: str
) -> tuple[float, float, float, float]:
    """A difference of predictive values, Wald's interval, the weighted generalised score's p."""
    of, over = MEASURES[measure]
    counts = [[(over(pair[arm]), 1) for pair in pairs if of(pair[arm])] for arm in (0, 1)]
    n = [len(part) for part in counts]
    values = [fmean(right for right, _ in part) for part in counts]
    pooled = sum(right for part in counts for right, _ in part) / sum(n)
    both = [over(one) for one, two in pairs if of(one) and of(two)]
    shared = sum((1 - pooled) ** 2 if right else pooled**2 for right in both) / sum(n)
    difference = values[1] - values[0]
    chi2 = difference**2 / ((pooled * (1 - pooled) - 2 * shared) * (1 / n[0] + 1 / n[1]))
    covered = sum(
        (right - values[0]) * (right - values[1]) for right in both
    ) / (n[0] * n[1])  # fmt: skip
    error = sqrt(sum(v * (1 - v) / m for v, m in zip(values, n, strict=True)) - 2 * covered)
    low, high = max(difference - Z * error, -1), min(difference + Z * error, 1)
    return difference, low, high, 2 * norm.sf(sqrt(chi2))


def test_x1_calls_are_counted_again_and_compared_by_other_code(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    numbers = json.loads(downloaded["numbers"])
    rows = []
    for told_of, reader in zip(numbers["readers"], NAMES, strict=True):
        pairs = list(paired(read, reader).values())
        for measure in MEASURES:
            changed = value_changed if measure.endswith("PV") else share_changed
            found = changed(pairs, measure)
            held = told_of["comparison"][measure.lower()]
            keys = ("difference", "low", "high", "p")
            assert [held[key] for key in keys] == pytest.approx(found, abs=1e-9), measure
            rows.append([
                *([NAMES[reader]] if measure == "Sensitivity" else []),
                measure,
                *(wilson(*counted(list(read[reader][arm].values()), measure)) for arm in ARMS),
                reach(*(100 * each for each in found[:3])),
                told_p(found[3]),
            ])  # fmt: skip
    alone = list(read["model"]["alone"].values())
    rows += [
        [*([MODEL] if measure == "Sensitivity" else []), measure, wilson(*counted(alone, measure))]
        for measure in MEASURES
    ]
    shown = Tables(downloaded["page"]).rows["calls"]
    assert differing(shown, rows) == []


def test_x1_changed_calls_and_reliance_are_counted_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    changes, reliance = [], []
    model = read["model"]["alone"]
    for reader, name in NAMES.items():
        pairs = paired(read, reader)

        def right(case: str, arm: int, pairs: dict[str, tuple[Row, Row]] = pairs) -> bool:
            return pairs[case][arm][0] == pairs[case][arm][1]

        def advised(case: str) -> bool:
            return model[case][0] == model[case][1]

        row = [name]
        for positive in (True, False):
            cases = [case for case in pairs if model[case][0] is positive]
            moves = [(right(case, 0), right(case, 1)) for case in cases]
            row += [
                str(moves.count(move))
                for move in ((False, True), (True, False), (True, True), (False, False))
            ]
        changes.append(row)
        for words, kept in (
            ("all cases", list(pairs)),
            ("truly BCC", [case for case in pairs if model[case][0]]),
            ("truly SK", [case for case in pairs if not model[case][0]]),
        ):
            moves = [(right(case, 0), right(case, 1)) for case in kept]
            differed = [case for case in kept if pairs[case][0][1] != model[case][1]]
            misled = [case for case in kept if not right(case, 0) and advised(case)]
            tempted = [case for case in kept if right(case, 0) and not advised(case)]
            row = [
                *([name] if words == "all cases" else []),
                words,
                str(len(kept)),
                str(moves.count((False, True))),
                str(moves.count((True, False))),
                share(
                    sum(pairs[case][0][1] != pairs[case][1][1] for case in differed), len(differed)
                ),
                share(sum(right(case, 1) for case in misled), len(misled)),
                share(sum(right(case, 1) for case in tempted), len(tempted)),
            ]
            for good in (True, False):
                part = [case for case in kept if advised(case) is good]
                row += [share(sum(right(case, arm) for case in part), len(part)) for arm in (0, 1)]
            reliance.append(row)
    shown = Tables(downloaded["page"]).rows
    assert differing(shown["changes"], changes) == []
    assert differing(shown["reliance"], reliance) == []


def test_x1_cases_called_wrong_are_counted_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    model = read["model"]["alone"]
    rows = []
    for case, (truth, is_bcc, _) in model.items():
        row = [case, "BCC" if truth else "SK"]
        wrong = [is_bcc != truth]
        for arm in ARMS:
            of = [read[reader][arm][case] for reader in NAMES if case in read[reader][arm]]
            over = sum(one[0] != one[1] for one in of)
            row.append(f"{over} of {len(of)}")
            wrong.append(over > 0)
        if any(wrong):
            rows.append([*row, "wrong" if is_bcc != truth else "right"])
    shown = Tables(downloaded["page"]).rows["failures"]
    assert len(shown) == min(len(rows), 40), "the rest is in analysis.json"
    assert all(row in rows for row in shown)
    wrong_at_last = sorted((int(row[3][0]) for row in rows), reverse=True)
    assert [int(row[3][0]) for row in shown] == wrong_at_last[:40]


# ---------------------------------------------------------------- NRI and IDI


def refitted(rows: Sequence[Row]) -> Callable[[Row], float]:
    """The risk that a logistic regression on a call fits: the share of events of that call."""
    risk = {
        call: fmean(row[0] for row in rows if row[1] is call) for call in {row[1] for row in rows}
    }
    return lambda row: risk[row[1]]


def improvements(pairs: Sequence[tuple[Row, Row]]) -> Iterator[tuple[str, str, list[float]]]:
    """Index, input and: sum, its interval, its part of the events, that of the non-events."""
    before, after = (refitted([pair[arm] for pair in pairs]) for arm in (0, 1))
    risks: dict[str, list[tuple[bool, float, float]]] = {
        "calls": [(one[0], called(one), called(two)) for one, two in pairs],
        "scores": [(one[0], score(one), score(two)) for one, two in pairs],
        "refitted": [(one[0], before(one), after(two)) for one, two in pairs],
    }
    cut = [(event, float(a >= 0.5), float(b >= 0.5)) for event, a, b in risks["refitted"]]

    def parts(given: list[tuple[bool, float, float]], *, counts: bool) -> list[float]:
        found, error = [], 0.0
        for event in (True, False):
            changes = [b - a for is_event, a, b in given if is_event is event]
            if counts:  # only whether it rose, variance of a multinomial share
                changes = [float(change > 0) - float(change < 0) for change in changes]
                error += (fmean(c * c for c in changes) - fmean(changes) ** 2) / len(changes)
            else:
                error += variance(changes) / len(changes)
            found.append(fmean(changes) if event else -fmean(changes))
        value, error = sum(found), sqrt(error)
        return [
            value,
            value - Z * error,
            value + Z * error,
            *found,
            2 * norm.sf(abs(value) / error),
        ]

    yield "nri", "calls", parts(risks["calls"], counts=True)
    yield "nri", "category_free", parts(risks["scores"], counts=True)
    yield "nri", "refitted", parts(cut, counts=True)
    yield "idi", "calls", parts(risks["calls"], counts=False)
    yield "idi", "scores", parts(risks["scores"], counts=False)
    yield "idi", "refitted", parts(risks["refitted"], counts=False)


WORDS = {
    ("nri", "calls"): "calls",
    ("nri", "category_free"): "scores, category-free",
    ("nri", "refitted"): "calls refitted by logistic regression, cut at 0.5",
    ("idi", "calls"): "calls",
    ("idi", "scores"): "scores",
    ("idi", "refitted"): "calls refitted by logistic regression",
}


def test_x1_x3_nri_and_idi_with_their_parts_are_computed_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    numbers = json.loads(downloaded["numbers"])
    rows: dict[str, list[list[str]]] = {"nri": [], "idi": []}
    for told_of, reader in zip(numbers["readers"], NAMES, strict=True):
        pairs = list(paired(read, reader).values())
        events = sum(one[0] for one, _ in pairs)
        for index, given, found in improvements(pairs):
            held = told_of["comparison"][index][given]
            keys = ("value", "low", "high", "events", "nonevents")
            assert [held[key] for key in keys] == pytest.approx(found[:5], abs=1e-9), given
            p = found[5] if min(events, len(pairs) - events) >= 20 else None
            assert held["p"] == (None if p is None else pytest.approx(p, abs=1e-9)), given
            assert found[0] == pytest.approx(found[3] + found[4], abs=1e-12)
            rows[index].append([
                *([NAMES[reader]] if given == "calls" else []),
                WORDS[index, given],
                reach(*found[:3]), told(found[3]), told(found[4]),
                told_p(p), f"{events} / {len(pairs) - events}",
            ])  # fmt: skip
    shown = Tables(downloaded["page"]).rows
    assert differing(shown["nri"], rows["nri"]) == []
    assert differing(shown["idi"], rows["idi"]) == []


def test_x3_nri_and_idi_are_never_the_headline_and_never_without_the_caution(
    downloaded: dict[str, str], folder: Path
) -> None:
    page = downloaded["page"]
    caution = next(
        each["text"]
        for each in json.loads(downloaded["numbers"])["warnings"]
        if each["code"] == "nri_idi_caution"
    )
    sections = re.findall(r'<section class="stack" id="(\w+)"', page)
    assert sections[:4] == ["areas", "calls", "changes", "nri"]
    nri = page[page.index('<section class="stack" id="nri"') :]
    assert caution.split(".")[0] in nri[: nri.index("<table")], "before the first number"
    assert not re.search(r"\b(NRI|IDI)\b", re.sub(r"(?s)<nav.*?</nav>", "", page[: -len(nri)]))
    report = (folder / "report.html").read_text()
    tables = re.findall(r"<caption>([^<]*)", report)
    at = [number for number, caption in enumerate(tables) if "Reclassification" in caption]
    assert at == [2], "after areas and calls, and after their differences"
    assert [("AUC" in caption, "Paired" in caption) for caption in tables[:2]] == [
        (True, False),
        (False, True),
    ]
    columns = report[report.index(tables[2]) :].split("</tr>", maxsplit=1)[0]
    assert '<th scope="col">Events</th><th scope="col">Non-events</th>' in columns
    assert report.index(caution.split(".")[0]) < report.index(tables[2])


# ---------------------------------------------------------------- all readers, their confidence


def pooled(
    read: dict[str, dict[str, Read]], of: Callable[[Row], float], *, positive: bool | None
) -> tuple[int, list[list[float]], list[float]]:
    """Cases; each modality's mean and interval; difference, interval and p: Obuchowski-Rockette.

    For these readers on cases like these; covariances by DeLong. `positive`: a share of that class.
    """
    shared = set.intersection(*(set(paired(read, reader)) for reader in NAMES))
    cases = sorted(c for c in shared if positive in {None, read["model"]["alone"][c][0]})
    arms = [[[read[reader][arm][case] for case in cases] for reader in NAMES] for arm in ARMS]

    def sides(rows: list[Row]) -> tuple[list[float], ...]:
        if positive is None:
            return placements(rows, of)
        return ([float(row[0] == row[1]) for row in rows],)

    placed = [[sides(rows) for rows in readers] for readers in arms]
    means = [[fmean(one[0]) for one in readers] for readers in placed]

    def covariance(one: tuple[list[float], ...], two: tuple[list[float], ...]) -> float:
        return sum(
            sum((x - fmean(a)) * (y - fmean(b)) for x, y in zip(a, b, strict=True))
            / (len(a) - 1) / len(a)
            for a, b in zip(one, two, strict=True)
        )  # fmt: skip

    var = fmean(covariance(one, one) for readers in placed for one in readers)
    same_reader = fmean(covariance(placed[0][r], placed[1][r]) for r in (0, 1))
    same_arm = fmean(covariance(placed[arm][0], placed[arm][1]) for arm in (0, 1))
    neither = fmean(covariance(placed[0][r], placed[1][1 - r]) for r in (0, 1))
    shown = []
    for arm in (0, 1):
        own = fmean(covariance(one, one) for one in placed[arm])
        between = covariance(placed[arm][0], placed[arm][1])
        error = sqrt((own + max(between, 0)) / 2)
        value = fmean(means[arm])
        shown.append([value, max(value - Z * error, 0), min(value + Z * error, 1)])
    difference = fmean(means[1]) - fmean(means[0])
    error = sqrt(var - same_reader + max(same_arm - neither, 0))
    p = 2 * norm.sf(abs(difference) / error)
    return len(cases), shown, [difference, difference - Z * error, difference + Z * error, p]


def test_x1_means_over_readers_are_computed_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    numbers = json.loads(downloaded["numbers"])["mrmc"]
    rows = []
    for title, key, of, positive in (
        ("AUC of the score", "auc", score, None),
        ("AUC of the calls", "auc_calls", called, None),
        ("Sensitivity", "sensitivity", called, True),
        ("Specificity", "specificity", called, False),
    ):
        cases, arms, found = pooled(read, of, positive=positive)
        held = numbers[key]["obuchowski_rockette"]["delong"]["fixed_readers_random_cases"]
        keys = ("difference", "low", "high", "p")
        assert [held[each] for each in keys] == pytest.approx(found, abs=1e-9), title
        rows.append([
            title, str(cases), *(reach(*arm) for arm in arms), reach(*found[:3]),
            told_p(found[3]), "these readers only, on cases like these",
        ])  # fmt: skip
    assert differing(Tables(downloaded["page"]).rows["pooled"], rows) == []


def agreement(one: Read, two: Read) -> list[str]:
    """Cases, the share of equal calls and of positive ones, Cohen's kappa, Gwet's AC1."""
    cases = sorted(one.keys() & two.keys())
    calls = [(one[case][1], two[case][1]) for case in cases]
    n = len(cases)
    same = fmean(a == b for a, b in calls)
    share_one, share_two = (fmean(pair[k] for pair in calls) for k in (0, 1))
    positive = (share_one + share_two) / 2
    kappa = cohen_kappa_score([a for a, _ in calls], [b for _, b in calls])
    # Fleiss, Cohen and Everitt 1969, equation 13.
    chance = share_one * share_two + (1 - share_one) * (1 - share_two)

    def margins(a: bool, b: bool) -> float:  # noqa: FBT001
        return (share_two if a else 1 - share_two) + (share_one if b else 1 - share_one)

    spent = fmean(
        (1 - margins(a, b) * (1 - kappa)) ** 2 if a == b else (margins(a, b) * (1 - kappa)) ** 2
        for a, b in calls
    )
    error = sqrt((spent - (kappa - chance * (1 - kappa)) ** 2) / n) / (1 - chance)
    expected = 2 * positive * (1 - positive)
    ac1 = (same - expected) / (1 - expected)
    each = [
        (float(a == b) - expected) / (1 - expected)
        - 2 * (1 - ac1)
        * ((positive * (2 - a - b) + (1 - positive) * (a + b)) / 2 - expected) / (1 - expected)
        for a, b in calls
    ]  # fmt: skip
    error_ac1 = sqrt(sum((x - ac1) ** 2 for x in each) / n / (n - 1))
    return [
        str(n), f"{told(100 * same)} %", f"{told(100 * positive)} %",
        *(
            reach(value, max(value - Z * se, -1), min(value + Z * se, 1))
            for value, se in ((kappa, error), (ac1, error_ac1))
        ),
    ]  # fmt: skip


def test_x1_agreement_is_computed_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    shown = Tables(downloaded["page"]).rows
    both = [[arm.capitalize(), *agreement(read["R01"][arm], read["R02"][arm])] for arm in ARMS]
    assert differing(shown["agreement"], both) == []
    with_model = [
        [
            *([name] if arm == "unaided" else []),
            arm.capitalize(),
            *agreement(read[reader][arm], read["model"]["alone"]),
        ]
        for reader, name in NAMES.items()
        for arm in ARMS
    ]
    assert differing(shown["model-agreement"], with_model) == []


def confidence(rows: Sequence[Row]) -> list[str]:
    """Cases, calibration in the large, slope, observed / expected, Brier, Spiegelhalter's p."""
    truths, risks = [float(row[0]) for row in rows], [row[2] for row in rows]
    odds = [log(risk / (1 - risk)) for risk in risks]

    def scores(given: Sequence[float]) -> list[float]:
        left = [y - expit(given[0] + given[1] * x) for y, x in zip(truths, odds, strict=True)]
        return [sum(left), sum(e * x for e, x in zip(left, odds, strict=True))]

    in_the_large = brentq(lambda a: scores([a, 1])[0], -20, 20)
    fitted = root(scores, [0, 0.1], tol=1e-12)
    off = sum((y - p) * (1 - 2 * p) for y, p in zip(truths, risks, strict=True))
    z = off / sqrt(sum((1 - 2 * p) ** 2 * p * (1 - p) for p in risks))
    return [
        str(len(rows)), told(in_the_large), told(fitted.x[1]),
        told(sum(truths) / sum(risks)), told(brier_score_loss(truths, risks)),
        told_p(2 * norm.sf(abs(z))),
    ]  # fmt: skip


def test_x1_calibration_is_computed_again(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    rows = [
        [
            *([name] if arm == "unaided" else []),
            arm.capitalize(),
            *confidence(list(read[reader][arm].values())),
        ]
        for reader, name in NAMES.items()
        for arm in ARMS
    ]
    rows.append([MODEL, "", *confidence(list(read["model"]["alone"].values()))])
    assert differing(Tables(downloaded["page"]).rows["calibration"], rows) == []


def test_x1_the_bootstraps_estimates_are_those_of_the_other_tables(
    downloaded: dict[str, str], read: dict[str, dict[str, Read]]
) -> None:
    names = {
        ("nri", "calls"): "NRI, calls",
        ("nri", "category_free"): "NRI, scores, category-free",
        ("nri", "refitted"): "NRI, refitted, cut at 0.5",
        ("idi", "calls"): "IDI, calls",
        ("idi", "scores"): "IDI, scores",
        ("idi", "refitted"): "IDI, refitted",
    }
    shown = Tables(downloaded["page"]).rows["bootstrap"]
    for reader, rows in zip(NAMES, (shown[:9], shown[9:]), strict=True):
        pairs = list(paired(read, reader).values())
        estimates = {row[-4]: row[-3] for row in rows}
        expected = {names[i, given]: told(found[0]) for i, given, found in improvements(pairs)}
        expected["AUC of the score"] = told(area_changed(pairs, score)[0])
        expected["AUC of the calls"] = told(area_changed(pairs, called)[0])
        assert len(estimates) == 9
        assert all(same(estimates[name], mine) for name, mine in expected.items())


# ---------------------------------------------------------------- the same numbers in the pack


def test_x1_the_pack_holds_the_numbers_of_the_page(
    downloaded: dict[str, str], folder: Path
) -> None:
    """But for the digest of the file they are of: both are of the same readings."""
    numbers: dict[str, Any] = json.loads(downloaded["numbers"])
    packed: dict[str, Any] = json.loads((folder / "results.json").read_text())
    assert (folder / "readings.csv").read_text() == downloaded["readings"]
    assert packed["readers"] == numbers["readers"]
    for part in ("data", "positive", "model", "mrmc", "agreement", "failures", "warnings"):
        assert packed[part] == numbers[part], part


def in_report(folder: Path, number: int) -> list[list[str]]:
    """The rows of a table of report.html, without its header."""
    table = (folder / "report.html").read_text().split("<table>")[number + 1]
    return [
        [unescape(cell) for cell in re.findall(r"<td>(.*?)</td>", row)]
        for row in re.findall(r"<tr>(<td>.*?)</tr>", table)
    ]


def bracketed(value: float, low: float, high: float, *, sign: str = "") -> str:
    return f"{value:{sign}.15f} ({told(low)} to {told(high)})"


def test_x1_the_packs_report_prints_these_numbers_too(
    folder: Path, read: dict[str, dict[str, Read]]
) -> None:
    accuracy, differences, improved = [], [], []
    for reader in NAMES:
        for arm in ARMS:
            rows = list(read[reader][arm].values())
            row = [reader, arm, str(len(rows))]
            row += [bracketed(*area(rows, of)) for of in (score, called)]
            for measure in MEASURES:
                over, of = counted(rows, measure)
                interval = binomtest(over, of).proportion_ci(method="wilson")
                row.append(f"{over}/{of} = {bracketed(over / of, *interval)}")
            accuracy.append(row)
        both = paired(read, reader)
        pairs, events = list(both.values()), sum(one[0] for one, _ in both.values())
        alone = len(read[reader]["unaided"].keys() ^ read[reader]["aided"].keys())
        changes = [area_changed(pairs, of) for of in (score, called)]
        changes += [share_changed(pairs, measure) for measure in ("Sensitivity", "Specificity")]
        changes += [value_changed(pairs, measure) for measure in ("PPV", "NPV")]
        differences.append([
            reader,
            f"{len(pairs)} ({alone} missing)",
            *(f"{bracketed(*each[:3], sign='+')}, p {told_p(each[3])}" for each in changes),
        ])  # fmt: skip
        few = min(events, len(pairs) - events) < 20
        improved += [
            [
                *(reader, index.upper()),
                *(f"{events} / {len(pairs) - events}", bracketed(*found[:3])),
                *(told(found[3]), told(found[4]), "undefined" if few else told_p(found[5])),
            ]
            for index, _, found in improvements(pairs)
        ]
    assert (
        differing(in_report(folder, 0), [*accuracy, *in_report(folder, 0)[len(accuracy) :]]) == []
    )
    assert differing(in_report(folder, 1), differences) == []
    without_input = [row[:2] + row[3:] for row in in_report(folder, 2)]
    assert differing(without_input, improved) == []
