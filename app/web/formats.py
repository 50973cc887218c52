"""Times and numbers as pages show them, in the current language's way.

Exports, the API and every file stay free of locales; these are for people's eyes alone.
"""

from datetime import datetime

from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import format_decimal, format_percent

from app.languages.catalogues import ENGLISH
from app.languages.current import current

SMALLEST_P = 0.001
UNDEFINED = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"  # a hyphen is easily lost before a digit


def moment(value: datetime) -> str:
    """Return a time of the server's clock to the minute."""
    locale = current.get().locale
    both = str(get_datetime_format("medium", locale=locale))
    time = format_time(value, "HH:mm", locale=locale)
    return f"{both.format(time, format_date(value, 'medium', locale=locale))} UTC"


def percent(value: float | None) -> str:
    """Return a share of 0 to 1 as a percentage."""
    if value is None:
        return UNDEFINED
    language = current.get()
    if language is ENGLISH:  # as the journals want it
        return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"
    head, _, tail = language.locale.percent_formats[None].pattern.rpartition("0")
    return format_percent(value, format=f"{head}0.0{tail}", locale=language.locale)


def number(value: float | None, places: int = 3) -> str:
    """Return a number with a fixed count of decimals."""
    if value is None:
        return UNDEFINED
    # A difference of -1e-17 is none, and "-0.000" would look like one.
    return _decimal(round(value, places) + 0.0, places)


def p_value(value: float | None) -> str:
    """Return a p value to three decimals."""
    if value is None:
        return UNDEFINED
    return f"< {_decimal(SMALLEST_P, 3)}" if value < SMALLEST_P else _decimal(value, 3)


def _decimal(value: float, places: int) -> str:
    # Rounded by Python, as before and as everywhere else; the locale gives its signs alone.
    digits = f"{value:.{places}f}"
    written = format_decimal(
        digits, format=f"0.{'0' * places}" if places else "0", locale=current.get().locale
    )
    return written.replace("-", MINUS)
