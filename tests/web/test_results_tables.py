"""The tables of the results page: each says its class, its n, its method; none is a blank."""

import json
import re
from hashlib import sha256

import pytest

from app.actions.analyse_file import AnalysisOptions, analyse_content, as_text
from app.actions.describe_cases import read_characteristics
from app.web.formats import MINUS, UNDEFINED, number
from tests.reading.steps import finish, lock, superuser, unblind
from tests.statistics.json_form import departures, form_of
from tests.web.form_pages import FormPage
from tests.web.site import Site

PAGE = "/studies/bcc-sk/results"
FIGURES = ("averaged-roc", "forest", "bars")


def captions(text: str) -> dict[str, str]:
    """Each table's id and caption, without tags."""
    found = re.findall(r'<caption id="([a-z-]+)-caption">(.*?)</caption>', text, re.DOTALL)
    return {name: re.sub(r"<[^>]+>", " ", caption) for name, caption in found}


def read_all(site: Site) -> None:
    for reader in (site.cast.rita, site.cast.rolf):
        for _ in range(6):
            finish(site.cast, reader)


@pytest.fixture
def characterised(site: Site) -> Site:
    """Two readers, six cases with age and sex."""
    with superuser(site.cast) as owner:
        owner.execute("ALTER TABLE study_case DISABLE TRIGGER ALL")
        owner.execute(
            """UPDATE study_case SET age = 40 + right(code, 1)::int,
               sex = CASE WHEN right(code, 1)::int < 3 THEN 'male' ELSE 'female' END"""
        )
        owner.execute("ALTER TABLE study_case ENABLE TRIGGER ALL")
    read_all(site)
    unblind(site.cast)
    return site


def test_every_table_says_class_n_and_method(characterised: Site) -> None:
    page = characterised.browser(characterised.cast.cora).get(PAGE).text
    found = captions(page)
    assert {"auc", "pooled", "calls", "changes", "reliance", "nri", "idi"} <= set(found)
    assert {"agreement", "model-agreement", "failures", "bootstrap", "baseline"} <= set(found)
    for name in set(found) - {"baseline", "failures"}:
        assert "ositive class BCC" in found[name], name
        assert re.search(r"\d+ cases", found[name]), name
    for name, method in (
        ("auc", "DeLong"),
        ("pooled", "Obuchowski"),
        ("calls", "Tango"),
        ("reliance", "Schemmer"),
        ("agreement", "Cohen"),
        ("bootstrap", "resamples, seed 1"),
        ("baseline", "Shapiro-Wilk"),
    ):
        assert method in found[name]
    assert "4 BCC and 2 SK" in found["baseline"]


def test_b9_every_result_bears_the_digest_of_the_readings_it_is_of(characterised: Site) -> None:
    browser = characterised.browser(characterised.cast.cora)
    readings = sha256(browser.get("/studies/bcc-sk/export/readings.csv").content).hexdigest()
    page = browser.get(PAGE).text
    assert readings in page
    assert characterised.cast.reload().data_sha256 in page
    assert browser.get(f"{PAGE}/analysis.json").json()["data"]["sha256"] == readings
    for form in ("svg", "pdf", "png"):
        for figure in ("roc/R01", "changes/R01", *(f"figures/{name}" for name in FIGURES)):
            drawn = browser.get(f"{PAGE}/{figure}.{form}").content
            assert readings.encode() in drawn, f"{figure}.{form}"


def test_the_contents_lead_to_every_section(characterised: Site) -> None:
    page = characterised.browser(characterised.cast.cora).get(PAGE).text
    contents = re.search(r'<nav class="contents.*?</nav>', page, re.DOTALL)
    assert contents is not None
    places = re.findall(r'href="#([a-z]+)"', contents[0])
    assert len(places) == 11
    for place in places:
        assert page.count(f'id="{place}"') == 1


def test_subgroups_are_shown_when_asked_for_and_are_those_of_the_files(
    characterised: Site,
) -> None:
    site = characterised
    browser = site.browser(site.cast.cora)
    assert "subgroups" not in captions(browser.get(PAGE).text)
    page = browser.get(f"{PAGE}?subgroup=sex").text
    assert "Subgroups by sex" in captions(page)["subgroups"]
    assert re.search(r"female</th><td[^>]*>2 / 1<", page)
    numbers = browser.get(f"{PAGE}/analysis.json?subgroup=sex").text
    readings = browser.get("/studies/bcc-sk/export/readings.csv").content
    lines = ["case_id,truth,reference_source,age,sex,anatomical_site,fitzpatrick"]
    lines += [
        f"c00{n},{'SK' if n % 3 == 0 else 'BCC'},generated,{40 + n},"
        f"{'male' if n < 3 else 'female'},,"
        for n in range(6)
    ]
    cases = read_characteristics("\n".join(lines).encode(), "cases.csv")
    options = AnalysisOptions(positive="BCC", subgroup="sex")
    found = analyse_content(readings, name="readings.csv", options=options, cases=cases)
    assert json.loads(numbers) == json.loads(as_text(found))
    assert departures(json.loads(numbers), form_of(["unaided", "aided"])) == []


def test_the_choice_of_subgroups_has_its_label_and_its_help(characterised: Site) -> None:
    cora = characterised.browser(characterised.cast.cora)
    for address in (PAGE, f"{PAGE}?subgroup=sex"):
        page = FormPage(cora.get(address).text)
        choice = next(each for each in page.fields if each.name == "subgroup")
        assert page.label_of(choice) == "Part the cases by"
        assert "Name the subgroups in the protocol" in page.help_of(choice)


@pytest.mark.parametrize("column", ["ward", "case_id", "truth"])
def test_a_column_that_makes_no_subgroups_is_refused_with_a_sentence(
    characterised: Site, column: str
) -> None:
    browser = characterised.browser(characterised.cast.cora)
    answer = browser.get(f"{PAGE}?subgroup={column}")
    assert answer.status_code in {400, 422}
    assert f"no {column} to make subgroups of" in answer.text


def test_one_unaided_call_makes_a_page_without_blanks_or_zero_p_values(site: Site) -> None:
    lock(site.cast, site.cast.rita)
    unblind(site.cast)
    answer = site.browser(site.cast.cora).get(PAGE)
    assert answer.status_code == 200
    assert "nan" not in re.sub(r"<[^>]+>", " ", answer.text).casefold().split()


def test_no_difference_is_written_as_minus_nothing() -> None:
    assert [number(value) for value in (-1e-17, -0.0004, -0.0006, None)] == [
        *("0.000", "0.000", f"{MINUS}0.001", UNDEFINED)
    ]
