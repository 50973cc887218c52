"""A new installation has no account, and none comes into being but by a person's act (A15)."""

from pathlib import Path

import psycopg
import pytest
from starlette.testclient import TestClient

from app.actions import passwords
from app.db.accounts import insert_account
from app.db.session import Database, Role
from app.domain.access import AccountRole
from app.domain.errors import Conflict
from app.main import build_site
from app.settings import Settings
from tests.access.test_sign_in import sign_in
from tests.conftest import PASSWORD, make_account
from tests.web.site import ADDRESS, SAME_ORIGIN


def accounts(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url, options="-c search_path=reread") as owner:
        return owner.execute("SELECT email, role FROM account ORDER BY email").fetchall()


@pytest.fixture
def door(database: Database, tmp_path: Path) -> TestClient:
    settings = Settings.from_environment({"REREAD_STORAGE": str(tmp_path)})
    site = build_site(settings, database)
    return TestClient(site, base_url=ADDRESS, headers=SAME_ORIGIN, follow_redirects=False)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("admin", "admin"),
        ("admin@example.org", "admin"),
        ("administrator@example.org", "look at the case first"),  # the demonstration's password
        ("cora@example.org", "look at the case first"),
        ("demo@example.org", "look at the case first"),
        ("", ""),
    ],
)
def test_a15_nobody_signs_in_to_a_new_installation(
    administrator_url: str, door: TestClient, email: str, password: str
) -> None:
    assert accounts(administrator_url) == []
    assert sign_in(door, email, password).status_code == 422
    assert door.get("/", headers={}).headers["location"] == "/sign-in?next=/"
    assert door.post("/lost-password", data={"email": email}).status_code == 200
    assert accounts(administrator_url) == []


def test_a15_an_address_has_one_account_however_it_is_written(
    administrator_url: str, database: Database
) -> None:
    make_account(database, "ada@example.org", AccountRole.ADMINISTRATOR)
    with pytest.raises(Conflict, match=r"already an account for ada@example\.org"):
        make_account(database, " Ada@Example.ORG ", AccountRole.READER)
    with (  # nor by two programs at once, of which neither sees the other's account
        pytest.raises(psycopg.errors.UniqueViolation),
        database.begin(Role.ACCOUNT, actor=None) as connection,
    ):
        insert_account(
            connection,
            email="ada@example.org",
            name="Ada",
            role=AccountRole.READER,
            password_hash=passwords.hash_new_password(PASSWORD, email="ada@example.org"),
        )
    assert accounts(administrator_url) == [("ada@example.org", "administrator")]
