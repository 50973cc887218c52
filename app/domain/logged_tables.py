"""The tables of a pack as the study's log alone tells them, for comparison with the files.

Nothing of the files is used. Logs of earlier versions hold neither the names of the models, which
study.json has, nor who is simulated; those columns are then absent here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.logged_orders import LoggedOrders
from app.domain.logged_readings import reader_numbers
from app.domain.logged_rows import Row
from app.domain.pack_cells import Numbering, as_text, moment, overlay_name

Cells = dict[str, object]
Key = tuple[str, ...]

KEYS: dict[str, Key] = {
    "cases.csv": ("case_id",),
    "predictions.csv": ("case_id", "image", "model_version_id"),
    "allocation.csv": ("reader_id", "position"),
    "readers.csv": ("reader_id",),
    "viewing.csv": ("reading_id",),
    "readings.csv": ("reading_id",),
    "readings_not_counted.csv": ("reading_id", "not_counted_because"),
}


@dataclass
class LoggedTables:
    """File -> the rows it must hold, in their order; overlay -> the SHA-256 it must have."""

    rows: dict[str, list[Cells]] = field(default_factory=dict[str, list[Cells]])
    overlays: dict[str, str] = field(default_factory=dict[str, str])


def tables_of_log(
    rows: Mapping[str, list[Row]], orders: LoggedOrders, *, overlays: bool
) -> LoggedTables:
    """Derive the tables; `overlays` says whether the pack was made with their files."""
    found = LoggedTables()
    cases = {row["id"]: row for row in rows.get("study_case", [])}
    found.rows["cases.csv"] = _cases(rows, cases)
    found.rows["predictions.csv"] = _predictions(rows, cases, found, overlays=overlays)
    numbers = reader_numbers(rows)
    drawn = {row["reader_id"]: row for row in rows.get("allocation", [])}
    appended = Counter[str]()
    for row in rows.get("order_extension", []):
        appended[row["reader_id"]] += row["cases"]
    found.rows["allocation.csv"] = [
        {
            "reader_id": f"R{number:02}",
            "position": position,
            "case_id": cases[str(entry.case)]["code"],
            "arm": entry.arm,
            "session": entry.session,
            "occasion": entry.occasion,
        }
        for reader, number in numbers.items()
        for position, entry in enumerate(orders.orders.get(reader, []), start=1)
    ]
    found.rows["readers.csv"] = _readers(rows, numbers, drawn, appended)
    return found


def _cases(rows: Mapping[str, list[Row]], cases: Mapping[str, Row]) -> list[Cells]:
    truth = {row["case_id"]: row for row in rows.get("reference_diagnosis", [])}
    images: dict[str, list[Row]] = {}
    for row in rows.get("image", []):
        images.setdefault(row["case_id"], []).append(row)
    patients, lesions = Numbering("P"), Numbering("L")
    return [
        {
            "case_id": case["code"],
            "truth": truth[case["id"]]["diagnosis"],
            "reference_source": truth[case["id"]]["source"],
            "reference_recorded_at": moment(truth[case["id"]]["recorded_at"]),
            "patient_id": patients(case["patient_code"]),
            "lesion_id": lesions(case["lesion_code"]),
            "age": "" if case["age"] is None else f"{float(case['age']):g}",
            "sex": as_text(case["sex"]),
            "anatomical_site": as_text(case["anatomical_site"]),
            "fitzpatrick": as_text(case["fitzpatrick"]),
            "images": len(images[case["id"]]),
            "synthetic": as_text(any(image["synthetic"] for image in images[case["id"]])),
            "imported_at": moment(case["imported_at"]),
            "addition": case.get("addition", 0),
        }
        for case in _by_code(cases)
        if case["id"] in truth  # else it was excluded, or never added, before it had a diagnosis
    ]


def _predictions(
    rows: Mapping[str, list[Row]],
    cases: Mapping[str, Row],
    found: LoggedTables,
    *,
    overlays: bool,
) -> list[Cells]:
    images = {row["id"]: row for row in rows.get("image", [])}
    outputs = [
        (cases[images[row["image_id"]]["case_id"]]["code"], images[row["image_id"]], row)
        for row in rows.get("prediction", [])
    ]
    whole = [(cases[row["case_id"]]["code"], None, row) for row in rows.get("case_prediction", [])]

    def place(output: tuple[str, Row | None, Row]) -> tuple[bytes, float, str]:
        code, image, row = output
        position = float("inf") if image is None else image["position"]
        return (code.encode(), position, row["model_version_id"])

    cells: list[Cells] = []
    for code, image, row in sorted([*outputs, *whole], key=place):
        path = ""
        if image is not None and overlays:
            path = overlay_name(len(found.overlays) + 1)
            found.overlays[path] = row["overlay_sha256"]
        cells.append(
            {
                "case_id": code,
                "image": "" if image is None else image["position"],
                "image_kind": "" if image is None else image["modality"],
                "image_sha256": "" if image is None else image["sha256"],
                "model_version_id": row["model_version_id"],
                "probability": float(row["probability"]),
                "call": row.get("call", ""),
                "overlay": path,
                "overlay_sha256": row.get("overlay_sha256", ""),
                "device": row.get("device", ""),
                "predicted_at": moment(row["predicted_at"]),
            }
        )
    return cells


def _readers(
    rows: Mapping[str, list[Row]],
    numbers: Mapping[str, int],
    drawn: Mapping[str, Row],
    appended: Mapping[str, int],
) -> list[Cells]:
    calls = Counter((row["reader_id"], row["phase"]) for row in rows.get("reading", []))
    enrolled = {row["reader_id"]: row for row in rows.get("enrolment", [])}
    stated = sorted(rows.get("reader_profile", []), key=lambda row: row["number"])
    profiles = {row["reader_id"]: row for row in stated}  # the newest row counts
    return [
        {
            "reader_id": f"R{number:02}",
            "reader_uuid": reader,
            **_simulated(enrolled[reader]),
            "enrolled_at": moment(enrolled[reader]["enrolled_at"]),
            "seed": drawn.get(reader, {}).get("seed", ""),
            "algorithm": drawn.get(reader, {}).get("algorithm", ""),
            "order_sha256": drawn.get(reader, {}).get("order_sha256", ""),
            "assigned": drawn.get(reader, {}).get("cases", 0) + appended.get(reader, 0),
            "unaided": calls[reader, "unaided"],
            "aided": calls[reader, "aided"],
            **{
                name: as_text(profiles.get(reader, {}).get(name))
                for name in ("years_experience", "specialty", "training")
            },
        }
        for reader, number in numbers.items()
    ]


def _simulated(enrolment: Row) -> Cells:
    known = enrolment.get("simulated")
    return {} if known is None else {"simulated": as_text(known)}


def viewing_of_log(rows: Mapping[str, list[Row]], readings: Mapping[str, Cells]) -> list[Cells]:
    """Return the rows of viewing.csv, unsorted; `readings`: reading id -> its cells."""
    return [
        {
            **{
                name: readings[row["reading_id"]][name]
                for name in ("reader_id", "case_id", "modality", "session", "occasion")
            },
            "reading_id": row["reading_id"],
            "map_milliseconds": as_text(row["map_milliseconds"]),
            "greatest_zoom": ""
            if row["greatest_zoom"] is None
            else as_text(float(row["greatest_zoom"])),
        }
        for row in rows.get("viewing", [])
    ]


def models_of_log(rows: Mapping[str, list[Row]]) -> dict[str, Row]:
    """Return the models that were bound when the study was opened, by their id."""
    return {row["model_version_id"]: row for row in rows.get("study_model", [])}


def _by_code(cases: Mapping[str, Row]) -> list[Row]:
    return sorted(cases.values(), key=lambda case: case["code"].encode())
