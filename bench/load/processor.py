"""Processor time and memory of processes, as Linux counts them."""

import os
from pathlib import Path

from tests.torture.postgres import children_of

TICK = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int, *, buried: bool = False) -> float:
    """User and system time of a process in seconds; `buried`: of its ended children as well."""
    # pid (name) state ...; the name may hold anything but ends at the last bracket.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if buried else 13])) / TICK


def seconds_of_family(pid: int) -> float:
    """Return the same of a server and all its children, those that have ended included."""
    found = seconds_of(pid, buried=True)
    for child in children_of(pid):
        try:
            found += seconds_of(child)
        except OSError:  # it has just ended; the parent counts it from the next time on
            continue
    return found


def mebibytes_of(pid: int) -> float:
    """Memory of a process in MiB; pages that it shares with others count in part."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This Linux does not say how much memory a process has.")
