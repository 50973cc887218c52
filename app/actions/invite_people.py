"""Invitations to a part in a study: made by a coordinator, taken up once, for seven days."""

import re
import secrets
from datetime import datetime, timedelta

from app.actions import guessing
from app.actions.draw_orders import enrol_reader
from app.actions.guessing import digest
from app.actions.manage_accounts import add_account, credentials_if_right
from app.db import accounts, people
from app.db.session import Connection, Database, Role
from app.db.studies import Study
from app.domain.access import Account, Part
from app.domain.errors import Conflict, InvalidInput, NotAllowed, NotFound
from app.domain.sentences import said
from app.domain.study_states import state_in_words

INVITATION = timedelta(days=7)
WORDS = {
    Part.READER: said("reader"),
    Part.COORDINATOR: said("coordinator"),
    Part.ADJUDICATOR: said("adjudicator"),
    Part.AUDITOR: said("auditor"),
}


def parts_in(state: str) -> list[Part]:
    """Return the parts that can be taken up in a study: none that reads or adjudicates too late."""
    begun = state in {"draft", "open"}
    return [part for part in Part if begun or part in {Part.COORDINATOR, Part.AUDITOR}]


def invite(
    connection: Connection,
    *,
    study: Study,
    email: str,
    now: datetime,
    by: Account,
    part: Part = Part.READER,
) -> str:
    """Store an invitation and return its token, which is shown once and not kept.

    Raises InvalidInput where the part is not to be had, and for somebody who has another one.
    """
    if part not in parts_in(study.state):
        raise InvalidInput(
            said(
                'The study "{code}" is {state}: nobody reads or adjudicates in it any more, so '
                "nobody is invited to. No invitation was made.",
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    email = email.strip().lower()
    if not re.fullmatch(r"[^@\s\x00]+@[^@\s\x00]+", email):
        raise InvalidInput(said('"{email}" is not an e-mail address.', email=email), field="email")
    held = people.part_held(connection, study.id, email)
    if held is not None and held is not part:
        raise InvalidInput(
            said(
                "{email} is or was {part} of this study. Each person has one part in it, so that "
                "nobody reads who knows the diagnoses. No invitation was made.",
                email=email,
                part=WORDS[held],
            ),
            field="email",
        )
    token = secrets.token_urlsafe(32)
    accounts.insert_invitation(
        connection,
        study=study.id,
        email=email,
        part=part,
        token_sha256=digest(token),
        invited_by=by.id,
        now=now,
        expires=now + INVITATION,
    )
    return token


def open_invitation(
    connection: Connection, *, token: str, now: datetime
) -> tuple[accounts.Invitation, bool]:
    """Return the invitation of a link and whether its e-mail has an account; consumes nothing."""
    found = accounts.invitation_of(connection, digest(token))
    if found is None:
        raise NotFound("This invitation does not exist. Ask the coordinator for a new link.")
    if found.accepted_at is not None:
        raise Conflict("This invitation has been used. Sign in with your password.")
    if now >= found.expires_at:
        raise Conflict("This invitation has expired. Ask the coordinator for a new link.")
    return found, accounts.credentials_of(connection, found.email) is not None


def accept_invitation(
    database: Database, *, token: str, name: str, password: str, address: str, now: datetime
) -> Account:
    """Make the account (or check the password of the one there is) and give it its part.

    A wrong password counts as a failed sign-in: whoever holds the link must not guess freely.
    """
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        found, known = open_invitation(connection, token=token, now=now)
    person = None
    if known:
        person = _existing_account(database, found, password, address=address, now=now)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        if person is None:
            person = add_account(
                connection,
                email=found.email,
                name=name,
                role=found.role.new_account,
                password=password,
            )
        if not accounts.accept(connection, found.id, account=person.id, now=now):
            raise Conflict("This invitation has been used. Sign in with your password.")
        _give_part(connection, found, person)
    return person


def _give_part(connection: Connection, invitation: accounts.Invitation, person: Account) -> None:
    if invitation.role is Part.READER:
        enrol_reader(connection, study=invitation.study_id, reader=person.id)
    elif invitation.role is Part.COORDINATOR:
        people.insert_coordinator(connection, study=invitation.study_id, account=person.id)
    else:
        people.insert_membership(
            connection,
            study=invitation.study_id,
            account=person.id,
            part=invitation.role,
            active=True,
            reason="Accepted an invitation.",
            changed_by=invitation.invited_by,
        )


def _existing_account(
    database: Database,
    invitation: accounts.Invitation,
    password: str,
    *,
    address: str,
    now: datetime,
) -> Account:
    found = credentials_if_right(
        database,
        email=invitation.email,
        password=password,
        subject=guessing.stranger(invitation.email),
        address=address,
        now=now,
    )
    if found is None:
        raise InvalidInput("This is not the password of your account.", field="password")
    if not invitation.role.suits(found.account.role):
        raise NotAllowed(
            said(
                "The account of this address cannot take part as {part}. Nobody has two parts in "
                "one study, so that nobody reads who knows the diagnoses: tell the coordinator who "
                "invited you.",
                part=said(invitation.role),
            )
        )
    return found.account
