"""Which code made a model: reread's version, and the commit where it runs from a checkout."""

import shutil
import subprocess
from pathlib import Path

import app

_ROOT = Path(app.__file__).parents[1]


def code_version() -> dict[str, str | bool | None]:
    """Give version, commit (None: no checkout), and whether files differ from that commit."""
    commit = _git("rev-parse", "HEAD")
    changed = None if commit is None else bool(_git("status", "--porcelain", "-uno"))
    return {"version": app.__version__, "commit": commit, "changed_since": changed}


def _git(*command: str) -> str | None:
    git = shutil.which("git")
    if git is None or not (_ROOT / ".git").exists():
        return None
    done = subprocess.run(  # noqa: S603 - our own checkout
        [git, "-C", str(_ROOT), *command], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else None
