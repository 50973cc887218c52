"""The database's functions as the migrations wrote them, to compare with those it has.

A guard is a trigger and the function it calls. That a trigger is gone or off is seen by its name;
a function that was written anew under the same name is seen here alone.
"""

import re
from functools import cache

from app.db.migrate import MIGRATIONS, newest_revision, revisions
from app.db.session import Connection, fetch_value

# ... FUNCTION name(arguments) ... AS $$body$$;
_FUNCTION = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION (\w+)\(.*?\$\$(.*?)\$\$;", re.DOTALL | re.IGNORECASE
)


@cache
def functions_as_written() -> dict[str, str]:
    """Return the newest body of each function, by its name."""
    newest: dict[str, str] = {}
    for revision in revisions():
        if revision == "0017":
            _rewrite_as_0017_did(newest)
        for file in MIGRATIONS.glob(f"versions/{revision}_*.sql"):
            newest.update(_FUNCTION.findall(file.read_text(encoding="utf-8")))
    return newest


def _rewrite_as_0017_did(written: dict[str, str]) -> None:
    """Put other words into functions that stood, as that migration does where it begins."""
    for name, body in written.items():
        if re.search("(FROM|JOIN) case_exclusion", body):
            written[name] = body.replace("case_exclusion", "standing_exclusion")
    copied = written["copy_cases"]
    written["copy_cases"] = copied.replace(
        "d.diagnosed_on, actor()", "d.diagnosed_on, d.recorded_by"
    )


def rewritten_functions(connection: Connection) -> list[str] | None:
    """Return the functions that are not as the migrations wrote them, or that none of them wrote.

    None where the schema is not of this program's version: it may have newer functions.
    """
    if fetch_value(connection, "SELECT version_num FROM alembic_version") != newest_revision():
        return None
    written = functions_as_written()
    found = connection.execute(
        """SELECT p.proname, p.prosrc FROM pg_proc p
           WHERE p.pronamespace = 'reread'::regnamespace
              OR p.oid IN (SELECT t.tgfoid FROM pg_trigger t
                           JOIN pg_class c ON c.oid = t.tgrelid
                           WHERE c.relnamespace = 'reread'::regnamespace AND NOT t.tgisinternal)"""
    )
    return sorted(name for name, body in found if written.get(name) != body)
