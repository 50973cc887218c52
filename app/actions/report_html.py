"""Numbers and tables as HTML text."""

from collections.abc import Iterable, Sequence
from html import escape

UNDEFINED = "undefined"


def number(value: float | None, digits: int = 3) -> str:
    """Write a number for a table; or the word where it is undefined."""
    return UNDEFINED if value is None else f"{value:.{digits}f}"


def p_value(p: float | None) -> str:
    """Write a p-value; never as zero."""
    if p is None:
        return UNDEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004 - the usual end of a table


def interval(low: float | None, high: float | None) -> str:
    """Write a 95% interval."""
    return "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; every cell is escaped. Printed, its head comes again on each sheet."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    return (
        f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table>"
    )
