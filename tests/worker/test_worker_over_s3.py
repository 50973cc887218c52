"""The worker over an object store: each map whole and the one recorded, also after a break."""

import hashlib
from dataclasses import replace

import pytest

from app.db.session import Role
from app.domain.errors import Unavailable
from app.storage import Storage
from app.worker import load_scorer
from tests.conftest import Cast
from tests.s3 import Bucket, objects, system
from tests.worker.test_worker import image_ids, predictions


@pytest.fixture
def draft_in_bucket(draft: Cast, bucket: Bucket) -> Cast:
    """The draft, its images moved into the bucket under their keys."""
    storage = Storage(bucket.url)
    with draft.begin(Role.WORKER, None) as connection:
        keys = connection.execute("SELECT storage_key FROM image").fetchall()
    for (key,) in keys:
        storage._system.pipe_file(storage._path(key), draft.storage.get(key))
    return replace(draft, storage=storage)


def test_f8_a_store_that_fails_midway_leaves_no_map_without_its_row_and_no_row_without_its_map(
    draft_in_bucket: Cast, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every third write fails, then the store is back: each image ends with one whole map."""
    cast = draft_in_bucket
    scorer = load_scorer(cast.database, cast.storage, None)
    write, writes = system(bucket).pipe_file, list[str]()

    def failing(path: str, value: bytes) -> None:
        writes.append(path)
        if len(writes) % 3 == 0:
            raise TimeoutError
        write(path, value)

    monkeypatch.setattr(cast.storage._system, "pipe_file", failing)
    with pytest.raises(Unavailable, match="cannot be reached"):
        scorer.score(model_version=scorer.model_version, images=image_ids(cast))
    first = predictions(cast)
    assert len(first) == 4
    monkeypatch.undo()
    assert scorer.score(model_version=scorer.model_version, images=image_ids(cast)) == 2
    rows = predictions(cast)
    assert set(first) < set(rows)
    for _image, _probability, key, digest, _device in rows:
        assert hashlib.sha256(cast.storage.get(str(key))).hexdigest() == digest
    maps = {path.name for path in objects(bucket) if path.suffix == ".png"}
    assert maps == {str(row[2]).split("/")[-1] for row in rows}
