"""A pack's files against its log: the event of the export, the study, the tables, the maps."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, cast

from app import __version__
from app.actions.export_study import WHY, safe_cell
from app.actions.pack.check import NOT_THE_FILE, Check
from app.actions.pack.check_fixed import check_fixed
from app.actions.pack.methods import methods_text
from app.actions.pack.texts import texts_of
from app.domain.audit_chain import AuditEvent
from app.domain.counted import BESIDE
from app.domain.logged_digest import NOT_FROZEN, data_sha256_of_log
from app.domain.logged_orders import orders_of_log
from app.domain.logged_readings import readings_of_log
from app.domain.logged_rows import Row, rows_of_log
from app.domain.logged_tables import (
    KEYS,
    Cells,
    LoggedTables,
    models_of_log,
    tables_of_log,
    viewing_of_log,
)
from app.domain.strict_json import parse_json
from app.domain.study_facts import history_of, study_facts

OTHERS = "readings_not_counted.csv"
_Models = Mapping[str, Row]
_Rows = Mapping[str, list[Row]]


def check_against_log(check: Check, events: list[AuditEvent]) -> None:
    """Compare everything that the log tells; its chain was found whole before."""
    try:
        _check_export_event(check, events)
        rows = rows_of_log(events)
        study, models = _check_study(check, events, rows)
        _check_tables(check, events, rows, models)
        _check_texts(check, rows, study, models)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as fault:
        # A log whose hashes are right may still be somebody's invention.
        check.problems.append(f"audit.jsonl: its events do not fit together ({fault!r})")


def _check_export_event(check: Check, events: list[AuditEvent]) -> None:
    """Compare the files with what the log's last event says was exported."""
    last = events[-1]
    details = _payload(last) if last.action == "export.made" else {}
    if "files" not in details:
        check.problems.append("audit.jsonl: its last event is not the export of these files")
        return
    logged = cast("dict[str, str]", details["files"])
    found = {name: digest for name, digest in check.digests.items() if name != "audit.jsonl"}
    for name in sorted(logged.keys() | found.keys()):
        if logged.get(name) != found.get(name):
            check.problems.append(f"{name}: {NOT_THE_FILE} (the log's last event has another)")
    check.checked.append(f"{len(logged)} files against the log's own event of this export")


def _check_study(check: Check, events: list[AuditEvent], rows: _Rows) -> tuple[Row, _Models]:
    """Compare manifest.json and study.json with the study's last event; return study and models."""
    last = [event for event in events if event.action in {"study.insert", "study.update"}]
    payload = _payload(last[-1]) if last else {}
    logged = cast("dict[str, Any]", payload.get("new", payload))
    if logged.get("state") != "unblinded":
        check.problems.append("audit.jsonl: it does not reach the unblinding of the study")
    said = {
        "study": (check.manifest.study, logged.get("code")),
        "positive": (check.manifest.positive, logged.get("positive_class")),
        "data_sha256": (check.manifest.data_sha256, logged.get("data_sha256")),
    }
    for name, (one, other) in said.items():
        if one != other:
            check.problems.append(f"manifest.json: {name} is {one!r}, the log says {other!r}")
    _check_frozen(check, rows, logged)
    try:
        found = cast("dict[str, Any]", parse_json(check.text("study.json")))
        models = {str(model["id"]): dict(model) for model in found["models"]}
        same = found["study"] == logged
        history = history_of(rows)
        bound = models_of_log(rows)
        for model in sorted(bound.keys() | models.keys()) if bound else ():
            if not _is_bound(models.get(model, {}), bound.get(model, {})):
                check.problems.append(f"study.json: model {model} is not the one the log binds")
        for name, expected in history.items():
            # A pack of before an act existed does not name it.
            if found.get(name, []) != expected:
                check.problems.append(f"study.json: its {name} are not those of the log")
    except (ValueError, TypeError, KeyError) as fault:
        check.problems.append(f"study.json: it cannot be read ({fault!r})")
        return logged, {}
    if not same:
        check.problems.append("study.json: the study is not what its last event made it")
    return logged, models


def _check_frozen(check: Check, rows: _Rows, study: Row) -> None:
    """Compute the digest of the data again from the log, as unblinding did from the tables."""
    if data_sha256_of_log(rows) != study.get("data_sha256"):
        check.problems.append(f"audit.jsonl: {NOT_FROZEN}")
    check.checked.append(
        "the digest that unblinding froze, computed again from the log's readings, corrections and "
        "exclusions"
    )


def _is_bound(model: Row, bound: Row) -> bool:
    shared = bound.keys() & model.keys() - {"id"}
    card = hashlib.sha256(str(model.get("card")).encode()).hexdigest()
    return (
        all(model[name] == bound[name] for name in shared)
        and {"name", "weights_sha256", "threshold"} <= shared
        and card == bound.get("card_sha256")
    )


def _check_tables(check: Check, events: list[AuditEvent], rows: _Rows, models: _Models) -> None:
    orders = orders_of_log(events)
    bound = models_of_log(rows)
    logged = tables_of_log(rows, orders, overlays=check.manifest.overlays)
    readings = readings_of_log(events, rows, orders)
    check.add("audit.jsonl", readings.problems)
    cells = [{"reading_id": name, **cells} for name, cells in readings.cells.items()]
    logged.rows["readings.csv"] = sorted(cells, key=_place)
    others: list[Cells] = [
        {"reading_id": name, WHY.name: why, **cells}
        for (name, why), cells in readings.others.items()
    ]
    logged.rows[OTHERS] = sorted(others, key=_other_place)
    every = {name: cells for (name, _), cells in readings.others.items()} | readings.cells
    looked = viewing_of_log(rows, every)
    logged.rows["viewing.csv"] = sorted(
        looked,
        key=lambda row: _place({**row, "position": every[str(row["reading_id"])]["position"]}),
    )
    _add_models_and_simulated(check, logged, bound, models)
    for name, expected in logged.rows.items():
        found, problems = _compare_rows(name, check.table(name), expected)
        check.add(name, problems)
        check.checked.append(f"{found} rows of {name} against the log, cell by cell")
    for name, digest in logged.overlays.items():
        if check.digests.get(name) != digest:
            check.problems.append(f"{name}: it is not the map that was stored when it was made")
    check.checked.append(f"{len(logged.overlays)} overlays against the log")


def _check_texts(check: Check, rows: _Rows, study: Row, models: _Models) -> None:
    """Write methods, flow and checklists again from log and files, and compare."""
    if check.manifest.software_version != __version__:
        check.checked.append(
            f"the texts were written by reread {check.manifest.software_version}; this is "
            f"{__version__}, which may word them otherwise: not written again"
        )
        return
    facts = study_facts(
        rows,
        study=study,
        models=models,
        readers=list(check.table("readers.csv")),
        results=json.loads(check.text("results.json")),
        places=Counter((row["case_id"], row["arm"]) for row in check.table("allocation.csv")),
        uncounted=Counter(row["not_counted_because"] for row in check.table(OTHERS)),
        software_version=__version__,
    )
    check.methods = methods_text(facts)
    for name, text in texts_of(facts):
        if check.digests.get(name) != hashlib.sha256(text.encode()).hexdigest():
            check.problems.append(f"{name}: it is not what the study's log and files say")
    check_fixed(check, study)
    check.checked.append(
        "methods, flow, checklists, README, codebook and loaders written again from log and files"
    )


def _add_models_and_simulated(
    check: Check, logged: LoggedTables, bound: _Models, found: _Models
) -> None:
    """Fill in names of models and who is simulated, from the log where it holds them.

    Logs of earlier versions do not: there the files agree with each other in this, and only the
    event of the export binds them.
    """
    names = {
        model: {"model_version": row["name"], "model_weights_sha256": row["weights_sha256"]}
        for model, row in (bound or found).items()
    }
    nothing = {"model_version": "", "model_weights_sha256": ""}
    for cells in logged.rows["predictions.csv"]:
        cells.update(names.get(str(cells["model_version_id"]), nothing))
    simulated: dict[object, object] = {
        row["reader_id"]: row["simulated"] for row in check.table("readers.csv")
    }
    readers = logged.rows["readers.csv"]
    told = {row["reader_id"]: row["simulated"] for row in readers if "simulated" in row}
    simulated |= told
    for cells in (*logged.rows["readings.csv"], *logged.rows[OTHERS]):
        cells["simulated"] = simulated.get(cells["reader_id"], "")
        cells.update(names.get(str(cells.pop("model_version_id")), nothing))
    check.checked.append(
        f"{len(bound)} models by name and weights, and {len(told)} of {len(readers)} readers as "
        "person or program, against the log"
        + ("" if bound and len(told) == len(readers) else "; an earlier version logged no more")
    )


def _compare_rows(
    name: str, found: Iterable[dict[str, str]], expected: list[Cells]
) -> tuple[int, list[str]]:
    """Compare both ways, by the columns that name a row; then the order of the rows.

    Returns how many rows were found, and what is wrong.
    """
    key = KEYS[name]
    wanted = {tuple(str(safe_cell(cells[part])) for part in key): cells for cells in expected}
    seen: list[tuple[str, ...]] = []
    problems: list[str] = []
    line = 1
    for line, row in enumerate(found, start=2):
        named = tuple(row.get(part, "") for part in key)
        cells = wanted.get(named)
        if cells is None:
            problems.append(f"row {line} ({' '.join(named)}) is not in the log")
            continue
        seen.append(named)
        problems += [
            f"row {line} ({' '.join(named)}): {column} is {row.get(column)!r}, "
            f"the log says {str(value)!r}"
            for column, value in cells.items()
            if row.get(column) != str(safe_cell(value))
        ]
        if "" in row:
            problems.append(f"row {line} has more cells than columns")
    problems += [
        f"the row {' '.join(lost)} of the log is missing"
        for lost in sorted(wanted.keys() - set(seen))
    ]
    if len(seen) != len(set(seen)):
        problems.append("a row stands in it twice")
    elif seen != list(wanted)[: len(seen)]:
        problems.append("its rows do not stand in their order")
    return line - 1, problems


def _place(cells: Cells) -> tuple[int, int, bool]:
    """Return where a row of readings.csv stands: by reader, position, and unaided first."""
    number = int(str(cells["reader_id"]).removeprefix("R"))
    return number, int(str(cells["position"])), cells["modality"] != "unaided"


def _other_place(cells: Cells) -> tuple[int, int, bool, bool]:
    return (*_place(cells), cells[WHY.name] in BESIDE)


def _payload(event: AuditEvent) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(event.payload))
