"""The figures of the results page: every one that the page shows is there, said and noted."""

import re

import pytest
from starlette.testclient import TestClient

from tests.conftest import Cast
from tests.reading.steps import finish, lock, superuser, unblind
from tests.web.site import Site

PAGE = "/studies/bcc-sk/results"


def figures(browser: TestClient) -> list[tuple[str, str, str]]:
    """Address, alternative text and caption of every figure of the page."""
    page = browser.get(PAGE)
    assert page.status_code == 200
    return re.findall(
        r'<img src="([^"]+)"[^>]*alt="([^"]+)">\s*<figcaption>(.*?)</figcaption>',
        page.text,
        re.DOTALL,
    )


def looks(cast: Cast) -> int:
    with superuser(cast) as connection:
        found = connection.execute(
            "SELECT count(*) FROM audit_event WHERE action = 'results.viewed'"
        )
        return found.fetchone()[0]


def test_every_figure_of_two_readers_is_there_in_three_forms(site: Site) -> None:
    for _ in range(6):
        finish(site.cast, site.cast.rita)
    finish(site.cast, site.cast.rolf)
    finish(site.cast, site.cast.rolf)
    unblind(site.cast)
    browser = site.browser(site.cast.cora)
    found = figures(browser)
    assert [address.removeprefix(f"{PAGE}/") for address, _, _ in found] == [
        "figures/forest.svg",
        "figures/averaged-roc.svg",
        "roc/R01.svg",
        "roc/R02.svg",
        "figures/bars.svg",
        "changes/R01.svg",
        "changes/R02.svg",
    ]
    for address, said, caption in found:
        assert len(said) > 40
        assert "ositive class BCC" in caption
        assert re.search(r"\d+ cases", caption)
        before = looks(site.cast)
        for form, start in (("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")):
            other = address.replace(".svg", f".{form}")
            assert form == "svg" or f'href="{other}"' in caption
            answer = browser.get(other)
            assert (answer.status_code, answer.content[: len(start)]) == (200, start)
        assert looks(site.cast) == before + 3


def test_figures_that_readings_do_not_make_are_not_shown(site: Site) -> None:
    """One unaided call: nothing to compare, no curve, but a point and a bar."""
    lock(site.cast, site.cast.rita)
    unblind(site.cast)
    browser = site.browser(site.cast.cora)
    found = [address.removeprefix(f"{PAGE}/") for address, _, _ in figures(browser)]
    assert found == ["roc/R01.svg", "figures/bars.svg"]
    assert all(browser.get(f"{PAGE}/{address}").status_code == 200 for address in found)
    for address in ("figures/averaged-roc.svg", "changes/R01.svg"):
        assert browser.get(f"{PAGE}/{address}").status_code == 404


def test_cases_of_one_class_have_bars_and_changes_but_no_difference(site: Site) -> None:
    finish(site.cast, site.cast.rita)
    unblind(site.cast)
    browser = site.browser(site.cast.cora)
    found = [address.removeprefix(f"{PAGE}/") for address, _, _ in figures(browser)]
    assert found == ["roc/R01.svg", "figures/bars.svg", "changes/R01.svg"]
    for address in (*found, "figures/forest.svg"):
        assert browser.get(f"{PAGE}/{address}").status_code == 200


@pytest.mark.parametrize("address", ["roc/R09.svg", "changes/R09.pdf", "figures/other.svg"])
def test_a_figure_that_is_not_there_is_not_found(site: Site, address: str) -> None:
    finish(site.cast, site.cast.rita)
    unblind(site.cast)
    assert site.browser(site.cast.cora).get(f"{PAGE}/{address}").status_code == 404
    assert site.browser(site.cast.rita).get(f"{PAGE}/{address}").status_code == 403
