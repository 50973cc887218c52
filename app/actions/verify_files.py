"""Compare the files of a study, case images and overlays, with the SHA-256 in its rows."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.db.administrator import StudyRecords
from app.domain.errors import NotFound
from app.storage import Storage


@dataclass(frozen=True)
class _StoredFile:
    shown: str
    key: str
    sha256: str


def verify_files(
    records: StudyRecords, storage: Storage, *, progress: Callable[[int, int], None]
) -> list[str]:
    """Return what is wrong, a sentence for each file that is missing or altered.

    The rows themselves are compared with the log by `verify_study`.
    """
    files = list(_files(records))
    problems: list[str] = []
    for number, file in enumerate(files, start=1):
        found = _digest(storage, file.key)
        if found is None:
            problems.append(f"{file.shown} is missing: there is no file {file.key}")
        elif found != file.sha256:
            problems.append(f"{file.shown} was altered: the file {file.key} is not the one stored")
        progress(number, len(files))
    return problems


def count_files(records: StudyRecords) -> int:
    """Return how many files the study has."""
    return len(records.rows["image"]) + len(records.rows["prediction"])


def _files(records: StudyRecords) -> Iterator[_StoredFile]:
    codes = {row["id"]: row["code"] for row in _rows(records, "study_case")}
    images: dict[str, str] = {}
    for row in _rows(records, "image"):
        images[row["id"]] = f"image {row['position']} of case {codes[row['case_id']]}"
        yield _StoredFile(images[row["id"]], row["storage_key"], row["sha256"])
    for row in _rows(records, "prediction"):
        shown = f"the map of {images[row['image_id']]}"
        yield _StoredFile(shown, row["overlay_key"], row["overlay_sha256"])


def _rows(records: StudyRecords, table: str) -> list[Mapping[str, Any]]:
    return [json.loads(row) for row in records.rows[table].values()]


def _digest(storage: Storage, key: str) -> str | None:
    try:
        return hashlib.sha256(storage.get(key)).hexdigest()
    except NotFound:
        return None
