"""D8: the server's clock jumps; what came first is proven by the log's numbers all the same."""

import time
from pathlib import Path

import psycopg
import pytest

from app.actions.verify_study import verify_study
from app.db.administrator import records_of
from tests.faults.conftest import own_postgres
from tests.torture.single import single_reader
from tests.torture.study import READ

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
HOUR = 3600


@pytest.mark.skipif(FAKETIME is None, reason="no libfaketime: clocks that jump were NOT tried")
def test_d8_a_clock_that_jumps_back_and_forth_changes_nothing_about_the_order(
    tmp_path: Path,
) -> None:
    """By an hour each way, as at the change of daylight saving on a clock that is set to it."""
    with own_postgres() as server:
        clock = server.sockets / "clock"

        def set_clock(offset: int) -> None:
            passing = clock.with_suffix(".new")
            passing.write_text(f"{offset:+d}s")
            passing.chmod(0o644)  # Postgres is another user; unreadable, it would be no offset
            passing.replace(clock)  # a half-written file would be no offset

        set_clock(0)
        server.stop()
        server.environment = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        server.start()
        reader = single_reader(server, tmp_path / "files", cases=4)
        for offset in (HOUR, -HOUR, HOUR, 0):
            set_clock(offset)
            reader.read_a_case()
        reader.database.close()
        with psycopg.connect(server.url(), options="-c search_path=reread") as owner:
            moments = [
                row[0]
                for row in owner.execute(
                    "SELECT at FROM audit_event WHERE action = 'reading.insert' ORDER BY seq"
                )
            ]
            assert abs(moments[0].timestamp() - time.time() - HOUR) < HOUR / 2, "the clock was set"
        assert len(moments) == 8
        assert moments != sorted(moments), "the clock did jump back"
        verdict = verify_study(records_of(server.url(), READ))
        assert verdict.problems == ()
        assert any("each reveal after its locked call" in said for said in verdict.checked)
