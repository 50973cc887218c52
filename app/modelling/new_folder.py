"""A folder that is either there as a whole or not at all."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from app.domain.errors import Conflict, InvalidInput


def check_new(out: Path) -> None:
    """Refuse a folder that is there already, or whose parent is not."""
    if out.exists():
        raise Conflict(f"{out} is there already; name a folder that is not.")
    if not out.absolute().parent.is_dir():
        raise InvalidInput(f"There is no folder {out.absolute().parent} to put {out.name} into.")


@contextmanager
def new_folder(out: Path) -> Generator[Path]:
    """Give a folder to write into, which gets its name when all is written.

    Raises InvalidInput where the disk is full; then nothing is left of it.
    """
    check_new(out)
    unfinished = out.absolute().with_name(f".{out.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a run that was killed
    try:
        unfinished.mkdir()
        yield unfinished
        check_new(out)
        unfinished.rename(out.absolute())
    except OSError as error:
        raise InvalidInput(
            f"{out} cannot be written ({error.strerror}), and nothing was left of it. Make room "
            "and start the same command again: what was computed is kept."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
