"""The log: written with every change, by the database alone, and tampering shows (L1-L5, L8)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from app.actions.invite_people import invite
from app.actions.verify_pack import Verdict
from app.actions.verify_study import verify_study
from app.db.administrator import AUDITED, GUARDS, records_of
from app.db.results import record_event
from app.db.session import Role
from app.domain.audit_chain import (
    Anchor,
    AuditEvent,
    event_from_json,
    event_hash,
    event_to_json,
    verify_chain,
)
from app.domain.errors import InvalidInput, NotAllowed
from tests.conftest import Cast
from tests.database.test_append_only import copy_alone
from tests.pack.forging import rehashed, renumbered
from tests.reading.additions import bring_more
from tests.reading.steps import (
    correct,
    exclude,
    finish,
    lock,
    override_although_sequential,
    readmit,
    rows_of_people,
    rows_of_seen_before,
    superuser,
    unblind,
)

Chain = list[AuditEvent]


@pytest.fixture(scope="module")
def finished(open_copy: Cast) -> Cast:
    """Rita has read four cases, Rolf one and the unaided half of another; unblinded."""
    with open_copy.begin(Role.COORDINATOR, open_copy.cora) as connection:
        invite(
            connection,
            study=open_copy.study,
            email="ruth@example.org",
            now=datetime.now(UTC),
            by=open_copy.cora,
        )
    exclude(open_copy)
    readmit(open_copy)
    exclude(open_copy)
    bring_more(open_copy, 1)
    override_although_sequential(open_copy)
    for _ in range(4):
        finish(open_copy, open_copy.rita)
    finish(open_copy, open_copy.rolf)
    lock(open_copy, open_copy.rolf)
    correct(open_copy)
    rows_of_people(open_copy)
    rows_of_seen_before(open_copy)
    copy_alone(open_copy)
    unblind(open_copy)
    return open_copy


@pytest.fixture(scope="module")
def chain(finished: Cast) -> Chain:
    """The study's chain as it leaves the system and comes back."""
    events = records_of(finished.database.url, "bcc-sk").events
    return [event_from_json(event_to_json(event)) for event in events]


# ---------------------------------------------------------------- completeness


@pytest.mark.parametrize("table", AUDITED)
def test_l1_every_row_has_exactly_its_event(finished: Cast, table: str) -> None:
    records = records_of(finished.database.url, "bcc-sk")
    logged = [event for event in records.events if event.action == f"{table}.insert"]
    assert records.rows[table]
    assert {event.entity: event.payload for event in logged} == records.rows[table]
    assert len(logged) == len(records.rows[table])


def test_l1_a_change_rolled_back_leaves_no_event_and_no_gap(cast: Cast) -> None:
    before = records_of(cast.database.url, "bcc-sk").events[-1].seq
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute("UPDATE study SET state = 'closed', closed_by = %s", [cast.cora.id])
        owner.rollback()
    finish(cast, cast.rita)
    events = records_of(cast.database.url, "bcc-sk").events
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[before].action == "served.insert"


# Tables that have no event for each row, and why none is wanting.
NOT_LOGGED = {
    "alembic_version": "the schema's own version",
    "audit_event": "it is the log",
    "assignment": "the event of its allocation holds the digest of the whole order",
    "training_image": "the event of its list holds the digest of the whole list",
    "sign_in_session": "signing in and out are events",
    "sign_in_failure": "a refused sign-in is an event; the count of them is forgotten",
    "pending_sign_in": "begun and not ended",
    "provider_sign_in": "begun and not ended",
    "passkey_challenge": "begun and not ended",
    "recovery_code": "made with the second factor, whose event counts",
    "known_device": "what a device is known by, until it is forgotten",
    "chosen_language": "how pages are shown",
}


def test_l1_every_table_is_logged_or_it_is_said_why_not(finished: Cast) -> None:
    """A table that a later migration brings without its event is missed here."""
    with superuser(finished) as owner:
        tables = {
            name
            for (name,) in owner.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'reread'"
            )
        }
    assert tables - set(GUARDS["audit"]) == set(NOT_LOGGED)
    assert set(GUARDS["audit"]) <= tables


@pytest.mark.parametrize("table", AUDITED)
def test_l1_l5_an_event_bears_the_transaction_that_wrote_its_row(
    finished: Cast, table: str
) -> None:
    """So that neither can be there without the other, whenever the server ends."""
    with superuser(finished) as owner:
        found = owner.execute(
            f"""SELECT e.transaction, r.xmin::text::bigint FROM {table} r
                JOIN audit_event e ON e.chain = r.study_id AND e.action = '{table}.insert'
                 AND e.entity = r.{AUDITED[table]}::text"""  # noqa: S608 - names of our own
        ).fetchall()
    assert found
    assert all(event % 2**32 == row for event, row in found)


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("case_exclusion.insert", "No lesion."),
        ("case_readmission.insert", "It has one."),
        ("reading_correction.insert", "Pressed the wrong key."),
        ("washout_override.insert", "For a test."),
        ("study.update", "All readings are in."),
    ],
)
def test_l5_an_act_that_asks_for_a_reason_has_it_in_its_event(
    chain: Chain, action: str, reason: str
) -> None:
    said = [event.payload for event in chain if event.action == action]
    assert any(json.dumps(reason) in payload for payload in said)


def test_l5_an_event_tells_who_did_what_when_and_by_which_role(cast: Cast) -> None:
    assignment = finish(cast, cast.rita)
    events = records_of(cast.database.url, "bcc-sk").events
    told = [
        (event.action, event.actor, event.database_role)
        for event in events
        if json.loads(event.payload).get("assignment_id") == str(assignment)
    ]
    rita = str(cast.rita.id)
    assert told == [
        ("served.insert", rita, "reread_reader"),
        ("reading.insert", rita, "reread_reader"),
        ("reveal.insert", rita, "reread_reader"),
        ("reading.insert", rita, "reread_reader"),
    ]


def test_l5_an_update_holds_the_row_before_and_after(cast: Cast) -> None:
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute("UPDATE study SET state = 'closed', closed_by = %s", [cast.cora.id])
    payload = json.loads(records_of(cast.database.url, "bcc-sk").events[-1].payload)
    assert (payload["old"]["state"], payload["new"]["state"]) == ("open", "closed")


def test_p8_no_secret_is_in_the_log(finished: Cast) -> None:
    with superuser(finished) as owner:
        payloads = owner.execute("SELECT payload FROM audit_event").fetchall()
        hashes = owner.execute("SELECT password_hash FROM account").fetchall()
    assert payloads
    text = "\n".join(row[0] for row in payloads)
    assert "argon2" not in text
    assert all(row[0] not in text for row in hashes)
    assert "password_hash" not in text


def test_l5_a_changed_password_is_an_event_without_the_password(cast: Cast) -> None:
    with superuser(cast) as owner:
        owner.execute("UPDATE account SET password_hash = 'x' WHERE name = 'Rita'")
    with superuser(cast) as owner:
        action, payload = owner.execute(
            """SELECT action, payload FROM audit_event
               WHERE chain = '00000000-0000-0000-0000-000000000000' ORDER BY seq DESC LIMIT 1"""
        ).fetchone()
    assert action == "account.update"
    assert json.loads(payload)["password_changed"] is True


def test_l3_the_chain_holds_and_counts_every_step(chain: Chain) -> None:
    report = verify_chain(chain)
    assert report.problems == []
    assert report.events == len(chain)
    assert (report.unaided, report.reveals, report.aided) == (6, 5, 5)


def test_l3_the_installations_own_chain_holds_too(finished: Cast) -> None:
    with superuser(finished) as owner, owner.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM audit_event WHERE chain = '00000000-0000-0000-0000-000000000000'"
            " ORDER BY seq"
        )
        events = [AuditEvent(*row) for row in cursor]
    assert {event.action for event in events} >= {"account.insert", "model_version.insert"}
    assert verify_chain(events).problems == []


# ---------------------------------------------------------------- who may write


@pytest.mark.parametrize(
    ("role", "actor", "action"),
    [
        (Role.ANALYST, "cora", "reading.insert"),
        (Role.ANALYST, "cora", "study.update"),
        (Role.COORDINATOR, "cora", "reveal.insert"),
        (Role.COORDINATOR, "cora", "sign_in.done"),
        (Role.COORDINATOR, "olga", "export.made"),
        (Role.ANALYST, "olga", "results.viewed"),
        (Role.ACCOUNT, "rita", "results.viewed"),
    ],
)
def test_l2_no_role_writes_an_event_that_is_not_its_own(
    finished: Cast, role: Role, actor: str, action: str
) -> None:
    with (
        pytest.raises(NotAllowed),
        finished.begin(role, getattr(finished, actor)) as connection,
    ):
        record_event(connection, study=finished.study.id, action=action, details={})


WRITING = [
    "INSERT INTO audit_event DEFAULT VALUES",
    "UPDATE audit_event SET payload = ''",
    "UPDATE audit_event SET seq = seq + 1",
    "DELETE FROM audit_event",
    "TRUNCATE audit_event",
    "MERGE INTO audit_event a USING (SELECT 1) b ON true WHEN MATCHED THEN DELETE",
    "SELECT append_event(NULL, 'reading.insert', 'x', '{}')",
    "ALTER TABLE audit_event DISABLE TRIGGER no_change",
    "ALTER TABLE audit_event RENAME TO another",
    "DROP TABLE audit_event",
    "CREATE RULE r AS ON INSERT TO audit_event DO INSTEAD NOTHING",
    """CREATE OR REPLACE FUNCTION append_event(uuid, text, text, text) RETURNS void
       LANGUAGE sql AS 'SELECT'""",
    "SET session_replication_role = replica",
    "SET ROLE reread_owner",
]


@pytest.mark.parametrize("statement", WRITING)
@pytest.mark.parametrize("role", Role)
def test_l2_no_role_of_the_application_writes_or_moves_the_log(
    finished: Cast, role: Role, statement: str
) -> None:
    with (
        finished.begin(role, finished.cora) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


# ---------------------------------------------------------------- tampering with an exported chain


def first(events: Chain, action: str, phase: str | None = None) -> int:
    return next(
        index
        for index, event in enumerate(events)
        if event.action == action and (phase is None or json.loads(event.payload)["phase"] == phase)
    )


def with_payload(event: AuditEvent, **changes: object) -> AuditEvent:
    return replace(event, payload=json.dumps({**json.loads(event.payload), **changes}))


def changed(events: Chain, index: int, event: AuditEvent) -> Chain:
    return [*events[:index], event, *events[index + 1 :]]


def flip_a_call(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, with_payload(events[at], call="SK", confidence=1))


def flip_a_call_and_its_digest(events: Chain) -> Chain:
    forged = flip_a_call(events)
    at = first(events, "reading.insert")
    digest = hashlib.sha256(forged[at].payload.encode()).hexdigest()
    return changed(forged, at, replace(forged[at], payload_sha256=digest))


def flip_a_call_and_its_hash(events: Chain) -> Chain:
    forged = flip_a_call_and_its_digest(events)
    at = first(events, "reading.insert")
    return changed(forged, at, replace(forged[at], hash=event_hash(forged[at])))


def without_an_event(events: Chain) -> Chain:
    at = first(events, "reveal.insert")
    return events[:at] + events[at + 1 :]


def without_an_event_renumbered(events: Chain) -> Chain:
    return renumbered(without_an_event(events))


def without_the_beginning(events: Chain) -> Chain:
    return events[3:]


def with_two_events_swapped(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return [*events[:at], events[at + 1], events[at], *events[at + 2 :]]


def with_an_event_twice(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return [*events[: at + 1], events[at], *events[at + 1 :]]


def with_another_actor(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], actor=str(uuid4())))


def with_another_row(events: Chain) -> Chain:
    """What was signed or done is said of another row."""
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], entity=str(uuid4())))


def with_another_action(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], action="reading.removed"))


def with_another_time(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], at=events[at].at - timedelta(microseconds=1)))


def with_another_database_role(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], database_role="reread_worker"))


def with_an_event_of_another_chain(events: Chain) -> Chain:
    at = first(events, "reading.insert")
    return changed(events, at, replace(events[at], chain=uuid4()))


def reveal_before_the_lock(events: Chain) -> Chain:
    """The whole chain made anew, with the reveal moved before the call it must follow."""
    lock_at = first(events, "reading.insert", "unaided")
    reveal_at = first(events, "reveal.insert")
    moved = [*events[:lock_at], events[reveal_at], *events[lock_at:reveal_at]]
    return rehashed(renumbered([*moved, *events[reveal_at + 1 :]]))


def a_call_locked_twice(events: Chain) -> Chain:
    at = first(events, "reading.insert", "unaided")
    return rehashed(renumbered([*events[: at + 1], *events[at:]]))


def another_chain_in_the_middle(events: Chain) -> Chain:
    half = len(events) // 2
    tail = [replace(event, chain=uuid4()) for event in events[half:]]
    return rehashed(events[:half] + tail, start=half)


def an_unreadable_payload(events: Chain) -> Chain:
    at = first(events, "reading.insert", "aided")
    return rehashed(changed(events, at, replace(events[at], payload="{")))


TAMPERINGS: list[Callable[[Chain], Chain]] = [
    flip_a_call,
    flip_a_call_and_its_digest,
    flip_a_call_and_its_hash,
    without_an_event,
    without_an_event_renumbered,
    without_the_beginning,
    with_two_events_swapped,
    with_an_event_twice,
    with_another_actor,
    with_another_row,
    with_another_action,
    with_another_time,
    with_another_database_role,
    with_an_event_of_another_chain,
    reveal_before_the_lock,
    a_call_locked_twice,
    another_chain_in_the_middle,
    an_unreadable_payload,
]


@pytest.mark.parametrize("tamper", TAMPERINGS, ids=lambda tamper: tamper.__name__)
def test_l3_tampering_is_found(chain: Chain, tamper: Callable[[Chain], Chain]) -> None:
    assert verify_chain(tamper(chain)).problems


@pytest.mark.parametrize(
    ("step", "before", "said"),
    [
        (
            ("reading.insert", "unaided"),
            ("served.insert", None),
            "unaided of {} came before served",
        ),
        (
            ("reveal.insert", None),
            ("reading.insert", "unaided"),
            "reveal of {} came before unaided",
        ),
        (("reading.insert", "aided"), ("reveal.insert", None), "aided of {} came before reveal"),
    ],
)
def test_d3_l3_a_step_moved_before_the_one_it_must_follow_is_named_so(
    chain: Chain, step: tuple[str, str | None], before: tuple[str, str | None], said: str
) -> None:
    """In a chain that is made anew as a whole, so that nothing but the order can tell."""
    start, end = first(chain, *before), first(chain, *step)
    assert start < end
    of = json.loads(chain[end].payload)["assignment_id"]
    assert json.loads(chain[start].payload)["assignment_id"] == of
    moved = [*chain[:start], chain[end], *chain[start:end], *chain[end + 1 :]]
    problems = verify_chain(rehashed(renumbered(moved))).problems
    assert problems == [f"event {start + 1}: {said.format(of)}"]


def cut_at_the_end(events: Chain) -> Chain:
    return events[:-2]


def made_anew_as_a_whole(events: Chain) -> Chain:
    return rehashed(flip_a_call(events))


@pytest.mark.parametrize("tamper", [cut_at_the_end, made_anew_as_a_whole])
def test_l4_what_only_an_anchor_finds(chain: Chain, tamper: Callable[[Chain], Chain]) -> None:
    forged = tamper(chain)
    anchor = Anchor(chain[-1].seq, chain[-1].hash)
    assert verify_chain(forged).problems == [], "if this is found now, say so in docs/security.md"
    assert verify_chain(forged, anchors=[anchor]).problems
    assert verify_chain(chain, anchors=[anchor]).problems == []


def test_l4_a_call_rewritten_in_the_database_with_its_whole_chain_is_found_by_a_head_noted_before(
    cast: Cast,
) -> None:
    """What a database administrator can do: the row, its event and every hash after it."""
    finish(cast, cast.rita)
    noted = verify_study(records_of(cast.database.url, "bcc-sk")).head
    events = records_of(cast.database.url, "bcc-sk").events
    forged = rehashed(flip_a_call(events))
    at = first(events, "reading.insert")
    with superuser(cast) as owner:
        for table in ("reading", "audit_event"):
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        owner.execute(
            "UPDATE reading SET call = 'SK', confidence = 1 WHERE id::text = %s",
            [events[at].entity],
        )
        for event in forged[at:]:
            owner.execute(
                """UPDATE audit_event SET payload = %s, payload_sha256 = %s, previous_hash = %s,
                       hash = %s WHERE chain = %s AND seq = %s""",
                [event.payload, event.payload_sha256, event.previous_hash, event.hash,
                 event.chain, event.seq],
            )  # fmt: skip
        for table in ("reading", "audit_event"):
            for (guard,) in owner.execute(
                """SELECT tgname FROM pg_trigger
                   WHERE tgrelid = %s::regclass AND NOT tgisinternal""",
                [table],
            ).fetchall():
                owner.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")
    lock(cast, cast.rita)  # and the study goes on as if nothing were
    records = records_of(cast.database.url, "bcc-sk")
    assert verify_study(records).problems == (), "if this is found now, say so in security.md"
    found = verify_study(records, anchors=[noted]).problems
    assert any("anchor" in problem for problem in found)


def test_l4_an_anchor_in_the_middle_binds_all_that_was_before_it(chain: Chain) -> None:
    middle = chain[len(chain) // 2]
    assert verify_chain(chain, anchors=[Anchor(middle.seq, middle.hash)]).problems == []
    forged = rehashed(changed(chain, 0, with_payload(chain[0], title="Another")))
    assert verify_chain(forged, anchors=[Anchor(middle.seq, middle.hash)]).problems


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "null", "{}", '{"chain": 1}', '{"chain": "x", "at": "y"}']
)
def test_l3_a_line_that_is_no_event_is_a_refusal_and_no_crash(line: str) -> None:
    with pytest.raises(InvalidInput):
        event_from_json(line)


# ---------------------------------------------------------------- tampering with the tables


def verdict_of(cast: Cast) -> Verdict:
    return verify_study(records_of(cast.database.url, "bcc-sk"))


def test_l8_an_untouched_study_holds(finished: Cast) -> None:
    assert verdict_of(finished).problems == ()


@pytest.mark.parametrize("deed", ["lost", "altered", "invented"])
@pytest.mark.parametrize("table", AUDITED)
def test_l8_a_row_of_any_table_that_the_log_does_not_hold_so_is_found(
    finished: Cast, table: str, deed: str
) -> None:
    """Both ways: an event without its row, and a row without its event."""
    records = records_of(finished.database.url, "bcc-sk")
    rows = dict(records.rows[table])
    name, row = next(iter(rows.items()))
    if deed == "lost":
        del rows[name]
    elif deed == "altered":
        rows[name] = json.dumps({**json.loads(row), "study_id": str(uuid4())})
    else:
        name = str(uuid4())
        rows[name] = row
    forged = replace(records, rows={**records.rows, table: rows})
    said = {
        "lost": f"{table} {name} of the log is missing",
        "altered": f"{table} {name} differs from what the log holds",
        "invented": f"{table} {name} is not in the log",
    }
    assert said[deed] in verify_study(forged).problems


DEEDS = {
    "a call changed": "UPDATE reading SET call = 'SK', confidence = 1",
    "a time changed": "UPDATE reading SET locked_at = locked_at - interval '1 hour'",
    "a reading moved to another phase": "DELETE FROM reading WHERE phase = 'aided'",
    "a truth changed": "UPDATE reference_diagnosis SET diagnosis = 'SK' WHERE diagnosis = 'BCC'",
    "a probability changed": "UPDATE case_prediction SET probability = 0.5",
    "an overlay exchanged": "UPDATE prediction SET overlay_key = overlay_key || 'x'",
    "an image exchanged": "UPDATE image SET storage_key = storage_key || 'x'",
    "a reveal moved": "UPDATE reveal SET revealed_at = revealed_at - interval '1 hour'",
    "an order changed": "UPDATE assignment SET position = 100 - position",
    "a seed changed": "UPDATE allocation SET seed = seed + 1",
    "the study changed": "UPDATE study SET seed = seed + 1",
}


@pytest.mark.parametrize("deed", DEEDS)
def test_l8_what_a_superuser_changes_with_the_guards_off_is_found(cast: Cast, deed: str) -> None:
    finish(cast, cast.rita)
    assert verdict_of(cast).problems == ()
    with superuser(cast) as owner:
        names = [row[0] for row in owner.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'reread'")]  # fmt: skip
        for name in names:
            owner.execute(psycopg.sql.SQL("ALTER TABLE {} DISABLE TRIGGER ALL").format(
                psycopg.sql.Identifier(name)))  # fmt: skip
        done = owner.execute(DEEDS[deed])
        assert done.rowcount > 0
        for name, guard in owner.execute(
            """SELECT c.relname, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
               JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND NOT t.tgisinternal"""
        ).fetchall():
            owner.execute(psycopg.sql.SQL("ALTER TABLE {} ENABLE ALWAYS TRIGGER {}").format(
                psycopg.sql.Identifier(name), psycopg.sql.Identifier(guard)))  # fmt: skip
    assert verdict_of(cast).problems
