"""One analysis serves the page and its figures, and nothing else."""

from uuid import uuid4

import pytest

from app.actions import analyse_study
from app.actions.kept_analyses import KeptAnalyses, KeptAnalysis
from app.db.session import Connection
from app.db.studies import Study
from tests.reading.steps import finish, superuser, unblind
from tests.web.site import Site

PAGE = "/studies/bcc-sk/results"
FIGURES = ("figures/forest.svg", "figures/bars.png", "roc/R01.svg", "changes/R01.pdf")


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The studies whose readings were written out and parsed, one entry each time."""
    monkeypatch.setattr(analyse_study, "_kept", KeptAnalyses())
    seen: list[str] = []
    readings_csv = analyse_study.readings_csv

    def counted(connection: Connection, *, study: Study) -> bytes:
        seen.append(study.code)
        return readings_csv(connection, study=study)

    monkeypatch.setattr(analyse_study, "readings_csv", counted)
    return seen


def test_the_page_its_numbers_and_its_figures_are_one_analysis(
    site: Site, parsed: list[str]
) -> None:
    finish(site.cast, site.cast.rita)
    finish(site.cast, site.cast.rita)
    unblind(site.cast)
    browser = site.browser(site.cast.cora)
    for address in (PAGE, f"{PAGE}/analysis.json", *(f"{PAGE}/{name}" for name in FIGURES)):
        assert browser.get(address).status_code == 200
    assert parsed == ["bcc-sk"]


def test_a_kept_analysis_lets_nobody_else_in(site: Site, parsed: list[str]) -> None:
    finish(site.cast, site.cast.rita)
    unblind(site.cast)
    assert site.browser(site.cast.cora).get(f"{PAGE}/roc/R01.svg").status_code == 200
    for person, status in ((site.cast.rita, 403), (site.cast.olga, 404), (None, 303)):
        for address in (PAGE, f"{PAGE}/analysis.json", f"{PAGE}/roc/R01.svg"):
            assert site.browser(person).get(address).status_code == status
    assert parsed == ["bcc-sk"]


def test_readings_altered_after_unblinding_are_withheld_though_their_analysis_is_kept(
    site: Site, parsed: list[str]
) -> None:
    finish(site.cast, site.cast.rita)
    unblind(site.cast)
    browser = site.browser(site.cast.cora)
    assert browser.get(PAGE).status_code == 200
    with superuser(site.cast) as owner:
        owner.execute("ALTER TABLE reading DISABLE TRIGGER no_change")
        owner.execute("UPDATE reading SET confidence = 1 WHERE phase = 'aided'")
    for address in (PAGE, f"{PAGE}/analysis.json", f"{PAGE}/roc/R01.svg"):
        answer = browser.get(address)
        assert (answer.status_code, "withheld" in answer.text) == (409, True)
    assert parsed == ["bcc-sk"]


def test_analyses_are_kept_by_study_digest_and_class_and_the_oldest_goes() -> None:
    kept = KeptAnalyses(most=2)
    one, other = uuid4(), uuid4()
    made: list[object] = []

    def make(key: object) -> KeptAnalysis:
        made.append(key)
        return KeptAnalysis(None, None, str(key), None)  # type: ignore[arg-type]

    keys = [(one, "a", "BCC", ""), (other, "a", "BCC", ""), (one, "b", "BCC", "")]
    keys += [(one, "b", "SK", "")]
    for key in keys:
        assert kept.get(key, lambda key=key: make(key)).file_sha256 == str(key)
    assert made == keys
    kept.get(keys[3], lambda: make("again"))
    kept.get(keys[0], lambda: make("again"))
    assert made == [*keys, "again"]


def test_an_analysis_that_fails_is_not_kept() -> None:
    kept = KeptAnalyses()

    def fail() -> KeptAnalysis:
        raise ValueError("no readings")

    key = (uuid4(), "a", "BCC", "")
    with pytest.raises(ValueError, match="no readings"):
        kept.get(key, fail)
    assert kept.get(key, lambda: KeptAnalysis(None, None, "later", None)).file_sha256 == "later"
