"""Sentences made where nothing marks them for translation: in the database and in the statistics.

The database raises what it refuses as a finished sentence, and the statistics know of no language
at all: their remarks stand in analysis.json as they are. Here are those that pages show, by their
patterns, so that a page can say them in its language. One that is not here is shown in English.
"""

import re
from functools import cache

from app.domain.sentences import Sentence, said

# As migrations/versions/*.sql raise them, with the full stop that app/db/session.py adds.
OF_THE_DATABASE = (
    said("This account is disabled."),
    said("No such case."),
    said("There is no such account."),
    said("An earlier case of this reader is not finished."),
    said("For this case no AI result is shown."),
    said("Only the reader this case is assigned to can read it."),
    said("Reading begins with your consent: read version {version} of its text first."),
    said("The second session begins on {time}."),
    said("There is no aided reading before the reveal."),
    said("There is no map before the reveal."),
    said("There is no reveal before the unaided call is locked."),
    said("This case has not been shown yet."),
    said("This case is not part of the study any more."),
    said("This text has been replaced by a newer version: read that one."),
    said("Your first call is locked: what you said about yourself stays as it is."),
    said("Your part in this study has been ended by its coordinator."),
    said(
        "You know this picture from a study that you adjudicate or audit: ask the coordinator to "
        "end your part in this one."
    ),
    said('The study "{code}" is {state}: nobody reads any more.'),
    said('The study "{code}" is {state}: nothing more is recorded in it.'),
    said('The study "{code}" is {state}: this is done while it is {needed}.'),
    said('The study "{code}" is {state}: it cannot become {other}.'),
    said('The study "{code}" is {state}: its cases and predictions are frozen.'),
    said('The study "{code}" is {state}: matches are acknowledged before it opens.'),
    said('The study "{code}" has no cases: import them first.'),
    said('The study "{code}" has no cases that wait to be added: import them first.'),
    said('The matches of study "{code}" are not those you looked at: look at them again.'),
    said("Another order was drawn at the same moment: try again."),
    said("Cases were added at the same moment: try again."),
    said("The study changed while it was copied: try again."),
    said("Nothing to change: the part is {state} already."),
    said("This person has no such part in the study: invite them."),
    said("Only a coordinator of the study does this."),
    said("Nobody disables their own account: ask another administrator."),
)
OF_THE_STATISTICS = (
    said("these readers only, on cases like these"),
    said("One reader: the result is about this reader, on cases like these."),
    said("No variance among the events or among the non-events: the normal test misleads."),
    said(
        "NRI and IDI can improve without any gain: they reward miscalibrated scores (Hilden and "
        "Gerds 2014), and the p-values of the NRI mislead (Pepe 2014, Kerr 2014). Read them "
        "beside the differences of AUC and Brier score and the counts of changed calls."
    ),
    said(
        "Some probabilities are exactly 0 or 1 and have no log odds, so calibration in the large "
        "and slope are undefined."
    ),
    said("One category or one group only: there is nothing to test."),
    said("Too few or equal values: there is nothing to test."),
    said("Expected counts below 5, but too many tables for Fisher's test: read with care."),
    said("All calls are the same, so agreement beyond chance is undefined."),
    said("The AUCs differ without any variance between cases, so no test can be made."),
    said("paired bootstrap, stratified by truth"),
    said(
        "{readers} readers: the result is about these readers only, on cases like these. So few "
        "cannot stand for readers in general: the variation between readers would be estimated "
        "from {freedom} degrees of freedom."
    ),
    said(
        "{readers} readers: the test treats them as a sample of readers like these, but so few "
        "carry no claim about readers in general."
    ),
    said(
        "{missing} cases were read in one modality only; the paired comparison leaves them out "
        "and uses {used} cases."
    ),
)
STATES = {
    "draft": said("being prepared"),
    "open": said("open"),
    "closed": said("closed"),
    "unblinded": said("unblinded"),
}


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Sentence], ...]:
    """Return each sentence that has parts, as what it looks like once they are filled in."""
    return tuple(
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(known))), known)
        for known in (*OF_THE_DATABASE, *OF_THE_STATISTICS)
        if "{" in known
    )


def recognised(text: str) -> Sentence | None:
    """Return the sentence of a finished text that is known here with its parts."""
    for pattern, known in _patterns():
        if found := pattern.fullmatch(text):
            parts = {name: STATES.get(part, part) for name, part in found.groupdict().items()}
            return said(known, **parts)
    return None
