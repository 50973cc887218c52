"""Which cases of a study a person should look at before it opens: blur, size, exposure."""

from dataclasses import dataclass, field
from uuid import UUID

from app.db.cases import measured_images
from app.db.session import Connection
from app.domain.image_quality import flags
from app.domain.sentences import said


@dataclass(frozen=True)
class CaseQuality:
    """What was flagged, and what was never measured."""

    sentences: dict[UUID, list[str]] = field(default_factory=dict[UUID, list[str]])  # by case
    unmeasured_images: int = 0  # imported before quality was measured


def quality_of_cases(connection: Connection, *, study: UUID) -> CaseQuality:
    """Judge every image of a study by the limits of this version."""
    sentences: dict[UUID, list[str]] = {}
    unmeasured = 0
    for image in measured_images(connection, study):
        if image.quality is None:
            unmeasured += 1
            continue
        for flag in flags(image.quality):
            found = flag.sentence
            if image.position > 1:
                found = said("image {number}: {flag}", number=image.position, flag=found)
            sentences.setdefault(image.case_id, []).append(found)
    return CaseQuality(sentences, unmeasured)
