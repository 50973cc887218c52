"""`make torture`: sizes by READERS, SUBMISSIONS, KILLS and SEED; CONTROL=yes must fail."""

import os
import secrets
import sys

from tests.torture.run import Size, torture


def size_of(environment: dict[str, str]) -> Size:
    """Read the sizes; a seed is drawn where none is given."""
    return Size(
        readers=int(environment.get("READERS") or 50),
        submissions=int(environment.get("SUBMISSIONS") or 10_000),
        kills=int(environment.get("KILLS") or 200),
        seed=int(environment.get("SEED") or secrets.randbelow(10**6)),
        control=environment.get("CONTROL") == "yes",
    )


if __name__ == "__main__":
    outcome = torture(size_of(dict(os.environ)))
    print(outcome)
    sys.exit(0 if outcome.clean else 1)
