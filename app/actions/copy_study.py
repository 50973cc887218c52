"""A new draft with another study's settings, and its cases where wanted; never its readings."""

from uuid import UUID

from app.actions.design_study import create_study, design_of
from app.db import cases, protocols, studies
from app.db.session import Database, Role
from app.domain.access import Account
from app.domain.errors import Conflict
from app.domain.sentences import said
from app.storage import Storage


def copy_study(
    database: Database,
    storage: Storage,
    *,
    study: studies.Study,
    code: str,
    title: str,
    with_cases: bool,
    by: Account,
) -> UUID:
    """Store the draft, with a seed of its own; raises InvalidInput or Conflict.

    Cases come along under new codes, excluded ones and those never added left out. The database
    copies them: their diagnoses are hidden from coordinators. Image files are copied first, outside
    any transaction; where the draft cannot be stored, the copies go again. The log of the source
    says into which study it was copied, and with how many cases.
    """
    keys: list[str] = []
    if with_cases:
        with database.begin(Role.COORDINATOR, actor=by.id) as connection:
            keys = cases.storage_keys(connection, study.id)
        if not keys:
            raise Conflict(
                said('The study "{code}" has no cases that could come along.', code=study.code)
            )
    copies: dict[str, str] = {}
    try:
        for key in keys:
            copies[key] = storage.put(storage.get(key), suffix=".jpg")
        with database.begin(Role.COORDINATOR, actor=by.id) as connection:
            made = create_study(
                connection,
                code=code,
                title=title,
                instructions=study.instructions,
                demonstration=study.demonstration,
                design=design_of(connection, study=study),
                by=by,
            )
            if with_cases:
                cases.copy_cases(connection, from_study=study.id, into_study=made, copies=copies)
            protocols.insert_copy(connection, study.id, copy=made)
    except BaseException:
        for key in copies.values():
            storage.delete(key)
        raise
    return made
