"""Whether the installation can do its work now, checked part by part."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from app.db.administrator import missing_guards
from app.db.migrate import newest_revision
from app.db.readiness import Readiness, readiness
from app.db.session import Database, Role
from app.domain.errors import Refusal
from app.storage import Storage

KEPT = timedelta(seconds=5)  # what was found is told again for so long
HEARTBEAT = 60.0  # seconds after which a worker counts as gone; it beats every ten


@dataclass(frozen=True)
class Part:
    """One part of the installation; `problem` is a sentence, or "" when it works."""

    name: str
    problem: str


@dataclass(frozen=True)
class ReadinessReport:
    """Every part that was checked, and the numbers behind it where the database answered."""

    parts: tuple[Part, ...]
    found: Readiness | None

    @property
    def ready(self) -> bool:
        """Whether every part works."""
        return not any(part.problem for part in self.parts)


class ReadinessCheck:
    """Checks once every few seconds, however often anybody asks: each check writes a file."""

    def __init__(self, database: Database, storage: Storage, clock: Callable[[], datetime]) -> None:
        self._database, self._storage, self._clock = database, storage, clock
        self._lock = Lock()
        self._kept: tuple[datetime, ReadinessReport] | None = None

    def report(self) -> ReadinessReport:
        """Return the newest report; while a check runs, others are told the one before it."""
        kept, now = self._kept, self._clock()
        if kept is not None and kept[0] <= now < kept[0] + KEPT:
            return kept[1]
        if kept is None:
            self._lock.acquire()
        elif not self._lock.acquire(blocking=False):
            return kept[1]
        try:
            if self._kept is None or self._kept is kept:  # else somebody just did
                self._kept = (now, check_readiness(self._database, self._storage))
            return self._kept[1]
        finally:
            self._lock.release()


def check_readiness(database: Database, storage: Storage) -> ReadinessReport:
    """Check database, migrations, guards, worker and storage."""
    stored = Part("storage", _storage(storage))
    try:
        with database.begin(Role.ACCOUNT, actor=None) as connection:
            found = readiness(connection)
    except Refusal as refusal:
        return ReadinessReport((Part("database", str(refusal)), stored), None)
    checks: tuple[tuple[str, Callable[[Readiness], str]], ...] = (
        ("migrations", _migrations),
        ("guards", _guards),
        ("worker", _worker),
    )
    of_database = tuple(Part(name, check(found)) for name, check in checks)
    return ReadinessReport((Part("database", ""), *of_database, stored), found)


def _migrations(found: Readiness) -> str:
    needed = newest_revision()
    if found.revision == needed:
        return ""
    return (
        f"The schema is {found.revision}, this software needs {needed}: run reread migrate, or "
        "start the version that fits."
    )


def _guards(found: Readiness) -> str:
    missing = missing_guards(found.guards_on)
    return f"Guards are missing or switched off: {', '.join(missing)}." if missing else ""


def _worker(found: Readiness) -> str:
    if found.heartbeat_seconds is None:
        return "No worker has registered: start reread worker."
    if found.heartbeat_seconds > HEARTBEAT:
        return f"The last sign of a worker is {found.heartbeat_seconds:.0f} seconds old."
    return ""


def _storage(storage: Storage) -> str:
    try:
        key = storage.put(b"ready", suffix=".txt")
        same = storage.get(key) == b"ready"
        storage.delete(key)
    except (OSError, Refusal) as fault:
        return f"The folder of files cannot be written: {type(fault).__name__}."
    return "" if same else "The folder of files gives back other bytes than were written."
