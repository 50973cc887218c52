"""A backup: one moment of the database and every file its rows name, each with its SHA-256."""

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from app import __version__
from app.actions.pack.sinks import sink_at
from app.db.dump import FileRow, Moment, dump, one_moment
from app.domain.backup import DATABASE, FILES, MANIFEST, Head, Manifest, files_csv
from app.domain.errors import InvalidInput, NotFound
from app.storage import Storage

CONTAINS = (
    "case images, diagnoses, calls and e-mail addresses; digests of passwords, invitations and API "
    "tokens; the secrets of second factors, which the server must know; public keys of passkeys; "
    "by which name a hospital knows people. No open session, and no password of a database role. "
    "REREAD_SECRET is not in it."
)


def back_up(
    administrator_url: str,
    storage: Storage,
    folder: Path,
    *,
    now: datetime,
    progress: Callable[[int, int], None],
) -> Manifest:
    """Write the backup into a new folder, whole or not at all; readers may go on meanwhile.

    A file that is missing or altered is named in the manifest, and the rest is backed up all the
    same. Raises Conflict where the folder is there already.
    """
    if folder.suffix == ".zip":
        raise InvalidInput("A backup is a folder; leave the .zip away.")
    with one_moment(administrator_url) as moment, sink_at(folder, folder="") as sink:
        database = sink.write(DATABASE, dump(administrator_url, moment))
        copied: list[tuple[str, str]] = []
        missing: list[str] = []
        for number, file in enumerate(moment.files, start=1):
            data = _whole(storage, file, missing)
            if data is not None:
                sink.write(f"files/{file.key}", [data])
                copied.append((file.key, file.sha256))
            progress(number, len(moment.files))
        manifest = Manifest(
            made_at=now.isoformat(timespec="seconds"),
            reread=__version__,
            revision=moment.revision,
            database_sha256=database,
            files_sha256=sink.write(FILES, _encoded(files_csv(copied))),
            files=len(copied),
            heads=_heads(moment),
            roles={role.name: role.login for role in moment.roles},
            contains=CONTAINS,
            missing=missing,
        )
        sink.write(MANIFEST, _encoded(manifest.to_json()))
        os.sync()  # the folder gets its name when all of it is on the disk
    return manifest


def _heads(moment: Moment) -> list[Head]:
    return [Head(str(head.chain), head.study, head.seq, head.hash) for head in moment.heads]


def _whole(storage: Storage, file: FileRow, missing: list[str]) -> bytes | None:
    try:
        data = storage.get(file.key)
    except NotFound:
        missing.append(f"{file.key} is missing")
        return None
    if hashlib.sha256(data).hexdigest() != file.sha256:
        missing.append(f"{file.key} was altered: it is not the file that its row names")
        return None
    return data


def _encoded(text: str) -> Iterator[bytes]:
    yield text.encode()
