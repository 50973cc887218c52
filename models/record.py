"""Records and hashes of model files. Needs no torch: the web side describes models with it."""

import hashlib
import json
from pathlib import Path
from typing import Any, cast

from models.errors import ModelRecordError, WeightsDamagedError, WeightsMissingError

_CHUNK = 1 << 20


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; raises WeightsMissingError."""
    digest = hashlib.sha256()
    try:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise WeightsMissingError(
            f"The model file {file} cannot be read ({error.strerror}); "
            "copy the whole model folder again or name another one."
        ) from error
    return digest.hexdigest()


def verify_sha256(file: Path, expected: str) -> str:
    """Return the file's SHA-256 if it is the expected one; raises WeightsDamagedError."""
    if file.suffix != ".safetensors":
        raise WeightsDamagedError(
            f"The weights file {file} is not a .safetensors file; other formats can carry "
            "code and are refused. Convert the weights to safetensors first."
        )
    actual = sha256_of(file)
    if actual != expected:
        raise WeightsDamagedError(
            f"The weights file {file} is damaged or was replaced: expected SHA-256 {expected}, "
            f"actual {actual}. Copy the file again from where the model was trained."
        )
    return actual


def read_record(file: Path) -> dict[str, Any]:
    """Return a JSON object; raises WeightsMissingError or ModelRecordError."""
    try:
        content: object = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise WeightsMissingError(
            f"The model record {file} cannot be read ({error.strerror}); "
            "name a folder that holds a trained model."
        ) from error
    except ValueError as error:  # JSON and UTF-8 errors both
        raise ModelRecordError(
            f"The model record {file} is not readable JSON ({error}); "
            "copy it again from where the model was trained."
        ) from error
    if not isinstance(content, dict):
        raise ModelRecordError(f"The model record {file} holds no JSON object; copy it again.")
    return cast("dict[str, Any]", content)


def write_record(file: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, readable by people and stable in version control."""
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
