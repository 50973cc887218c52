"""The same machine over HTTP, against the real server: tabs, races, ended sessions (D2, D3, D14).

HISTORIES sets how many sequences are made up (3), for example HISTORIES=500.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import httpx2
import hypothesis.strategies as st
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from app.actions.amend_study import correct_reading, void_reading
from app.actions.manage_accounts import IDLE
from app.db.session import Role
from app.domain.errors import Conflict, NotFound, SignInNeeded
from app.domain.reading import Phase, ReadingState, Submission
from app.main import build_site
from app.settings import Settings
from tests.conftest import Cast
from tests.reading.test_machine import READERS, ModelCase, ReadingMachine, answers, readers
from tests.torture.page import form_ending, state
from tests.web.live import serving
from tests.web.site import SAME_ORIGIN, Clock, open_session

REFUSALS = {401: SignInNeeded, 404: NotFound, 409: Conflict}
MODEL = "made up for a test"  # its name is on every page that shows its output, and on no other
ROOM = {
    ReadingState.ASSIGNED: {"start", "between"},
    ReadingState.SERVED: {"served"},
    ReadingState.LOCKED: {"locked"},
    ReadingState.REVEALED: {"revealed"},
}


class ReadingMachineOverHttp(ReadingMachine):
    """Every step goes through the server; further rules for what only browsers do."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        storage = Settings.from_environment({"REREAD_STORAGE": self.template.storage.url})
        site = build_site(storage, self.database, clock=self.clock)
        self.address = self.stack.enter_context(serving(site))
        self.browsers: dict[str, httpx2.Client] = {}
        self.tabs: dict[str, list[tuple[UUID, Phase, UUID]]] = {name: [] for name in READERS}
        for name in READERS:
            self.sign_in(name)

    def sign_in(self, name: str) -> None:
        token = open_session(self.database, getattr(self.template, name), now=self.clock())
        browser = httpx2.Client(
            base_url=self.address, headers=SAME_ORIGIN, cookies={"reread": token}, timeout=120
        )
        self.browsers[name] = self.stack.enter_context(browser)

    def post(self, name: str, path: str, values: dict[str, str] | None = None) -> None:
        """Raise the refusal that the answer is."""
        answer = self.browsers[name].post(path, data=values)
        if answer.status_code != 303:
            raise REFUSALS[answer.status_code]("over HTTP")

    def take_next(self, name: str) -> None:
        self.post(name, "/studies/bcc-sk/next")

    def take_lock(self, name: str, assignment: UUID, phase: Phase, submission: Submission) -> None:
        self.post(name, f"/readings/{assignment}/{phase}", filled(submission))

    def take_reveal(self, name: str, assignment: UUID) -> None:
        self.post(name, f"/readings/{assignment}/reveal")

    # ------------------------------------------------------------ what only browsers do

    @rule(name=readers)
    def open_a_tab(self, name: str) -> None:
        """A page that may be used much later."""
        page = self.browsers[name].get("/studies/bcc-sk/read").text
        form = form_ending(page, "/unaided", "/aided")
        if form is not None:
            _, _, assignment, phase = form.action.split("/")
            tab = (UUID(assignment), Phase(phase), UUID(form.values["submission_id"]))
            self.tabs[name].append(tab)

    @precondition(lambda self: any(self.tabs.values()))
    @rule(name=readers, which=st.integers(0, 9), answer=answers)
    def submit_from_a_tab(self, name: str, which: int, answer: tuple[str, int]) -> None:
        tabs = self.tabs[name]
        if tabs:
            assignment, phase, submission = tabs[which % len(tabs)]
            case = next(c for c in self.cases[name] if c.assignment == assignment)
            self.send_to(name, assignment, case, phase, Submission(*answer, submission, None))

    @rule(name=readers, one=answers, other=answers)
    def two_tabs_at_once(self, name: str, one: tuple[str, int], other: tuple[str, int]) -> None:
        """One of them is the call; the other one is told so."""
        case = self.current(name)
        ready = {ReadingState.SERVED: Phase.UNAIDED, ReadingState.REVEALED: Phase.AIDED}
        if case is None or case.state not in ready or not self.open:
            return
        phase = ready[case.state]
        sent = [Submission(*answer, uuid4(), None) for answer in (one, other)]
        with ThreadPoolExecutor(2) as pool:
            refused = list(
                pool.map(
                    lambda s: self.outcome(lambda: self.take_lock(name, case.assignment, phase, s)),
                    sent,
                )
            )
        assert sorted(map(str, refused)) == sorted(map(str, [None, Conflict]))
        self.lock_in_model(name, case, phase, sent[refused.index(None)])

    def lock_in_model(
        self, name: str, case: ModelCase, phase: Phase, submission: Submission
    ) -> None:
        case.locked[phase] = submission
        case.state = ReadingState.LOCKED if phase is Phase.UNAIDED else ReadingState.FINISHED
        if phase is Phase.AIDED:
            self.after_aided(name, None)

    @rule(name=readers, how=st.sampled_from(["sign out", "disuse"]), answer=answers)
    def the_session_ends(self, name: str, how: str, answer: tuple[str, int]) -> None:
        """What a tab sends then is refused and changes nothing; after signing in one goes on."""
        if how == "sign out":
            self.browsers[name].post("/sign-out")
        else:
            self.clock.advance(seconds=IDLE.total_seconds())
        assignment, _case = self.target(name, "current")
        for act in (
            lambda: self.take_next(name),
            lambda: self.take_lock(
                name, assignment, Phase.UNAIDED, Submission(*answer, uuid4(), None)
            ),
            lambda: self.take_reveal(name, assignment),
        ):
            assert self.outcome(act) is SignInNeeded
        for reader in READERS if how == "disuse" else [name]:
            self.sign_in(reader)

    @rule(name=readers, void=st.booleans())
    def the_coordinator_corrects_a_call(self, name: str, void: bool) -> None:  # noqa: FBT001
        """By a further row: what the reader locked stays."""
        locked = [s for case in self.cases[name] for s in case.locked.values()]
        cora = self.template.cora
        if not locked:
            return
        with psycopg.connect(self.database.url, options="-c search_path=reread") as owner:
            row = owner.execute(
                "SELECT id FROM reading WHERE submission_id = %s", [locked[0].submission_id]
            ).fetchone()
        with self.database.begin(Role.COORDINATOR, actor=cora.id) as connection:
            about = {"study": self.study, "reading": row[0], "reason": "Pressed the wrong key."}
            if void:
                void_reading(connection, **about, by=cora)
            else:
                correct_reading(connection, **about, call="SK", confidence=1, by=cora)

    # ------------------------------------------------------------ what always holds

    @invariant()
    def the_page_is_where_the_model_is_and_shows_the_ai_then_only(self) -> None:
        for name in READERS:
            page = self.browsers[name].get("/studies/bcc-sk/read").text
            current = self.current(name)
            if current is None or not self.open:
                assert state(page) == "over"
            else:
                assert state(page) in ROOM[current.state]
            shown = self.open and current is not None and current.state is ReadingState.REVEALED
            assert (MODEL in page) == shown


def filled(submission: Submission) -> dict[str, str]:
    return {
        "call": submission.call,
        "confidence": str(submission.confidence),
        "submission_id": str(submission.submission_id),
    }


@pytest.mark.timeout(36_000 if os.environ.get("HISTORIES") else 1800)
def test_d2_d3_d14_b1_any_sequence_of_requests_ends_where_the_model_says(
    postgres: str, open_template: Cast
) -> None:
    machine = type(
        "BoundReadingMachineOverHttp",
        (ReadingMachineOverHttp,),
        {"postgres": postgres, "template": open_template},
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(os.environ.get("HISTORIES") or 3),
            stateful_step_count=20,
            suppress_health_check=list(HealthCheck),
        ),
    )
