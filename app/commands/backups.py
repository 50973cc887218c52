"""Commands that keep a copy of everything, and bring it back."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from app.actions.back_up import back_up
from app.actions.restore_backup import open_backup, prove
from app.actions.restore_backup import restore as restore_into
from app.domain.backup import Manifest
from app.domain.errors import NotFound
from app.progress import Progress
from app.running import embedded_folder, running, unmigrated
from app.settings import Settings
from app.storage import Storage


def backup(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a backup; exit status 1 where a file could not be backed up."""
    os.umask(0o077)  # patients' photographs: for this account alone
    folder = Path(arguments.folder)
    if not settings.database_url and not embedded_folder(settings).exists():
        # A job at night without its settings would else keep an empty database, and say done.
        raise NotFound(
            f"There is no database at {embedded_folder(settings)}, and DATABASE_URL is not set: "
            "nothing to back up."
        )
    with running(settings) as on, Progress("Files copied") as progress:
        made = back_up(
            on.administrator_url, on.storage, folder, now=datetime.now(UTC), progress=progress
        )
    print(f"{folder} holds the database and {made.files} files of images and maps.")
    print(f"It contains {made.contains} Keep it as you keep those.")
    _say_heads(made)
    for problem in made.missing:
        print(f"PROBLEM: {problem}")
    return 1 if made.missing else 0


def restore(arguments: argparse.Namespace, settings: Settings) -> int:
    """Restore a backup into an empty place and prove it; exit status 1 where something is wrong."""
    with Progress("Backup compared with its SHA-256") as progress:
        given = open_backup(Path(arguments.folder), progress=progress)
    storage = Storage(settings.storage_url)
    with unmigrated(settings) as administrator_url:
        with Progress("Files restored") as progress:
            restore_into(
                administrator_url, storage, given, secret=settings.secret, progress=progress
            )
        found = prove(administrator_url, storage, given.manifest)
    for study, problems in found.items():
        print(f"{study}: {'log, rows, guards and files hold' if not problems else 'PROBLEMS'}")
        for problem in problems:
            print(f"  PROBLEM: {problem}")
    _say_heads(given.manifest)
    for problem in given.manifest.missing:
        print(f"PROBLEM: already at the backup, {problem}")
    print(f"Restored as of {given.manifest.made_at}. Everybody has to sign in again.")
    return 1 if any(found.values()) or given.manifest.missing else 0


def _say_heads(manifest: Manifest) -> None:
    for head in manifest.heads:
        of = head.study or "the installation"
        print(f"head of the log of {of} (keep it outside): {head.seq}:{head.hash}")
