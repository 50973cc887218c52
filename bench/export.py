"""How long the pack of a large study takes to write and to verify, and how much memory.

Builds the study as bench/results_page.py does (simulated readers, generated pictures), then writes
the pack and verifies it, each in a process of its own, whose largest size is read from the system.

Run: `.venv/bin/python bench/export.py [--readers 20] [--cases 707]`; building takes minutes.
"""

# ruff: noqa: E402 - the path comes before the imports

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[0] = str(ROOT)

import psycopg

from app.actions.export_pack import export_pack
from app.actions.verify_pack import verify_pack
from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.domain.access import Account
from app.storage import Storage
from bench.results_page import build, found


def main() -> None:
    """Build, write, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--cases", type=int, default=707)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="reread-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded_postgres(folder / "data") as url:
            with psycopg.connect(url, autocommit=True) as owner:
                owner.execute("ALTER SYSTEM SET fsync = off")
                owner.execute("SELECT pg_reload_conf()")
            migrate(url, secret=None)
            database = Database(url, secret=None)
            storage = Storage(folder / "files")
            cora = build(database, url, storage, asked.readers, asked.cases)
            database.close()
            pack = folder / "pack.zip"
            print(f"{asked.cases} cases x {asked.readers} readers")
            measured("without overlays", write, url, folder, cora, folder / "bare.zip", False)
            measured("export", write, url, folder, cora, pack, True)
            measured("export again", write, url, folder, cora, folder / "again.zip", True)
        print(f"ZIP file: {pack.stat().st_size / 1e6:.1f} MB")
        print(f"the same bytes: {pack.read_bytes() == (folder / 'again.zip').read_bytes()}")
        measured("verify", verify, pack)


def measured(what: str, work: Callable[..., None], *given: object) -> None:
    """Run the work in a fresh process; print its seconds and its largest size."""
    process = multiprocessing.get_context("spawn").Process(target=timed, args=(what, work, given))
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(f"{what} failed")


def timed(what: str, work: Callable[..., None], given: tuple[object, ...]) -> None:
    """Do the work and say what it cost."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    work(*given)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{what}: {seconds:.1f} s, at most {after / 1024:.0f} MiB ({before / 1024:.0f} at start)")


def write(url: str, folder: Path, cora: Account, pack: Path, overlays: bool) -> None:  # noqa: FBT001
    """Write the pack."""
    database = Database(url, secret=None)
    study = found(database, cora)
    with database.begin(Role.ANALYST, actor=cora.id) as connection:
        export_pack(
            connection,
            study=study,
            storage=Storage(folder / "files"),
            path=pack,
            overlays=overlays,
            by=cora,
        )
    database.close()


def verify(pack: Path) -> None:
    """Verify the pack."""
    problems = verify_pack(pack).problems
    if problems:
        sys.exit(problems[0])


if __name__ == "__main__":
    main()
