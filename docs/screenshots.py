"""Take the manual's screenshots anew from a demonstration that is running.

    make demo                                   # in one terminal
    .venv/bin/python docs/screenshots.py        # in another; it reads one case as reader 2

Only generated images show.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from app.demo_tour import COORDINATOR, PASSWORD, READERS

IMAGES = Path(__file__).parent / "images"
CHROMIUM = shutil.which("chromium")


def sign_in(browser: Browser, address: str, email: str) -> Page:
    """Open a browser of one's own and sign in."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/sign-in")
    page.fill("[name=email]", email)
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(f"{address}/")
    # The manual shows the pages as they are everywhere, without the demonstration's tour.
    page.context.request.post(f"{address}/tour/ended", headers={"Sec-Fetch-Site": "same-origin"})
    return page


def reading_room(page: Page, address: str) -> None:
    """Lock one unaided call, so that the model's opinion and its map show."""
    page.goto(f"{address}/studies/demo/read")
    if page.locator("form[action$='/next'] button").count():
        page.click("form[action$='/next'] button")
    page.locator("[data-call-form]").wait_for()
    if page.locator("[data-call-form=unaided]").count():
        page.locator("[data-viewer][data-opened]").first.wait_for()
        for key in ("b", "7", "Enter"):
            page.keyboard.press(key)
    page.locator("[data-call-form=aided]").wait_for()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / "reading-room.jpg", type="jpeg", quality=85)


def coordinator_pages(page: Page, address: str) -> None:
    """Show a study under way, and the results of the one that is unblinded."""
    page.goto(f"{address}/studies/demo")
    page.screenshot(path=IMAGES / "study.png")
    page.goto(f"{address}/studies/demo-results/results")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=IMAGES / "results.png")


def main(address: str) -> None:
    """Take all of them."""
    if CHROMIUM is None:
        sys.exit("There is no chromium on this machine.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        reading_room(sign_in(browser, address, READERS[1].email), address)
        coordinator_pages(sign_in(browser, address, COORDINATOR.email), address)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
