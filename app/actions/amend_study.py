"""What a coordinator sets down beside the readings: amendments, exclusions, overrides, corrections.

Each is a further row with reason, author and time; nothing that was recorded before changes. What
may be done when, the database holds: amendments and overrides while the study is open, exclusions
from the draft on, corrections until unblinding.
"""

from uuid import UUID

from app.actions.design_study import check_words, design_of
from app.db import protocols
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.reasons import checked_reason
from app.domain.scores import DIAGNOSES, Diagnosis
from app.domain.sentences import said
from app.domain.study_design import FIVE_STEPS, LONGEST_WASHOUT, Management, check_sitting


def amend_protocol(
    connection: Connection,
    *,
    study: Study,
    title: str,
    instructions: str,
    cases_per_sitting: int | None,
    reason: str,
    by: Account,  # noqa: ARG001 - the connection acts for them
) -> None:
    """Change an open study's words or sittings: a new version of its protocol.

    Raises InvalidInput, also when nothing would change; Conflict unless the study is open.
    """
    title, instructions = check_words(title, instructions)
    if cases_per_sitting is not None:
        check_sitting(cases_per_sitting)
    held = protocols.design_of(connection, study.id)
    wanted = {"title": title, "instructions": instructions, "cases_per_sitting": cases_per_sitting}
    now = {
        "title": study.title,
        "instructions": study.instructions,
        "cases_per_sitting": held.cases_per_sitting if held else None,
    }
    changes = {name: value for name, value in wanted.items() if value != now[name]}
    if not changes:
        raise InvalidInput("Nothing differs from the protocol as it is.")
    protocols.insert_version(connection, study.id, changes=changes, reason=_reason(reason))


def exclude_case(
    connection: Connection,
    *,
    study: Study,
    case_code: str,
    reason: str,
    by: Account,  # noqa: ARG001
) -> None:
    """Exclude a case: before opening it leaves the allocation; in an open study it is read by
    nobody any more, and its readings stay stored and do not count. `readmit_case` undoes it.
    """  # noqa: D205
    case = _case(connection, study, case_code)
    if not protocols.insert_exclusion(connection, study.id, case=case, reason=_reason(reason)):
        raise Conflict(said("Case {case_code} is excluded already.", case_code=case_code))


def readmit_case(
    connection: Connection,
    *,
    study: Study,
    case_code: str,
    reason: str,
    by: Account,  # noqa: ARG001
) -> None:
    """Undo an exclusion, by a further row: the case is read again at its place by whoever has it
    in their order and has not finished it, and its readings count.

    Raises Conflict for a case that is not excluded, and for one that was excluded before the
    orders were drawn.
    """  # noqa: D205
    case = _case(connection, study, case_code)
    if not protocols.insert_readmission(connection, study.id, case=case, reason=_reason(reason)):
        raise Conflict(said("Case {case_code} is not excluded.", case_code=case_code))


def override_washout(
    connection: Connection,
    *,
    study: Study,
    reader: UUID,
    days: int,
    reason: str,
    by: Account,  # noqa: ARG001
) -> None:
    """Give one reader of an open crossover another washout, in days; the last one holds."""
    if not 0 <= days <= LONGEST_WASHOUT:
        raise InvalidInput(
            said("The washout is 0 to {longest_washout} days.", longest_washout=LONGEST_WASHOUT),
            field="days",
        )
    if not protocols.insert_override(
        connection, study.id, reader=reader, days=days, reason=_reason(reason)
    ):
        raise NotFound(said('This person does not read in the study "{code}".', code=study.code))


def void_reading(
    connection: Connection,
    *,
    study: Study,
    reading: UUID,
    reason: str,
    by: Account,  # noqa: ARG001
) -> None:
    """Void a reading: it stays stored and does not count."""
    _correct(connection, study, reading, call=None, confidence=None, management=None, reason=reason)


def correct_reading(
    connection: Connection,
    *,
    study: Study,
    reading: UUID,
    call: Diagnosis,
    confidence: int,
    management: Management | None = None,
    reason: str,
    by: Account,  # noqa: ARG001
) -> None:
    """Set another call beside a reading: it counts in its place, and both are exported.

    With the management where the study asks for it, and without where it does not.
    """
    if call not in DIAGNOSES or not 0 <= confidence <= 100:  # noqa: PLR2004 - per cent
        raise InvalidInput(
            "Give the call, BCC or SK, and the confidence from 0 to 100 per cent.",
            field="confidence",
        )
    design = design_of(connection, study=study)
    if design.confidence_scale == "five_steps" and confidence not in FIVE_STEPS:
        raise InvalidInput(
            "Readers of this study have five steps: give 0, 25, 50, 75 or 100 per cent. Nothing "
            "was recorded.",
            field="confidence",
        )
    if design.ask_management and management is None:
        raise InvalidInput(
            "Say what the reader would have done: a biopsy or none. Nothing was recorded.",
            field="management",
        )
    _correct(
        connection,
        study,
        reading,
        call=call,
        confidence=confidence,
        management=management,
        reason=reason,
    )


def _correct(
    connection: Connection,
    study: Study,
    reading: UUID,
    *,
    call: Diagnosis | None,
    confidence: int | None,
    management: Management | None,
    reason: str,
) -> None:
    if not protocols.insert_correction(
        connection,
        study.id,
        reading=reading,
        call=call,
        confidence=confidence,
        management=management,
        reason=_reason(reason),
    ):
        raise NotFound(said('The study "{code}" has no such reading.', code=study.code))


def _case(connection: Connection, study: Study, case_code: str) -> UUID:
    case = protocols.case_by_code(connection, study.id, case_code)
    if case is None:
        raise NotFound(
            said(
                'The study "{code}" has no case {case_code}.', code=study.code, case_code=case_code
            )
        )
    return case


def _reason(text: str) -> str:
    return checked_reason(text, said("Give the reason, in 1 to 2,000 characters."))
