"""A pack's files that are the same in every pack of a version: README, codebook, loaders."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files as resources
from typing import Any

from app.actions.pack.check import Check
from app.actions.pack.codebook import codebook_csv
from app.actions.pack.readme import readme

LOADERS = ("load.R", "load.py")


def loader(name: str) -> bytes:
    """Return the bytes of a loader."""
    return resources("app.actions.pack.loaders").joinpath(name).read_bytes()


def check_fixed(check: Check, study: Mapping[str, Any]) -> None:
    """Compare them with this version's; `study` is the study's row as the log left it."""
    about = readme(
        title=str(study["title"]),
        code=str(study["code"]),
        demonstration=bool(study["demonstration"]),
    )
    expected = {
        "README.md": about.encode(),
        "codebook.csv": codebook_csv(),
        **{name: loader(name) for name in LOADERS},
    }
    for name, content in expected.items():
        if check.digests.get(name) != hashlib.sha256(content).hexdigest():
            check.problems.append(f"{name}: it is not the one that this version of reread writes")
