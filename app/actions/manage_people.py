"""People of a study: consent texts, what readers answer before they read, parts that end."""

from dataclasses import dataclass
from uuid import UUID

from app.db import people
from app.db.readings import ReaderStudy
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.errors import InvalidInput, NotFound
from app.domain.reasons import checked_reason
from app.domain.sentences import said

LONGEST_TEXT = 50_000
MOST_YEARS = 70
# As the table has them; in the order in which the form offers them.
SPECIALTIES = (
    said("dermatology"),
    said("general practice"),
    said("plastic surgery"),
    said("oncology"),
    said("pathology"),
    said("other"),
)
TRAININGS = (said("specialist"), said("in training"), said("medical student"), said("other"))


@dataclass(frozen=True)
class StartAnswers:
    """What a reader sends before their first case, as typed."""

    consent_text: str = ""  # id of the version that was shown
    accepted: bool = False
    years_experience: str = ""
    specialty: str = ""
    training: str = ""


def write_consent_text(connection: Connection, *, study: Study, text: str, by: Account) -> None:
    """Store a further version of the consent text; readers are asked anew."""
    text = text.strip()
    if not 1 <= len(text) <= LONGEST_TEXT or "\x00" in text:
        raise InvalidInput(
            said(
                "Give the consent text, in 1 to {longest_text:,} characters.",
                longest_text=LONGEST_TEXT,
            ),
            field="text",
        )
    newest = people.newest_consent_text(connection, study.id)
    if newest is not None and newest.text == text:
        raise InvalidInput(
            "This is the text that holds already. No new version was made.", field="text"
        )
    people.insert_consent_text(connection, study=study.id, text=text, by=by.id)


def answer_start(
    connection: Connection, *, study: ReaderStudy, answers: StartAnswers, by: Account
) -> None:
    """Record a reader's profile and consent; all of it, or nothing and a sentence."""
    del by  # the connection's own actor: nobody answers for another
    if answers.years_experience or answers.specialty or answers.training:
        years = _years(answers.years_experience)
        if answers.specialty not in SPECIALTIES or answers.training not in TRAININGS:
            unknown = "training" if answers.specialty in SPECIALTIES else "specialty"
            raise InvalidInput(
                "Choose your specialty and your training. Nothing was saved.", field=unknown
            )
        known = people.own_profile(connection, study.id)
        given = (years, answers.specialty, answers.training)
        if known is None or (known.years_experience, known.specialty, known.training) != given:
            people.insert_profile(
                connection,
                study=study.id,
                years=years,
                specialty=answers.specialty,
                training=answers.training,
            )
    if people.consent_is_due(connection, study.id):
        if not answers.accepted:
            raise InvalidInput(
                "Reading begins with your consent: tick its box, or do not read.", field="accepted"
            )
        people.insert_consent(connection, study=study.id, text=_id(answers.consent_text))


def change_part(
    connection: Connection,
    *,
    study: Study,
    person: UUID,
    part: Part,
    active: bool,
    reason: str,
    by: Account,
) -> None:
    """End somebody's part in a study, or give it back; a coordinator's does not end."""
    reason = checked_reason(reason, said("Give the reason, in 1 to 2,000 characters."))
    if part is Part.COORDINATOR:
        raise InvalidInput("A coordinator's part does not end.")
    people.insert_membership(
        connection,
        study=study.id,
        account=person,
        part=part,
        active=active,
        reason=reason,
        changed_by=by.id,
    )


def find_reader(connection: Connection, *, study: Study, reader: UUID) -> people.ReaderRow:
    """Return a reader of the study; raises NotFound."""
    found = people.reader_of(connection, study.id, reader)
    if found is None:
        raise NotFound("There is no such reader in this study.")
    return found


def _years(text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 2 and int(text) <= MOST_YEARS):  # noqa: PLR2004
        raise InvalidInput(
            said(
                "Give your years of experience as a whole number, 0 to {most_years}.",
                most_years=MOST_YEARS,
            ),
            field="years_experience",
        )
    return int(text)


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidInput("This form is damaged. Reload the page; nothing was saved.") from None
