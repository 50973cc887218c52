"""F5: a transaction that is broken off is tried again under the same form, three times at most."""

import psycopg
import pytest

from app.domain.reading import ReadingState
from tests.conftest import Cast
from tests.reading.steps import at, bring_to, superuser
from tests.web.site import Site
from tests.web.test_saved import form

SERIALIZATION, DEADLOCK, FULL = "40001", "40P01", "53100"


def fail_first(cast: Cast, times: int, act: str) -> None:
    """Let the first commits of a reading fail by `act`, after the INSERT went well."""
    with superuser(cast) as owner:
        owner.execute("CREATE SEQUENCE tries; GRANT ALL ON SEQUENCE tries TO PUBLIC")
        owner.execute(
            f"""CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
                IF nextval('reread.tries') <= {times} THEN {act}; END IF; RETURN NULL; END $$"""
        )
        owner.execute(
            """CREATE CONSTRAINT TRIGGER zz_fail AFTER INSERT ON reading
               DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"""
        )


def tries(cast: Cast) -> int:
    with superuser(cast) as owner:
        return owner.execute("SELECT last_value FROM tries").fetchone()[0]


def raising(code: str) -> str:
    return f"RAISE EXCEPTION 'broken off' USING ERRCODE = '{code}'"


def lock_once(site: Site) -> int:
    assignment = bring_to(site.cast, site.cast.rita, ReadingState.SERVED)
    answer = site.browser(site.cast.rita).post(f"/readings/{assignment}/unaided", data=form())
    return answer.status_code


@pytest.mark.parametrize(
    "act",
    [raising(SERIALIZATION), raising(DEADLOCK), "PERFORM pg_terminate_backend(pg_backend_pid())"],
)
def test_f5_a_step_broken_off_is_tried_again_before_the_reader_hears_of_it(
    site: Site, act: str
) -> None:
    fail_first(site.cast, 3, act)
    assert lock_once(site) == 303
    assert at(site.cast, site.cast.rita).state is ReadingState.LOCKED
    assert tries(site.cast) == 4


def test_f5_after_three_more_tries_the_reader_is_told(site: Site) -> None:
    fail_first(site.cast, 99, raising(SERIALIZATION))
    assert lock_once(site) == 503
    assert at(site.cast, site.cast.rita).state is ReadingState.SERVED
    assert tries(site.cast) == 4


def test_f5_what_does_not_pass_is_not_tried_again(site: Site) -> None:
    fail_first(site.cast, 99, raising(FULL))
    assert lock_once(site) == 503
    assert tries(site.cast) == 1


def test_f5_d5_a_commit_whose_answer_is_lost_is_found_again_and_is_one_call(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the server has committed: nobody knows, until it is looked up."""
    cast = site.cast
    assignment = bring_to(cast, cast.rita, ReadingState.SERVED)
    browser = site.browser(cast.rita)
    commit = psycopg.Connection.commit
    lost: list[str] = []

    def lose_the_answer(connection: psycopg.Connection) -> None:
        wrote = connection.execute(
            "SELECT count(*) FROM pg_stat_xact_user_tables WHERE relname = 'reading' "
            "AND n_tup_ins > 0"
        ).fetchone()
        commit(connection)
        if wrote[0] and not lost:
            lost.append("once")
            connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(psycopg.Connection, "commit", lose_the_answer)
    sent = form("SK", 33)
    assert browser.post(f"/readings/{assignment}/unaided", data=sent).status_code == 303
    assert lost == ["once"]
    monkeypatch.undo()
    locked = at(cast, cast.rita).unaided
    assert (locked.call, locked.confidence) == ("SK", 33)
    with superuser(cast) as owner:
        assert owner.execute("SELECT count(*) FROM reading").fetchone() == (1,)
