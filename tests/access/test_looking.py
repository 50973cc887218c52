"""Looking changes nothing: a GET leaves every row of every table as it was (A7)."""

from app.domain.access import Account
from app.domain.reading import ReadingState
from tests.access.test_matrix import lines, real_ids
from tests.access.test_parts import invited
from tests.conftest import Cast
from tests.reading.steps import bring_to, finish, superuser, unblind
from tests.web.site import Site

# What a GET may add: a look of an auditor, or at what is unblinded, is an event (B9, L7).
LOOKS = {"audit.viewed", "results.viewed", "export.made"}
REFUSED = {"request.refused"}  # and so is what a person's part does not allow (L6)


def digests(cast: Cast) -> dict[str, str]:
    """Of every table of ours and of the queue: the digest of all its rows.

    Left out are sessions, which note when they were last used, and of the log the looks.
    """
    with superuser(cast) as owner:
        tables = owner.execute(
            """SELECT table_schema || '.' || table_name FROM information_schema.tables
               WHERE table_schema IN ('reread', 'jobs') AND table_type = 'BASE TABLE'"""
        ).fetchall()
        return {
            name: owner.execute(
                f"""SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), ''))
                    FROM {name} t"""  # noqa: S608 - names from the catalogue
            ).fetchone()[0]
            for (name,) in tables
            if not name.endswith((".sign_in_session", ".audit_event", ".audit_head"))
        }


def events(cast: Cast) -> list[str]:
    with superuser(cast) as owner:
        found = owner.execute("SELECT action FROM audit_event ORDER BY chain, seq")
        return [row[0] for row in found]


def changed_by_looking(site: Site, account: Account | None) -> tuple[set[str], set[str]]:
    """Ask every GET there is; which tables changed, and which kinds of events were added."""
    cast = site.cast
    ids = real_ids(cast, site)
    browser = site.browser(account)
    log, before = events(cast), digests(cast)
    # /ready says 503 where no worker runs.
    for line in [line for line in lines() if line.method == "GET" and line.path != "/ready"]:
        assert browser.get(line.path.format(**ids)).status_code < 500, line
    after, added = digests(cast), events(cast)
    for action in log:
        added.remove(action)
    return {name for name in after if after[name] != before.get(name)}, set(added)


def test_a7_no_get_changes_a_row_of_an_open_study(site: Site) -> None:
    cast = site.cast
    finish(cast, cast.rita)
    bring_to(cast, cast.rita, ReadingState.REVEALED)
    audrey = invited(site, "auditor", "audrey@example.org")
    assert changed_by_looking(site, None) == (set(), set())
    for account in (cast.rita, cast.rolf, cast.olga, cast.cora):
        assert changed_by_looking(site, account) == (set(), REFUSED)
    assert changed_by_looking(site, audrey) == (set(), {"audit.viewed", *REFUSED})


def test_a7_of_an_unblinded_study_a_get_adds_its_look_to_the_log_and_nothing_else(
    site: Site,
) -> None:
    cast = site.cast
    finish(cast, cast.rita)
    unblind(cast)
    changed, added = changed_by_looking(site, cast.cora)
    assert changed == set()
    assert added == LOOKS - {"audit.viewed"} | REFUSED


def test_a7_a_row_that_did_change_is_noticed(site: Site) -> None:
    before = digests(site.cast)
    finish(site.cast, site.cast.rita)
    after = digests(site.cast)
    assert {name for name in after if after[name] != before[name]} == {
        "reread.served",
        "reread.reading",
        "reread.reveal",
        "reread.viewing",
    }
