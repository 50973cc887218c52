"""Has the model seen these pictures? What a study shares with it, and the coordinator's word."""

import hashlib
from dataclasses import dataclass

from app.db import seen_before
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.reasons import checked_reason
from app.domain.sentences import said

SAME_PICTURE = 6  # bits of 64 in which two hashes of one picture may differ; as in seen_before()


@dataclass(frozen=True)
class SeenBefore:
    """What a study's cases share with the model's training images, and with one another."""

    training: seen_before.TrainingList | None  # None: not known
    comparable: seen_before.Comparable
    matches: list[seen_before.Match]
    elsewhere: list[seen_before.Elsewhere]
    acknowledgements: list[seen_before.Acknowledgement]  # newest first

    @property
    def matches_sha256(self) -> str:
        """Name these very matches, as the database does."""
        lines = sorted(match.line.encode() for match in self.matches)
        return hashlib.sha256(b"\n".join(lines)).hexdigest()

    @property
    def acknowledged(self) -> seen_before.Acknowledgement | None:
        """The newest word on these very matches."""
        now = self.matches_sha256
        return next((a for a in self.acknowledgements if a.matches_sha256 == now), None)

    @property
    def must_be_acknowledged(self) -> bool:
        """Whether the study cannot open before somebody says why the matches may stay."""
        return bool(self.matches) and self.acknowledged is None

    def of_kind(self, kind: str) -> list[seen_before.Match]:
        """Return the matches of one kind: training, patient or twice."""
        return [match for match in self.matches if match.kind == kind]


def look_for_seen_before(connection: Connection, *, study: Study) -> SeenBefore:
    """Compare a study's images and patients with its model's, and with each other."""
    model = study.model_version_id
    return SeenBefore(
        training=seen_before.training_list(connection, model) if model else None,
        comparable=seen_before.comparable_of(connection, study.id),
        matches=seen_before.matches_of(connection, study.id),
        elsewhere=seen_before.elsewhere_of(connection, study.id),
        acknowledgements=seen_before.acknowledgements_of(connection, study.id),
    )


def acknowledge_seen_before(
    connection: Connection, *, study: Study, matches_sha256: str, reason: str, by: Account
) -> int:
    """Record why the matches that the coordinator has looked at may stay; returns how many.

    Raises InvalidInput without a reason; the database raises Conflict where the study is no draft,
    or where the matches are no longer those of `matches_sha256`. It also writes down who did it.
    """
    del by  # the connection's actor, whom the database records
    reason = checked_reason(
        reason, said("Say why these may stay in the study, in 1 to 2,000 characters.")
    )
    return seen_before.insert_acknowledgement(
        connection, study=study.id, digest=matches_sha256, reason=reason
    )
