"""An identity provider for the tests: real HTTP, real signatures, and whatever lies a test wants.

It is strict where a good provider is: a code works once, for the redirect and the PKCE challenge
it was given for, and for a client that shows its secret.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.web.live import serving

CLIENT, SECRET = "reread-at-the-test", "a secret between the two / of them"
PEM = {"RS256": RSAKey.generate_key(2048, {"kid": "rsa"}), "ES256": ECKey.generate_key("P-256")}


@dataclass
class Provider:
    """Who is signed in there, and what is put into the ID token besides the truth."""

    clock: Callable[[], datetime]
    address: str = ""
    subject: str = "1f2e"
    email: str = "rita@example.org"
    verified: object = True
    alters: dict[str, Any] = field(default_factory=dict)  # claims; None takes one out
    metadata: dict[str, Any] = field(default_factory=dict)
    user_info: dict[str, Any] | None = None
    algorithm: str = "RS256"
    forged: str | None = None  # an ID token instead of an honest one
    issuer_said: str | None = ""  # RFC 9207: "" its own, None nothing
    refuses: bool = False
    asked: list[dict[str, str]] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    keys: dict[str, Any] = field(default_factory=lambda: dict(PEM))

    def claims(self, nonce: str) -> dict[str, Any]:
        now = int(self.clock().timestamp())
        honest = {
            "iss": self.address,
            "sub": self.subject,
            "aud": CLIENT,
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            "email": self.email,
            "email_verified": self.verified,
        }
        return {k: v for k, v in (honest | self.alters).items() if v is not None}

    def token(self, nonce: str) -> str:
        if self.forged is not None:
            return self.forged.replace("NONCE", nonce)
        key = self.keys[self.algorithm]
        return jwt.encode({"alg": self.algorithm, "kid": key.kid}, self.claims(nonce), key)

    def unsigned(self, nonce: str) -> str:
        """Alg none: header and claims without a signature."""
        parts = ({"alg": "none"}, self.claims(nonce))
        return ".".join([*(_b64(json.dumps(part).encode()) for part in parts), ""])

    def signed_by_the_public_key(self, nonce: str) -> str:
        """HS256 with the text of the public key as its secret, which everybody knows."""
        header = {"alg": "HS256", "typ": "JWT"}
        said = ".".join(_b64(json.dumps(part).encode()) for part in (header, self.claims(nonce)))
        public = self.keys["RS256"].as_pem(private=False)
        return f"{said}.{_b64(hmac.new(public, said.encode(), 'sha256').digest())}"

    # ------------------------------------------------------------ its pages

    async def discovery(self, _request: Request) -> Response:
        self.questions.append("discovery")
        return JSONResponse(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "userinfo_endpoint": f"{self.address}/me",
                "authorization_response_iss_parameter_supported": self.issuer_said is not None,
                "id_token_signing_alg_values_supported": ["RS256", "HS256", "none"],
            }
            | self.metadata
        )

    async def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        self.asked.append(asked)
        back: dict[str, str] = {"state": asked["state"]}
        if self.refuses:
            back |= {"error": "access_denied", "error_description": "<b>no</b>"}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            back["code"] = code
        if self.issuer_said is not None:
            back["iss"] = self.issuer_said or self.address
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def exchange(self, request: Request) -> Response:
        self.questions.append("token")
        form = dict(parse_qsl((await request.body()).decode()))
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        knows = request.headers.get("authorization") == f"Basic {basic}" or (
            form.get("client_id") == CLIENT and form.get("client_secret") == SECRET
        )
        challenge = _b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or not knows
            or form.get("redirect_uri") != asked["redirect_uri"]
            or asked.get("code_challenge_method") != "S256"
            or challenge != asked["code_challenge"]
        ):
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        said = {"access_token": "for-the-user-info", "token_type": "Bearer"}
        return JSONResponse(said | {"id_token": self.token(asked["nonce"])})

    async def public_keys(self, _request: Request) -> Response:
        self.questions.append("keys")
        return JSONResponse(KeySet(list(self.keys.values())).as_dict(private=False))

    async def me(self, request: Request) -> Response:
        self.questions.append("me")
        assert request.headers["authorization"] == "Bearer for-the-user-info"
        return JSONResponse(self.user_info or {})

    def site(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.discovery),
                Route("/authorize", self.authorize),
                Route("/token", self.exchange, methods=["POST"]),
                Route("/keys", self.public_keys),
                Route("/me", self.me),
            ]
        )


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def a_provider(clock: Callable[[], datetime]) -> Iterator[Provider]:
    """A provider that answers on a free port of this machine."""
    provider = Provider(clock)
    with serving(provider.site()) as address:
        provider.address = address
        yield provider


def settings_of(provider: Provider) -> dict[str, str]:
    return {
        "REREAD_OIDC_ISSUER": provider.address,
        "REREAD_OIDC_CLIENT_ID": CLIENT,
        "REREAD_OIDC_CLIENT_SECRET": SECRET,
    }
