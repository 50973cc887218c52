"""Cases that were called wrong: how many readers, in which modality, and whether the model too."""

from dataclasses import dataclass

from app.statistics.prepare import Prepared
from app.statistics.table import NONE


@dataclass(frozen=True, slots=True)
class Failure:
    """One case that at least one reader, or the model, called wrong.

    `wrong` and `read` count readers per modality; `model_wrong` is None without a model's call.
    """

    case: str
    truth: str
    wrong: dict[str, int]
    read: dict[str, int]
    model_wrong: bool | None


def failures(study: Prepared) -> tuple[Failure, ...]:
    """List the cases called wrong, those with most wrong calls in the last modality first."""
    wrong = (study.called != NONE) & (study.called != study.truth)  # (M, R, C)
    read = study.called != NONE
    found: list[Failure] = []
    for c, case in enumerate(study.cases):
        called = int(study.model_called[c])
        model_wrong = None if called == NONE else called != int(study.truth[c])
        if not wrong[:, :, c].any() and not model_wrong:
            continue
        found.append(
            Failure(
                case,
                study.positive if study.truth[c] else study.negative,
                {name: int(wrong[m, :, c].sum()) for m, name in enumerate(study.modalities)},
                {name: int(read[m, :, c].sum()) for m, name in enumerate(study.modalities)},
                model_wrong,
            )
        )
    # The sort is stable, so equal counts keep the natural order of the cases.
    return tuple(sorted(found, key=lambda each: tuple(-n for n in reversed(each.wrong.values()))))
