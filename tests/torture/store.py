"""The object store of a run: an S3 server that can be killed, and that finds its objects again."""

from pathlib import Path

from tests.s3 import Bucket, start_server, stop_server
from tests.torture.programs import free_port


class Store:
    """A server on a port of its own, running; what its bucket holds is kept in a file."""

    def __init__(self, folder: Path) -> None:
        self._kept = folder / "store"
        self._server, port = start_server(free_port(), kept_in=self._kept)
        self.bucket = Bucket(port, "torture")

    def kill(self) -> None:
        """Kill with -9."""
        stop_server(self._server)

    def start(self) -> None:
        """Start again on the same port, with the same objects."""
        self._server, _ = start_server(self.bucket.port, kept_in=self._kept)
