"""Parsed and analysed readings of unblinded studies, kept in this process.

A results page and its figures come from the same frozen readings. They are parsed and analysed
once, and kept under the study and the digest that unblinding froze: what was computed from other
readings, or for another study, is never found. Whoever asks has been let in before.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from uuid import UUID

from app.domain.case_characteristics import CaseCharacteristics
from app.statistics.study import StudyAnalysis
from app.statistics.table import ReadingTable

Key = tuple[UUID, str, str, str]
"""Study, SHA-256 of its frozen readings, positive class, column of subgroups ("" for none)."""


@dataclass(frozen=True, slots=True, eq=False)
class KeptAnalysis:
    """The readings of a study as a table, their analysis, and the SHA-256 of readings.csv.

    `cases` are the characteristics by which subgroups can be made.
    """

    table: ReadingTable
    analysis: StudyAnalysis
    file_sha256: str
    cases: CaseCharacteristics


class KeptAnalyses:
    """The analyses used last, no more than `most` of them."""

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._found: OrderedDict[Key, KeptAnalysis] = OrderedDict()
        # Held while an analysis is made: the figures of a page ask together, and one is enough.
        self._lock = Lock()

    def get(self, key: Key, make: Callable[[], KeptAnalysis]) -> KeptAnalysis:
        """Return the analysis of the key, made if it is not kept."""
        with self._lock:
            if key not in self._found:
                self._found[key] = make()
                while len(self._found) > self._most:
                    self._found.popitem(last=False)
            self._found.move_to_end(key)
            return self._found[key]
