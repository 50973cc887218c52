"""The reason that a grave act is given: of the length that every table of such acts holds."""

from app.domain.errors import InvalidInput

LONGEST = 2_000


def checked_reason(text: str, refusal: str) -> str:
    """Return the reason as it is stored; raises InvalidInput with `refusal`, at the field `reason`.

    `refusal` says what is wanted, in 1 to 2,000 characters.
    """
    text = text.strip()
    if not 1 <= len(text) <= LONGEST or "\x00" in text:
        raise InvalidInput(refusal, field="reason")
    return text
