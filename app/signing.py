"""Signatures under heads of a log (Ed25519): who holds the public key can check one offline.

An anchor says what the log was; its signature says that this installation said so. The key lies
outside of the database, so that whoever can write the one need not be able to write the other.
"""

import base64
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from app.domain.audit_chain import Anchor
from app.domain.errors import Conflict, InvalidInput

PREFIX = "ed25519:"


class HeadSigner:
    """Signs heads with the private key of a file."""

    def __init__(self, path: Path) -> None:
        """Load the key; raises InvalidInput where the file holds none."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as fault:
            raise InvalidInput(f"{path} cannot be read as a signing key: {fault}.") from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput(f"{path} is no Ed25519 key; make one with: reread signing-key FILE")
        self._key = key

    @property
    def public_key(self) -> str:
        """The public key as people pass it on: ed25519: and 43 letters and digits."""
        return PREFIX + _text(self._key.public_key().public_bytes_raw())

    def sign(self, study: str, head: Anchor, *, at: str = "") -> str:
        """Sign a study's head; `at` is the time that is written beside it, where there is one."""
        return _text(self._key.sign(_message(study, head, at)))


def signer_at(path: Path | None) -> HeadSigner | None:
    """Return what signs heads, where the installation has a key."""
    return HeadSigner(path) if path else None


def make_key(path: Path) -> HeadSigner:
    """Make a key in a new file that its account alone can read; raises Conflict if it is there."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} is there already, and nothing was written.") from None
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be written: {fault.strerror}.") from fault
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    return HeadSigner(path)


def is_signed(public_key: str, study: str, head: Anchor, signature: str, *, at: str = "") -> bool:
    """Say whether the signature is this key's, under this head; InvalidInput where no key is."""
    key = _public(public_key)
    try:
        key.verify(_bytes(signature), _message(study, head, at))
    except (InvalidSignature, ValueError):
        return False
    return True


def _public(text: str) -> Ed25519PublicKey:
    kind, _, key = text.partition(":")
    try:
        return Ed25519PublicKey.from_public_bytes(_bytes(key if f"{kind}:" == PREFIX else ""))
    except ValueError as fault:
        raise InvalidInput(
            f"{text} is no public key; it looks like {PREFIX} and 43 letters, as "
            "reread signing-key prints it."
        ) from fault


def _message(study: str, head: Anchor, at: str) -> bytes:
    return f"reread-head-v1\n{study}\n{head.seq}:{head.hash}\n{at}\n".encode()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
