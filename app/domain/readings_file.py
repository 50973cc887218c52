"""A file of readings, read into rows, with every problem listed by file, row and column.

Three forms are understood: long CSV (one row per reader, case and modality; this project's own
export is one), wide CSV (a row per reader and case, columns per modality) and iMRMC files.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.errors import Problem
from app.domain.readings_check import RowChecker
from app.domain.readings_classes import find_classes
from app.domain.readings_csv import csv_rows
from app.domain.readings_imrmc import imrmc_rows, is_imrmc
from app.domain.readings_rows import Problems, Reading

__all__ = ["Problem", "Reading", "ReadingsFile", "parse_readings"]

MALIGNANT = "BCC"
"""Where a file knows this class, its scores are scores of malignancy."""


@dataclass(frozen=True, slots=True)
class ReadingsFile:
    """The readings of a file, or its problems: with a problem there is no reading.

    `repeats` are second readings of the same case by the same reader in the same modality, `later`
    counts third ones and further. `positive` is the positive class, `score_class` the class for
    which a high score speaks (None: the positive one), `simulated` names the simulated readers,
    `subgroups` gives each case's value of the column asked for.
    """

    form: str
    readings: tuple[Reading, ...]
    repeats: tuple[Reading, ...]
    later: int
    positive: str
    score_class: str | None
    simulated: frozenset[str]
    subgroups: Mapping[str, str]
    problems: tuple[Problem, ...]


def parse_readings(
    content: bytes, *, file: str, positive: str | None = None, subgroup: str | None = None
) -> ReadingsFile:
    """Read a file's bytes; `file` names it in the problems.

    Without `positive` the positive class is BCC where the file knows it, and 1 where all classes
    are coded 0 and 1; any other file has to name it. `subgroup` names a column of a CSV file that
    holds a characteristic of the cases.
    """
    problems = Problems(file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problems.add("This is not UTF-8 text; in Excel choose Save as, CSV UTF-8.", line)
        return _refused("unknown", problems)
    if is_imrmc(text):
        form, own, rows = "iMRMC", False, imrmc_rows(text, problems)
        if subgroup is not None:
            problems.add("An iMRMC file holds no characteristics of the cases.")
    else:
        form, own, rows = csv_rows(text, problems, subgroup)
    if not rows and not problems.found:
        problems.add("The file holds no reading.")
    classes = find_classes(rows, positive, problems)
    if classes is None or not rows:
        return _refused(form, problems)
    checker = RowChecker(classes, own, problems)
    checker.check(rows)
    if problems.found:
        return _refused(form, problems)
    # As the file spells it: "bcc" is the same class, and its scores are not to be turned.
    malignant = [
        name
        for name in (classes.positive, classes.negative)
        if name.casefold() == MALIGNANT.casefold()
    ]
    return ReadingsFile(
        form=form,
        readings=checker.readings,
        repeats=checker.repeats,
        later=checker.later,
        positive=classes.positive,
        score_class=malignant[0] if malignant else None,
        simulated=frozenset(checker.simulated),
        subgroups=checker.subgroups,
        problems=(),
    )


def _refused(form: str, problems: Problems) -> ReadingsFile:
    return ReadingsFile(form, (), (), 0, "", None, frozenset(), {}, tuple(problems.found))
