"""Reading and writing safetensors: the only format of weights, because it holds no code."""

# safetensors types its keys and paths only in part; this module gives them types once.
# pyright: reportUnknownVariableType=false, reportUnknownMemberType=false
import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from models.errors import WeightsDamagedError


def read_tensors(file: Path, *, device: str = "cpu") -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return a file's tensors and its metadata; raises WeightsDamagedError."""
    try:
        with safe_open(file, framework="pt") as stream:
            metadata = cast("dict[str, str] | None", stream.metadata())
        return load_file(file, device=device), metadata or {}
    except SafetensorError as error:
        raise WeightsDamagedError(
            f"The weights file {file} is no safetensors file ({error}); "
            "convert the weights to safetensors first, or copy the file again."
        ) from error


def write_tensors(
    file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a safetensors file; an interruption leaves the file before it in place.

    Raises OSError where the disk is full.
    """
    unfinished = file.with_suffix(".part")
    content = save(dict(tensors), None if metadata is None else dict(metadata))
    try:
        with unfinished.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    unfinished.rename(file)
