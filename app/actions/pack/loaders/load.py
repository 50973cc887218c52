"""Load a pack of reread: check its files, read the readings, print each reader's AUC.

    python3 load.py            the pack that it lies in
    python3 load.py FOLDER

The standard library is enough. Where pandas is installed, `readings_frame(Path(FOLDER))` gives
the readings as a data frame.
"""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from importlib import import_module
from pathlib import Path


def check_pack(folder: Path) -> int:
    """Compare every file with manifest.json; ValueError names the first that differs."""
    expected = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    there.discard("manifest.json")
    for name in sorted(set(expected) - there):
        raise ValueError(f"{name} is missing from the pack.")
    for name in sorted(there - set(expected)):
        raise ValueError(f"{name} is not of the pack.")
    for name, digest in expected.items():
        found = hashlib.sha256()
        with (folder / name).open("rb") as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
        if found.hexdigest() != digest:
            raise ValueError(f"{name} is not the file that was exported (SHA-256 differs).")
    return len(expected)


def load_readings(folder: Path) -> list[dict[str, str]]:
    """Return the readings as dictionaries of text, after `check_pack`."""
    return load_table(folder, "readings.csv")


def load_table(folder: Path, name: str) -> list[dict[str, str]]:
    """Return a table, such as readers.csv or viewing.csv, likewise."""
    check_pack(folder)
    with (folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def readings_frame(folder: Path) -> object:
    """Return the readings as a pandas data frame, after `check_pack`."""
    check_pack(folder)
    pandas = import_module("pandas")
    return pandas.read_csv(
        folder / "readings.csv",
        dtype={"case_id": str, "reader_id": str},
        keep_default_na=False,
        na_values=[""],
    )


def auc(events: list[float], nonevents: list[float]) -> float | None:
    """Return the area by Mann and Whitney, ties one half; None without a case of each class."""
    if not events or not nonevents:
        return None
    ordered = sorted([(score, 1) for score in events] + [(score, 0) for score in nonevents])
    ranks, start = 0.0, 0
    while start < len(ordered):
        end = start
        while end < len(ordered) and ordered[end][0] == ordered[start][0]:
            end += 1
        ranks += sum(event for _, event in ordered[start:end]) * (start + 1 + end) / 2
        start = end
    m, n = len(events), len(nonevents)
    return (ranks - m * (m + 1) / 2) / (m * n)


def auc_table(readings: list[dict[str, str]]) -> list[tuple[str, str, float | None, int]]:
    """Return (reader, modality, area, readings) for every reader and modality.

    The score speaks for BCC; the area of SK against BCC with turned scores is the same number.
    """
    parts: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for row in readings:
        # Of a case that was read twice, the first reading counts.
        if row["score"] != "" and row["occasion"] == "1":
            part = parts.setdefault((row["reader_id"], row["modality"]), ([], []))
            part[row["truth"] != "BCC"].append(float(row["score"]))
    return [
        (reader, modality, auc(events, others), len(events) + len(others))
        for (reader, modality), (events, others) in parts.items()
    ]


def main(arguments: list[str]) -> None:
    """Print what the pack holds."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent
    print(f"{check_pack(folder)} files agree with manifest.json.")
    for reader, modality, area, count in auc_table(load_readings(folder)):
        said = "undefined" if area is None else format(area, ".15g")
        print(f"{reader} {modality} AUC {said} n {count}")


if __name__ == "__main__":
    main(sys.argv[1:])
