"""B1, B3 and B5 again where images and maps lie in an object store.

The tests are those of test_blinding.py; here their files go through a bucket. A store tells of each
object its size, its ETag and when it was written, and maps are written after images: none of that
may reach a reader, and no address of the store's.
"""

import re
from uuid import uuid4

import pytest

from app.domain.reading import ReadingState
from app.storage import Storage
from tests.reading.steps import at, bring_to, superuser
from tests.s3 import Bucket, make_bucket, objects, start_server, stop_server, system
from tests.web.site import Site
from tests.web.test_blinding import (
    canaries,
    canary_site,
    canary_template,
    crawl,
    test_b1_b7_b11_after_the_reveal_exactly_what_is_meant_to_be_seen_of_that_case_is,
    test_b1_before_the_reveal_no_answer_holds_any_of_it,
    test_b1_the_answer_to_the_lock_itself_holds_none_of_it,
    test_b1_when_the_next_case_is_served_nothing_of_it_shows,
    test_b3_an_images_address_and_headers_tell_nothing_of_it,
    test_b5_the_map_before_its_time_is_answered_like_one_that_does_not_exist,
)

# Imported so that pytest finds them here, with the storage below in place of the folder.
__all__ = [
    "canaries",
    "canary_site",
    "canary_template",
    "test_b1_b7_b11_after_the_reveal_exactly_what_is_meant_to_be_seen_of_that_case_is",
    "test_b1_before_the_reveal_no_answer_holds_any_of_it",
    "test_b1_the_answer_to_the_lock_itself_holds_none_of_it",
    "test_b1_when_the_next_case_is_served_nothing_of_it_shows",
    "test_b3_an_images_address_and_headers_tell_nothing_of_it",
    "test_b5_the_map_before_its_time_is_answered_like_one_that_does_not_exist",
]


@pytest.fixture(scope="module")
def storage(bucket: Bucket) -> Storage:
    return Storage(bucket.url)


def test_the_files_of_these_tests_lie_in_the_bucket(canary_site: Site, bucket: Bucket) -> None:
    with superuser(canary_site.cast) as owner:
        keys = owner.execute(
            "SELECT storage_key FROM image UNION SELECT overlay_key FROM prediction"
        ).fetchall()
    assert {f"{bucket.name}/studies/{key}" for (key,) in keys} == {
        str(path) for path in objects(bucket)
    }


def test_b1_b3_no_answer_names_the_store_or_what_it_says_of_an_object(
    canary_site: Site, bucket: Bucket
) -> None:
    cast = canary_site.cast
    bring_to(cast, cast.rita, ReadingState.REVEALED)
    told = {
        *(bucket.name, f":{bucket.port}", "amazonaws", "x-amz", "x-id=", "last-modified", "etag"),
        *(system(bucket).info(str(path))["ETag"].strip('"') for path in objects(bucket)),
    }
    answers = crawl(canary_site, "rita")
    shown = [a for a in answers if re.search("/(images|overlays)/", str(a.url)) and a.is_success]
    assert len(shown) == 3, "an image, its map, and the image of the case that comes next"
    text = "\n".join(f"{a.url} {a.headers.raw} {a.text}" for a in answers).lower()
    assert [word for word in told if word.lower() in text] == []


@pytest.fixture
def away(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's address leads nowhere."""
    server, port = start_server()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
    make_bucket(Bucket(port, bucket.name))
    stop_server(server)


@pytest.mark.usefixtures("away")
@pytest.mark.parametrize("state", [ReadingState.SERVED, ReadingState.LOCKED])
def test_b5_a_store_that_is_away_tells_no_map_that_waits_from_one_that_is_not_there(
    canary_site: Site, state: ReadingState
) -> None:
    """Before the reveal the store is not even asked; after it the answer is: not now."""
    cast = canary_site.cast
    site = Site(cast)
    assignment = bring_to(cast, cast.rita, state)
    browser = site.browser(cast.rita)
    answers = [browser.get(f"/readings/{one}/overlays/1") for one in (assignment, uuid4())]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert answers[0].headers.raw == answers[1].headers.raw


@pytest.mark.usefixtures("away")
def test_f14_a_reader_whose_image_cannot_be_had_is_told_and_calls_are_still_locked(
    canary_site: Site,
) -> None:
    cast = canary_site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = Site(cast).browser(cast.rita)
    answer = browser.get(f"/readings/{assignment}/images/1")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "cannot be reached at the moment" in answer.text
    form = {"call": "BCC", "confidence": "70", "submission_id": str(uuid4())}
    assert browser.post(f"/readings/{assignment}/unaided", data=form).status_code == 303
    assert at(cast, cast.rita).state is ReadingState.LOCKED
