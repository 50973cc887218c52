"""What a process writes to its log: lines for people, or JSON lines with the request's id.

Nothing typed, stored or computed goes in. Of an exception only its kind and its places are written:
its message may quote a row of the database, and with it a call, a probability or an address.
"""

import json
import logging
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType

from app.settings import LogForm

request_id: ContextVar[str] = ContextVar("request_id", default="")

# What a line may carry besides its sentence, all of it chosen by us.
FACTS = ("method", "route", "status", "milliseconds")
_Caught = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlainFormatter(logging.Formatter):
    """A line for people; exceptions without their messages."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Write the record; the exception's text that handlers share is neither read nor left."""
        shared, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = shared

    def formatException(self, ei: _Caught) -> str:  # noqa: N802 - the library's name
        """Give the kind of each exception of the chain, and where it was raised."""
        return "\n".join(_places(ei[1]))


class JsonFormatter(PlainFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Write the record as one line."""
        said = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request": request_id.get() or None,
            **{name: getattr(record, name, None) for name in FACTS},
            "error": _places(record.exc_info[1]) if record.exc_info else None,
        }
        return json.dumps({key: value for key, value in said.items() if value not in (None, [])})


def start_logging(form: LogForm, *, level: int) -> None:
    """Let every logger of the process write to standard error in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else PlainFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The queue logs every job's arguments below this, and the server each address, tokens included.
    for quiet in ("procrastinate", "uvicorn"):
        logging.getLogger(quiet).setLevel(logging.WARNING)


def _places(error: BaseException | None) -> list[str]:
    """Return lines: each exception's kind, its frames; then what it came from."""
    lines: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        state = getattr(error, "sqlstate", None)
        kind = type(error)
        lines.append(f"{kind.__module__}.{kind.__qualname__}" + (f" {state}" if state else ""))
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)
        ]
        error = error.__cause__ or error.__context__
    return lines
