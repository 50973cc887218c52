"""A hospital's identity provider (OpenID Connect Core 1.0): the way there, and who comes back.

The authorization code flow with PKCE (RFC 7636), by Authlib. What the provider says of itself
(its discovery document) is kept for some minutes; nothing of anybody's sign-in is kept here.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, Self, cast

from authlib.integrations.base_client import OAuthError  # pyright: ignore[reportMissingTypeStubs]
from authlib.integrations.requests_client import (  # pyright: ignore[reportMissingTypeStubs]
    OAuth2Session,
)
from authlib.oidc.core import CodeIDToken  # pyright: ignore[reportMissingTypeStubs]
from authlib.oidc.discovery import get_well_known_url  # pyright: ignore[reportMissingTypeStubs]
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from requests import RequestException

from app.domain.errors import Unavailable
from app.settings import ProviderSettings, is_private

TIMEOUT = 5.0  # seconds for each of three or four questions: somebody waits for the page
KNOWN_FOR = timedelta(minutes=10)
LEEWAY = 60  # seconds that the provider's clock may differ
LONGEST_SUBJECT = 255  # OpenID Connect Core, 2
# Signed with a key that the provider alone has: no shared secret (HS256), and never none.
ALGORITHMS = [f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512)]


class _Answer(Protocol):
    def raise_for_status(self) -> None: ...
    def json(self) -> object: ...


class _Session(Protocol):
    """What is used of Authlib's session, which brings no types."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *fault: object) -> None: ...
    def get(self, url: str, *, withhold_token: bool, allow_redirects: bool) -> _Answer: ...
    def create_authorization_url(
        self, url: str, *, state: str, code_verifier: str, nonce: str
    ) -> tuple[str, str]: ...
    def fetch_token(
        self, url: str, *, grant_type: str, code: str, code_verifier: str, allow_redirects: bool
    ) -> Mapping[str, Any]: ...


class NotVouchedForError(Exception):
    """What the provider sent does not say who somebody is; the message is for the log alone."""


@dataclass(frozen=True)
class Identity:
    """Whom the provider vouches for; `email` is None where it does not vouch for an address."""

    issuer: str
    subject: str
    email: str | None


@dataclass(frozen=True)
class Secrets:
    """State, nonce and PKCE verifier of one sign-in, each derived from the browser's token.

    So the browser holds one secret and the database its digest; none of the three tells another.
    """

    state: str
    nonce: str
    verifier: str

    @classmethod
    def of(cls, token: str) -> "Secrets":
        """Derive them (HMAC-SHA-256 of their names under the token; 43 characters each)."""
        return cls(*(_derived(token, what) for what in ("state", "nonce", "verifier")))


class IdentityProvider:
    """The provider that the settings name. Its addresses come from its own discovery document."""

    def __init__(self, settings: ProviderSettings) -> None:
        self.issuer = settings.issuer
        self.button = settings.button
        self._settings = settings
        self._known: tuple[datetime, dict[str, Any]] | None = None

    def address(self, secrets: Secrets, *, back: str, now: datetime) -> str:
        """Return where the browser goes to sign in; `back` is the address it comes back to."""
        with self._session(back) as session:
            endpoint = self._endpoint("authorization_endpoint", now=now)
            address, _ = session.create_authorization_url(
                endpoint, state=secrets.state, nonce=secrets.nonce, code_verifier=secrets.verifier
            )
            return address

    def identity(
        self, secrets: Secrets, *, code: str, issuer: str | None, back: str, now: datetime
    ) -> Identity:
        """Exchange the code for an ID token and return whom it names.

        `issuer` is what came with the code (RFC 9207). Raises NotVouchedForError, and Unavailable
        where the provider cannot be asked.
        """
        announced = self._discovered(now=now).get("authorization_response_iss_parameter_supported")
        if issuer != self.issuer and (issuer is not None or announced is True):
            raise NotVouchedForError("the answer names another issuer")
        try:
            with self._session(back, now=now) as session:
                token = session.fetch_token(
                    self._endpoint("token_endpoint", now=now),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=secrets.verifier,
                    allow_redirects=False,
                )
                claims = self._claims(session, token, nonce=secrets.nonce, now=now)
                if "email" not in claims:
                    claims |= self._user_info(session, subject=claims["sub"], now=now)
        except RequestException as fault:
            raise _away() from fault
        except (OAuthError, JoseError, KeyError, TypeError, ValueError) as fault:
            # Their own words may quote the token.
            raise NotVouchedForError(f"the token was refused: {type(fault).__name__}") from None
        vouched = claims.get("email_verified") is True and isinstance(claims.get("email"), str)
        return Identity(self.issuer, claims["sub"], claims["email"] if vouched else None)

    def _claims(
        self, session: _Session, token: Mapping[str, Any], *, nonce: str, now: datetime
    ) -> dict[str, Any]:
        keys = self._json(session, self._endpoint("jwks_uri", now=now))
        signed = jwt.decode(
            token["id_token"],
            KeySet.import_key_set(cast("Any", keys)),
            registry=JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False),
        )
        claims = CodeIDToken(
            signed.claims,
            signed.header,
            {
                "iss": {"essential": True, "value": self.issuer},
                "aud": {"essential": True, "value": self._settings.client_id},
            },
            {
                "nonce": nonce,
                "client_id": self._settings.client_id,
                "access_token": token.get("access_token"),
            },
        )
        at = int(now.timestamp())
        claims.validate(now=at, leeway=LEEWAY)  # pyright: ignore[reportUnknownMemberType]
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= LONGEST_SUBJECT:
            raise ValueError("no subject")
        if not subject.isprintable():
            raise ValueError("an odd subject")
        return dict(claims)

    def _user_info(self, session: _Session, *, subject: str, now: datetime) -> dict[str, Any]:
        """Ask for the e-mail where the ID token leaves it away; it must be of the same subject."""
        if "userinfo_endpoint" not in self._discovered(now=now):
            return {}
        endpoint = self._endpoint("userinfo_endpoint", now=now)
        said = self._json(session, endpoint, with_token=True)
        if said.get("sub") != subject:
            raise ValueError("another subject")
        return {name: said[name] for name in ("email", "email_verified") if name in said}

    def _session(self, back: str, *, now: datetime | None = None) -> _Session:
        known = self._discovered(now=now) if now else {}
        # A provider that names no way takes the first (RFC 8414, 2).
        ways = known.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        posted = "client_secret_basic" not in ways
        session: object = OAuth2Session(
            self._settings.client_id,
            self._settings.client_secret,
            token_endpoint_auth_method="client_secret_post" if posted else "client_secret_basic",
            scope="openid email",
            redirect_uri=back,
            code_challenge_method="S256",
            default_timeout=TIMEOUT,
        )
        return cast("_Session", session)

    def _endpoint(self, name: str, *, now: datetime) -> str:
        address = self._discovered(now=now).get(name)
        if not isinstance(address, str) or not is_private(address):
            raise Unavailable(f"The identity provider names no {name} that begins with https://.")
        return address

    def _discovered(self, *, now: datetime) -> dict[str, Any]:
        if self._known is None or not self._known[0] <= now < self._known[0] + KNOWN_FOR:
            address = str(get_well_known_url(self.issuer, external=True))
            try:
                with self._session("") as session:
                    found = self._json(session, address)
            except (RequestException, ValueError) as fault:
                raise _away() from fault
            if found.get("issuer") != self.issuer:
                raise Unavailable(
                    "The identity provider calls itself otherwise than REREAD_OIDC_ISSUER does."
                )
            self._known = (now, found)
        return self._known[1]

    def _json(self, session: _Session, address: str, *, with_token: bool = False) -> dict[str, Any]:
        answer = session.get(address, withhold_token=not with_token, allow_redirects=False)
        answer.raise_for_status()
        said = answer.json()
        if not isinstance(said, dict):
            raise ValueError("no object")  # noqa: TRY004 - as a text that is no JSON
        return cast("dict[str, Any]", said)


def _derived(token: str, what: str) -> str:
    digest = hmac.new(token.encode(), what.encode(), "sha256").digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _away() -> Unavailable:
    return Unavailable(
        "The identity provider cannot be reached at the moment. Sign in with your password, "
        "or try again."
    )
