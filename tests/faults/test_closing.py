"""D10: closing under load. CLOSES sets how often (1), for example CLOSES=60."""

import json
import os
import threading
import time
from uuid import uuid4

import psycopg
import pytest

from app.actions.draw_orders import enrol_reader
from app.actions.read_case import current_case, lock_aided, lock_unaided, reveal, serve_next
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.session import Role
from app.domain.access import Account, AccountRole
from app.domain.errors import Conflict
from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import call, close

READERS = 24


def add_readers(cast: Cast) -> list[Account]:
    added: list[Account] = []
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        for number in range(READERS - 2):
            row = owner.execute(
                "INSERT INTO account (email, name, role) VALUES (%s, 'R', 'reader') RETURNING id",
                [f"r{number}-{uuid4().hex}@example.org"],
            ).fetchone()
            added.append(Account(row[0], "", "R", AccountRole.READER, simulated=False))
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        for account in added:
            enrol_reader(connection, study=cast.study.id, reader=account.id)
    return [cast.rita, cast.rolf, *added]


def read_until_closed(cast: Cast, reader: Account, told: list[str]) -> None:
    try:
        while True:
            with cast.begin(Role.READER, reader) as connection:
                case = current_case(connection, study=cast.study.id)
            if case is None:
                told.append("finished")
                return
            one = case.assignment.id
            with cast.begin(Role.READER, reader) as connection:
                if case.state is ReadingState.ASSIGNED:
                    serve_next(connection, study=cast.study.id)
                elif case.state is ReadingState.SERVED:
                    lock_unaided(connection, assignment_id=one, submission=call())
                elif case.state is ReadingState.LOCKED:
                    reveal(connection, assignment_id=one)
                else:
                    lock_aided(connection, assignment_id=one, submission=call())
    except Conflict as refusal:
        told.append(str(refusal))


@pytest.mark.timeout(3600 if os.environ.get("CLOSES") else 1800)
@pytest.mark.parametrize("number", range(int(os.environ.get("CLOSES") or 1)))
def test_d10_under_load_no_step_is_recorded_after_the_close(cast: Cast, number: int) -> None:
    told: list[str] = []
    readers = [
        threading.Thread(target=read_until_closed, args=[cast, reader, told])
        for reader in add_readers(cast)
    ]
    for thread in readers:
        thread.start()
    wanted = 5 + number
    while len(steps(cast)) < wanted and any(thread.is_alive() for thread in readers):
        pass
    began = time.monotonic()
    close(cast)
    waited = time.monotonic() - began
    for thread in readers:
        thread.join()
    assert waited < 10, "closing starved behind the readers"
    assert any("closed" in sentence for sentence in told), told
    records = records_of(cast.database.url, "bcc-sk")
    closed = next(
        event.seq
        for event in records.events
        if event.action == "study.update" and json.loads(event.payload)["new"]["state"] == "closed"
    )
    assert [seq for seq in steps(cast) if seq > closed] == []
    assert verify_study(records).problems == ()


def steps(cast: Cast) -> list[int]:
    """The numbers of the events of readers' steps."""
    with psycopg.connect(cast.database.url, options="-c search_path=reread") as owner:
        found = owner.execute(
            """SELECT seq FROM audit_event WHERE chain = %s
               AND action IN ('served.insert', 'reading.insert', 'reveal.insert')""",
            [cast.study.id],
        )
        return [row[0] for row in found]
