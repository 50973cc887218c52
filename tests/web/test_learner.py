"""What surrounds the pictures teaches nothing: a learner gets every other observable (B3, B5).

A reader could note addresses, sizes, headers, places and times of all that is sent before the
unaided lock. Two models learn truth and AI from such notes on some cases; on the others they must
do no better than chance. Planted leaks show that they would find one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

import numpy as np
import pytest
from httpx2 import Response
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from starlette.testclient import TestClient

from app.actions.read_case import lock_aided, reveal
from app.db.session import Role
from app.domain.reading import ReadingState
from app.storage import Storage
from tests.conftest import open_cast_of
from tests.reading.steps import at, bring_to, call, superuser
from tests.web.site import Site

CASES = 160
# Standard errors of an area of one half. Without a leak the boosted model's areas spread by 1.3 of
# them, so that less than one run in a million goes beyond; a leak that is planted reaches 9.
BOUND = 7.0


@dataclass(frozen=True)
class Notes:
    """What one reader could note of every case before its unaided lock, and what is true of it."""

    observed: NDArray[np.float64]  # (cases, observables)
    headers: list[set[tuple[str, str]]]  # of each case, of all its answers, without lengths
    malignant: NDArray[np.bool_]  # (cases,)
    called: NDArray[np.bool_]  # (cases,) BCC by the model


@pytest.fixture(scope="module")
def notes(postgres: str, storage: Storage) -> Iterator[Notes]:
    """Rita reads every case of a study whose pictures are noise: no size tells by nature."""
    with open_cast_of(postgres, storage, cases=CASES) as cast:
        yield take_notes(Site(cast))


def take_notes(site: Site) -> Notes:
    cast, browser = site.cast, site.browser(site.cast.rita)
    browser.get("/studies/bcc-sk/read")  # what only the first request costs is no observable
    assignments, rows, headers = list[UUID](), list[list[float]](), list[set[tuple[str, str]]]()
    for place in range(CASES):
        assignment = at(cast, cast.rita).assignment.id
        row, told = note_case(browser, assignment)
        assignments.append(assignment)
        rows.append([place, *row])
        headers.append(told)
        with cast.begin(Role.READER, cast.rita) as connection:
            reveal(connection, assignment_id=assignment)
        with cast.begin(Role.READER, cast.rita) as connection:
            lock_aided(connection, assignment_id=assignment, submission=call())
    with superuser(cast) as owner:
        found = owner.execute(
            """SELECT a.id, d.diagnosis = 'BCC', p.call = 'BCC' FROM assignment a
               JOIN reference_diagnosis d USING (case_id) JOIN case_prediction p USING (case_id)"""
        )
        known = {row[0]: row[1:] for row in found}
    truth = np.array([known[assignment] for assignment in assignments])
    return Notes(np.array(rows), headers, truth[:, 0], truth[:, 1])


def note_case(browser: TestClient, assignment: UUID) -> tuple[list[float], set[tuple[str, str]]]:
    """Go through a case up to its lock; every number that can be read off the answers."""
    row = [int.from_bytes(assignment.bytes[i : i + 4]) / 2**32 for i in (0, 4, 8, 12)]
    told: set[tuple[str, str]] = set()
    form = {"call": "BCC", "confidence": "50", "submission_id": str(uuid4())}
    for ask in (
        lambda: browser.post("/studies/bcc-sk/next"),
        lambda: browser.get("/studies/bcc-sk/read"),
        lambda: browser.get(f"/readings/{assignment}/images/1"),
        lambda: browser.get(f"/readings/{assignment}/overlays/1"),
        lambda: browser.post(f"/readings/{assignment}/unaided", data=form),
        lambda: browser.get("/studies/bcc-sk/read"),
    ):
        answer, seconds = timed(ask)
        row += [seconds, len(answer.content), len(str(answer.headers.raw)), answer.status_code]
        told |= {(k, v) for k, v in answer.headers.items() if k != "content-length"}
    return row, told


def timed(ask: Callable[[], Response]) -> tuple[Response, float]:
    start = time.perf_counter()
    answer = ask()
    return answer, time.perf_counter() - start


def learned(observed: NDArray[np.float64], target: NDArray[np.bool_]) -> dict[str, float]:
    """How many standard errors of chance each model's area lies from one half, across folds."""
    ones, zeros = int(target.sum()), int((~target).sum())
    error = np.sqrt((ones + zeros + 1) / (12 * ones * zeros))
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
        "boosted": GradientBoostingClassifier(n_estimators=40, random_state=1),
    }
    folds = StratifiedKFold(6, shuffle=True, random_state=1)
    beyond: dict[str, float] = {}
    for name, model in models.items():
        scores = cross_val_predict(model, observed, target, cv=folds, method="predict_proba")
        beyond[name] = (roc_auc_score(target, scores[:, 1]) - 0.5) / error
    return beyond


@pytest.mark.parametrize("what", ["malignant", "called"])
def test_b3_nothing_but_the_pixels_lets_a_learner_tell_truth_or_ai(notes: Notes, what: str) -> None:
    found = learned(notes.observed, getattr(notes, what))
    assert max(found.values()) < BOUND, found


def test_b3_no_header_has_another_value_for_another_case(notes: Notes) -> None:
    addresses = {("location", "/studies/bcc-sk/read")}
    assert all(told - addresses == notes.headers[0] - addresses for told in notes.headers)


@pytest.mark.parametrize("column", [5, 10, 14])
def test_b3_the_learner_finds_a_leak_that_is_planted(notes: Notes, column: int) -> None:
    """A time that is longer, or a size that is larger, for nearly all of the malignant cases."""
    chance = np.random.default_rng(3)
    leaking = notes.observed.copy()
    marked = notes.malignant & (chance.random(CASES) < 0.95)
    step = max(3 * leaking[:, column].std(), 1.0 if leaking[:, column].max() > 1 else 0.0)
    leaking[marked, column] += step
    assert max(learned(leaking, notes.malignant).values()) > BOUND


# ---------------------------------------------------------------- the time of an answer

ROUNDS = 3


def differ(
    first: Callable[[], object], second: Callable[[], object], *, requests: int
) -> list[float]:
    """Kolmogorov-Smirnov p of the times of two requests, sent in a drawn order, by round.

    A busy machine slows either of them, so they are interleaved; and one round in a hundred says
    p < 0.01 by chance, so a difference counts that shows in every round.
    """
    chance = np.random.default_rng(5)
    found: list[float] = []
    for _ in range(ROUNDS):
        times: tuple[list[float], list[float]] = ([], [])
        for which in chance.permutation([0, 1] * (requests // 2)):
            start = time.perf_counter()
            (first, second)[which]()
            times[which].append(time.perf_counter() - start)
        found.append(float(ks_2samp(*times).pvalue))
        if found[-1] > 0.01:
            break  # it does not show in every round: enough is known
    return found


def test_b5_the_answer_to_a_map_before_its_time_takes_as_long_as_that_to_none(site: Site) -> None:
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.LOCKED)
    browser = site.browser(cast.rita)
    with superuser(cast) as owner:
        assert owner.execute("SELECT count(*) FROM prediction").fetchone()[0] == 6
    coming, absent = (f"/readings/{assignment}/overlays/{position}" for position in (1, 2))
    assert browser.get(coming).content == browser.get(absent).content
    found = differ(lambda: browser.get(coming), lambda: browser.get(absent), requests=1000)
    assert max(found) > 0.01, found


def test_b5_a_difference_of_a_half_is_noticed(site: Site) -> None:
    """So that the test above can fail: one of the two takes half as long again."""
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.LOCKED)
    browser = site.browser(cast.rita)
    address = f"/readings/{assignment}/overlays/1"

    def longer() -> None:
        start = time.perf_counter()
        browser.get(address)
        until = start + 1.5 * (time.perf_counter() - start)
        while time.perf_counter() < until:
            pass

    found = differ(lambda: browser.get(address), longer, requests=400)
    assert max(found) < 0.01, found
