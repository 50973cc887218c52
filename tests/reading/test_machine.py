"""The reading as a state machine: any sequence of acts, against a plain-Python model (D2, D3, D7).

Hypothesis makes up the sequences: two readers, second tabs, forms sent again, forms of another
case or another reader, a coordinator who closes the study in the middle.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import hypothesis.strategies as st
import psycopg
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.actions.design_study import close_study
from app.actions.read_case import current_case, lock_aided, lock_unaided, reveal, serve_next
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.session import Database, Role
from app.domain.errors import Conflict, NotFound, Refusal
from app.domain.reading import Phase, ReadingState, Submission
from tests.conftest import Cast, copy_of

READERS = ("rita", "rolf")
readers = st.sampled_from(READERS)
answers = st.tuples(st.sampled_from(["BCC", "SK"]), st.integers(0, 100))
targets = st.sampled_from(["current", "previous", "next", "last", "another's", "nobody's"])
phases = st.sampled_from(list(Phase))


@dataclass
class ModelCase:
    """What we believe of one case of one reader."""

    assignment: UUID
    state: ReadingState = ReadingState.ASSIGNED
    locked: dict[Phase, Submission] = field(default_factory=dict)


class ReadingMachine(RuleBasedStateMachine):
    """Every act is tried in every state; the model says what must come of it."""

    postgres: str
    template: Cast

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        url = self.stack.enter_context(copy_of(self.postgres, "open_cast"))
        self.database = Database(url, secret=None)
        self.stack.callback(self.database.close)
        self.study = self.template.study
        self.open = True
        self.cases: dict[str, list[ModelCase]] = {}
        with psycopg.connect(url, options="-c search_path=reread") as owner:
            for name in READERS:
                found = owner.execute(
                    "SELECT id FROM assignment WHERE reader_id = %s ORDER BY position",
                    [self.actor(name)],
                )
                self.cases[name] = [ModelCase(row[0]) for row in found]

    def actor(self, name: str) -> UUID:
        return getattr(self.template, name).id

    def begin(self, name: str):
        return self.database.begin(Role.READER, actor=self.actor(name))

    def current(self, name: str) -> ModelCase | None:
        return next((c for c in self.cases[name] if c.state is not ReadingState.FINISHED), None)

    def target(self, name: str, which: str) -> tuple[UUID, ModelCase | None]:
        """An assignment to aim at, and our model of it where it is the reader's own."""
        mine = self.cases[name]
        current = self.current(name)
        at = mine.index(current) if current else len(mine)
        other = self.cases[READERS[1 - READERS.index(name)]]
        index = {"current": at, "previous": at - 1, "next": at + 1, "last": len(mine) - 1}
        if which == "another's":
            return other[min(at, len(other) - 1)].assignment, None
        place = index.get(which, -1)
        if not 0 <= place < len(mine):
            return uuid4(), None
        return mine[place].assignment, mine[place]

    def outcome(self, act: Callable[[], None]) -> type[Refusal] | None:
        try:
            act()
        except Refusal as refusal:
            return type(refusal)
        return None

    # ------------------------------------------------------------ how each step is taken

    def take_next(self, name: str) -> None:
        with self.begin(name) as connection:
            serve_next(connection, study=self.study.id)

    def take_lock(self, name: str, assignment: UUID, phase: Phase, submission: Submission) -> None:
        lock = lock_unaided if phase is Phase.UNAIDED else lock_aided
        with self.begin(name) as connection:
            lock(connection, assignment_id=assignment, submission=submission)

    def take_reveal(self, name: str, assignment: UUID) -> None:
        with self.begin(name) as connection:
            reveal(connection, assignment_id=assignment)

    # ------------------------------------------------------------ acts

    @rule(name=readers)
    def serve(self, name: str) -> None:
        current = self.current(name)
        waiting = current is not None and current.state is ReadingState.ASSIGNED
        refused = self.outcome(lambda: self.take_next(name))
        if waiting and not self.open:
            assert refused is Conflict
        else:
            assert refused is None
            if waiting:
                current.state = ReadingState.SERVED

    @rule(name=readers, steps=st.integers(1, 9), answer=answers)
    def read_on(self, name: str, steps: int, answer: tuple[str, int]) -> None:
        """What a reader does who wants to be done: the next steps, in order."""
        for _ in range(steps):
            self.step(name, answer)

    def step(self, name: str, answer: tuple[str, int]) -> None:
        current = self.current(name)
        if current is None or current.state is ReadingState.ASSIGNED:
            self.serve(name)
        elif current.state is ReadingState.LOCKED:
            self.ask_for_the_ai(name, "current")
        else:
            served = current.state is ReadingState.SERVED
            phase = Phase.UNAIDED if served else Phase.AIDED
            self.send(name, "current", phase, Submission(*answer, uuid4(), None))

    @rule(name=readers, which=targets, phase=phases, answer=answers)
    def lock(self, name: str, which: str, phase: Phase, answer: tuple[str, int]) -> None:
        """A fresh form, from this tab or a stale one."""
        self.send(name, which, phase, Submission(*answer, uuid4(), None))

    @rule(name=readers, which=targets, phase=phases, change=st.booleans())
    def send_again(self, name: str, which: str, phase: Phase, change: bool) -> None:  # noqa: FBT001
        """The form that was locked, again: the same, or with another answer in it."""
        _assignment, case = self.target(name, which)
        sent = case.locked.get(phase) if case else None
        if sent is not None:
            other = Submission(
                "SK" if sent.call == "BCC" else "BCC", sent.confidence, sent.submission_id, None
            )
            self.send(name, which, phase, other if change else sent)

    @rule(name=readers, which=targets, phase=phases, owner=readers)
    def send_anothers_form(self, name: str, which: str, phase: Phase, owner: str) -> None:
        """The submission id of any call that is locked, perhaps the other reader's."""
        used = [s for case in self.cases[owner] for s in case.locked.values()]
        if used:
            self.send(name, which, phase, Submission("BCC", 1, used[0].submission_id, None))

    def send(self, name: str, which: str, phase: Phase, submission: Submission) -> None:
        assignment, case = self.target(name, which)
        self.send_to(name, assignment, case, phase, submission)

    def send_to(
        self,
        name: str,
        assignment: UUID,
        case: ModelCase | None,
        phase: Phase,
        submission: Submission,
    ) -> None:
        refused = self.outcome(lambda: self.take_lock(name, assignment, phase, submission))
        if case is None:
            assert refused is NotFound
            return
        ready = ReadingState.SERVED if phase is Phase.UNAIDED else ReadingState.REVEALED
        locked = case.locked.get(phase)
        used = {
            s.submission_id
            for cases in self.cases.values()
            for c in cases
            for s in c.locked.values()
        }
        if locked is not None:
            same = (submission.submission_id, submission.call, submission.confidence) == (
                locked.submission_id,
                locked.call,
                locked.confidence,
            )
            # Sending an aided call again also serves the next case, which a closed study refuses.
            if same and phase is Phase.AIDED:
                self.after_aided(name, refused)
            else:
                assert (refused is None) == same
                assert same or issubclass(refused, Conflict)
        elif case.state is ready and self.open and submission.submission_id not in used:
            assert refused is None
            case.locked[phase] = submission
            case.state = ReadingState.LOCKED if phase is Phase.UNAIDED else ReadingState.FINISHED
            if phase is Phase.AIDED:
                self.after_aided(name, refused)
        else:
            assert issubclass(refused, Conflict)

    def after_aided(self, name: str, refused: type[Refusal] | None) -> None:
        following = self.current(name)
        waits = following is not None and following.state is ReadingState.ASSIGNED
        if waits and self.open:
            following.state = ReadingState.SERVED
        assert (refused is None) == (self.open or not waits)

    @rule(name=readers, which=targets)
    def ask_for_the_ai(self, name: str, which: str) -> None:
        assignment, case = self.target(name, which)
        refused = self.outcome(lambda: self.take_reveal(name, assignment))
        if case is None:
            assert refused is NotFound
        elif not self.open or case.state in {ReadingState.ASSIGNED, ReadingState.SERVED}:
            assert refused is Conflict
        else:
            assert refused is None
            if case.state is ReadingState.LOCKED:
                case.state = ReadingState.REVEALED

    @precondition(lambda self: self.open and any(c.locked for c in self.cases["rita"]))
    @rule()
    def close(self) -> None:
        with self.database.begin(Role.COORDINATOR, actor=self.template.cora.id) as connection:
            close_study(connection, study=self.study, by=self.template.cora)
        self.open = False

    # ------------------------------------------------------------ what always holds

    @invariant()
    def the_server_is_where_the_model_is(self) -> None:
        for name in READERS:
            with self.begin(name) as connection:
                found = current_case(connection, study=self.study.id)
            current = self.current(name)
            if current is None:
                assert found is None
                continue
            assert (found.assignment.id, found.state) == (current.assignment, current.state)
            seen = found.state is ReadingState.REVEALED
            assert bool(found.ai) == seen
            assert bool(found.images) == (found.state is not ReadingState.ASSIGNED)

    @invariant()
    def every_call_is_the_one_first_locked_and_stands_once(self) -> None:
        for name in READERS:
            with self.begin(name) as connection:
                found = connection.execute(
                    "SELECT assignment_id, phase, call, confidence, submission_id FROM reading"
                ).fetchall()
            expected = {
                (case.assignment, phase, sent.call, sent.confidence, sent.submission_id)
                for case in self.cases[name]
                for phase, sent in case.locked.items()
            }
            assert len(found) == len(expected)
            assert set(found) == expected

    @invariant()
    def ai_output_is_visible_of_own_revealed_cases_and_of_no_other(self) -> None:
        everything = [c.assignment for cases in self.cases.values() for c in cases]
        for name in READERS:
            with self.begin(name) as connection:
                found = connection.execute(
                    "SELECT a FROM unnest(%s) a WHERE EXISTS (SELECT FROM shown_ai(a))",
                    [everything],
                ).fetchall()
            allowed = {
                case.assignment
                for case in self.cases[name]
                if case.state in {ReadingState.REVEALED, ReadingState.FINISHED}
            }
            assert {row[0] for row in found} == allowed

    def teardown(self) -> None:
        records = records_of(self.database.url, "bcc-sk")
        try:
            assert verify_study(records).problems == ()
        finally:
            self.stack.close()


def test_d2_d3_d7_any_sequence_of_acts_ends_where_the_model_says(
    postgres: str, open_template: Cast
) -> None:
    machine = type(
        "BoundReadingMachine",
        (ReadingMachine,),
        {"postgres": postgres, "template": open_template},
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
