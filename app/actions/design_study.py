"""A study's life: draft, open, closed, unblinded; and its settings while it is a draft."""

import re
from uuid import UUID

from app import __version__
from app.actions.check_seen_before import look_for_seen_before
from app.actions.draw_orders import draw_missing_orders
from app.db import protocols, studies
from app.db.results import record_event
from app.db.session import Connection
from app.domain.access import Account
from app.domain.allocation import ALGORITHM, new_seed
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.reasons import checked_reason
from app.domain.sentences import said
from app.domain.study_design import StudyDesign
from app.domain.study_states import state_in_words


class NotReady(Conflict):
    """The study cannot open yet."""


CODE = re.compile(r"[a-z0-9][a-z0-9-]{1,39}")
# What unblinding means, in the words of the person who does it; the log keeps them.
STATEMENT = said(
    "I unblind this study. I know that nobody reads in it any more, that its readings stay as they "
    "are now, and that from now on its coordinators see diagnoses, predictions and results."
)
INSTRUCTIONS = str(  # a default of the API's form too, whose description takes plain text
    said(
        "For each case, say whether it is a basal cell carcinoma (BCC) or a seborrheic keratosis "
        "(SK), and how sure you are. Decide alone, as you would with a patient before you: ask "
        "nobody, and look nothing up."
    )
)


def create_study(
    connection: Connection,
    *,
    code: str,
    title: str,
    by: Account,
    instructions: str = INSTRUCTIONS,
    seed: int | None = None,
    demonstration: bool = False,
    design: StudyDesign | None = None,
) -> UUID:
    """Store a draft, sequential unless `design` says otherwise.

    Raises InvalidInput or Conflict with the sentence.
    """
    code = code.strip()
    if not CODE.fullmatch(code) or code == "new":
        raise InvalidInput(
            said(
                '"{code}" cannot name a study: use 2 to 40 small letters, digits and hyphens, for '
                "example bcc-2027.",
                code=code,
            ),
            field="code",
        )
    title, instructions = check_words(title, instructions)
    if design is not None:
        design.check()
    study = studies.insert_study(
        connection,
        code=code,
        title=title,
        instructions=instructions,
        seed=new_seed() if seed is None else seed,
        algorithm=ALGORITHM,
        demonstration=demonstration,
        created_by=by.id,
    )
    if study is None:  # perhaps another coordinator's, which this one cannot see
        raise Conflict(said('There is already a study named "{code}".', code=code), field="code")
    if design is not None:
        protocols.set_design(connection, study, design)
    return study


def check_words(title: str, instructions: str) -> tuple[str, str]:
    """Return title and instructions as they are stored; raises InvalidInput."""
    title, instructions = title.strip(), instructions.strip()
    if not 1 <= len(title) <= 200 or "\x00" in title + instructions:  # noqa: PLR2004
        raise InvalidInput("Give the study a title of 1 to 200 characters.", field="title")
    return title, instructions


def design_of(connection: Connection, *, study: studies.Study) -> StudyDesign:
    """Return the settings of a study of the actor's; raises NotFound."""
    found = protocols.design_of(connection, study.id)
    if found is None:
        raise NotFound(said('There is no study named "{code}" among yours.', code=study.code))
    return found


def set_design(
    connection: Connection,
    *,
    study: studies.Study,
    design: StudyDesign,
    title: str,
    instructions: str,
    by: Account,  # noqa: ARG001 - the connection acts for them
) -> None:
    """Store a draft's settings; raises InvalidInput, or Conflict once the study is open.

    After opening, app.actions.amend_study changes what may still change.
    """
    design.check()
    title, instructions = check_words(title, instructions)
    protocols.set_design(connection, study.id, design)
    protocols.set_words(connection, study.id, title=title, instructions=instructions)


def find_study(connection: Connection, *, code: str) -> studies.Study:
    """Return a study of the actor's; raises NotFound, also when it is somebody else's."""
    found = studies.study_by_code(connection, code)
    if found is None:
        raise NotFound(said('There is no study named "{code}" among yours.', code=code))
    return found


def open_study(connection: Connection, *, study: studies.Study, by: Account) -> None:
    """Open a draft to its readers and draw their orders; from here on it is frozen."""
    if study.state != "draft":
        raise Conflict(
            said(
                'The study "{code}" is {state}: it was opened before, and that is done once.',
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    counts = studies.counts_of(connection, study.id)
    if counts.cases == 0:
        raise NotReady("The study has no cases yet: import them first.")
    if counts.scored_cases < counts.cases or counts.scored_images < counts.images:
        raise NotReady(
            said(
                "{missing} of {images} images have no prediction yet. A study opens only when "
                "every case has its prediction, so that none stands out.",
                missing=counts.images - counts.scored_images,
                images=counts.images,
            )
        )
    if counts.undiagnosed:
        raise NotReady(
            said(
                "{undiagnosed} of {cases} cases have no diagnosis yet: an adjudicator of the study "
                "records them. Then it can open.",
                undiagnosed=counts.undiagnosed,
                cases=counts.cases,
            )
        )
    seen = look_for_seen_before(connection, study=study)
    if seen.must_be_acknowledged:
        raise NotReady(
            said(
                "{matches} pictures or patients have been seen before. Look at them, and say why "
                "they may stay; then the study can open.",
                matches=len(seen.matches),
            )
        )
    studies.set_open(connection, study.id, by=by.id)
    draw_missing_orders(connection, study=study.id)


def close_study(connection: Connection, *, study: studies.Study, by: Account) -> None:
    """Close an open study: nothing more is recorded in it."""
    if study.state != "open":
        raise Conflict(
            said(
                'The study "{code}" is {state}: only an open study can be closed.',
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    studies.set_closed(connection, study.id, by=by.id)


def refuse_unless_closed(study: studies.Study) -> None:
    """Raise Conflict, saying what comes first, where a study cannot be unblinded now."""
    if study.state == "unblinded":
        raise Conflict(
            said('The study "{code}" is unblinded already; its results are open.', code=study.code)
        )
    if study.state != "closed":
        raise Conflict(
            said(
                'The study "{code}" is not closed yet. Close it first: unblinding follows closing, '
                "so that nobody who knows the results can make a reading.",
                code=study.code,
            )
        )


def unblind_study(
    connection: Connection, *, study: studies.Study, reason: str, by: Account
) -> None:
    """Unblind a closed study; the caller has just checked the password again.

    The database freezes and hashes the readings; from here on results exist.
    """
    refuse_unless_closed(study)
    reason = checked_reason(
        reason, said("Give the reason for unblinding, in 1 to 2,000 characters.")
    )
    studies.set_unblinded(connection, study.id, by=by.id, reason=reason)
    record_event(
        connection,
        study=study.id,
        action="results.unblinding_meant",
        details={"statement": STATEMENT, "by": str(by.id), "software_version": __version__},
    )
