"""A device with passkeys, made of software: what WebAuthn asks of one, and what a test forges."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Device:
    """One passkey; it counts its uses. What is not set comes from what it is asked."""

    origin: str
    host: str | None = None
    flags: int = PRESENT | VERIFIED
    counts: int = 0
    user: bytes = b""
    challenge: str | None = None
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def create(self, asked: str) -> str:
        """Answer navigator.credentials.create()."""
        options = json.loads(asked)
        self.user = decoded(options["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        cose = {
            1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")
        }  # fmt: skip
        attested = (
            bytes(16)
            + len(self.credential).to_bytes(2, "big")
            + self.credential
            + cbor2.dumps(cose)
        )
        data = self._data(options["rp"]["id"], self.flags | ATTESTED) + attested
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"])
        return self._answer({"clientDataJSON": encoded(client), "attestationObject": encoded(made)})

    def get(self, asked: str) -> str:
        """Answer navigator.credentials.get()."""
        options = json.loads(asked)
        self.counts += 1
        data = self._data(options["rpId"], self.flags)
        client = self._client("webauthn.get", options["challenge"])
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            {
                "clientDataJSON": encoded(client),
                "authenticatorData": encoded(data),
                "signature": encoded(signed),
                "userHandle": encoded(self.user),
            }
        )

    def _data(self, host: str, flags: int) -> bytes:
        named = hashlib.sha256((self.host or host).encode()).digest()
        return named + bytes([flags]) + self.counts.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said: dict[str, Any] = {
            "type": kind,
            "challenge": self.challenge or challenge,
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, str]) -> str:
        name = encoded(self.credential)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
