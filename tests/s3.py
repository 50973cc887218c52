"""An S3 server on this machine (moto's, its objects in memory), in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from app.storage import Storage

# moto itself warns; it is not this project's business. What it was asked before, where that was
# kept, it is asked again on a port that nobody knows, so that the objects are there before anybody
# else can ask: a store that is not up yet must not say that there is no such object.
SERVER = """
import os, sys, threading
from moto.moto_api import recorder
from moto.server import ThreadedMotoServer
one_at_a_time, record = threading.Lock(), recorder._record_request
def record_whole(*asked):
    with one_at_a_time:
        record(*asked)
recorder._record_request = record_whole
if os.path.exists(os.environ.get("MOTO_RECORDER_FILEPATH", "")):
    again = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    again.start()
    host, port = again.get_host_and_port()
    recorder.replay_recording(f"http://{host}:{port}")
    again.stop()
server = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]), verbose=False)
server.start()
port = server.get_host_and_port()[1]
print(port, flush=True)
sys.stdin.read()
"""


@dataclass
class Bucket:
    """A bucket of its own for each; `environment` is what a process needs to reach it."""

    port: int
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}/studies"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "a-key",
            "AWS_SECRET_ACCESS_KEY": "a-secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def start_server(
    port: int = 0, *, kept_in: Path | None = None
) -> tuple[subprocess.Popen[str], int]:
    """Start moto; with port 0 the system chooses one.

    With `kept_in`, a file, every write is kept there before it is answered: a server that was
    killed and is started again on the same file holds the same objects.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "MOTO_"))}
    if kept_in is not None:
        _drop_questions(kept_in)
        environment |= {"MOTO_ENABLE_RECORDING": "yes", "MOTO_RECORDER_FILEPATH": str(kept_in)}
    server = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", "-c", SERVER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert server.stdout
    return server, int(server.stdout.readline())


def _drop_questions(kept: Path) -> None:
    """Leave out what only asked; a last line that was broken off was never answered."""
    if kept.exists():
        lines = kept.read_text().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        kept.write_text("".join(line for line in whole if json.loads(line)["method"] != "GET"))


def stop_server(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.communicate()


@contextmanager
def a_bucket(port: int) -> Iterator[Bucket]:
    """A new bucket, and the environment of this process set to reach it."""
    bucket = Bucket(port, f"reread-{uuid4().hex[:12]}")
    with reaching(bucket):
        make_bucket(bucket)
        yield bucket


@contextmanager
def reaching(bucket: Bucket) -> Iterator[None]:
    """The environment of this process set to reach the bucket."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        yield


def make_bucket(bucket: Bucket) -> None:
    system(bucket).call_s3("create_bucket", Bucket=bucket.name)


def system(bucket: Bucket):
    """The bucket as s3fs sees it, past our Storage."""
    return Storage(bucket.url)._system


def objects(bucket: Bucket) -> list[Path]:
    """The objects that lie in the bucket."""
    found = system(bucket)
    found.invalidate_cache()
    return [Path(path) for path in found.find(bucket.name)]
