"""The whole pack of an unblinded study, as a file, a folder, or a file to be sent."""

import tempfile
from pathlib import Path
from typing import IO

from app.actions.pack.build import PackMade, write_pack
from app.actions.pack.sinks import sink_at, zip_sink
from app.db.session import Connection
from app.db.studies import Study
from app.domain.access import Account
from app.signing import HeadSigner
from app.storage import Storage


def export_pack(
    connection: Connection,
    *,
    study: Study,
    storage: Storage,
    path: Path,
    overlays: bool = True,
    signer: HeadSigner | None = None,
    by: Account,
) -> PackMade:
    """Write the pack to `path`: a ZIP file where the name ends in .zip, else a folder.

    It is there whole, or not at all. Raises Conflict where something is there already, and as
    `write_pack` does.
    """
    with sink_at(path, folder=study.code) as sink:
        return write_pack(
            connection,
            study=study,
            storage=storage,
            sink=sink,
            overlays=overlays,
            signer=signer,
            by=by,
        )


def pack_to_send(
    connection: Connection,
    *,
    study: Study,
    storage: Storage,
    signer: HeadSigner | None = None,
    by: Account,
) -> IO[bytes]:
    """Return the pack as an open ZIP file without a name, at its beginning; the caller closes it.

    It lies on disk and not in memory. It is complete before its first byte is sent, so what is
    sent is what the log says was exported, and nothing is sent that is not in the log.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this function
    try:
        with zip_sink(file, folder=study.code) as sink:
            write_pack(connection, study=study, storage=storage, sink=sink, signer=signer, by=by)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file
