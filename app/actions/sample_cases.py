"""Sample files for an import: a table, the pictures it names, and what each column means.

The pictures are generated and show no patient. Table and pictures together pass a dry run.
"""

import csv
import io
import zipfile
from pathlib import Path

from app.domain.sentences import said

FOLDER = Path(__file__).resolve().parents[2] / "demo"
CASES = 6

# What, then the column in our own table, in the ISIC archive's and in PAD-UFES-20, then a note.
Explained = tuple[str, str, str, str, str]
COLUMNS: tuple[Explained, ...] = (
    (
        said("Image *"),
        "image",
        "isic_id",
        "img_id",
        said("the file name in the ZIP, without folders"),
    ),
    (
        said("Diagnosis *"),
        "diagnosis",
        "diagnosis_1 … diagnosis_5, or diagnosis",
        "diagnostic",
        said(
            "BCC or SK (SEK), or in full; other rows are refused. Left out where an adjudicator "
            "records it"
        ),
    ),
    (
        said("Case"),
        "case_id",
        "case_id",
        "case_id",
        said(
            "letters A to Z, digits, _ . -; empty: the image's name; rows with the same one are "
            "one case of several images"
        ),
    ),
    (
        said("How it was diagnosed"),
        "diagnosis_confirm",
        "diagnosis_confirm_type",
        "biopsed",
        said("for example histopathology"),
    ),
    (
        said("Kind of image"),
        "modality",
        "image_type",
        "",
        said("dermoscopic, clinical or other; PAD-UFES-20 is clinical"),
    ),
    (
        said("Patient, lesion"),
        "patient_id, lesion_id",
        "patient_id, lesion_id",
        "patient_id, lesion_id",
        said("your own pseudonyms, no names; two cases of one patient can be told so"),
    ),
    (
        said("Age, sex"),
        "age, sex",
        "age_approx, sex",
        "age, gender",
        said("whole years; male, female, other"),
    ),
    (said("Site"), "anatom_site", "anatom_site_general", "region", said("for the baseline table")),
    (
        said("Skin type"),
        "fitzpatrick",
        "fitzpatrick_skin_type",
        "fitspatrick",
        said("1 to 6, or I to VI"),
    ),
    (
        said("Training case"),
        "training",
        "training",
        "training",
        said("yes or no: read first, with the diagnosis afterwards, and never counted"),
    ),
    (
        said("Generated image"),
        "synthetic",
        "synthetic",
        "synthetic",
        said("yes or no; labelled wherever it shows"),
    ),
    (
        said("Scale of the image"),
        "mm_per_pixel",
        "mm_per_pixel",
        "mm_per_pixel",
        said("millimetres in a pixel of the file, for the scale bar; empty where it is not known"),
    ),
)


def sample_table() -> bytes:
    """Return a table of six generated cases, as it can be imported."""
    rows = _rows()
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def sample_images() -> bytes:
    """Return a ZIP of the pictures that the sample table names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for row in _rows():
            archive.write(FOLDER / "images" / row["image"], row["image"])
    return out.getvalue()


def column_table() -> bytes:
    """Return what each column means, as a table; * marks what every table needs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["what", "our own column", "ISIC archive", "PAD-UFES-20", "notes"])
    writer.writerows(COLUMNS)
    return out.getvalue().encode()


def _rows() -> list[dict[str, str]]:
    with (FOLDER / "cases.csv").open(encoding="utf-8-sig", newline="") as lines:
        found = list(csv.DictReader(lines))
    cases = list(dict.fromkeys(row["case_id"] for row in found))[:CASES]
    return [row for row in found if row["case_id"] in cases]
