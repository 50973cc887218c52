"""What a killed worker had taken, handed out again before its heartbeat is missed."""

import time

import procrastinate
import psycopg

from app.db import jobs
from app.db.session import Database, Role
from tests.torture.course import Course
from tests.torture.programs import Program

RETRY_LOST = "retry_lost_jobs"  # as app/worker.py calls it, which would bring torch here


def kill_in_its_job(worker: Program, database: Database, course: Course) -> dict[int, int]:
    """Kill one of two workers while both have a job; returns each job's worker.

    Each has one job at a time, so with the worker held still two jobs under way are one of each.
    """
    while not course.stop.wait(0.02):
        worker.pause()
        course.stop.wait(0.1)  # what it had sent to the database already is done
        under_way = jobs_under_way(database)
        if len(under_way) == 2:
            worker.kill()
            _hold_heartbeats(database)
            return under_way
        worker.go_on()
    raise RuntimeError("the reading was over before both workers had a job")


def _hold_heartbeats(database: Database) -> None:
    """Let the dead worker not be missed before `hand_out_again`, however slow the machine is.

    The living one soon writes its own again.
    """
    with psycopg.connect(database.url) as owner:
        owner.execute(
            "UPDATE jobs.procrastinate_workers SET last_heartbeat = now() + interval '1 day'"
        )


def jobs_under_way(database: Database) -> dict[int, int]:
    with psycopg.connect(database.url) as owner:
        return dict(
            owner.execute(
                "SELECT id, worker_id FROM jobs.procrastinate_jobs "
                "WHERE status = 'doing' AND task_name = %s",
                [jobs.SCORE_IMAGES],
            ).fetchall()
        )


def hand_out_again(under_way: dict[int, int], database: Database, *, within: float) -> None:
    """Age the dead worker's heartbeat, and do what the living one does every minute.

    The living one is the one that finishes its job.
    """
    ends = time.monotonic() + within
    while len(left := under_way.keys() & jobs_under_way(database).keys()) != 1:
        if time.monotonic() > ends:
            raise RuntimeError(f"of the jobs {under_way}, these are under way: {left}")
        time.sleep(0.05)
    with psycopg.connect(database.url) as owner:
        owner.execute(
            """UPDATE jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 minute'
               WHERE id = %s""",
            [under_way[left.pop()]],
        )
    ask_for_lost_jobs(database)


def ask_for_lost_jobs(database: Database) -> None:
    """As the queue's own clock does every minute."""
    conninfo = database.conninfo(Role.WORKER)
    queue = procrastinate.App(connector=procrastinate.SyncPsycopgConnector(conninfo=conninfo))
    with queue.open():
        queue.configure_task(RETRY_LOST, allow_unknown=True, queue=jobs.SCORING).defer(timestamp=0)
