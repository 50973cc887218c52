"""Sentences made where nothing marks them for translation: they come to pages as finished texts.

The database raises what it refuses as a finished sentence. The statistics know of no language at
all: their remarks stand in analysis.json as they are. The process that decodes foreign pictures
says what it refuses in plain bytes: what comes from it is not trusted with more. Here are those
that pages show, by their patterns, so that a page can say them in its language. One that is not
here is shown in English.
"""

import re
from functools import cache

from app.domain import picture_refusals
from app.domain.sentences import Sentence, said
from app.domain.study_states import STATES, state_in_words
from app.languages.remarks import PLACES, REMARKS

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
    said(
        "{name} is or was {part} of this study and cannot become its {other}: each person has one "
        "part, so that nobody reads who knows the diagnoses."
    ),
    said("{name} administers the installation and takes no part in a study."),
    said("Case {code} is excluded already."),
    said(
        "Case {code} was excluded before the orders were drawn: it has no place in them, and stays "
        "excluded."
    ),
    said("Only a crossover study has a washout."),
    said(
        'The cases of this study are copies of those of "{code}", which is still blinded: unblind '
        "that study first."
    ),
    said(
        'The study "{code}" cannot open: {repeats} cases are to be read again, and it has {cases}.'
    ),
    said('The study "{code}" cannot open: a share of one case cannot be hidden.'),
    said(
        'The study "{code}" cannot open: case {case} lacks its image, reference standard or '
        "prediction."
    ),
    said(
        'The study "{code}" cannot open: nobody has said why its {matches} pictures and patients '
        "seen before may stay."
    ),
    said(
        "The cases cannot be added: case {case} lacks its image, reference standard or prediction."
    ),
    said(
        "The cases cannot be added: nobody has said why the study's {matches} pictures and "
        "patients seen before may stay."
    ),
    said(
        'The study "{code}" is {state}: its design is frozen, and its title, instructions and '
        "cases per sitting change by an amendment with a reason."
    ),
    said(
        'The study "{code}" is {state}: its instruments, model version and allocation are frozen.'
    ),
    said('The study "{code}" is {state}: matches are acknowledged before cases are read.'),
    said(
        'The study "{code}" is {state}: how confidence is asked for, what is logged of the zoom '
        "and shown of the model's record is fixed."
    ),
    said('The study "{code}" is {state}: which readings its analysis uses is frozen.'),
    said('The study "{code}" is open: its cases and predictions are frozen.'),
    said('The study "{code}" is open: its predictions are those of its own model.'),
    said(
        'The study "{code}" is open: training cases come first in every order and cannot be added.'
    ),
    said("A reading answers the questions of its study, all of them and no other."),
    said("A correction answers the questions of its study, all of them and no other."),
    said("In this study confidence has five steps: 0, 25, 50, 75 or 100 per cent."),
)
# Reasons that the program itself gives, as the log keeps them.
REASONS = (
    said("The study was opened."),
    said("Accepted an invitation."),
    said("A simulated reader: a program that remembers no case."),
    said("Demonstration: to show results at once."),
)
PARTS: dict[str, str] = {  # values that are words
    **{part: said(part) for part in ("reader", "coordinator", "adjudicator", "auditor")},
    **{kind: kind for _, _, kind in picture_refusals.OTHER_KINDS},
    "held": said("held"),  # a part
    "ended": said("ended"),
}
_STATES = re.compile("(?:{0})(?: or (?:{0}))*".format("|".join(STATES)))


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], Sentence], ...]:
    """Return each sentence that has parts, as what it looks like once they are filled in."""
    return tuple(
        (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(known))), known)
        for known in (*OF_THE_DATABASE, *REMARKS, *picture_refusals.PATTERNS)
        if "{" in known
    )


def recognised(text: str) -> Sentence | None:
    """Return the sentence of a finished text that is known here with its parts."""
    for pattern, known in _patterns():
        if found := pattern.fullmatch(text):
            return said(known, **{name: _part(part) for name, part in found.groupdict().items()})
    return None


def _part(text: str) -> str:
    """Return what came into a sentence as a sentence of its own where it is one."""
    if _STATES.fullmatch(text):
        return state_in_words(text)
    if text in PARTS:
        return PARTS[text]
    return recognised(text) or (said(text) if text in (*REMARKS, *PLACES) else text)
