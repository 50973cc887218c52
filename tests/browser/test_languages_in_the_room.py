"""A reader who reads wholly in Chinese: no English is left on their pages, scripts included."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.domain.study_design import StudyDesign
from tests.browser.conftest import Site, serving
from tests.browser.test_access_for_all import breaches
from tests.browser.test_reading_room import answer
from tests.conftest import PASSWORD, Cast
from tests.reading.designs import opened

# What stays as it is in every language: codes, names, keys, units, and the names of languages.
KEPT = re.compile(
    r"\b(BCC|SK|AI|UTC|PAD|SHA-256|Markdown|reread|Enter|English|Deutsch|Chromium|Linux|Chrome|"
    r"HeadlessChrome|rita@example\.org|Rita|made up for a test|D, F|B, S|G|px|mm)\b",
)
# Everything that a person is shown or told, but what is the study's own and frozen with it.
SHOWN = """() => {
  const own = ".wordmark, .written, .where, .trail [aria-current], .hash, kbd, "
    + "#start-heading, .study-list h2";
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (parent.closest("script, style, noscript, template") || parent.closest(own)) continue;
    found.push(node.textContent);
  }
  for (const name of ["aria-label", "title", "placeholder", "alt", "aria-valuetext"]) {
    for (const each of document.querySelectorAll(`[${name}]`)) {
      if (!each.closest(own)) found.push(each.getAttribute(name));
    }
  }
  return found;
}"""


def english(page: Page) -> list[str]:
    """Every shown text that still has a word in Latin letters, but for those kept."""
    left: list[str] = []
    for text in page.evaluate(SHOWN):
        words = KEPT.sub("", text.replace("BCC or SK", ""))
        if re.search(r"[A-Za-z]{2,}", words):
            left.append(text.strip())
    return left


def see_image(page: Page) -> None:
    expect(page.locator("[data-call-form=unaided]")).to_be_visible()
    expect(page.locator("[data-viewer][data-opened]").first).to_be_visible()


def see_opinion(page: Page) -> None:
    expect(page.get_by_role("heading", name="模型的意见", exact=True)).to_be_visible()
    expect(page.locator("[data-viewer][data-mapped]").first).to_be_visible()


@pytest.fixture
def in_full(draft: Cast, browser: Browser) -> Iterator[Site]:
    """A study that asks and shows all there is."""
    design = StudyDesign(
        ask_management=True, ask_comment=True, cases_per_sitting=2, show_performance=True
    )
    cast = opened(draft, design)
    with serving(cast.database, cast.storage, browser) as site:
        yield site


def test_a_case_is_read_wholly_in_chinese(in_full: Site) -> None:
    left: dict[str, list[str]] = {}
    unfit: dict[str, list[str]] = {}
    with in_full.person(locale="zh-CN", reduced_motion="reduce") as rita:
        page = rita.page

        def look(name: str, *, axe: bool = True) -> None:
            left[name] = english(page)
            if axe:
                unfit[name] = breaches(page)
            assert page.locator("html").get_attribute("lang") == "zh-Hans-CN"

        rita.goto("/lost-password")
        look("lost password", axe=False)
        rita.goto("/sign-in")
        look("sign in")
        rita.sign_in("rita@example.org")
        look("studies")
        rita.goto("/keys")
        look("keys")
        rita.goto("/account")
        look("account")
        rita.goto("/account/second-factor")
        look("second factor", axe=False)
        rita.goto("/studies/bcc-sk/start")
        look("about you")
        rita.goto("/studies/x/read")
        look("not found")
        rita.goto("/studies/bcc-sk/read")
        look("instructions")
        page.get_by_role("button", name=re.compile("开始")).click()
        see_image(page)
        page.locator("summary").click()
        look("unaided call")
        page.locator("#room-heading").focus()
        answer(rita, "!")
        expect(page.get_by_text("请先选择 BCC 或 SK。")).to_be_visible()
        look("nothing chosen")
        answer(rita, "b7y!")
        see_opinion(page)
        expect(page.locator("[data-save-state]")).to_contain_text("保存")
        look("the model's opinion")
        answer(rita, "s6n!")
        see_image(page)
        answer(rita, "b7y!")
        see_opinion(page)
        answer(rita, "s6n!")
        expect(page.get_by_role("heading", name=re.compile("本次阅片结束"))).to_be_visible()
        look("the sitting is over")
    assert {name: texts for name, texts in left.items() if texts} == {}
    assert {name: found for name, found in unfit.items() if found} == {}


def test_a_lost_submit_is_told_of_in_chinese(site: Site) -> None:
    with site.person(locale="zh-CN") as rita:
        page = rita.page
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        page.get_by_role("button", name=re.compile("开始")).click()
        see_image(page)
        page.route("**/unaided", lambda route: route.abort())
        answer(rita, "b7!")
        expect(page.get_by_text("服务器没有答复。")).to_be_visible()
        left = english(page)
        page.unroute("**/unaided")
        expect(page.get_by_role("heading", name="模型的意见", exact=True)).to_be_visible()
        rita.complaints.clear()  # the lost request is what this is about
    assert left == []


def test_the_language_is_switched_in_the_foot_and_kept_for_the_next_browser(site: Site) -> None:
    with site.person() as rita:
        rita.goto("/sign-in")
        rita.page.get_by_role("button", name="简体中文").click()
        expect(rita.page.get_by_role("heading", name="登录")).to_be_visible()
        rita.page.fill("[name=email]", "rita@example.org")
        rita.page.fill("[name=password]", PASSWORD)
        rita.page.click("main button[type=submit]")
        expect(rita.page.get_by_role("heading", name="您的研究")).to_be_visible()
        # Chosen once more when signed in: from now on the account knows it.
        rita.page.get_by_role("button", name="简体中文").click()
        expect(rita.page.get_by_role("heading", name="您的研究")).to_be_visible()
    with site.person() as again:
        again.goto("/sign-in")
        expect(again.page.get_by_role("heading", name="Sign in")).to_be_visible()
        again.sign_in("rita@example.org")
        expect(again.page.get_by_role("heading", name="您的研究")).to_be_visible()
        again.page.get_by_role("button", name="English").click()
        expect(again.page.get_by_role("heading", name="Your studies")).to_be_visible()


def test_what_is_sent_before_the_lock_is_the_same_in_every_language(site: Site) -> None:
    asked: dict[str, set[str]] = {}
    for locale in ("en-GB", "zh-CN"):
        with site.person(locale=locale) as rita:
            page = rita.page
            rita.sign_in("rita@example.org")
            rita.goto("/studies/bcc-sk/read")
            if page.locator("[data-call-form]").count() == 0:
                page.locator("#room button[type=submit]").click()
            see_image(page)
            page.wait_for_load_state("networkidle")
            html = page.content()
            assert not re.search(r"overlay|probability|data-ai|reveal", html.partition("<main")[2])
            asked[locale] = {re.sub(r"\?.*", "", url) for url in rita.requests}
    # The first person's first request of the case is a POST more; all else is one set.
    assert {url for url in asked["en-GB"] ^ asked["zh-CN"] if not url.endswith("/next")} == set()
