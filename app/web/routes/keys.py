"""A reader's own keys of the reading room."""

from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel
from starlette.responses import RedirectResponse, Response

from app.db import reading_keys
from app.domain.access import Account
from app.domain.errors import InvalidInput
from app.domain.reading_keys import ACTS, LAYOUTS, ReadingKeys, parse_keys
from app.domain.sentences import said
from app.web.access import ReaderConnection, ReaderOnly
from app.web.reading_pages import KeysPage
from app.web.rendering import render

router = APIRouter(prefix="/keys")


class KeysForm(BaseModel, extra="allow"):
    """The form as typed; each act's key is a field of its own, `layout` a button."""

    single_keys: str = ""
    pause_minutes: str = ""
    layout: str = ""

    @property
    def typed(self) -> dict[str, str]:
        """Return the keys as typed."""
        return {act: str((self.model_extra or {}).get(act, "")) for act in ACTS}


@router.get("")
def show_keys(viewer: ReaderOnly, connection: ReaderConnection) -> Response:
    """Show the reader's keys."""
    return render(_page(viewer, reading_keys.keys_of_actor(connection)))


@router.post("")
def save_keys(
    viewer: ReaderOnly, connection: ReaderConnection, form: Annotated[KeysForm, Form()]
) -> Response:
    """Keep the reader's keys; a layout's button fills in its own."""
    known = LAYOUTS.get(form.layout)
    try:
        keys = parse_keys(
            known[1] if known else form.typed,
            single_keys=form.single_keys == "yes",
            pause=form.pause_minutes,
        )
    except InvalidInput as refusal:
        page = KeysPage(
            viewer=viewer,
            problem=refusal.sentence,
            typed=form.typed,
            single_keys=form.single_keys == "yes",
            pause_minutes=form.pause_minutes,
        )
        return render(page, status=refusal.status)
    reading_keys.set_keys(connection, keys)
    return render(_page(viewer, keys, notice=said("Your keys are saved.")))


@router.post("/single")
def switch_single_keys(
    _viewer: ReaderOnly, connection: ReaderConnection, single_keys: Annotated[str, Form()] = ""
) -> Response:
    """Switch all single keys on or off, from within the reading room."""
    held = reading_keys.keys_of_actor(connection)
    switched = ReadingKeys(single_keys == "yes", held.keys, held.pause_minutes)
    reading_keys.set_keys(connection, switched)
    return RedirectResponse("/keys", status_code=303)


def _page(viewer: Account, keys: ReadingKeys, *, notice: str | None = None) -> KeysPage:
    return KeysPage(
        viewer=viewer,
        notice=notice,
        typed=dict(keys.keys),
        single_keys=keys.single_keys,
        pause_minutes="" if keys.pause_minutes is None else str(keys.pause_minutes),
    )
