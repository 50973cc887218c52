"""One simulated reader: locks calls over HTTP, on a network that loses answers."""

import random
import re
import time
from threading import Thread
from uuid import uuid4

import httpx2

from tests.conftest import overlay
from tests.torture.course import Course
from tests.torture.page import Form, form_ending, state
from tests.torture.told import Sent

LOST = 0.03  # share of answers that are lost on the way; half of them before they are read at all
AGAIN = 0.05  # share of locked calls whose form is sent once more: as it was, or changed
RACES = 0.02  # share of calls that two tabs send at once, with different answers
EARLY = 0.05  # share of cases whose map is asked for before the lock
LOOKS = 0.3  # share of pages whose images and maps are fetched
PICTURE = re.compile(r"/readings/([0-9a-f-]{36})/(?:images|overlays)/\d+")
SEEN = re.compile(r"/readings/([0-9a-f-]{36})/aided")


class Reader:
    """Reads on until the study is over for it, or `stop` is set."""

    def __init__(
        self,
        *,
        addresses: list[str],
        token: str,
        study: str,
        canary: str,
        seed: str,
        course: Course,
    ) -> None:
        self.addresses = addresses
        self.study = study
        self.canary = canary
        self.course = course
        self.told = course.told
        self.chance = random.Random(seed)  # noqa: S311 - a simulation
        self.token = token
        self.client = self.new_client()

    def new_client(self) -> httpx2.Client:
        return httpx2.Client(
            headers={"Sec-Fetch-Site": "same-origin"},
            cookies={"reread": self.token},
            timeout=30,
        )

    def read_on(self) -> None:
        """Take step after step while more are wanted."""
        with self.client:
            while self.course.goes_on() and self.step():
                pass

    def step(self) -> bool:
        """One page and the act it asks for; False when nothing is left to read."""
        html = self.ask("GET", f"/studies/{self.study}/read")[1]
        at = state(html)
        if at == "over":
            return False
        if self.chance.random() < LOOKS:
            self.look(html)
        if (form := form_ending(html, "/next", "/reveal")) is not None:
            self.ask("POST", form.action, form.values)
        elif (form := form_ending(html, "/unaided", "/aided")) is not None:
            if at == "served" and self.chance.random() < EARLY:
                self.look_early(form)
            self.lock(form)
        elif not self.course.stop.is_set():
            self.told.breach(f"a page without a way on: {at!r} {html[:300]!r}")
            return False
        return True

    def look(self, html: str) -> None:
        """Fetch every picture of the page, once: a reader does not wait for them to lock a call."""
        for path in sorted({found[0] for found in PICTURE.finditer(html)}):
            try:
                answer = self.client.get(self.chance.choice(self.addresses) + path)
            except httpx2.TransportError:
                self.told.count("answers that never came")
                continue
            self.watch(answer)
            if answer.status_code == 200:
                self.told.count("pictures")
            elif answer.status_code == 503 and "retry-after" in answer.headers:
                self.told.count("pictures that could not be had")
            else:
                self.told.breach(f"GET {path} was answered {answer.status_code}")

    def look_early(self, form: Form) -> None:
        status, _ = self.ask("GET", form.action.replace("unaided", "overlays/1"))
        if status not in {404, 0}:
            self.told.breach(f"the map before the lock: {status}")

    def lock(self, form: Form) -> None:
        _, _, assignment, phase = form.action.split("/")
        first = self.draw(assignment, phase, form.values["submission_id"])
        if self.chance.random() < RACES:
            other = self.draw(assignment, phase, str(uuid4()))
            tab = Thread(target=self.send_from_tab, args=[form, other])
            tab.start()
            self.submit(form, first, raced=True)
            tab.join()
            return
        if self.submit(form, first) and self.chance.random() < AGAIN:
            self.submit_again(form, first)

    def draw(self, assignment: str, phase: str, submission: str) -> Sent:
        call = self.chance.choice(["BCC", "SK"])
        return Sent(assignment, phase, call, self.chance.randint(0, 100), submission)

    def send_from_tab(self, form: Form, sent: Sent) -> None:
        with self.new_client() as tab:
            self.submit(form, sent, raced=True, client=tab)

    def submit(
        self,
        form: Form,
        sent: Sent,
        *,
        raced: bool = False,
        client: httpx2.Client | None = None,
    ) -> bool:
        """Send until there is a clear answer; True when it was "saved"."""
        self.told.send(sent)
        status, html = self.ask("POST", form.action, filled(form, sent), client=client)
        if status == 303:
            self.told.save(sent)
        elif not (raced and status == 409) and not self.course.stop.is_set():
            self.told.breach(f"{sent} was answered {status}: {html[:200]!r}")
        return status == 303

    def submit_again(self, form: Form, sent: Sent) -> None:
        """The same form must get the same answer, a changed one must be refused."""
        self.told.count("sent again")
        changed = self.chance.random() < 0.4
        values = filled(form, sent)
        if changed:
            values["call"] = "SK" if sent.call == "BCC" else "BCC"
        status, _ = self.ask("POST", form.action, values)
        if status not in {409 if changed else 303, 0}:
            self.told.breach(f"{sent}, sent again{' changed' * changed}, was answered {status}")

    def ask(
        self,
        method: str,
        path: str,
        values: dict[str, str] | None = None,
        *,
        client: httpx2.Client | None = None,
    ) -> tuple[int, str]:
        """Ask until there is a clear answer: status and page; (0, '') when all is stopped."""
        client = client or self.client
        while not self.course.stop.is_set():
            lost = self.chance.random() < LOST
            impatient = lost and self.chance.random() < 0.5
            wait = httpx2.Timeout(30, read=self.chance.uniform(0.001, 0.05)) if impatient else 30
            try:
                address = self.chance.choice(self.addresses)
                answer = client.request(method, address + path, data=values, timeout=wait)
            except httpx2.TransportError:
                self.told.count("answers that never came")
            else:
                self.watch(answer)
                if lost:
                    self.told.count("answers lost on the way")
                    continue
                if answer.status_code != 503 and answer.status_code < 500:
                    self.told.count("answers")
                    return answer.status_code, answer.text
                self.told.count(f"answers {answer.status_code}")
                if answer.status_code != 503:
                    self.told.breach(f"{method} {path} was answered {answer.status_code}")
                elif "retry-after" not in answer.headers:
                    self.told.breach(f"{method} {path}: 503 without Retry-After")
            time.sleep(self.chance.uniform(0.05, 0.3))
        return 0, ""

    def watch(self, answer: httpx2.Response) -> None:
        """B1: the model's name and map come for a case whose unaided call was sent, only."""
        if answer.content == overlay():
            self.told.count("maps")
            case = PICTURE.search(str(answer.url))
        elif self.canary in answer.text or self.canary in str(answer.headers):
            self.told.count("pages with the AI")
            case = SEEN.search(answer.text)
        else:
            return
        if case is None or case[1] not in self.told.unaided:
            self.told.breach(f"the AI before the lock: {answer.request.url}")


def filled(form: Form, sent: Sent) -> dict[str, str]:
    return {
        **form.values,
        "call": sent.call,
        "confidence": str(sent.confidence),
        "submission_id": sent.submission_id,
    }
