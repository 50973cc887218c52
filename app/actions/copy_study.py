"""A new draft with the settings of another study: never its readers, never its readings."""

from uuid import UUID

from app.actions.design_study import create_study, design_of
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account


def copy_study(connection: Connection, *, study: Study, code: str, title: str, by: Account) -> UUID:
    """Store the draft, with a seed of its own; raises InvalidInput or Conflict.

    Cases do not go with it: their diagnoses are hidden from coordinators, who could not copy them.
    """
    return create_study(
        connection,
        code=code,
        title=title,
        instructions=study.instructions,
        demonstration=study.demonstration,
        design=design_of(connection, study=study),
        by=by,
    )
