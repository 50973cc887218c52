"""The language of a page: chosen, else the browser's, else English; files and the API have none."""

import ast
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.domain.sentences import Sentence, said
from app.languages import catalogues, elsewhere, remarks
from app.languages.catalogues import language_named, language_wished
from app.languages.current import current, in_language, translated
from app.web import formats, rendering
from tests.conftest import PASSWORD, Cast
from tests.reading.steps import superuser
from tests.web.site import Site

CHINESE = "zh_Hans_CN"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def site(cast: Cast) -> Site:
    return Site(cast)


@pytest.fixture
def in_chinese():
    """Answer in Chinese, as within a request for it."""
    found = language_named(CHINESE)
    assert found is not None
    before = current.set(found)
    yield
    current.reset(before)


def language_of(page: str) -> str:
    return page.partition('<html lang="')[2].partition('"')[0]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("zh", CHINESE),
        ("zh-Hans-SG", CHINESE),
        ("en-GB,zh;q=0.5", "en"),
        ("de-AT,de;q=0.9,zh-CN;q=0.5,en;q=0.3", CHINESE),
        ("zh-TW", "en"),  # traditional characters are another script
        ("en;q=0, zh;q=0.1", CHINESE),
        ("", "en"),
        ("*", "en"),
        ("tlh-\x00;q=x,,;q=,-", "en"),
    ],
)
def test_the_browsers_first_wish_that_is_on_offer_is_taken(header: str, expected: str) -> None:
    assert language_wished(header).name == expected


def test_a_page_before_signing_in_is_in_the_browsers_language(site: Site) -> None:
    english = site.browser().get("/sign-in").text
    chinese = site.browser(**{"Accept-Language": "zh-CN"}).get("/sign-in").text
    assert (language_of(english), language_of(chinese)) == ("en", "zh-Hans-CN")
    assert "Skip to the content" in english
    assert "跳到正文" in chinese


def test_a_choice_is_kept_by_the_browser_and_goes_before_its_own_language(site: Site) -> None:
    browser = site.browser(**{"Accept-Language": "zh-CN"})
    chosen = browser.post("/language", data={"language": "en", "next": "/sign-in?next=/account"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in?next=/account")
    assert language_of(browser.get("/sign-in").text) == "en"


def test_another_site_is_not_gone_to_after_a_choice(site: Site) -> None:
    chosen = site.browser().post("/language", data={"language": "en", "next": "//example.org"})
    assert chosen.headers["location"] == "/"


def test_a_language_that_is_not_on_offer_is_refused_and_nothing_kept(site: Site) -> None:
    browser = site.browser()
    refused = browser.post("/language", data={"language": "../zh_Hans_CN"})
    assert refused.status_code == 422
    assert "This language is not offered here" in refused.text
    assert "reread-language" not in browser.cookies


def sign_in(browser: TestClient, email: str) -> None:
    done = browser.post("/sign-in", data={"email": email, "password": PASSWORD})
    assert done.status_code == 303


def test_an_accounts_choice_comes_along_to_another_browser(site: Site) -> None:
    at_work, at_home = site.browser(), site.browser()
    sign_in(at_work, site.cast.rita.email)
    at_work.post("/language", data={"language": CHINESE})
    assert language_of(at_work.get("/account").text) == "zh-Hans-CN"
    assert language_of(at_home.get("/sign-in").text) == "en"
    sign_in(at_home, site.cast.rita.email)
    assert language_of(at_home.get("/account").text) == "zh-Hans-CN"


def test_a_choice_is_no_event_and_changes_nobody_elses_pages(site: Site) -> None:
    rita, rolf = site.browser(site.cast.rita), site.browser(site.cast.rolf)
    with superuser(site.cast) as connection:
        before = connection.execute("SELECT count(*) FROM audit_event").fetchone()
    rita.post("/language", data={"language": CHINESE})
    with superuser(site.cast) as connection:
        after = connection.execute("SELECT count(*) FROM audit_event").fetchone()
    assert before == after
    assert language_of(rolf.get("/").text) == "en"


def test_a_refusal_is_said_in_the_pages_language_and_in_english_to_programs(site: Site) -> None:
    chinese = {"Accept-Language": "zh-CN"}
    page = site.browser(site.cast.rita, **chinese).get("/nothing-here")
    assert "没有这个页面。" in page.text
    answer = site.browser(**chinese).get("/api/v1/studies")
    assert answer.json()["sentence"].isascii()


@pytest.mark.usefixtures("in_chinese")
def test_a_sentence_keeps_its_english_and_is_translated_with_its_values() -> None:
    sentence = said(
        'The study "{code}" is {state}: only an open study can be closed.',
        code="bcc-sk",
        state=said("being prepared"),
    )
    assert sentence == 'The study "bcc-sk" is being prepared: only an open study can be closed.'
    assert translated(sentence) == "研究“bcc-sk”准备中：只有开放的研究才能关闭。"  # noqa: RUF001
    assert translated("") == translated(None) == ""
    assert translated("Rita's own words") == "Rita's own words"


def plain(text: str) -> str:
    """A text of source code as one line, without the quotes and line breaks between its parts."""
    return re.sub(r'"\s+f?"', "", text).replace("''", "'")


def test_sentences_that_are_made_elsewhere_are_made_there_still() -> None:
    migrations = plain("".join(p.read_text() for p in (ROOT / "migrations").rglob("*.sql")))
    statistics = plain("".join(p.read_text() for p in (ROOT / "app" / "statistics").glob("*.py")))
    for known in elsewhere.OF_THE_DATABASE:
        assert f"'{re.sub(r'{.*?}', '%', known.removesuffix('.'))}'" in migrations, known
    for known in remarks.REMARKS:
        pattern = re.sub(r"\\{\w+\\}", r"\{.+?\}", re.escape(known))
        assert re.search(pattern, statistics), known


# ---------------------------------------------------------------- every remark is known


def text_of(node: ast.expr, names: dict[str, str]) -> str | None:
    """A text of source code as a pattern: {} for each part; None where it is none."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
        )
    return names.get(node.id) if isinstance(node, ast.Name) else None


def remarks_in(source: str) -> dict[str, str]:
    """The texts of all notes and warnings that a module makes, each with its code."""
    names: dict[str, str] = {}
    found: dict[str, str] = {}
    nodes = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign | ast.Call)
    ]
    for node in sorted(nodes, key=lambda node: (node.lineno, isinstance(node, ast.Call))):
        if isinstance(node, ast.Assign):
            if isinstance(node.targets[0], ast.Name) and (text := text_of(node.value, names)):
                names[node.targets[0].id] = text
        elif getattr(node.func, "id", "") in {"Note", "Warning"} and (
            text := text_of(node.args[-1], names)
        ):
            found[text] = text_of(node.args[0], names) or ""
    return found


def test_every_remark_of_a_studys_results_can_be_said_in_another_language() -> None:
    said_by_the_pages_tables = {"no_ordinal_scale", "subgroups"}
    known = {re.sub(r"\{\w+\}", "{}", pattern) for pattern in remarks.REMARKS}
    made: dict[str, str] = {}
    for path in (ROOT / "app" / "statistics").glob("*.py"):
        # Of models alone commands write, and no page shows it.
        if not path.name.startswith(("model_", "clustered")):
            made |= remarks_in(path.read_text())
    unknown = {code for text, code in made.items() if text not in known}
    assert unknown == said_by_the_pages_tables
    assert len(made) > 20


@pytest.mark.usefixtures("in_chinese")
def test_a_remark_is_said_with_its_parts_and_its_place() -> None:
    assert (
        translated("No analysis over readers: A covariance needs two cases, not 0.")
        == "未进行跨阅片者的分析：计算协方差需要两个病例，而现有 0 个。"  # noqa: RUF001
    )
    page = rendering.place_of("R01, unaided, auc_calls; mrmc, auc; and at 3 more places")
    assert page == "R01，独立判读，判断的 AUC；多阅片者多病例分析，AUC；以及另外 3 处"  # noqa: RUF001


@pytest.mark.usefixtures("in_chinese")
def test_a_sentence_of_the_database_is_known_by_its_pattern() -> None:
    raised = 'The study "bcc-sk" is closed: nobody reads any more.'
    assert translated(raised) == "研究“bcc-sk”已关闭：不再有人阅片。"  # noqa: RUF001
    assert translated("This account is disabled.") == "此账户已停用。"


@pytest.mark.usefixtures("in_chinese")
def test_dates_and_numbers_follow_the_language() -> None:
    late = datetime(2026, 11, 7, 21, 5, tzinfo=UTC)
    assert formats.moment(late) == "2026年11月7日 21:05 UTC"
    assert formats.percent(0.1234) == "12.3%"
    assert formats.number(-0.5) == "\N{MINUS SIGN}0.500"
    current.set(catalogues.ENGLISH)
    assert formats.moment(late) == "7 Nov 2026, 21:05 UTC"
    assert formats.percent(0.1234) == "12.3\N{NO-BREAK SPACE}%"
    assert formats.percent(None) == "\N{EN DASH}"


def german_number(value: float) -> str:
    found = language_named("de")
    assert found is not None
    before = current.set(found)
    written = formats.number(value, 2)
    current.reset(before)
    return written


def in_german(sentence: Sentence) -> str:
    found = language_named("de")
    assert found is not None
    with in_language(found):
        return translated(sentence)


GERMAN = """
msgid ""
msgstr ""
"Language: de\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

msgid "Skip to the content"
msgstr "Zum Inhalt"
"""


@pytest.fixture
def with_german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of catalogues to which a file was added."""
    for path in catalogues.FOLDER.glob("*.po"):
        shutil.copy(path, tmp_path)
    (tmp_path / "de.po").write_text(GERMAN, encoding="utf-8")
    monkeypatch.setattr(catalogues, "FOLDER", tmp_path)
    catalogues.offered.cache_clear()
    yield
    catalogues.offered.cache_clear()


@pytest.mark.usefixtures("with_german")
def test_a_language_is_added_by_adding_a_file(site: Site) -> None:
    page = site.browser().get("/sign-in").text
    assert [name for name in ("English", "简体中文", "Deutsch") if f">{name}</button>" in page] == [
        "English",
        "简体中文",
        "Deutsch",
    ]
    german = site.browser(**{"Accept-Language": "de-AT"}).get("/sign-in").text
    assert language_of(german) == "de"
    assert "Zum Inhalt" in german
    assert "Sign in" in german  # what the file lacks is said in English
    assert german_number(1.5) == "1,50"
    limit = said("{share:.1%} of {all:,}, from {file}", share=0.125, all=2000, file="a.csv")
    assert limit == "12.5% of 2,000, from a.csv"
    assert in_german(limit) == "12,5% of 2.000, from a.csv"
