"""What the page of an import says of a table and a ZIP file as coordinators first send them."""

import html

import pytest

from tests.conftest import Cast, case_files
from tests.web.site import Site


def dry_run(cast: Cast, table: bytes) -> str:
    """Return the page that answers a dry run of this table with the pictures of ten cases."""
    site = Site(cast)
    files = {"cases": ("cases.csv", table), "images": ("images.zip", case_files(10)[1])}
    cora = site.browser(cast.cora)
    answer = cora.post("/studies/bcc-sk/import", files=files, data={"action": "dry_run"})
    assert answer.status_code == 422
    return html.unescape(answer.text)


def test_a_picture_that_is_not_there_is_called_by_its_name(draft: Cast) -> None:
    page = dry_run(draft, b"case_id,image,diagnosis\nn8,nowhere.jpg,BCC\n")
    assert "nowhere.jpg: there is no JPEG or PNG file of this name among the images" in page


def test_a_name_that_is_no_text_is_one_problem_and_not_two(draft: Cast) -> None:
    """A table as Excel in Chinese saves it, in GBK."""
    page = dry_run(draft, "case_id,image,diagnosis\nn8,皮肤镜.jpg,BCC\n".encode("gbk"))
    assert "characters that are not text" in page
    assert "no JPEG or PNG file" not in page


@pytest.mark.parametrize("column", ["Diagnose", "Pathologie"])
def test_a_misspelt_column_is_named_beside_the_one_that_is_missing(
    draft: Cast, column: str
) -> None:
    page = dry_run(draft, f"case_id;image;{column}\nn8;p8.jpg;BCC\n".encode("utf-8-sig"))
    assert f"columns that are not understood: {column.lower()};" in page
