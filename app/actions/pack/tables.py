"""The tables of a pack beside readings.csv: their columns, and the rows that fill them."""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.actions.export_study import COLUMNS, reader_code, row_writer, safe_cell
from app.db.pack import (
    ExportedCase,
    ExportedPlace,
    ExportedPrediction,
    ExportedReader,
    ExportedViewing,
)
from app.domain.pack_cells import Numbering, as_text, moment, overlay_name

Row = TypeVar("Row")
CHUNK_ROWS = 500


@dataclass(frozen=True)
class TableColumn(Generic[Row]):
    """A column: its name, what it means, which values it takes, and where they come from."""

    name: str
    meaning: str
    values: str
    cell: Callable[[Row], object]


_IN_READINGS = {column.name: column for column in COLUMNS}


def _as_in_readings(name: str, cell: Callable[[Row], object]) -> TableColumn[Row]:
    """Return a column that means what the one of this name means in readings.csv."""
    known = _IN_READINGS[name]
    return TableColumn(name, known.meaning, known.values, cell)


@dataclass(frozen=True)
class NumberedCase:
    """A case whose patient and lesion bear the pack's own numbers."""

    case: ExportedCase
    patient: str
    lesion: str


@dataclass(frozen=True)
class NumberedPrediction:
    """An output whose overlay bears the name of its file in the pack."""

    output: ExportedPrediction
    overlay: str


CASES: tuple[TableColumn[NumberedCase], ...] = (
    _as_in_readings("case_id", lambda r: r.case.code),
    TableColumn("truth", "Reference diagnosis", "BCC or SK", lambda r: r.case.truth),
    TableColumn(
        "reference_source", "How the reference diagnosis was made", "text", lambda r: r.case.source
    ),
    TableColumn(
        "reference_recorded_at",
        "When the reference diagnosis was entered",
        "ISO 8601, UTC",
        lambda r: moment(r.case.recorded_at),
    ),
    TableColumn(
        "patient_id",
        "Patient (number in this pack)",
        "P0001, P0002, ..., or empty",
        lambda r: r.patient,
    ),
    TableColumn(
        "lesion_id",
        "Lesion (number in this pack)",
        "L0001, L0002, ..., or empty",
        lambda r: r.lesion,
    ),
    TableColumn("age", "Age of the patient", "years, or empty", lambda r: as_text(r.case.age)),
    TableColumn("sex", "Sex of the patient", "text, or empty", lambda r: as_text(r.case.sex)),
    TableColumn(
        "anatomical_site",
        "Site of the lesion",
        "text, or empty",
        lambda r: as_text(r.case.anatomical_site),
    ),
    TableColumn(
        "fitzpatrick",
        "Skin type (Fitzpatrick)",
        "text, or empty",
        lambda r: as_text(r.case.fitzpatrick),
    ),
    TableColumn("images", "Number of the case's images", "1, 2, ...", lambda r: r.case.images),
    TableColumn(
        "synthetic",
        "Whether one of its images is generated and no photograph",
        "yes or no",
        lambda r: as_text(r.case.synthetic),
    ),
    TableColumn(
        "imported_at",
        "When the case was imported",
        "ISO 8601, UTC",
        lambda r: moment(r.case.imported_at),
    ),
    TableColumn(
        "addition",
        "0: there at opening; else which addition of cases to the open study it came with",
        "0, 1, 2, ...",
        lambda r: r.case.addition,
    ),
)

PREDICTIONS: tuple[TableColumn[NumberedPrediction], ...] = (
    _as_in_readings("case_id", lambda r: r.output.code),
    TableColumn(
        "image",
        "Number of the image in its case; empty in the row of the whole case",
        "1, 2, ..., or empty",
        lambda r: as_text(r.output.position),
    ),
    TableColumn(
        "image_kind",
        "How the image was taken",
        "dermoscopic, clinical, other, or empty",
        lambda r: as_text(r.output.modality),
    ),
    TableColumn(
        "image_sha256",
        "SHA-256 of the image as it was shown",
        "hexadecimal, or empty",
        lambda r: as_text(r.output.image_sha256),
    ),
    TableColumn("model_version", "Model", "name", lambda r: r.output.model_name),
    TableColumn(
        "model_weights_sha256",
        "SHA-256 of the model's weights",
        "hexadecimal",
        lambda r: r.output.weights_sha256,
    ),
    TableColumn(
        "model_version_id",
        "The model in the audit log and in study.json",
        "UUID",
        lambda r: r.output.model_version_id,
    ),
    TableColumn("probability", "Probability of BCC", "0 to 1", lambda r: r.output.probability),
    TableColumn(
        "call",
        "The model's call for the whole case",
        "BCC, SK, or empty for an image",
        lambda r: as_text(r.output.call),
    ),
    TableColumn(
        "overlay", "The image's Grad-CAM map in this pack", "path, or empty", lambda r: r.overlay
    ),
    TableColumn(
        "overlay_sha256",
        "SHA-256 of that map",
        "hexadecimal, or empty",
        lambda r: as_text(r.output.overlay_sha256),
    ),
    TableColumn(
        "device",
        "What computed it",
        "text, or empty in the row of a case",
        lambda r: as_text(r.output.device),
    ),
    TableColumn(
        "predicted_at",
        "When it was stored",
        "ISO 8601, UTC",
        lambda r: moment(r.output.predicted_at),
    ),
)

ALLOCATION: tuple[TableColumn[ExportedPlace], ...] = (
    _as_in_readings("reader_id", lambda r: reader_code(r.reader)),
    TableColumn(
        "position", "Place of the case in this reader's order", "1, 2, ...", lambda r: r.position
    ),
    _as_in_readings("case_id", lambda r: r.code),
    TableColumn("arm", "Whether it is read with AI", "with_ai or without_ai", lambda r: r.arm),
    _as_in_readings("session", lambda r: r.session),
    _as_in_readings("occasion", lambda r: r.occasion),
)

READERS: tuple[TableColumn[ExportedReader], ...] = (
    _as_in_readings("reader_id", lambda r: reader_code(r.reader)),
    TableColumn("reader_uuid", "The reader in the audit log", "UUID", lambda r: r.reader_id),
    TableColumn(
        "simulated",
        "Whether the reader is a program and no person",
        "yes or no",
        lambda r: as_text(r.simulated),
    ),
    TableColumn(
        "enrolled_at",
        "When the reader joined the study",
        "ISO 8601, UTC",
        lambda r: moment(r.enrolled_at),
    ),
    TableColumn(
        "seed",
        "Seed from which this reader's order was drawn",
        "whole number, or empty",
        lambda r: as_text(r.seed),
    ),
    TableColumn(
        "algorithm", "Algorithm that drew it", "name, or empty", lambda r: as_text(r.algorithm)
    ),
    TableColumn(
        "order_sha256",
        "SHA-256 of the order, shown before the first read",
        "hexadecimal, or empty",
        lambda r: as_text(r.order_sha256),
    ),
    TableColumn("assigned", "Cases in the order", "0, 1, ...", lambda r: r.assigned),
    TableColumn("unaided", "Unaided calls locked", "0, 1, ...", lambda r: r.unaided),
    TableColumn("aided", "Aided calls locked", "0, 1, ...", lambda r: r.aided),
    TableColumn(
        "years_experience",
        "Years of experience, as the reader stated",
        "0, 1, ..., or empty",
        lambda r: as_text(r.years_experience),
    ),
    TableColumn(
        "specialty",
        "Specialty, as the reader stated",
        "one of a list, or empty",
        lambda r: as_text(r.specialty),
    ),
    TableColumn(
        "training",
        "Training, as the reader stated",
        "one of a list, or empty",
        lambda r: as_text(r.training),
    ),
)

VIEWING: tuple[TableColumn[ExportedViewing], ...] = (
    _as_in_readings("reader_id", lambda r: reader_code(r.reader)),
    _as_in_readings("case_id", lambda r: r.code),
    _as_in_readings("modality", lambda r: r.phase),
    _as_in_readings("session", lambda r: r.session),
    _as_in_readings("occasion", lambda r: r.occasion),
    _as_in_readings("reading_id", lambda r: r.reading_id),
    TableColumn(
        "map_milliseconds",
        "How long the model's map lay open, by the browser; not verified",
        "milliseconds, or empty",
        lambda r: as_text(r.map_milliseconds),
    ),
    TableColumn(
        "greatest_zoom",
        "How far an image was enlarged at most, by the browser, where the study asks; not verified",
        "1: the whole image fits, or empty",
        lambda r: as_text(r.greatest_zoom),
    ),
)


def numbered_cases(cases: Iterable[ExportedCase]) -> Iterator[NumberedCase]:
    """Give patients and lesions numbers as they first come."""
    patients, lesions = Numbering("P"), Numbering("L")
    for case in cases:
        yield NumberedCase(case, patients(case.patient_code), lesions(case.lesion_code))


def numbered_predictions(
    outputs: Iterable[ExportedPrediction], *, overlays: bool
) -> Iterator[NumberedPrediction]:
    """Name the overlays by their number: no case and no diagnosis in a file's name."""
    count = 0
    for output in outputs:
        has_file = overlays and output.overlay_key is not None
        count += has_file
        yield NumberedPrediction(output, overlay_name(count) if has_file else "")


def table_chunks(columns: tuple[TableColumn[Row], ...], rows: Iterable[Row]) -> Iterator[bytes]:
    """Write a table as CSV, some rows at a time."""
    header = [column.name for column in columns]
    return csv_chunks(header, ([column.cell(row) for column in columns] for row in rows))


def text_rows(columns: tuple[TableColumn[Row], ...], rows: Iterable[Row]) -> list[dict[str, str]]:
    """Return a table's rows as they are read back from its file."""
    return [{column.name: str(column.cell(row)) for column in columns} for row in rows]


def csv_chunks(header: list[str], rows: Iterable[Iterable[object]]) -> Iterator[bytes]:
    """Write rows as CSV (UTF-8, line feeds), some at a time; text is never a formula."""
    out = io.StringIO()
    write = row_writer(out)
    write(header)
    for number, row in enumerate(rows, start=1):
        write([safe_cell(value) for value in row])
        if number % CHUNK_ROWS == 0:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()
