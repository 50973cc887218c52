"""What only the administrator of the database can read."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from app.db.session import fetch_all, fetch_value
from app.domain.audit_chain import AuditEvent
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


# Tables whose every row has its event in the study's chain.
AUDITED = ("study_case", "image", "reference_diagnosis", "prediction", "case_prediction",
           "enrolment", "allocation", "served", "reading", "reveal")  # fmt: skip

# Guard -> the tables it must stand on; one that was dropped leaves no trace of its own.
_LIVING = ("account", "study", "invitation")
_KEPT = (*AUDITED, "model_version", "coordinator", "assignment", "audit_event")
_IN_DRAFT = ("study_case", "image", "reference_diagnosis", "prediction", "case_prediction")
GUARDS: dict[str, tuple[str, ...]] = {
    "audit": (*AUDITED, "model_version", "coordinator", *_LIVING),
    "no_change": _KEPT,
    "no_delete": _LIVING,
    "no_truncate": (*_KEPT, *_LIVING),
    "guard": ("study", *_IN_DRAFT, "allocation", "assignment", "served", "reading", "reveal"),
    "guard_new": ("study",),
    "guard_step": ("served", "reading", "reveal"),
}


@dataclass(frozen=True)
class StudyRecords:
    """A study's log and what of its tables the log must agree with."""

    events: list[AuditEvent]
    readings: list[dict[str, Any]]  # reading_id, call, confidence
    rows: dict[str, int]  # table -> number of rows
    disabled_guards: list[str]  # triggers that are missing or do not fire always


def records_of(administrator_url: str, code: str) -> StudyRecords | None:
    """Return a study's records, whatever its state; None where there is no such study."""
    with psycopg.connect(administrator_url, options="-c search_path=reread") as connection:
        study: UUID | None = fetch_value(connection, "SELECT id FROM study WHERE code = %s", [code])
        if study is None:
            return None
        events = fetch_all(
            connection,
            AuditEvent,
            "SELECT * FROM audit_event WHERE chain = %s ORDER BY seq",
            [study],
        )
        with connection.cursor(row_factory=dict_row) as cursor:
            readings = cursor.execute(
                """SELECT id::text AS reading_id, call, confidence
                   FROM reading WHERE study_id = %s""",
                [study],
            ).fetchall()
        rows = {
            table: fetch_value(
                connection,
                sql.SQL("SELECT count(*) FROM {} WHERE study_id = %s").format(
                    sql.Identifier(table)
                ),
                [study],
            )
            for table in AUDITED
        }
        found = connection.execute(
            """SELECT c.relname || '.' || t.tgname FROM pg_trigger t
               JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND NOT t.tgisinternal AND t.tgenabled = 'A'"""
        )
        on_guard = {row[0] for row in found}
        needed = {f"{table}.{guard}" for guard, tables in GUARDS.items() for table in tables}
        return StudyRecords(events, readings, rows, sorted(needed - on_guard))
