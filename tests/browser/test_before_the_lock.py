"""Everything that reaches a reader's browser before the lock, byte by byte, over a whole study."""

import hashlib
import io
import re
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, expect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.actions.design_study import open_study
from app.db.session import Role
from app.main import build_site
from app.settings import Settings
from app.web.rendering import STATIC
from tests.browser.conftest import Site
from tests.browser.test_reading_room import answer, see_image, see_opinion
from tests.conftest import Cast, score_by_hand
from tests.reading.steps import at, superuser
from tests.web import live


@dataclass
class Secrets:
    """What the model says of each case: by the case's id, tokens and the bytes of its map."""

    said: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])

    def in_(self, bodies: list[bytes], *, of: str) -> list[bytes]:
        return [token for token in self.said[of] if any(token in body for body in bodies)]


@dataclass
class Sent:
    """The application, keeping all that it sends: a browser has nothing from anywhere else."""

    app: ASGIApp | None = None
    answers: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert self.app is not None

        async def kept(message: Message) -> None:
            if scope["type"] == "http":
                said = self.answers.setdefault(scope["path"], [])
                said.append(repr(message.get("headers", "")).encode() + message.get("body", b""))
            await send(message)

        await self.app(scope, receive, kept)

    def bodies(self) -> list[bytes]:
        """Headers and bodies, but of the program's own files, which say nothing of a case."""
        own = {f"/static/{path.relative_to(STATIC)}" for path in STATIC.rglob("*")}
        return [b"".join(said) for path, said in self.answers.items() if path not in own]


def distinct(draft: Cast) -> tuple[Cast, Secrets]:
    """The study open, each case with a probability and a map like no other's."""
    score_by_hand(draft.database, draft.storage, draft.study)
    secrets = Secrets()
    tables = ("prediction", "case_prediction")
    with superuser(draft) as owner:
        for table in tables:
            owner.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cases = owner.execute("SELECT id, case_id FROM image ORDER BY case_id").fetchall()
        for number, (image, case) in enumerate(cases):
            probability = 0.7317 + 0.0411 * number
            out = io.BytesIO()
            noise = np.random.default_rng(900 + number).integers(0, 255, (72, 96, 4), np.uint8)
            Image.fromarray(noise).save(out, "PNG")
            shown = out.getvalue()
            key = draft.storage.put(shown, suffix=".png")
            owner.execute(
                """UPDATE prediction SET probability = %s, overlay_key = %s, overlay_sha256 = %s
                   WHERE image_id = %s""",
                [probability, key, hashlib.sha256(shown).hexdigest(), image],
            )
            owner.execute(
                "UPDATE case_prediction SET probability = %s WHERE case_id = %s",
                [probability, case],
            )
            secrets.said[str(case)] = [
                f"{probability:.2f}".encode(),
                f"{probability:.4f}".encode(),
                key.encode(),
                # Any piece of the map's pixels, wherever it might be packed.
                shown[200:232],
                shown[len(shown) // 2 :][:32],
            ]
        owner.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables:
            owner.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    with draft.begin(Role.COORDINATOR, draft.cora) as connection:
        open_study(connection, study=draft.reload(), by=draft.cora)
    return replace(draft, study=draft.reload()), secrets


def test_b6_no_byte_of_the_model_is_in_the_browser_before_the_lock(
    draft: Cast, browser: Browser
) -> None:
    cast, secrets = distinct(draft)
    early: dict[int, list[bytes]] = {}
    late: dict[int, int] = {}
    sent = Sent()

    def build(_port: int) -> ASGIApp:
        sent.app = build_site(
            Settings.from_environment({"REREAD_STORAGE": cast.storage.url}), cast.database
        )
        return sent

    with (
        live.serving_at(build) as port,
        Site(f"http://127.0.0.1:{port}", browser).person() as rita,
    ):
        page = rita.page
        rita.sign_in("rita@example.org")
        rita.goto("/studies/bcc-sk/read")
        page.get_by_role("button", name=re.compile("Start")).click()
        for number in range(1, 5):
            expect(page.get_by_text(f"Case {number} of 6")).to_be_visible()
            see_image(rita)
            case = at(cast, cast.rita)
            assert case is not None
            current = str(case.assignment.case_id)
            page.wait_for_load_state("networkidle")
            before = sent.bodies()
            early[number] = secrets.in_(before, of=current)
            # Nor is anything there of the cases to come.
            for other in secrets.said.keys() - {current} - seen_before(cast):
                early[number] += secrets.in_(before, of=other)
            answer(rita, "b7!")
            see_opinion(rita)
            page.wait_for_load_state("networkidle")
            late[number] = len(secrets.in_(sent.bodies(), of=current))
            answer(rita, "s6!")
    # Nobody else sent anything: the browser asked this site alone.
    assert {url.split("/")[2] for url in rita.requests} == {f"127.0.0.1:{port}"}
    assert early == {number: [] for number in range(1, 5)}
    # After the reveal the very same search finds number and map: it can find.
    assert all(found >= 2 for found in late.values()), late


def seen_before(cast: Cast) -> set[str]:
    """The cases whose model Rita was shown already."""
    with superuser(cast) as owner:
        rows = owner.execute(
            """SELECT a.case_id FROM assignment a JOIN reveal r ON r.assignment_id = a.id
               WHERE a.reader_id = %s""",
            [cast.rita.id],
        ).fetchall()
    return {str(case) for (case,) in rows}
