"""Passkeys (WebAuthn): added on one's account, and a way in without password and code.

The device asks its owner for a fingerprint, a face or its PIN, so that a passkey is two factors in
one. The library webauthn checks answers (W3C Web Authentication, 7.1 and 7.2); that each works
once, and whose it is, is here.
"""

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.actions import guessing
from app.actions.guessing import digest
from app.actions.manage_accounts import SignedIn, Visitor, open_session
from app.db import accounts, passkeys
from app.db.session import Connection, Database, Role
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound
from app.domain.sentences import said

CHALLENGE = timedelta(minutes=5)
LONGEST_NAME = 60
LONGEST_ANSWER = 20_000  # characters; a browser's answer has some two thousand
MOST = 10  # of an account
_MINUTE = 60_000  # ms that the browser gives its owner
_VERIFIED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True)
class PasskeySite:
    """What passkeys are bound to: the name of the host, and the address pages come from."""

    host: str
    origin: str

    @classmethod
    def of(cls, public_url: str | None) -> "PasskeySite | None":
        """Return them for an address with a name; browsers make no passkeys for numbers or http."""
        parts = urlsplit(public_url or "")
        host = parts.hostname
        if not host or (parts.scheme != "https" and host != "localhost"):
            return None
        try:
            ipaddress.ip_address(host)
        except ValueError:
            usual = {"https": 443, "http": 80}[parts.scheme]
            port = "" if parts.port in {None, usual} else f":{parts.port}"
            return cls(host, f"{parts.scheme}://{host}{port}")
        return None


def begin_adding(
    connection: Connection, site: PasskeySite, *, address: str, now: datetime, by: Account
) -> str:
    """Return, as JSON, what the browser asks the device for a new passkey."""
    known = passkeys.passkeys_of(connection, by.id)
    if len(known) >= MOST:
        raise _too_many()
    options = generate_registration_options(
        rp_id=site.host,
        rp_name="reread",
        user_id=by.id.bytes,
        user_name=by.email,
        user_display_name=by.name,
        timeout=_MINUTE,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=_VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(one.credential_id) for one in known],
    )
    _put(connection, options.challenge, account=by.id, address=address, now=now)
    return options_to_json(options)


def finish_adding(
    database: Database, site: PasskeySite, *, answer: str, name: str, now: datetime, by: Account
) -> None:
    """Store the passkey that the device made; raises InvalidInput and Conflict."""
    name = " ".join(name.split())
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise InvalidInput(
            said("Name the passkey, in 1 to {longest} characters.", longest=LONGEST_NAME),
            field="name",
        )
    refused = InvalidInput("This passkey was not accepted. Nothing was changed; begin again.")
    try:
        credential = parse_registration_credential_json(_short(answer))
        challenge = parse_client_data_json(credential.response.client_data_json).challenge
    except Exception as fault:  # whatever odd answers make the library raise, they are no passkey
        raise refused from fault
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        expected = passkeys.take_challenge(connection, _digest(challenge), account=by.id, now=now)
    if not expected:
        raise refused
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            require_user_verification=True,
        )
    except Exception as fault:
        raise refused from fault
    with database.begin(Role.ACCOUNT, actor=by.id) as connection:
        if len(passkeys.passkeys_of(connection, by.id)) >= MOST:
            raise _too_many()
        if not passkeys.insert_passkey(
            connection,
            account=by.id,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            name=name,
            now=now,
        ):
            raise Conflict("This passkey is known here already.")


def remove(connection: Connection, *, passkey: UUID, by: Account) -> None:
    """Remove one of one's own passkeys."""
    if not passkeys.remove_passkey(connection, passkey, account=by.id):
        raise NotFound("You have no such passkey.")


def begin_sign_in(connection: Connection, site: PasskeySite, *, address: str, now: datetime) -> str:
    """Return, as JSON, what the browser asks the device; nobody has said who they are yet.

    Raises TooManyAttempts.
    """
    guessing.refuse_guessing_from(connection, address=address, now=now)
    options = generate_authentication_options(
        rp_id=site.host, timeout=_MINUTE, user_verification=_VERIFIED
    )
    _put(connection, options.challenge, account=None, address=address, now=now)
    return options_to_json(options)


def sign_in(
    database: Database, site: PasskeySite, *, answer: str, visitor: Visitor, now: datetime
) -> SignedIn | None:
    """Open a session for a passkey's owner; None where it is refused, which is written down."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        guessing.refuse_guessing_from(connection, address=visitor.address, now=now)
    try:
        credential = parse_authentication_credential_json(_short(answer))
        challenge = parse_client_data_json(credential.response.client_data_json).challenge
    except Exception:  # noqa: BLE001 - whatever odd answers make the library raise
        return _refuse(database, None, why="not an answer of a passkey", visitor=visitor, now=now)
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        expected = passkeys.take_challenge(connection, _digest(challenge), account=None, now=now)
        key = passkeys.key_of(connection, credential.raw_id)
    if key is None:
        return _refuse(database, None, why="not known", visitor=visitor, now=now)
    why = "the challenge was used or is too old" if not expected else ""
    count = _count_if_right(site, credential, challenge, key) if expected else None
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        account = accounts.account_by_id(connection, key.account_id)
        if expected and count is None:
            why = "the signature does not fit"
        elif account is None:
            why = "the account is disabled"
        elif count is not None and not passkeys.use_passkey(
            connection, credential.raw_id, sign_count=count, now=now
        ):
            why = "the device's count did not grow: perhaps a copy"
        if not why and account is not None:
            return open_session(connection, account=account, visitor=visitor, now=now)
    return _refuse(database, key.account_id, why=why, visitor=visitor, now=now)


def _count_if_right(
    site: PasskeySite,
    credential: AuthenticationCredential,
    challenge: bytes,
    key: passkeys.StoredKey,
) -> int | None:
    """Return the device's count where signature, origin, host and owner fit; None otherwise."""
    if credential.response.user_handle != key.account_id.bytes:
        return None
    try:
        checked = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=site.host,
            expected_origin=site.origin,
            credential_public_key=key.public_key,
            credential_current_sign_count=0,  # compared in the database, where it is also written
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - as above
        return None
    return checked.new_sign_count


def _refuse(
    database: Database, account: UUID | None, *, why: str, visitor: Visitor, now: datetime
) -> None:
    guessing.count_refusal(
        database,
        "passkey",
        account,
        action="sign_in.passkey_refused",
        why=why,
        address=visitor.address,
        now=now,
    )


def _put(
    connection: Connection, challenge: bytes, *, account: UUID | None, address: str, now: datetime
) -> None:
    network = guessing.network_of(address)
    begun = passkeys.challenges_from(connection, network, now=now)
    guessing.refuse_beginning(begun, wait=CHALLENGE)
    passkeys.put_challenge(
        connection,
        challenge_sha256=_digest(challenge),
        account=account,
        network=network,
        expires=now + CHALLENGE,
        at_most=guessing.BEGUN_AT_ALL,
    )


def _too_many() -> Conflict:
    return Conflict(said("An account has {most} passkeys at most. Remove one first.", most=MOST))


def _digest(challenge: bytes) -> bytes:
    return digest(challenge.hex())


def _short(answer: str) -> str:
    if len(answer) > LONGEST_ANSWER:
        raise ValueError("longer than any browser's answer")
    return answer
