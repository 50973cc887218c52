"""A backup back into an empty place, and the proof that it is what was backed up."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.actions.verify_files import verify_files
from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from app.db.dump import OwnRole, heads_of, is_empty, load
from app.db.migrate import migrate, stamp
from app.domain.audit_chain import Anchor
from app.domain.backup import DATABASE, FILES, MANIFEST, Head, Manifest, parse_files, parse_manifest
from app.domain.errors import Conflict, InvalidInput
from app.storage import Storage

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Backup:
    """A backup whose every file was compared with its SHA-256."""

    folder: Path
    manifest: Manifest
    files: list[tuple[str, str]]  # key, SHA-256


def open_backup(folder: Path, *, progress: Callable[[int, int], None]) -> Backup:
    """Read a backup and compare every file of it; raises InvalidInput naming what differs."""
    try:
        manifest = parse_manifest((folder / MANIFEST).read_text(encoding="utf-8"))
        problems = _differing(folder, [(DATABASE, manifest.database_sha256)])
        problems += _differing(folder, [(FILES, manifest.files_sha256)])
        files = [] if problems else parse_files((folder / FILES).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"{folder} cannot be read as a backup: {fault}.") from fault
    for number, (key, digest) in enumerate(files, start=1):
        problems += _differing(folder, [(f"files/{key}", digest)])
        progress(number, len(files))
    if problems:
        named = "; ".join(problems[:5]) + (" ..." if len(problems) > 5 else "")  # noqa: PLR2004
        raise InvalidInput(f"The backup is not as it was written: {named}. Nothing was restored.")
    return Backup(folder, manifest, files)


def _differing(folder: Path, files: list[tuple[str, str]]) -> list[str]:
    problems: list[str] = []
    for name, expected in files:
        digest = hashlib.sha256()
        try:
            with (folder / name).open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except FileNotFoundError:
            problems.append(f"{name} is missing")
            continue
        if digest.hexdigest() != expected:
            problems.append(f"{name} was altered")
    return problems


def restore(
    administrator_url: str,
    storage: Storage,
    backup: Backup,
    *,
    secret: str | None,
    progress: Callable[[int, int], None],
) -> None:
    """Restore into a database and a storage that are empty, then bring them to the newest schema.

    Files come first, each under its own key: stopped in between, the same command goes on. The
    database comes in one transaction. Raises Conflict where something else is there already.
    """
    if not is_empty(administrator_url):
        raise Conflict(
            "There is a database already; a backup is restored into an empty place only. Name "
            "another folder by REREAD_DATA, or an empty database by DATABASE_URL."
        )
    strange = storage.keys() - {key for key, _digest in backup.files}
    if strange:
        raise Conflict(
            f"There are {len(strange)} files in the storage that are not of this backup, for "
            f"example {min(strange)}. Name an empty place by REREAD_DATA or REREAD_STORAGE."
        )
    for number, (key, _digest) in enumerate(backup.files, start=1):
        storage.put_back((backup.folder / "files" / key).read_bytes(), key=key)
        progress(number, len(backup.files))
    roles = [OwnRole(name, login) for name, login in backup.manifest.roles.items()]
    load(administrator_url, backup.folder / DATABASE, roles)
    stamp(administrator_url, backup.manifest.revision)
    problems = _changed_heads(administrator_url, backup.manifest)
    if problems:  # a dump that was swapped together with its SHA-256
        raise InvalidInput(
            "The restored log is not the backed up one; do not use it, and empty the place again: "
            + "; ".join(problems)
        )
    migrate(administrator_url, secret=secret)


def _changed_heads(administrator_url: str, manifest: Manifest) -> list[str]:
    found = {
        str(head.chain): Head(str(head.chain), head.study, head.seq, head.hash)
        for head in heads_of(administrator_url)
    }
    wanted = {head.chain: head for head in manifest.heads}
    return [
        f"the log of {(found.get(chain) or wanted[chain]).study or 'the installation'} has the "
        f"head {_said(found.get(chain))} and not {_said(wanted.get(chain))}"
        for chain in sorted(found.keys() | wanted.keys())
        if found.get(chain) != wanted.get(chain)
    ]


def _said(head: Head | None) -> str:
    return f"{head.seq}:{head.hash}" if head else "none"


def prove(administrator_url: str, storage: Storage, manifest: Manifest) -> dict[str, list[str]]:
    """Return study -> what is wrong in it after a restore: log, rows, guards, files."""
    found: dict[str, list[str]] = {}
    for head in manifest.heads:
        if head.study is None:
            continue
        records = records_of(administrator_url, head.study)
        if records is None:
            found[head.study] = ["it is missing"]
            continue
        verdict = verify_study(records, anchors=[Anchor(head.seq, head.hash)])
        files = verify_files(records, storage, progress=lambda _done, _total: None)
        found[head.study] = [*verdict.problems, *files]
    return found
