"""manifest.json: what a pack says of itself, and the SHA-256 of every file in it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from app.domain.errors import InvalidInput
from app.domain.strict_json import parse_json

PACK_VERSION = 2  # 1: without viewing.csv and the readers' profiles


@dataclass(frozen=True)
class Manifest:
    """What manifest.json says."""

    study: str
    positive: str
    data_sha256: str
    software_version: str
    overlays: bool  # whether the maps were exported with the rest
    head: str  # NUMBER:HASH of the last event in audit.jsonl
    files: Mapping[str, str]  # name -> SHA-256
    public_key: str = ""  # and the signature under the head, where the installation signs
    signature: str = ""


def manifest_bytes(manifest: Manifest) -> bytes:
    """Write manifest.json; one file a line, so that it can be read without a JSON library."""
    content = {
        "pack_version": PACK_VERSION,
        "study": manifest.study,
        "positive": manifest.positive,
        "data_sha256": manifest.data_sha256,
        "software_version": manifest.software_version,
        "overlays": "included" if manifest.overlays else "left out",
        "head": manifest.head,
        **_signed(manifest),
        "files": dict(sorted(manifest.files.items())),
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def parse_manifest(content: bytes) -> Manifest:
    """Read manifest.json; raises InvalidInput where it is none, or of another version."""
    try:
        raw = cast("dict[str, Any]", parse_json(content))
        version = raw["pack_version"]
        found = Manifest(
            study=str(raw["study"]),
            positive=str(raw["positive"]),
            data_sha256=str(raw["data_sha256"]),
            software_version=str(raw["software_version"]),
            overlays={"included": True, "left out": False}[raw["overlays"]],
            head=str(raw["head"]),
            public_key=str(raw.get("public_key", "")),
            signature=str(raw.get("signature", "")),
            files={str(name): str(digest) for name, digest in raw["files"].items()},
        )
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise InvalidInput("manifest.json is not the manifest of a pack.") from fault
    if version != PACK_VERSION:
        raise InvalidInput(
            f"This is a pack of version {version}; this reread knows version {PACK_VERSION}."
        )
    return found


def _signed(manifest: Manifest) -> dict[str, str]:
    if not manifest.signature:
        return {}
    return {"public_key": manifest.public_key, "signature": manifest.signature}


def files_digest(digests: Mapping[str, str]) -> str:
    """Return one digest for many files: SHA-256 of lines "digest  name", sorted by name."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
