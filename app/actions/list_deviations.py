"""What of a study was changed after its protocol: every amendment, exclusion and correction."""

from dataclasses import dataclass
from datetime import datetime

from app.db import additions, people, protocols
from app.db.session import Connection
from app.db.studies import Study
from app.domain.sentences import listed, said

WORDS = {
    "title": said("the title"),
    "instructions": said("the instructions"),
    "cases_per_sitting": said("the cases per sitting"),
}
KINDS = {
    "void": said("Voided the {phase} reading of case {code} by {name}"),
    "correct": said("Corrected the {phase} reading of case {code} by {name}"),
}


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
            said("Added {cases} cases at the end of every order", cases=row.cases)
            if row.cases != 1
            else said("Added 1 case at the end of every order"),
            row.reason,
        )
        for row in additions.additions_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            said("Brought case {code} back", code=row.case_code)
            if row.undone
            else said("Excluded case {code}", code=row.case_code),
            row.reason,
        )
        for row in protocols.exclusions_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            said(
                "Set the washout of {name} to {days} days",
                name=names.get(row.reader_id, "a reader"),
                days=row.days,
            ),
            row.reason,
        )
        for row in protocols.overrides_of(connection, study.id)
    ]
    found += [
        Deviation(
            row.made_at,
            row.author_name,
            said(
                KINDS[row.kind],
                phase=said(row.phase),
                code=row.case_code,
                name=names.get(row.reader_id, "a reader"),
            ),
            row.reason,
        )
        for row in protocols.corrections_of(connection, study.id)
    ]
    return sorted(found, key=lambda deviation: deviation.at, reverse=True)


def _amended(version: protocols.ProtocolVersion) -> str:
    changed = listed([WORDS.get(name) or said(name) for name in version.changed])
    return said(
        "Amended {changed} (version {number} of the protocol)",
        changed=changed,
        number=version.number,
    )
