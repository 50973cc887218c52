"""How a reader used the model's advice: who was rescued, who was talked out.

References
----------
.. [1] Schemmer M, Kuehl N, Benz C, Bartos A, Satzger G. Appropriate reliance on AI advice:
   conceptualization and the effect of explanations. Proceedings of the 28th International
   Conference on Intelligent User Interfaces 2023:410-422.
"""

from dataclasses import dataclass

from app.statistics.arrays import Bools
from app.statistics.proportions import Proportion, proportion


@dataclass(frozen=True, slots=True)
class Stratum:
    """Accuracy before and after the advice on the cases where the model was right, or wrong."""

    n: int
    unaided_right: Proportion
    aided_right: Proportion


@dataclass(frozen=True, slots=True)
class Reliance:
    """Reliance on a set of cases.

    `rescued`: wrong before the advice, right after it. `talked_out`: right before, wrong after.
    `switched_on_disagreement`: of the cases where the first call contradicted the model, the
    share in which the second call is the model's. `switched_on_agreement`: of the cases where
    they agreed, the share changed all the same. `rair` (relative AI reliance): of the cases with
    a wrong first call and a right model, the share with a right second call. `rsr` (relative
    self-reliance): of the cases with a right first call and a wrong model, the share with a
    right second call [1]_.
    """

    n: int
    rescued: int
    talked_out: int
    switched_on_disagreement: Proportion
    switched_on_agreement: Proportion
    rair: Proportion
    rsr: Proportion
    ai_right: Stratum
    ai_wrong: Stratum


@dataclass(frozen=True, slots=True)
class RelianceByClass:
    """Reliance on all cases, and on the cases of each true class."""

    all: Reliance
    positives: Reliance
    negatives: Reliance


def _share(part: Bools, whole: Bools) -> Proportion:
    return proportion(int((part & whole).sum()), int(whole.sum()))


def _stratum(chosen: Bools, before: Bools, after: Bools) -> Stratum:
    return Stratum(int(chosen.sum()), _share(before, chosen), _share(after, chosen))


def _reliance(truth: Bools, unaided: Bools, aided: Bools, advice: Bools) -> Reliance:
    before, after, model = unaided == truth, aided == truth, advice == truth
    disagreed, changed = unaided != advice, unaided != aided
    return Reliance(
        n=truth.size,
        rescued=int((~before & after).sum()),
        talked_out=int((before & ~after).sum()),
        switched_on_disagreement=_share(changed, disagreed),
        switched_on_agreement=_share(changed, ~disagreed),
        rair=_share(after, ~before & model),
        rsr=_share(after, before & ~model),
        ai_right=_stratum(model, before, after),
        ai_wrong=_stratum(~model, before, after),
    )


def reliance(truth: Bools, unaided: Bools, aided: Bools, advice: Bools) -> RelianceByClass:
    """Reliance of one reader; all arrays (N,), True = called, or truly, positive."""
    parts = (truth, unaided, aided, advice)

    def of(chosen: Bools) -> Reliance:
        return _reliance(*(part[chosen] for part in parts))

    return RelianceByClass(_reliance(*parts), of(truth), of(~truth))
