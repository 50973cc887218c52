"""`reread allocation verify` in a process of its own: orders that were drawn, and others."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from app.__main__ import main
from app.db import allocations, studies
from app.db.session import Role
from app.domain.allocation import Assigned, order_sha256
from app.domain.study_design import StudyDesign
from tests.conftest import Cast
from tests.pack.conftest import export
from tests.pack.forging import Chain, Forgery, rehashed
from tests.reading.additions import bring_more
from tests.reading.designs import DESIGNS, opened, simulate
from tests.reading.steps import superuser, unblind


def as_url(conninfo: str) -> str:
    """The address of a database as people give it."""
    parts = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(conninfo).items()}
    name = parts.pop("dbname")
    return f"postgresql:///{name}?" + "&".join(f"{key}={value}" for key, value in parts.items())


def verified(cast: Cast) -> tuple[int, list[str]]:
    """What the command says, which gets nothing but the address of the database."""
    done = subprocess.run(
        [sys.executable, "-m", "app", "allocation", "verify", "bcc-sk"],
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": as_url(cast.database.url),
            "REREAD_SECRET": "a secret of the tests, long enough",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_d7_the_command_derives_every_order_of_a_study_again_in_a_clean_process(
    draft: Cast,
) -> None:
    cast = opened(draft, replace(DESIGNS["crossover"], repeats=2), training=2)
    with superuser(cast) as owner:
        digests = dict(owner.execute("SELECT reader_id, order_sha256 FROM allocation").fetchall())
    status, said = verified(cast)
    assert status == 0
    assert said[-1] == "Every order follows from its seed."
    assert set(said[:-1]) == {
        f"reader {reader}: 18 readings, SHA-256 {digest}" for reader, digest in digests.items()
    }


def test_d7_the_command_tells_the_digest_of_what_was_drawn_first_from_that_of_an_addition(
    cast: Cast,
) -> None:
    cast = bring_more(cast, 3)
    with superuser(cast) as owner:
        digests = owner.execute(
            """SELECT l.reader_id, l.order_sha256, x.order_sha256
               FROM allocation l JOIN order_extension x USING (enrolment_id)"""
        ).fetchall()
    _status, said = verified(cast)
    assert set(said[:-1]) == {
        f"reader {reader}: 9 readings, SHA-256 {drawn} (1 to 6), {added} (7 to 9)"
        for reader, drawn, added in digests
    }


def test_d7_an_order_chosen_by_hand_is_found_though_its_digest_is_its_own(draft: Cast) -> None:
    """Every BCC first: the database takes any order of the design with its true digest."""
    cast = opened(draft, StudyDesign())
    with superuser(cast) as owner:
        cases = owner.execute(
            "SELECT case_id FROM reference_diagnosis ORDER BY diagnosis, case_id"
        ).fetchall()
    order = [Assigned(row[0]) for row in cases]
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        studies.enrol(connection, study=cast.study.id, reader=cast.olga.id)
        found = allocations.allocation_input(connection, cast.study.id)
        plan = allocations.plans_of(connection, cast.study.id, found).opening
        allocations.store_order(
            connection,
            study=cast.study.id,
            waiting=allocations.waiting_enrolments(connection, cast.study.id, plan.algorithm)[0],
            plan=plan,
            order=order,
            digest=order_sha256(order, plan.algorithm),
        )
    status, said = verified(cast)
    assert status == 1
    assert f"PROBLEM: the order of reader {cast.olga.id} does not follow from its seed" in said
    assert said[-1] == "Something is wrong."


def test_d7_two_cases_exchanged_in_a_stored_order_are_found(cast: Cast) -> None:
    with superuser(cast, replica=True) as owner:
        owner.execute("ALTER TABLE assignment DISABLE TRIGGER USER")
        for old, new in ((1, 100), (2, 1), (100, 2)):  # a place is taken once
            owner.execute(
                "UPDATE assignment SET position = %s WHERE reader_id = %s AND position = %s",
                [new, cast.rita.id, old],
            )
    status, said = verified(cast)
    assert status == 1
    assert f"PROBLEM: the stored order of reader {cast.rita.id} is another" in said


@pytest.fixture(scope="module")
def pack(open_copy: Cast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    simulate(open_copy, 2)
    unblind(open_copy)
    folder = tmp_path_factory.mktemp("orders") / "pack"
    export(open_copy, folder)
    return folder


def another_seed(events: Chain) -> None:
    """In every draw: one order of six cases would come out the same once in 720 times."""
    for at, event in enumerate(events):
        if event.action == "allocation.insert":
            payload = json.loads(event.payload)
            payload["seed"] += 1
            events[at] = replace(event, payload=json.dumps(payload))


def another_digest(events: Chain) -> None:
    at = next(n for n, event in enumerate(events) if event.action == "allocation.insert")
    payload = json.loads(events[at].payload)
    events[at] = replace(events[at], payload=json.dumps(payload | {"order_sha256": "0" * 64}))


def another_algorithm(events: Chain) -> None:
    at = next(n for n, event in enumerate(events) if event.action == "allocation.insert")
    payload = json.loads(events[at].payload) | {"algorithm": "by-hand-1"}
    events[at] = replace(events[at], payload=json.dumps(payload))


def a_case_more(events: Chain) -> None:
    """As if a case had been there at opening: all orders follow from another set."""
    at = next(n for n, event in enumerate(events) if event.action == "study_case.insert")
    payload = json.loads(events[at].payload) | {"id": "00000000-0000-4000-8000-000000000001"}
    events.insert(at, replace(events[at], payload=json.dumps(payload)))


@pytest.mark.parametrize("tamper", [another_seed, another_digest, another_algorithm, a_case_more])
def test_d7_a_pack_whose_log_was_changed_and_hashed_anew_has_orders_that_do_not_follow(
    pack: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    tamper: Callable[[Chain], None],
) -> None:
    assert main(["allocation", "verify", str(pack)]) == 0
    forged = Forgery(pack, tmp_path)
    events = forged.events()
    tamper(events)
    forged.store(rehashed(events))
    capsys.readouterr()
    assert main(["allocation", "verify", str(forged.folder)]) == 1
    assert "does not follow from its seed" in capsys.readouterr().out


def test_d7_a_log_that_is_no_log_of_a_study_is_refused_with_a_sentence(
    pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = Forgery(pack, tmp_path)
    (forged / "audit.jsonl").write_text("{}\n")
    assert main(["allocation", "verify", str(forged.folder)]) == 1
    assert capsys.readouterr().err
