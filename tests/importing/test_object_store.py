"""Stored files in an object store: the same keys and refusals, and an answer when it is away."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app import storage as storage_module
from app.domain.errors import NotFound, Unavailable
from app.storage import Storage
from tests.s3 import Bucket, objects

REFUSED = "<Error><Code>{}</Code><Message>said of ab/cd/secret.png</Message></Error>"


@contextmanager
def answering(status: int | None, code: str = "") -> Iterator[str]:
    """A server that answers every request alike, or (None) takes it and never answers."""
    over = threading.Event()

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # the client asks first whether to send its bytes

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if status is None:
                over.wait(60)
                return
            body = REFUSED.format(code).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_DELETE = answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            over.set()
            server.shutdown()


def test_what_is_put_into_a_bucket_is_given_back_whole(bucket: Bucket) -> None:
    storage = Storage(bucket.url)
    key = storage.put(b"pixels", suffix=".jpg")
    assert storage.get(key) == b"pixels"
    assert Storage(f"{bucket.url}/").get(key) == b"pixels"
    assert f"{bucket.name}/studies/{key}" in {str(path) for path in objects(bucket)}


def test_what_is_deleted_from_a_bucket_is_gone_and_may_be_deleted_again(bucket: Bucket) -> None:
    storage = Storage(bucket.url)
    key = storage.put(b"x", suffix=".jpg")
    storage.delete(key)
    storage.delete(key)
    with pytest.raises(NotFound):
        storage.get(key)


def test_no_key_leads_out_of_the_buckets_folder(bucket: Bucket) -> None:
    storage = Storage(bucket.url)
    for key in ("", "../other/ab/cd/x.jpg", "ab/cd/../../../x.jpg", f"s3://{bucket.name}/x.jpg"):
        for use in (storage.get, storage.delete):
            with pytest.raises(NotFound):
                use(key)


def every_use(storage: Storage) -> list[Unavailable]:
    key = "ab/cd/abcd0123456789abcdef0123456789ab.png"
    said = []
    for use in (
        lambda: storage.get(key),
        lambda: storage.put(b"x", suffix=".png"),
        lambda: storage.delete(key),
    ):
        with pytest.raises(Unavailable) as refusal:
            use()
        said.append(refusal.value)
    return said


def test_a_bucket_that_is_not_there_is_no_missing_file(
    bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a missing file the answer is 404; of a missing bucket, that one should try again."""
    said = every_use(Storage(f"{bucket.url.replace('reread-', 'other-')}"))
    for one in said:
        assert "cannot be reached at the moment" in str(one)
    assert caplog.text.count("NoSuchBucket") == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [(403, "AccessDenied"), (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"),
     (500, "InternalError"), (503, "SlowDown"), (None, "ReadTimeout")]
)  # fmt: skip
def test_a_store_that_refuses_or_does_not_answer_ends_in_a_sentence(
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    status: int | None,
    code: str,
) -> None:
    """And the log says why, without the key: whoever knows a map's key and the bucket has it."""
    quick = {**storage_module._S3["config_kwargs"], "connect_timeout": 1, "read_timeout": 0.2}
    monkeypatch.setitem(storage_module._S3, "config_kwargs", quick)
    with answering(status, code) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        every_use(Storage(bucket.url))
    reasons = [record.getMessage() for record in caplog.records if "storage" in record.name]
    assert len(reasons) == 3
    assert all(code in reason for reason in reasons), reasons
    assert "abcd0123" not in caplog.text
    assert "secret.png" not in caplog.text


def test_a_store_that_nobody_listens_for_ends_in_a_sentence(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(200) as address:
        pass
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
    every_use(Storage(bucket.url))


def test_a_reader_waits_for_no_store_longer_than_some_seconds() -> None:
    waits = storage_module._S3["config_kwargs"]
    tries = waits["retries"]["total_max_attempts"]
    assert tries * (waits["connect_timeout"] + waits["read_timeout"]) <= 20
