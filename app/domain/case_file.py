"""The case file: one row an image, rows of one `case_id` make one case of several images.

`parse_case_file` never raises: everything that must be mended is in `problems`, by file, row
(as a spreadsheet numbers it, the header being row 1) and column.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from app.domain import case_columns as read
from app.domain.case_columns import Columns
from app.domain.csv_table import Row, Table, read_table
from app.domain.errors import Problem
from app.domain.sentences import Sentence, said

T = TypeVar("T")


@dataclass(frozen=True)
class ImageRow:
    """One image of a case: its file name, its row, and 'dermoscopic', 'clinical' or 'other'.

    `mm_per_pixel` is of the file as delivered; None where it is not known.
    """

    file: str
    row: int
    modality: str
    mm_per_pixel: float | None = None


@dataclass(frozen=True)
class CaseRow:
    """One case with its images in the order of the file; '' and None stand for not known.

    `diagnosis` is 'BCC' or 'SK'; `diagnosis_source` says how it was made ('histopathology',
    'clinical consensus', other words as given); `age` in years; `fitzpatrick` 1 to 6.
    """

    case_id: str
    diagnosis: str
    diagnosis_source: str
    patient_id: str
    lesion_id: str
    age: int | None
    sex: str
    anatomical_site: str
    fitzpatrick: int | None
    synthetic: bool
    training: bool
    images: tuple[ImageRow, ...]


@dataclass(frozen=True)
class CaseFile:
    """What one file says: import the cases only where there are no problems.

    `format` is 'own', 'isic', 'pad-ufes-20', or '' where none was recognised; columns that are
    not used are in `ignored_columns`, so that a misspelt name shows.
    """

    name: str
    format: str
    cases: tuple[CaseRow, ...] = ()
    problems: tuple[Problem, ...] = ()
    ignored_columns: tuple[str, ...] = ()

    @property
    def image_count(self) -> int:
        """How many images the cases have together."""
        return sum(len(case.images) for case in self.cases)


@dataclass
class _Reading:
    """The cases and problems gathered so far from one file."""

    name: str
    columns: Columns
    header: tuple[str, ...]
    problems: list[Problem]
    without_diagnosis: bool = False
    ignore_diagnosis: bool = False
    cases: dict[str, CaseRow] = field(default_factory=dict[str, CaseRow])
    images: dict[str, dict[str, int]] = field(default_factory=dict[str, dict[str, int]])

    @property
    def diagnosis_column(self) -> str:
        """The most general diagnosis column that the file has."""
        general_first = self.columns.diagnoses[::-1]
        return next((c for c in general_first if c in self.header), general_first[0])

    def problem(self, row: int, column: str, sentence: str) -> None:
        self.problems.append(Problem(self.name, row, column, sentence))

    def take(self, row: int, column: str, reader: Callable[..., T], *arguments: object) -> T | None:
        """Read one cell; a ValueError becomes a problem of that row and column."""
        try:
            return reader(*arguments)
        except ValueError as refusal:
            self.problem(row, column, refusal.args[0])  # str() would lose how it was made
            return None


def parse_case_file(
    data: bytes, *, name: str, without_diagnosis: bool = False, ignore_diagnosis: bool = False
) -> CaseFile:
    """Read a case file in our own columns, the ISIC archive's, or those of PAD-UFES-20.

    `without_diagnosis`: the file gives none, in any row; somebody else records them later.
    `ignore_diagnosis`: it may give any or none, and none is read.
    """
    table = read_table(data, name=name, known=read.ALL_NAMES)
    problems = list(table.problems)
    columns = read.recognise(table.columns)
    if columns is None:
        if table.columns:
            columns_here = ", ".join(table.columns)
            sentence = said(_NO_IMAGE_COLUMN, columns=columns_here)
            problems.append(Problem(name, table.header_row, None, sentence))
        return CaseFile(name, "", (), tuple(problems))
    ignored = tuple(column for column in table.columns if column not in columns.names)
    reading = _Reading(name, columns, table.columns, problems, without_diagnosis, ignore_diagnosis)
    if ignore_diagnosis or _has_diagnosis(table, reading):
        for row in table.rows:
            _add_row(row, reading)
    in_order = sorted(problems, key=lambda problem: problem.row or 0)
    return CaseFile(name, columns.format, tuple(reading.cases.values()), tuple(in_order), ignored)


_NO_IMAGE_COLUMN = said(
    "no column names the images: it is called 'image' in our own columns, 'isic_id' in those "
    "of the ISIC archive and 'img_id' in PAD-UFES-20; here the columns are: {columns}"
)


def _has_diagnosis(table: Table, reading: _Reading) -> bool:
    if reading.without_diagnosis or set(reading.columns.diagnoses) & set(table.columns):
        return True
    strange = [column for column in table.columns if column not in reading.columns.names]
    reading.problem(table.header_row, reading.diagnosis_column, _no_diagnosis_column(strange))
    return False


def _no_diagnosis_column(strange: list[str]) -> Sentence:
    """Name the columns that are not understood: one of them may be the diagnosis, misspelt."""
    if not strange:
        return said(
            "this column is needed and is not there; where an adjudicator records the diagnoses, "
            "say so at the import"
        )
    return said(
        "this column is needed and is not there, but there are columns that are not understood: "
        "{columns}; rename the one that is meant, or, where an adjudicator records the "
        "diagnoses, say so at the import",
        columns=", ".join(strange),
    )


def _add_row(row: Row, reading: _Reading) -> None:
    columns = reading.columns
    image = reading.take(
        row.number, columns.image, read.read_image_name, read.cell(row.cells, columns.image)
    )
    case = _read_case(row, image or "", reading)
    modality = read.read_modality(read.cell(row.cells, columns.modality), columns)
    scale = reading.take(
        row.number,
        columns.mm_per_pixel,
        read.read_mm_per_pixel,
        read.cell(row.cells, columns.mm_per_pixel),
    )
    if image is None or _listed_before(image, row.number, reading) or not case.case_id:
        return
    known = reading.cases.get(case.case_id, case)
    merged = _merge(known, case, row.number, reading)
    images = (*known.images, ImageRow(image, row.number, modality, scale))
    reading.cases[case.case_id] = replace(merged, images=images)


def _read_case(row: Row, image: str, reading: _Reading) -> CaseRow:
    """Read what the row says of its case; what cannot be read is reported and left empty."""
    columns = reading.columns

    def text(column: str, reader: Callable[..., T], *more: object) -> T | None:
        return reading.take(row.number, column, reader, read.cell(row.cells, column), *more)

    named = columns.case_id if read.cell(row.cells, columns.case_id) else columns.image
    diagnoses = tuple(read.cell(row.cells, column) for column in columns.diagnoses)
    filled = (column for column in columns.diagnoses if read.cell(row.cells, column))
    shown = next(filled, reading.diagnosis_column)
    case_id = read.cell(row.cells, columns.case_id)
    return CaseRow(
        case_id=reading.take(row.number, named, read.read_case_id, case_id, image) or "",
        diagnosis=""
        if reading.ignore_diagnosis
        else reading.take(
            row.number,
            shown,
            read.read_no_diagnosis if reading.without_diagnosis else read.read_diagnosis,
            diagnoses,
            columns,
        )
        or "",
        diagnosis_source=text(columns.diagnosis_source, read.read_diagnosis_source, columns) or "",
        patient_id=text(columns.patient_id, read.read_text) or "",
        lesion_id=text(columns.lesion_id, read.read_text) or "",
        age=text(columns.age, read.read_age),
        sex=text(columns.sex, read.read_sex) or "",
        anatomical_site=text(columns.anatomical_site, read.read_text) or "",
        fitzpatrick=text(columns.fitzpatrick, read.read_fitzpatrick),
        synthetic=text(columns.synthetic, read.read_yes_or_no) or False,
        training=text(columns.training, read.read_yes_or_no) or False,
        images=(),
    )


def _listed_before(image: str, row: int, reading: _Reading) -> bool:
    """Tell whether an earlier row has this image, with or without its ending."""
    folded = image.casefold()
    stem = read.IMAGE_SUFFIX.sub("", folded)
    endings = reading.images.setdefault(stem, {})
    ending = folded.removeprefix(stem)
    earlier = endings.get(ending) or endings.get("")
    if ending == "" and endings:
        earlier = next(iter(endings.values()))
    endings.setdefault(ending, row)
    if earlier:
        column = reading.columns.image
        reading.problem(row, column, said("this image is already listed in row {row}", row=earlier))
    return bool(earlier)


def _merge(known: CaseRow, new: CaseRow, row: int, reading: _Reading) -> CaseRow:
    """Fill what the earlier rows of the case left blank; a contradiction is a problem."""
    filled: dict[str, object] = {}
    for attribute, column in _shared(reading):
        before, now = getattr(known, attribute), getattr(new, attribute)
        if before in {"", None}:
            filled[attribute] = now
        elif now not in {"", None} and now != before:
            reading.problem(
                row,
                column,
                said(
                    "case {case} has '{before}' in an earlier row and '{now}' here; all rows of a "
                    "case must agree",
                    case=known.case_id,
                    before=_as_written(before),
                    now=_as_written(now),
                ),
            )
    return replace(known, **filled)  # pyright: ignore[reportArgumentType] - same attributes


def _as_written(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _shared(reading: _Reading) -> tuple[tuple[str, str], ...]:
    """List what all rows of a case must agree on, each with its column."""
    columns = reading.columns
    return (
        ("diagnosis", reading.diagnosis_column),
        ("diagnosis_source", columns.diagnosis_source),
        ("patient_id", columns.patient_id),
        ("lesion_id", columns.lesion_id),
        ("age", columns.age),
        ("sex", columns.sex),
        ("anatomical_site", columns.anatomical_site),
        ("fitzpatrick", columns.fitzpatrick),
        ("synthetic", columns.synthetic),
        ("training", columns.training),
    )
