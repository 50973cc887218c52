"""The browser's own active time: what it leaves out, and what of it is stored."""

import pytest

from app.db.session import Role
from tests.browser.conftest import Person, Site
from tests.browser.test_reading_room import answer, see_image, see_opinion, start
from tests.conftest import Cast

pytestmark = pytest.mark.browser
SECOND = 1000  # ms


def turn(person: Person, state: str) -> None:
    """Another tab comes before this one, or goes away again."""
    person.page.evaluate(
        """value => {
             const configurable = true;
             Object.defineProperty(document, "visibilityState", { value, configurable });
             document.dispatchEvent(new Event("visibilitychange"));
           }""",
        state,
    )


def test_d9_the_active_time_leaves_out_an_idle_and_a_hidden_tab(site: Site, cast: Cast) -> None:
    """Ten seconds at work, then an hour without a hand moved, then an hour behind another tab."""
    with site.person() as rita:
        rita.page.clock.install()
        start(rita)
        see_image(rita)
        answer(rita, "b7")
        rita.page.evaluate("activeTime.restart()")
        rita.page.clock.fast_forward(10 * SECOND)
        at_work = rita.page.evaluate("activeTime.milliseconds()")
        assert 10 * SECOND <= at_work < 40 * SECOND  # the clock runs on, on a busy machine for long
        rita.page.clock.fast_forward(3600 * SECOND)
        idle = rita.page.evaluate("activeTime.milliseconds()")
        assert idle == 60 * SECOND, "of an hour without a sign of life its first minute"
        turn(rita, "hidden")
        rita.page.clock.fast_forward(3600 * SECOND)
        turn(rita, "visible")
        assert rita.page.evaluate("activeTime.milliseconds()") < 100 * SECOND
        answer(rita, "!")
        see_opinion(rita)
        with cast.begin(Role.READER, cast.rita) as connection:
            stored = connection.execute("SELECT active_milliseconds FROM reading").fetchall()
    assert len(stored) == 1
    assert 60 * SECOND <= stored[0][0] < 110 * SECOND, "no second minute for the hidden hour"
