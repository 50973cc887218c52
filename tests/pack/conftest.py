"""A study read and unblinded, and its pack in a folder, one for all tests of a file."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.actions.export_pack import export_pack
from app.actions.invite_people import invite
from app.db import people
from app.db.session import Role
from app.domain.audit_chain import Anchor
from app.domain.reading import Submission, Viewing
from tests.conftest import Cast
from tests.reading.steps import call, correct, lock, lock_aided_call, show_ai, unblind

# Calls and confidences that differ, so that every area has its own value.
UNAIDED = [("BCC", 70), ("SK", 20), ("BCC", 10), ("SK", 90), ("BCC", 55), ("BCC", 30)]
AIDED = [("BCC", 90), ("BCC", 5), ("SK", 35), ("SK", 95), ("BCC", 60), ("SK", 15)]


@pytest.fixture(scope="module")
def finished(open_copy: Cast) -> Cast:
    """Rita has read six cases, Rolf four and the unaided half of a fifth; one call is corrected."""
    with open_copy.begin(Role.COORDINATOR, open_copy.cora) as connection:
        invite(
            connection,
            study=open_copy.study,
            email="ruth@example.org",
            now=datetime.now(UTC),
            by=open_copy.cora,
        )
    with open_copy.begin(Role.READER, open_copy.rita) as connection:
        people.insert_profile(
            connection,
            study=open_copy.study.id,
            years=7,
            specialty="dermatology",
            training="specialist",
        )
    for before, after in zip(UNAIDED, AIDED, strict=True):
        read(open_copy, open_copy.rita, call(*before), call(*after))
    for before, after in zip(UNAIDED[:4], AIDED[1:5], strict=True):
        read(open_copy, open_copy.rolf, call(*before), call(*after))
    lock(open_copy, open_copy.rolf)
    correct(open_copy, phase="aided")
    unblind(open_copy)
    return open_copy


def read(cast: Cast, reader: object, before: Submission, after: Submission) -> None:
    """Read one case with these calls."""
    looked = replace(after, viewing=Viewing(map_milliseconds=1200))
    lock_aided_call(cast, reader, show_ai(cast, reader, before), looked)


def export(cast: Cast, path: Path, *, overlays: bool = True) -> Anchor:
    """Export the study's pack; returns the head of its log."""
    with cast.begin(Role.ANALYST, cast.cora) as connection:
        made = export_pack(
            connection,
            study=cast.reload(),
            storage=cast.storage,
            path=path,
            overlays=overlays,
            by=cast.cora,
        )
    return made.head


@pytest.fixture(scope="module")
def folder(finished: Cast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pack as a folder."""
    out = tmp_path_factory.mktemp("export") / "pack"
    export(finished, out)
    return out
