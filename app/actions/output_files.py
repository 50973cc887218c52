"""The files a command writes: refused before the work if they cannot be, written after it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from app.domain.errors import InvalidInput


def check_outputs(outputs: Iterable[Path], *, source: Path | None = None) -> None:
    """Raise InvalidInput for a folder that is not there, the source itself, or a file twice."""
    seen = set[Path]() if source is None else {source.resolve()}
    for path in outputs:
        if not path.parent.is_dir():
            raise InvalidInput(f"There is no folder {path.parent} to write {path.name} into.")
        if path.is_dir():
            raise InvalidInput(f"{path} is a folder; name a file to write.")
        if path.resolve() in seen:
            raise InvalidInput(f"{path} is read or written already; name another file.")
        seen.add(path.resolve())


def write_outputs(outputs: Mapping[Path, bytes]) -> None:
    """Write the files, each whole or not at all; InvalidInput where the machine refuses one."""
    unfinished = {path: path.with_name(f".{path.name}.unfinished") for path in outputs}
    path = Path()
    try:
        for path, content in outputs.items():
            unfinished[path].write_bytes(content)
        for path in outputs:
            unfinished[path].replace(path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        for left in unfinished.values():
            left.unlink(missing_ok=True)
