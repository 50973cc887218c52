"""What the monitor shows: states and times of a study's readings, never a call."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.db.session import Connection, fetch_all
from app.domain.pace import IDLE, TOO_FAST, Pace


@dataclass(frozen=True)
class ReaderPace:
    """A reader and how far and how fast they are."""

    reader_id: UUID
    name: str
    simulated: bool
    enrolled_at: datetime
    states: str
    too_fast: int
    idle: int
    median_unaided: float | None
    median_aided: float | None
    last_step_at: datetime | None
    seen_at: datetime | None  # while they are signed in, or until they sign out
    washout_ends: datetime | None  # their next case is of the second session: not before this

    def waits(self, now: datetime) -> bool:
        """Say whether the reader has to wait for the end of the washout."""
        return self.washout_ends is not None and self.washout_ends > now

    @property
    def pace(self) -> Pace:
        """Return what the rules of the monitor are about."""
        return Pace(
            states=self.states,
            too_fast=self.too_fast,
            idle=self.idle,
            median_unaided=self.median_unaided,
            median_aided=self.median_aided,
            last_step_at=self.last_step_at,
        )


@dataclass(frozen=True)
class CaseCoverage:
    """A case that some readers have not finished."""

    code: str
    assigned: int
    finished: int


_STEP = """
    SELECT a.reader_id, a.enrolment_id, a.case_id, a.position, a.session, s.served_at,
           u.locked_at AS unaided_at, v.revealed_at, d.locked_at AS aided_at,
           CASE a.arm WHEN 'without_ai' THEN u.locked_at ELSE d.locked_at END AS finished_at
    FROM assignment a
    LEFT JOIN served s ON s.assignment_id = a.id AND s.study_id = %(study)s
    LEFT JOIN reading u ON u.assignment_id = a.id AND u.study_id = %(study)s AND u.phase = 'unaided'
    LEFT JOIN reveal v ON v.assignment_id = a.id AND v.study_id = %(study)s
    LEFT JOIN reading d ON d.assignment_id = a.id AND d.study_id = %(study)s AND d.phase = 'aided'
    WHERE a.study_id = %(study)s
        AND NOT EXISTS (SELECT FROM standing_exclusion x WHERE x.case_id = a.case_id)
"""


def paces_of(connection: Connection, study: UUID) -> list[ReaderPace]:
    """Return every reader's way through the study, people before simulated readers."""
    return fetch_all(
        connection,
        ReaderPace,
        "WITH step AS ("
        + _STEP
        + """), one AS (
               SELECT reader_id,
                   string_agg(CASE WHEN finished_at IS NOT NULL THEN 'f'
                                   WHEN revealed_at IS NOT NULL THEN 'r'
                                   WHEN unaided_at IS NOT NULL THEN 'l'
                                   WHEN served_at IS NOT NULL THEN 's' ELSE 'a' END,
                              '' ORDER BY position) AS states,
                   count(*) FILTER (WHERE unaided_at - served_at < %(fast)s) AS too_fast,
                   count(*) FILTER (WHERE coalesce(aided_at, unaided_at) - served_at > %(idle)s)
                       AS idle,
                   percentile_cont(0.5) WITHIN GROUP
                       (ORDER BY extract(epoch FROM unaided_at - served_at)::float8)
                       AS median_unaided,
                   percentile_cont(0.5) WITHIN GROUP
                       (ORDER BY extract(epoch FROM aided_at - revealed_at)::float8)
                       AS median_aided,
                   max(greatest(served_at, unaided_at, revealed_at, aided_at)) AS last_step_at
               FROM step GROUP BY reader_id),
           following AS (
               SELECT DISTINCT ON (reader_id) reader_id, enrolment_id, position, session
               FROM step WHERE finished_at IS NULL ORDER BY reader_id, position),
           washout AS (
               SELECT f.reader_id, max(greatest(t.unaided_at, t.aided_at)) + make_interval(
                   hours => 24 * coalesce(
                       (SELECT w.days FROM washout_override w WHERE w.enrolment_id = f.enrolment_id
                        ORDER BY w.made_at DESC, w.id LIMIT 1),
                       (SELECT washout_days FROM study WHERE id = %(study)s))) AS ends
               FROM following f JOIN step t ON t.reader_id = f.reader_id AND t.session = 1
                   AND t.position < f.position
               WHERE f.session = 2 GROUP BY f.reader_id, f.enrolment_id)
           SELECT e.reader_id, p.name, p.simulated, e.enrolled_at,
               coalesce(o.states, '') AS states, coalesce(o.too_fast, 0) AS too_fast,
               coalesce(o.idle, 0) AS idle, o.median_unaided, o.median_aided, o.last_step_at,
               t.seen_at, h.ends AS washout_ends
           FROM enrolment e JOIN account p ON p.id = e.reader_id
           LEFT JOIN one o ON o.reader_id = e.reader_id
           LEFT JOIN washout h ON h.reader_id = e.reader_id
           LEFT JOIN last_seen(e.study_id) t ON t.reader_id = e.reader_id
           WHERE e.study_id = %(study)s ORDER BY p.simulated, p.name, e.reader_id""",
        {"study": study, "fast": TOO_FAST, "idle": IDLE},
    )


def uncovered_cases(connection: Connection, study: UUID, *, most: int) -> list[CaseCoverage]:
    """Return the cases that the fewest of their readers have finished, at most `most` of them."""
    return fetch_all(
        connection,
        CaseCoverage,
        "WITH step AS ("
        + _STEP
        + """)
           SELECT c.code, count(*) AS assigned, count(t.finished_at) AS finished
           FROM step t JOIN study_case c ON c.id = t.case_id
           GROUP BY c.code HAVING count(t.finished_at) < count(*)
           ORDER BY count(t.finished_at)::float8 / count(*), c.code LIMIT %(most)s""",
        {"study": study, "most": most},
    )
