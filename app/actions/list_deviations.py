"""What of a study was changed after its protocol: every amendment, exclusion and correction."""

from dataclasses import dataclass
from datetime import datetime

from app.db import additions, people, protocols
from app.db.session import Connection
from app.db.studies import Study

WORDS = {
    "title": "the title",
    "instructions": "the instructions",
    "cases_per_sitting": "the cases per sitting",
}
KINDS = {"void": "Voided", "correct": "Corrected"}


@dataclass(frozen=True)
class Deviation:
    """One act, in words that give neither a call nor a diagnosis away."""

    at: datetime
    author_name: str | None
    what: str
    reason: str


def list_deviations(connection: Connection, *, study: Study) -> list[Deviation]:
    """Return what was recorded beside protocol and readings, the newest first.

    Protocol versions that an addition, an exclusion or a washout made are told by that act alone.
    """
    names = {reader.reader_id: reader.name for reader in people.readers_of(connection, study.id)}
    found = [
        Deviation(version.written_at, version.author_name, _amended(version), version.reason)
        for version in protocols.versions_of(connection, study.id)
        if version.changed
    ]
    found += [
        Deviation(
            row.added_at,
            row.author_name,
            f"Added {row.cases} case{'' if row.cases == 1 else 's'} at the end of every order",
            row.reason,
        )
        for row in additions.additions_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            f"Brought case {row.case_code} back"
            if row.undone
            else f"Excluded case {row.case_code}",
            row.reason,
        )
        for row in protocols.exclusions_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            f"Set the washout of {names.get(row.reader_id, 'a reader')} to {row.days} days",
            row.reason,
        )
        for row in protocols.overrides_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            f"{KINDS[row.kind]} the {row.phase} reading of case {row.case_code} by "
            f"{names.get(row.reader_id, 'a reader')}",
            row.reason,
        )
        for row in protocols.corrections_of(connection, study.id)
    ]
    return sorted(found, key=lambda deviation: deviation.at, reverse=True)


def _amended(version: protocols.ProtocolVersion) -> str:
    changed = " and ".join(WORDS.get(name, name) for name in version.changed)
    return f"Amended {changed} (version {version.number} of the protocol)"
