"""What only the administrator of the database can read."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import psycopg
from psycopg import sql

from app.db.functions import rewritten_functions
from app.db.session import Connection, fetch_all, fetch_one, fetch_value
from app.domain.allocation import Assigned
from app.domain.audit_chain import Anchor, AuditEvent
from app.domain.scores import Diagnosis


@dataclass(frozen=True)
class CaseTruth:
    """A case's code and its reference diagnosis."""

    code: str
    diagnosis: Diagnosis


def truth_of(administrator_url: str, study: UUID) -> dict[UUID, CaseTruth]:
    """Return case id -> truth, for simulated readers; no role of the application may."""
    with psycopg.connect(administrator_url, options="-c search_path=reread") as connection:
        found = connection.execute(
            """SELECT c.id, c.code, d.diagnosis FROM study_case c
               JOIN reference_diagnosis d ON d.case_id = c.id WHERE c.study_id = %s""",
            [study],
        )
        return {row[0]: CaseTruth(row[1], row[2]) for row in found}


# Tables whose every row has its event in the study's chain, and the column that names it there.
AUDITED = {
    "study_case": "id",
    "image": "id",
    "reference_diagnosis": "case_id",
    "prediction": "id",
    "case_prediction": "id",
    "enrolment": "id",
    "allocation": "enrolment_id",
    "served": "assignment_id",
    "reading": "id",
    "reveal": "assignment_id",
    "membership": "id",
    "reader_profile": "id",
    "consent_text": "id",
    "consent": "id",
    "seen_before_acknowledgement": "id",
    "protocol_version": "id",
    "case_exclusion": "id",
    "case_readmission": "id",
    "study_copy": "id",
    "washout_override": "id",
    "reading_correction": "id",
    "study_model": "id",
    "case_addition": "id",
    "order_extension": "id",
    "viewing": "reading_id",
}

# Guard -> the tables it must stand on; one that was dropped leaves no trace of its own.
_LIVING = ("account", "study", "invitation", "api_token", "password_reset", "reading_keys")
_OF_MODELS = ("model_version", "training_list")
_KEPT = (
    *AUDITED,
    *_OF_MODELS,
    "training_image",
    "coordinator",
    "assignment",
    "audit_event",
    "erasure",
)
_BESIDE = (
    "protocol_version",
    "case_exclusion",
    "case_readmission",
    "study_copy",
    "washout_override",
    "reading_correction",
    "case_addition",
)
_IN_DRAFT = ("study_case", "image", "reference_diagnosis", "prediction", "case_prediction")
GUARDS: dict[str, tuple[str, ...]] = {
    "audit": (
        *AUDITED,
        *_OF_MODELS,
        "coordinator",
        "erasure",
        "second_factor",
        "provider_identity",
        "passkey",
        *_LIVING,
    ),
    "no_change": (*_KEPT, "provider_identity"),
    "no_delete": _LIVING,
    "no_truncate": (*_KEPT, *_LIVING, "provider_identity", "passkey"),
    "guard": (
        "account",
        "study",
        *_IN_DRAFT,
        "allocation",
        "order_extension",
        "assignment",
        "served",
        "reading",
        "reveal",
        "seen_before_acknowledgement",
        "api_token",
        "study_model",
        "password_reset",
        "second_factor",
        "recovery_code",
        "passkey",
        "viewing",
        *_BESIDE,
    ),
    "guard_analysed": ("study",),
    "guard_new": ("study",),
    "guard_copied": ("study",),
    "guard_known": ("served",),
    "guard_later_settings": ("study",),
    "drop_second_factor": ("account",),
    "drop_provider_identity": ("account",),
    "drop_passkeys": ("account",),
    "guard_part": ("enrolment", "coordinator", "membership"),
    "guard_may_read": ("served", "reading", "reveal"),
    "guard_seen_before": ("study",),
    "guard_kinds": ("seen_before_acknowledgement",),
    "guard_list": ("study_model",),
    "guard_step": (
        "allocation",
        "order_extension",
        "assignment",
        "served",
        "reading",
        "reveal",
        "coordinator",
        "membership",
        "reader_profile",
        "consent_text",
        "consent",
        "reference_diagnosis",
        "training_list",
        "training_image",
    ),
    "check_order": ("allocation",),
    "check_addition": ("case_addition",),
    "check_extension": ("order_extension",),
    "check_list": ("training_list",),
    "write_protocol": ("study",),
    "bind_models": ("study",),
    "guard_simulated": ("enrolment",),
    "apply": ("protocol_version",),
    "amend": ("case_exclusion", "case_readmission", "washout_override", "case_addition"),
}


@dataclass(frozen=True)
class StoredOrder:
    """A reader's order as it stands in the table, with its digest as it was stored."""

    reader_id: UUID
    order_sha256: str
    order: list[Assigned]


@dataclass(frozen=True)
class StudyRecords:
    """A study's log and what of its tables the log must agree with; rows as JSON."""

    events: list[AuditEvent]
    study: str
    rows: dict[str, dict[str, str]]  # table -> the row's name in the log -> the row
    orders: list[StoredOrder]
    disabled_guards: list[str]  # triggers that are missing or do not fire always
    rewritten_functions: list[str] | None  # None: not compared, see functions.py


# The same settings as the connections that wrote the log, so that times read the same.
_OPTIONS = "-c search_path=reread -c timezone=UTC"


def head_of(administrator_url: str, code: str) -> Anchor | None:
    """Return the head of a study's log, whatever its state; None where there is no such study."""
    with psycopg.connect(administrator_url, options=_OPTIONS) as connection:
        return fetch_one(
            connection,
            Anchor,
            """SELECT e.seq, e.hash FROM audit_event e JOIN study s ON s.id = e.chain
               WHERE s.code = %s ORDER BY e.seq DESC LIMIT 1""",
            [code],
        )


def records_of(administrator_url: str, code: str) -> StudyRecords | None:
    """Return a study's records, whatever its state; None where there is no such study."""
    with psycopg.connect(administrator_url, options=_OPTIONS) as connection:
        # One moment for all of it: readers may be at work.
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        study: UUID | None = fetch_value(connection, "SELECT id FROM study WHERE code = %s", [code])
        if study is None:
            return None
        events = fetch_all(
            connection,
            AuditEvent,
            "SELECT * FROM audit_event WHERE chain = %s ORDER BY seq",
            [study],
        )
        orders = _orders(connection, study)
        found = connection.execute(
            """SELECT c.relname || '.' || t.tgname FROM pg_trigger t
               JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND NOT t.tgisinternal AND t.tgenabled = 'A'"""
        )
        return StudyRecords(
            events=events,
            study=fetch_value(
                connection, "SELECT to_jsonb(s)::text FROM study s WHERE id = %s", [study]
            ),
            rows={table: _rows(connection, table, key, study) for table, key in AUDITED.items()},
            orders=orders,
            disabled_guards=missing_guards(row[0] for row in found),
            rewritten_functions=rewritten_functions(connection),
        )


def missing_guards(on_guard: Iterable[str]) -> list[str]:
    """Return the guards (table.trigger) that are not among those that fire always."""
    needed = {f"{table}.{guard}" for guard, tables in GUARDS.items() for table in tables}
    return sorted(needed - set(on_guard))


def erase_person(administrator_url: str, *, email: str, reason: str) -> bool:
    """Remove name and address of a person everywhere; says whether there was such an account."""
    with psycopg.connect(administrator_url, options=_OPTIONS) as connection:
        person: UUID | None = fetch_value(
            connection, "SELECT id FROM account WHERE email = %s", [email.strip().lower()]
        )
        if person is None:
            return False
        connection.execute("SELECT erase_person(%s, %s)", [person, reason])
    return True


def _orders(connection: Connection, study: UUID) -> list[StoredOrder]:
    found = connection.execute(
        """SELECT l.reader_id, l.order_sha256, a.case_id, a.arm, a.session, a.occasion
           FROM allocation l JOIN assignment a USING (enrolment_id)
           WHERE l.study_id = %s ORDER BY l.reader_id, a.position""",
        [study],
    )
    orders: dict[UUID, StoredOrder] = {}
    for reader, digest, *entry in found:
        stored = orders.setdefault(reader, StoredOrder(reader, digest, []))
        stored.order.append(Assigned(*entry))
    return list(orders.values())


def _rows(connection: Connection, table: str, key: str, study: UUID) -> dict[str, str]:
    found = connection.execute(
        sql.SQL("SELECT t.{}::text, to_jsonb(t)::text FROM {} t WHERE study_id = %s").format(
            sql.Identifier(key), sql.Identifier(table)
        ),
        [study],
    )
    return {row[0]: row[1] for row in found}
