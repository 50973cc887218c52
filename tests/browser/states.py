"""Every state of the reading room, one after another, as people come to them.

A test that must hold in all of them walks through: the walk stops wherever something new is on
the screen, and says its name. With REREAD_SCREENSHOTS=FOLDER, test_every_state.py keeps a picture
of each.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

from app.actions.design_study import create_study, find_study, open_study, set_design
from app.actions.draw_orders import enrol_reader
from app.actions.manage_people import write_consent_text
from app.db.session import Database, Role
from app.domain.access import AccountRole
from app.domain.study_design import StudyDesign
from app.storage import Storage
from models.overlay import render_overlay
from tests.browser.conftest import Person
from tests.conftest import Cast, import_files, make_account, picture, score_by_hand

ALL = StudyDesign(
    ask_management=True,
    ask_comment=True,
    log_zoom=True,
    show_performance=True,
    cases_per_sitting=4,
)
CONSENT = """**What it is about.** You call lesions before and after a model's opinion.

- Your calls are stored under a pseudonym.
- You may stop at any time, without giving a reason."""
RECORD = {
    "images": 400,
    "sensitivity": {"estimate": 0.84, "low": 0.76, "high": 0.9, "of": 99},
    "specificity": {"estimate": 0.79, "low": 0.74, "high": 0.83, "of": 301},
}
SIZES = {
    "phone": (390, 844, "finger"),
    "tablet-upright": (768, 1024, "finger"),
    "tablet": (1024, 768, "finger"),
    "hospital": (1366, 768, "mouse"),  # the screen of an ordinary hospital PC
}


def a_map() -> bytes:
    """Draw the map of no model: a patch for BCC, a weaker one for SK."""
    down, across = np.mgrid[0:14, 0:14]
    patch = np.exp(-((down - 5) ** 2 + (across - 6) ** 2) / 9)
    other = np.exp(-((down - 11) ** 2 + (across - 11) ** 2) / 5)
    return render_overlay(patch - 0.6 * other, 640, 480, scale=1.0)


def smooth_picture(number: int, size: tuple[int, int]) -> bytes:
    """A generated picture of soft spots, as large as a photograph."""
    out = io.BytesIO()
    Image.open(io.BytesIO(picture(number))).resize(size, Image.Resampling.BICUBIC).save(out, "JPEG")
    return out.getvalue()


def two_images_a_case(count: int, photographs: Path | None) -> tuple[bytes, bytes]:
    """A case file: t0 is for training; a dermoscopic image with its millimetres, and a clinical."""
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    columns = "case_id image diagnosis diagnosis_confirm synthetic training modality mm_per_pixel"
    writer.writerow(columns.split())
    real = sorted((photographs / "images").iterdir()) if photographs else []
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(count):
            diagnosis = "BCC" if number % 2 else "SK"
            code = f"c{number}" if number else "t0"
            for kind, scale in (("dermoscopic", "0.02"), ("clinical", "")):
                name = f"{code}-{kind}.jpg"
                made = "no" if real else "yes"
                training = "" if number else "yes"
                proven = "made up" if real else "generated"
                writer.writerow([code, name, diagnosis, proven, made, training, kind, scale])
                # Images of two shapes, as cameras give them.
                size = (640, 480) if kind == "dermoscopic" else (480, 640)
                shown = 2 * number + (kind == "clinical")
                taken = real[shown * 7].read_bytes() if real else smooth_picture(shown, size)
                archive.writestr(name, taken)
    return table.getvalue().encode(), pack.getvalue()


def study_in_full(database: Database, storage: Storage, photographs: Path | None = None) -> Cast:
    """A study that asks and shows all there is: consent, training, two images, every question."""
    cora = make_account(database, "cora@example.org", AccountRole.COORDINATOR)
    rita = make_account(database, "rita@example.org", AccountRole.READER)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        create_study(connection, code="bcc-sk", title="BCC or SK", seed=1, by=cora)
        study = find_study(connection, code="bcc-sk")
        set_design(
            connection,
            study=study,
            design=ALL,
            title="BCC or SK: how readers change their minds",
            instructions="Look at **both images** of a case before you call it.",
            by=cora,
        )
        write_consent_text(connection, study=study, text=CONSENT, by=cora)
        enrol_reader(connection, study=study.id, reader=rita.id)
    import_files(database, storage, study, two_images_a_case(6, photographs), by=cora)
    score_by_hand(database, storage, study, shown=a_map(), performance=RECORD)
    cast = Cast(database, storage, cora, cora, rita, rita, study)
    with cast.begin(Role.COORDINATOR, cora) as connection:
        open_study(connection, study=cast.reload(), by=cora)
    return replace(cast, study=cast.reload())


def press(page: Page, keys: str) -> None:
    for key in keys:
        page.keyboard.press("Enter" if key == "!" else key)


def see(page: Page, state: str) -> None:
    """Wait for a state, and for its images and maps."""
    page.wait_for_selector(f"[data-state={state}]")
    if state in {"served", "locked", "revealed"}:
        shown = ":visible:not([data-plain])"
        ready = "[data-mapped]" if state == "revealed" else "[data-opened]"
        expect(page.locator(f"[data-viewer]{shown}{ready}").first).to_be_visible()
        page.wait_for_load_state("networkidle")


def walk(rita: Person) -> Iterator[str]:
    """Go through every state that a reader of the study in full can meet, to its end."""
    page = rita.page
    rita.goto("/sign-in")
    yield "sign in"
    rita.sign_in("rita@example.org")
    yield "studies"
    yield from before_reading(rita)
    yield from first_case_unaided(rita)
    yield from first_case_with_the_model(rita)
    yield from second_case(rita)
    yield from third_case(rita)
    rita.goto("/studies/bcc-sk/read")
    page.locator("[data-focus-first]:enabled").press("Enter")
    for _ in range(2):
        see(page, "served")
        press(page, "s4n!")
        see(page, "revealed")
        press(page, "s5n!")
    see(page, "over")
    yield "all cases done"
    rita.goto("/")
    yield "studies, all done"
    rita.goto("/keys")
    yield "keys"
    rita.goto("/studies/none/read")
    yield "no such study"


def before_reading(rita: Person) -> Iterator[str]:
    page = rita.page
    rita.goto("/studies/bcc-sk/read")
    page.wait_for_url("**/start")
    yield "about you and consent"
    page.locator("main form").evaluate("(form) => { form.noValidate = true; }")
    page.locator("main form button[type=submit]").click()
    expect(page.locator(".message.problem, .wrong").first).to_be_visible()
    yield "consent is missing"
    page.fill("[name=years_experience]", "12")
    for name in ("specialty", "training"):
        page.select_option(f"[name={name}]", index=1)
    page.check("[name=accepted]")
    page.locator("main form button[type=submit]").click()
    see(page, "start")
    yield "instructions"
    page.locator("main button[type=submit]").click()


def first_case_unaided(rita: Person) -> Iterator[str]:
    """The case for training, by every way of looking."""
    page = rita.page
    see(page, "served")
    yield "unaided, nothing chosen"
    press(page, "i")
    see(page, "served")
    yield "second image"
    press(page, "a")
    expect(page.locator("[data-viewer][data-opened]")).to_have_count(2)
    yield "images side by side"
    press(page, "a")
    press(page, "i")
    page.locator(".keys summary").click()
    yield "all keys listed"
    page.locator(".keys summary").click()
    page.evaluate("window.scrollTo(0, 0)")
    page.locator("#room-heading").focus()
    press(page, "b7!")
    expect(page.locator("[data-incomplete]")).to_be_visible()
    yield "something is missing"
    press(page, "y")
    yield "chosen"


def first_case_with_the_model(rita: Person) -> Iterator[str]:
    """From the lock to the feedback."""
    page = rita.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/reveal", hold, times=1)
    press(page, "!")
    see(page, "locked")
    page.wait_for_selector("[data-reveal-form].htmx-request")
    yield "locked, the model comes"
    held[0].continue_()
    see(page, "revealed")
    yield "with the model"
    page.keyboard.down("o")
    yield "peek at the image without the map"
    page.keyboard.up("o")
    press(page, "c")
    expect(page.locator("[data-plain][data-opened]")).to_be_visible()
    yield "map beside the image"
    press(page, "ca")
    expect(page.locator("[data-viewer][data-mapped]")).to_have_count(2)
    yield "all images with their maps"
    press(page, "a")
    page.context.set_offline(True)
    press(page, "s6n!")
    expect(page.locator("[data-unsaved]")).to_be_visible()
    yield "offline, not saved yet"
    page.context.set_offline(False)
    see(page, "between")
    yield "feedback on a training case"
    page.locator("[data-focus-first]:enabled").press("Enter")


def second_case(rita: Person) -> Iterator[str]:
    """A session that ends, and an hour that goes by."""
    page = rita.page
    see(page, "served")
    cookies = page.context.cookies()
    page.context.clear_cookies()
    press(page, "b7y!")
    expect(page.locator("[data-unsaved-sign-in]")).to_be_visible()
    yield "the session ended"
    page.context.add_cookies(cookies)  # pyright: ignore[reportArgumentType]
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    see(page, "revealed")
    page.evaluate(
        """() => { const now = performance.now.bind(performance);
            performance.now = () => now() + 3_600_000; }"""
    )
    press(page, "b8y!")


def third_case(rita: Person) -> Iterator[str]:
    """A pause is offered and taken; the next case ends the sitting."""
    page = rita.page
    see(page, "served")
    expect(page.locator("[data-pause-offer]")).to_be_visible()
    yield "a pause is offered"
    page.locator("[data-pause-wanted]").click()
    press(page, "s4n!")
    see(page, "revealed")
    press(page, "s5n!")
    see(page, "between")
    yield "between two cases"
    page.locator("[data-focus-first]:enabled").press("Enter")
    see(page, "served")
    press(page, "s4n!")
    see(page, "revealed")
    press(page, "s5n!")
    see(page, "between")
    yield "the sitting is over"
    rita.goto("/")
    yield "studies, half done"
