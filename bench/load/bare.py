"""The transactions of a reading without the web: the same statements, issued by bare psycopg.

What the application sends to Postgres while a reader reads five cases is written down once, from
the running code; then it is sent again for other readers and other cases, transaction by
transaction, over connections that are kept. Nothing else is done: no pool, no HTTP, no page.
"""

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
from starlette.testclient import TestClient

from app.db.session import Connection, Database, Role
from app.main import build_site
from app.settings import Settings
from bench.load.readers import FORM, PAUSE_AFTER, PICTURE, SUBMISSION

Statement = tuple[str, list[Any] | dict[str, Any]]
WRITES = ("INSERT", "SELECT reveal_ai")  # what a step cannot do without


@dataclass(frozen=True)
class Place:
    """The name of a value that another reader or case has otherwise."""

    name: str


@dataclass
class Transaction:
    """One transaction of the application."""

    role: Role
    statements: list[Statement] = field(default_factory=list[Statement])

    @property
    def writes(self) -> bool:
        """Say whether it records a step of a reading."""
        return any(query.lstrip().startswith(WRITES) for query, _ in self.statements)


@dataclass(frozen=True)
class BareReader:
    """A reader who is not read for over HTTP."""

    account: UUID
    token: str
    cases: list[tuple[UUID, UUID]]  # (assignment, case) in their order


class Recorded(Database):
    """A database that writes down what it is asked."""

    def __init__(self, url: str, *, secret: str) -> None:
        super().__init__(url, secret=secret)
        self.transactions: list[Transaction] = []

    @contextmanager
    def _begin(self, url: str, role: Role, actor: UUID | None) -> Generator[Connection]:
        self.transactions.append(Transaction(role))
        with super()._begin(url, role, actor) as connection:
            yield connection

    def note(self, query: object, parameters: Any) -> None:  # noqa: ANN401 - as psycopg has it
        """Write a statement down; the pool's question whether a connection lives is none."""
        if isinstance(query, str) and query and self.transactions:
            given = parameters or []
            kept = dict(given) if isinstance(given, Mapping) else list(given)
            self.transactions[-1].statements.append((query, kept))


def record(
    url: str, *, secret: str, settings: Settings, study: str, reader: BareReader
) -> list[Transaction]:
    """Let the reader read five cases in the real application; returns what it asked Postgres."""
    database = Recorded(url, secret=secret)
    execute = psycopg.Cursor.execute

    def noting(self: Any, query: Any, params: Any = None, **named: Any) -> Any:  # noqa: ANN401
        database.note(query, params)
        return execute(self, query, params, **named)

    browser = TestClient(
        build_site(settings, database),
        base_url="http://127.0.0.1:8000",
        headers={"Sec-Fetch-Site": "same-origin"},
        cookies={"reread": reader.token},
        follow_redirects=False,
    )
    room = f"/studies/{study}/read"
    browser.get(room)  # the application's own beginnings
    database.transactions.clear()
    submissions: list[str] = []
    psycopg.Cursor.execute = noting
    try:
        done = 0
        while done < PAUSE_AFTER:
            done += _step(browser, room, submissions, last=done == PAUSE_AFTER - 1)
    finally:
        psycopg.Cursor.execute = execute
        database.close()
    names = {value: Place(name) for name, value in values_of(reader, 0, submissions).items()}
    for transaction in database.transactions:
        transaction.statements = [
            (query, _each(given, lambda value: names.get(_plain(value), value)))
            for query, given in transaction.statements
        ]
    return database.transactions


def _step(browser: TestClient, room: str, submissions: list[str], *, last: bool) -> bool:
    """Take one step; True when it finished a case."""
    page = browser.get(room).content
    found = FORM.search(page)
    if found is None:
        raise RuntimeError("The page has no form of a reading.")
    kind = (found[2] or found[3]).decode()
    form: dict[str, str] = {}
    if kind in {"unaided", "aided"}:
        for path in sorted(set(PICTURE.findall(page))):
            browser.get(path.decode())
        submissions.append(SUBMISSION.findall(page)[0].decode())
        form = {"call": "BCC", "confidence": "70", "submission_id": submissions[-1]}
        if kind == "aided" and last:
            form["pause"] = "yes"
    answer = browser.post(found[1].decode(), data=form)
    if answer.status_code != 303:  # noqa: PLR2004 - measured is only what is saved
        raise RuntimeError(f"{kind} was answered {answer.status_code}")
    return kind == "aided"


def values_of(reader: BareReader, first: int, submissions: Sequence[str]) -> dict[str, str]:
    """Return what is this reader's and these cases' own, by name."""
    found = {
        "reader": str(reader.account),
        "token": sha256(reader.token.encode()).hexdigest(),
    }
    for number, (assignment, case) in enumerate(reader.cases[first : first + PAUSE_AFTER + 1]):
        found |= {f"assignment {number}": str(assignment), f"case {number}": str(case)}
    return found | {f"submission {n}": one for n, one in enumerate(submissions)}


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _each(given: list[Any] | dict[str, Any], change: Any) -> list[Any] | dict[str, Any]:  # noqa: ANN401
    if isinstance(given, dict):
        return {name: change(value) for name, value in given.items()}
    return [change(value) for value in given]


@dataclass
class Replayed:
    """What bare psycopg did."""

    cases: int
    seconds: float
    processor_seconds: float  # of this process; Postgres' own come on top

    @property
    def calls(self) -> int:
        """Locked calls, two a case."""
        return 2 * self.cases


def replay(
    database: Database,
    transactions: list[Transaction],
    readers: list[BareReader],
    *,
    first: int,
    seconds: float,
) -> Replayed:
    """Send them for these readers, a thread each, from their case `first` on."""
    until = time.perf_counter() + seconds
    cases = [0] * len(readers)
    faults: list[BaseException] = []

    def read_on(number: int) -> None:
        connections = {
            role: psycopg.connect(database.conninfo(role))
            for role in {one.role for one in transactions}
        }
        try:
            at = first
            while time.perf_counter() < until and at + PAUSE_AFTER < len(readers[number].cases):
                _replay_five(connections, transactions, readers[number], at)
                at += PAUSE_AFTER
                cases[number] += PAUSE_AFTER
        except BaseException as fault:  # noqa: BLE001 - raised below, in the thread that asked
            faults.append(fault)
        finally:
            for connection in connections.values():
                connection.close()

    threads = [threading.Thread(target=read_on, args=[n]) for n in range(len(readers))]
    begin, processor = time.perf_counter(), time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return Replayed(sum(cases), time.perf_counter() - begin, time.process_time() - processor)


def _replay_five(
    connections: Mapping[Role, Connection],
    transactions: list[Transaction],
    reader: BareReader,
    first: int,
) -> None:
    values = values_of(reader, first, [str(uuid4()) for _ in range(2 * PAUSE_AFTER)])
    token = bytes.fromhex(values.pop("token"))

    def own(value: object) -> object:
        if not isinstance(value, Place):
            return value
        return token if value.name == "token" else values[value.name]

    for transaction in transactions:
        connection = connections[transaction.role]
        with connection.transaction():
            for query, given in transaction.statements:
                cursor = connection.execute(query, _each(given, own))  # pyright: ignore[reportArgumentType, reportCallIssue]
                if cursor.description:
                    cursor.fetchall()
