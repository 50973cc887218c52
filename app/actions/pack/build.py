"""Write the pack of an unblinded study: one file after another, each digested as it is written.

The log comes last but for the manifest. Its last event is this very export and holds the SHA-256
of every file before it, so the files are bound to the chain. Where the log already holds an export
of the same files, the pack ends there: the same study gives the same bytes.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from app import __version__
from app.actions.analysis_report import html_report
from app.actions.export_study import check_frozen, counted_csv, others_csv, readings_of
from app.actions.pack import tables
from app.actions.pack.check_fixed import LOADERS, loader
from app.actions.pack.codebook import codebook_chunks
from app.actions.pack.derived import imrmc_of, parse_pack_readings, results_of, wide_chunks
from app.actions.pack.figures import draw_figures
from app.actions.pack.manifest import PACK_VERSION, Manifest, files_digest, manifest_bytes
from app.actions.pack.methods import methods_text
from app.actions.pack.readme import readme
from app.actions.pack.sinks import Sink
from app.actions.pack.texts import texts_of
from app.db import pack as queries
from app.db import results
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.domain.audit_chain import Anchor, event_to_json
from app.domain.errors import Conflict, NotFound
from app.domain.logged_rows import rows_of_log
from app.domain.study_facts import NEEDED_ACTIONS, history_of, study_facts
from app.signing import HeadSigner
from app.statistics.study import StudyAnalysis
from app.storage import Storage


@dataclass(frozen=True)
class PackMade:
    """What was written: how many files, and the head of the log in it, to be kept outside."""

    files: int
    head: Anchor


@dataclass(frozen=True)
class _Overlay:
    path: str
    key: str
    sha256: str
    shown: str


class _Writer:
    """Writes files and remembers their digests."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.digests: dict[str, str] = {}

    def __call__(self, name: str, chunks: Iterable[bytes] | bytes) -> None:
        parts = (chunks,) if isinstance(chunks, bytes) else chunks
        self.digests[name] = self._sink.write(name, parts)


def write_pack(
    connection: Connection,
    *,
    study: Study,
    storage: Storage,
    sink: Sink,
    overlays: bool = True,
    signer: HeadSigner | None = None,
    by: Account,
) -> PackMade:
    """Write every file of the pack and the event that says so.

    Raises Conflict before unblinding, when the readings are not those frozen then, and where an
    overlay is missing or altered, which `overlays=False` leaves out.
    """
    queries.allow_long_work(connection)
    digest = check_frozen(connection, study=study)
    put = _Writer(sink)
    readings, uncounted = _put_readings(put, connection, study)
    cases = _put_tables(put, connection, study, storage if overlays else None)
    settings, models = _settings(connection, study)
    log = rows_of_log(queries.logged(connection, study.id, actions=NEEDED_ACTIONS))
    put("study.json", _pretty({"study": settings, "models": models, **history_of(log)}))
    analysis, found, figures = _put_results(put, readings, cases, study)
    facts = study_facts(
        log,
        study=settings,
        models={str(row["id"]): row for row in models},
        readers=tables.text_rows(tables.READERS, queries.exported_readers(connection, study.id)),
        results=found,
        places=Counter((row.code, row.arm) for row in queries.exported_order(connection, study.id)),
        uncounted=uncounted,
        software_version=__version__,
    )
    for name, text in texts_of(facts):
        put(name, text.encode())
    if analysis is not None:
        put("report.html", html_report(analysis, figures, methods=methods_text(facts)).encode())
    put("codebook.csv", codebook_chunks())
    about = readme(title=study.title, code=study.code, demonstration=study.demonstration)
    put("README.md", about.encode())
    for name in LOADERS:
        put(name, loader(name))
    last = _record(connection, study, put.digests, by)
    head = Anchor(0, "")

    def log_chunks() -> Iterator[bytes]:
        nonlocal head
        for event in results.chain_until(connection, study.id, last=last):
            head = Anchor(event.seq, event.hash)
            yield f"{event_to_json(event)}\n".encode()

    put("audit.jsonl", log_chunks())
    manifest = Manifest(
        study=study.code,
        positive=study.positive_class,
        data_sha256=digest,
        software_version=__version__,
        overlays=overlays,
        head=f"{head.seq}:{head.hash}",
        files=put.digests,
        public_key=signer.public_key if signer else "",
        signature=signer.sign(study.code, head) if signer else "",
    )
    put("manifest.json", manifest_bytes(manifest))
    return PackMade(len(put.digests), head)


def _put_readings(put: _Writer, connection: Connection, study: Study) -> tuple[bytes, Counter[str]]:
    """Write the readings; return readings.csv, and how many do not count by why.

    The rows themselves are let go here: they are the largest thing of an export in memory.
    """
    found = readings_of(connection, study=study)
    readings = counted_csv(found)
    put("readings.csv", readings)
    put("readings_not_counted.csv", others_csv(found))
    put("readings-wide.csv", wide_chunks(readings))
    return readings, Counter(str(why) for _, why in found.others)


def _put_tables(
    put: _Writer, connection: Connection, study: Study, storage: Storage | None
) -> bytes:
    """Write the tables and overlays; return cases.csv, which the analysis reads too."""
    rows = tables.numbered_cases(queries.exported_cases(connection, study.id))
    cases = b"".join(tables.table_chunks(tables.CASES, rows))
    put("cases.csv", cases)
    order = queries.exported_order(connection, study.id)
    put("allocation.csv", tables.table_chunks(tables.ALLOCATION, order))
    readers = queries.exported_readers(connection, study.id)
    put("readers.csv", tables.table_chunks(tables.READERS, readers))
    looked = queries.exported_viewing(connection, study.id)
    put("viewing.csv", tables.table_chunks(tables.VIEWING, looked))
    overlays: list[_Overlay] = []
    outputs = tables.numbered_predictions(
        queries.exported_predictions(connection, study.id), overlays=storage is not None
    )
    put("predictions.csv", tables.table_chunks(tables.PREDICTIONS, _kept(outputs, overlays)))
    if storage is not None:
        for overlay in overlays:
            put(overlay.path, _overlay_content(storage, overlay))
    return cases


def _kept(
    outputs: Iterable[tables.NumberedPrediction], overlays: list[_Overlay]
) -> Iterator[tables.NumberedPrediction]:
    """Pass the rows on and keep the addresses of their overlays."""
    for row in outputs:
        key, digest = row.output.overlay_key, row.output.overlay_sha256
        if row.overlay and key is not None and digest is not None:
            shown = f"case {row.output.code}, image {row.output.position}"
            overlays.append(_Overlay(row.overlay, key, digest, shown))
        yield row


def _overlay_content(storage: Storage, overlay: _Overlay) -> bytes:
    try:
        content = storage.get(overlay.key)
    except NotFound:
        raise _lost(overlay, "missing from the files") from None
    if hashlib.sha256(content).hexdigest() != overlay.sha256:
        raise _lost(overlay, "not the one that was stored")
    return content


def _lost(overlay: _Overlay, what: str) -> Conflict:
    return Conflict(
        f"The map of {overlay.shown} is {what}, so nothing was exported. Bring the file back from "
        "a backup, or export with --without-overlays."
    )


def _put_results(
    put: _Writer, readings: bytes, cases: bytes, study: Study
) -> tuple[StudyAnalysis | None, dict[str, Any], list[tuple[str, bytes]]]:
    """Write results and figures; return the analysis, results.json, and the drawings for a page."""
    parsed = parse_pack_readings(readings, positive=study.positive_class)
    found, text = results_of(parsed, cases)
    put("results.json", text)
    put("readings.imrmc", imrmc_of(parsed))
    drawn: list[tuple[str, bytes]] = []
    for figure in draw_figures(parsed, found) if found is not None else ():
        put(figure.name, figure.content)
        if figure.name.endswith(".svg"):
            drawn.append((figure.shows, figure.content))
    return found, json.loads(text), drawn


def _settings(connection: Connection, study: Study) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    models = queries.models_as_json(connection, study.id)
    settings = json.loads(queries.study_as_json(connection, study.id))
    return settings, [json.loads(row) for row in models]


def _pretty(content: object) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()


def _record(connection: Connection, study: Study, digests: dict[str, str], by: Account) -> int:
    """Write the export down; return the event that holds the digests of these very files."""
    digest = files_digest(digests)
    known = queries.export_of(connection, study.id, files=digest)
    details: dict[str, object] = {
        "file": "the whole pack",
        "pack_version": PACK_VERSION,
        "files_sha256": digest,
        "by": str(by.id),
    }
    if known is not None:
        details["again"] = known
    else:
        details["files"] = digests
    results.record_event(connection, study=study.id, action="export.made", details=details)
    if known is not None:
        return known
    made = queries.export_of(connection, study.id, files=digest)
    if made is None:
        raise RuntimeError("An event that was just written is not in the log.")
    return made
