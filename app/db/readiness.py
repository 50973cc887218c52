"""What the database tells of the state of the installation."""

from dataclasses import dataclass

from app.db.session import Connection, fetch_one


@dataclass(frozen=True)
class Readiness:
    """Schema, guards that fire always, age of the newest heartbeat of a worker, jobs."""

    revision: str
    guards_on: list[str]
    heartbeat_seconds: float | None
    waiting_jobs: int
    failed_jobs: int


def readiness(connection: Connection) -> Readiness:
    """Ask the database for all of it at once."""
    found = fetch_one(
        connection,
        Readiness,
        """SELECT revision, guards_on, heartbeat_seconds, waiting_jobs, failed_jobs
           FROM readiness()""",
    )
    if found is None:
        raise RuntimeError("readiness() gave no row.")
    return found
