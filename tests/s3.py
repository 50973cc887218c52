"""An S3 server on this machine (moto's, its objects in memory), in a process of its own."""

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

# moto itself warns; it is not this project's business.
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", int(sys.argv[1]), verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
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


def start_server(port: int = 0) -> tuple[subprocess.Popen[str], int]:
    """Start moto; with port 0 the system chooses one."""
    server = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-W", "ignore", "-c", SERVER, str(port)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
    )
    assert server.stdout
    return server, int(server.stdout.readline())


def stop_server(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.communicate()


@contextmanager
def a_bucket(port: int) -> Iterator[Bucket]:
    """A new bucket, and the environment of this process set to reach it."""
    bucket = Bucket(port, f"reread-{uuid4().hex[:12]}")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in bucket.environment.items():
            patch.setenv(name, value)
        make_bucket(bucket)
        yield bucket


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
