"""Simulated readers: programs of stated skill that go through the same actions as people.

They are marked as simulated in their account, in every list and in every file. The signal model
is the equal-variance one of signal detection theory: a case shows the reader an evidence e, normal
with variance 1, its mean chosen so that P(e > 0 | BCC) is the sensitivity and P(e < 0 | SK) the
specificity. The aided evidence is e + reliance * logit(probability shown); where the label alone is
shown, it counts as a logit of 2 towards its class, and a map alone moves nothing. A case that comes
again shows the same evidence plus a little noise.
"""

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from uuid import UUID, uuid4

from app.actions import read_case
from app.actions.amend_study import override_washout
from app.actions.draw_orders import enrol_reader
from app.db import accounts, protocols, readings
from app.db.administrator import CaseTruth
from app.db.session import Database, Role
from app.db.studies import Study
from app.domain.access import Account, AccountRole
from app.domain.errors import Conflict, InvalidInput
from app.domain.reading import Questions, ReadingState, Submission
from app.domain.scores import Diagnosis
from app.domain.study_design import Management
from app.domain.study_states import state_in_words

NORMAL = NormalDist()
AGAIN = 0.3  # standard deviation of what a second look at a case adds
LABEL = 2.0  # what a label without a probability weighs, as a logit
SURE = 1e-6  # probabilities are kept this far from 0 and 1 before the logit


@dataclass(frozen=True)
class Skill:
    """What a simulated reader can do alone, and how much it follows the AI (0: not at all)."""

    sensitivity: float = 0.80
    specificity: float = 0.75
    reliance: float = 0.5

    def __post_init__(self) -> None:
        """Refuse values the signal model has no mean for."""
        if not (0 < self.sensitivity < 1 and 0 < self.specificity < 1):
            raise InvalidInput("Sensitivity and specificity lie between 0 and 1, both excluded.")
        if not 0 <= self.reliance <= 10:  # noqa: PLR2004 - beyond, the reader is the model
            raise InvalidInput("Reliance lies between 0 and 10.")

    def evidence(self, truth: Diagnosis, chance: random.Random) -> float:
        """Draw what a case shows this reader."""
        mean = (
            NORMAL.inv_cdf(self.sensitivity)
            if truth == "BCC"
            else -NORMAL.inv_cdf(self.specificity)
        )
        return chance.gauss(mean, 1.0)


def simulate_readers(
    database: Database,
    *,
    study: Study,
    truth: Mapping[UUID, CaseTruth],
    readers: int,
    seed: int,
    skill: Skill,
    progress: Callable[[int, int], None],
    by: Account,
) -> None:
    """Let `readers` simulated readers read the whole study, on behalf of its coordinator.

    A program remembers no case: in a crossover each gets a washout of no days, written down with
    that reason as any other.

    `truth` comes from the administrator: no role of the application may read it while the study
    is open. The same seed gives the same calls for the same case codes, so that a run that was
    stopped is finished by running it again.
    """
    if study.state != "open":
        raise Conflict(
            f'The study "{study.code}" is {state_in_words(study.state)}; readers read open studies.'
        )
    if not 1 <= readers <= 100:  # noqa: PLR2004
        raise InvalidInput("Simulate between 1 and 100 readers.")
    done = 0
    for number in range(1, readers + 1):
        reader = _reader(database, study, seed, number, by)
        while (case := _next_case(database, study, reader)) is not None:
            known = truth[case.assignment.case_id]
            chance = random.Random(f"{seed}:{number}:{known.code}")  # noqa: S311 - no secret
            evidence = skill.evidence(known.diagnosis, chance)
            if case.assignment.position > len(truth):  # a case that was read before
                again = random.Random(f"{seed}:{number}:{case.assignment.position}")  # noqa: S311
                evidence += again.gauss(0.0, AGAIN)
            _read(database, study, case, reader, skill, evidence)
            done += 1
            progress(done, max(done, readers * _expected(database, study, reader)))


def _expected(database: Database, study: Study, reader: UUID) -> int:
    with database.begin(Role.READER, actor=reader) as connection:
        return read_case.find_reader_study(connection, code=study.code).cases


def _reader(database: Database, study: Study, seed: int, number: int, by: Account) -> UUID:
    email = f"simulated-{seed}-{number}@{study.code}.invalid"
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        known = accounts.credentials_of(connection, email)
        if known is not None:
            reader = known.id
        else:
            reader = accounts.insert_account(
                connection,
                email=email,
                name=f"Simulated reader {number} (seed {seed})",
                role=AccountRole.READER,
                password_hash=None,
                simulated=True,
            )
            enrol_reader(connection, study=study.id, reader=reader)
    if study.design == "crossover":
        _waive_washout(database, study, reader, by)
    return reader


def _waive_washout(database: Database, study: Study, reader: UUID, by: Account) -> None:
    with database.begin(Role.COORDINATOR, actor=by.id) as connection:
        if any(row.reader_id == reader for row in protocols.overrides_of(connection, study.id)):
            return
        override_washout(
            connection,
            study=study,
            reader=reader,
            days=0,
            reason="A simulated reader: a program that remembers no case.",
            by=by,
        )


def _next_case(database: Database, study: Study, reader: UUID) -> read_case.CaseView | None:
    with database.begin(Role.READER, actor=reader) as connection:
        read_case.serve_next(connection, study=study.id)
        return read_case.current_case(connection, study=study.id)


def _read(
    database: Database,
    study: Study,
    case: read_case.CaseView,
    reader: UUID,
    skill: Skill,
    evidence: float,
) -> None:
    """Read one case as a person would, a transaction a step, from the state it is in."""
    assignment = case.assignment.id
    with database.begin(Role.READER, actor=reader) as connection:
        asked = read_case.find_reader_study(connection, code=study.code).questions
    if case.state is ReadingState.SERVED:
        with database.begin(Role.READER, actor=reader) as connection:
            submission = _submission(evidence, asked)
            read_case.lock_unaided(connection, assignment_id=assignment, submission=submission)
    with database.begin(Role.READER, actor=reader) as connection:
        now = read_case.current_case(connection, study=study.id)
    if now is None or now.assignment.id != assignment:
        return  # the AI is withheld, and the case done
    with database.begin(Role.READER, actor=reader) as connection:
        read_case.reveal(connection, assignment_id=assignment)
    with database.begin(Role.READER, actor=reader) as connection:
        shown = readings.shown_ai(connection, assignment)[0]
    aided = evidence + skill.reliance * _advice(shown)
    with database.begin(Role.READER, actor=reader) as connection:
        submission = _submission(aided, asked)
        read_case.lock_aided(connection, assignment_id=assignment, submission=submission)


def _submission(evidence: float, asked: Questions) -> Submission:
    """Call by the sign of the evidence; be as sure as the evidence is strong."""
    confidence = round(100 * (2 * NORMAL.cdf(abs(evidence)) - 1))
    management: Management | None = None
    if asked.management:
        management = "biopsy" if evidence > 0 else "no_biopsy"
    return Submission("BCC" if evidence > 0 else "SK", confidence, uuid4(), None, management)


def _advice(shown: readings.ShownOverlay) -> float:
    if shown.probability is not None:
        return _logit(shown.probability)
    if shown.call is not None:
        return LABEL if shown.call == "BCC" else -LABEL
    return 0.0


def _logit(probability: float) -> float:
    bounded = min(max(probability, SURE), 1 - SURE)
    return math.log(bounded / (1 - bounded))
