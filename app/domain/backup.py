"""What a backup says of itself: manifest.json and files.csv, written and read."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from app.domain.errors import InvalidInput

FORMAT = "reread-backup-1"
MANIFEST = "manifest.json"
DATABASE = "database.dump"
FILES = "files.csv"
_COLUMNS = ["key", "sha256"]


@dataclass(frozen=True)
class Head:
    """The head of a log at the moment of the backup; no study: the installation's own log."""

    chain: str
    study: str | None
    seq: int
    hash: str


@dataclass(frozen=True)
class Manifest:
    """The moment that a backup is of, and the SHA-256 of its two large parts."""

    made_at: str
    reread: str
    revision: str
    database_sha256: str
    files_sha256: str
    files: int
    heads: list[Head]
    roles: dict[str, bool]  # name -> may log in
    contains: str
    missing: list[str]  # sentences: what could not be backed up

    def to_json(self) -> str:
        """Write it."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2) + "\n"


def parse_manifest(text: str) -> Manifest:
    """Read it; raises InvalidInput where it is none of ours."""
    try:
        given: dict[str, Any] = json.loads(text)
        if given.pop("format") != FORMAT:
            raise InvalidInput(f"{MANIFEST} is not of the format {FORMAT}.")
        heads = [Head(**head) for head in given.pop("heads")]
        return Manifest(heads=heads, **given)
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InvalidInput(f"{MANIFEST} is not the manifest of a backup: {fault!r}.") from fault


def files_csv(files: Iterable[tuple[str, str]]) -> str:
    """Write the list of files: key, SHA-256."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_COLUMNS, *files])
    return out.getvalue()


def parse_files(text: str) -> list[tuple[str, str]]:
    """Read the list of files; raises InvalidInput."""
    rows = list(csv.reader(io.StringIO(text)))
    if not rows or rows[0] != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
        raise InvalidInput(f"{FILES} is not the list of files of a backup.")
    return [(key, digest) for key, digest in rows[1:]]
