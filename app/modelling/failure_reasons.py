"""A person's reason for each wrong call: a CSV file to fill in, and what it says when it is back.

The four reasons are those of the paper's section 3.3.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from app.domain.csv_table import Row, read_table
from app.domain.errors import InvalidInput, NotFound, Problem, to_mend
from app.modelling.wrong_calls import WrongCall

REASONS = ("colour blending", "blurred image", "similar colours", "small-sample features")
OTHER = "other"
COLUMNS = ("image", "case_id", "cohort", "truth", "probability_bcc", "reason", "note")
HEADER = ("image", "case_id", "cohort", "truth", "probability_BCC", "reason", "note")


def template_path(json_path: Path) -> Path:
    """Name the file beside the JSON."""
    return json_path.with_name(f"{json_path.stem}.reasons.csv")


def check_template(path: Path) -> None:
    """Refuse to write over a file in which somebody has filled in a reason."""
    if path.exists() and any(row.cells.get("reason") for row in _rows(path)):
        raise InvalidInput(
            f"{path} holds reasons that somebody filled in. Count them by --reasons {path}, or "
            "move the file away."
        )


def reasons_template(wrong: Iterable[WrongCall]) -> bytes:
    """Write one row for each wrong call, with the reason left empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    for call in wrong:
        probability = f"{call.probability:.6f}"
        writer.writerow((call.image, call.case_id, call.cohort, call.truth, probability, "", ""))
    return out.getvalue().encode()


def read_reasons(path: Path) -> dict[str, str]:
    """Give the reason of each image that has one; InvalidInput lists what cannot be read."""
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for row in _rows(path):
        image = row.cells.get("image", "")
        reason = " ".join(row.cells.get("reason", "").casefold().replace("_", " ").split())
        if not reason:
            continue
        if reason not in {*REASONS, OTHER}:
            sentence = f"'{reason[:40]}' is none of {', '.join(REASONS)} and {OTHER}"
            problems.append(Problem(path.name, row.number, "reason", sentence))
        elif not image or image in found:
            sentence = "name each image once"
            problems.append(Problem(path.name, row.number, "image", sentence))
        else:
            found[image] = reason
    if problems:
        raise InvalidInput(f"{path.name} has {to_mend(problems)}.", problems)
    return found


def _rows(path: Path) -> tuple[Row, ...]:
    table = read_table(path.read_bytes(), name=path.name, known=frozenset(COLUMNS))
    problems = list(table.problems)
    if not problems and not {"image", "reason"} <= set(table.columns):
        problems = [Problem(path.name, table.header_row, None, "image and reason are needed")]
    if problems:
        raise InvalidInput(f"{path.name} cannot be read as a file of reasons.", problems)
    return table.rows
