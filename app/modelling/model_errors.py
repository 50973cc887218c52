"""The torch side's refusals, as those of the application."""

from collections.abc import Generator
from contextlib import contextmanager

from app.domain.errors import InvalidInput
from models.errors import ModelError


@contextmanager
def refused() -> Generator[None]:
    """Turn a ModelError, whose message is a sentence for a person, into InvalidInput."""
    try:
        yield
    except ModelError as error:
        raise InvalidInput(str(error)) from error
