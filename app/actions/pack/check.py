"""A pack under examination: its files as found, what was checked, and what is wrong."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from app.actions.pack.codebook import TABLES
from app.actions.pack.manifest import Manifest
from app.actions.pack.source import PackSource, read_whole

_SHOWN = 10  # problems of one file that are listed one by one
NOT_THE_FILE = "is not the file that was exported"


@dataclass
class Check:
    """Collects what the steps of a verification find; every problem begins with a file's name."""

    source: PackSource
    manifest: Manifest
    digests: dict[str, str] = field(default_factory=dict[str, str])  # as found
    checked: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])
    methods: str | None = (
        None  # the methods text as it must be; None where it was not written again
    )

    def text(self, name: str) -> str:
        """Return a file's text; a problem and nothing where it is no text."""
        try:
            return read_whole(self.source, name).decode()
        except UnicodeDecodeError:
            self.problems.append(f"{name}: it is not UTF-8 text")
            return ""

    def lines(self, name: str) -> Iterator[str]:
        """Give the lines of a text one by one; raises UnicodeDecodeError where it is none."""
        with self.source.open(name) as file:
            for line in file:
                yield line.decode().removesuffix("\n")

    def table(self, name: str) -> Iterator[dict[str, str]]:
        """Give the rows of a table that is there; other columns than a pack's are a problem."""
        if name not in self.digests:
            return
        reader = csv.DictReader(io.StringIO(self.text(name), newline=""), restkey="", restval="")
        if list(reader.fieldnames or ()) != [column[0] for column in TABLES[name]]:
            self.add(name, ["its columns are not those of a pack"])
        yield from reader

    def add(self, name: str, found: Iterable[str]) -> None:
        """Note the problems of one file, the first of them in full."""
        listed = list(found)
        self.problems += [f"{name}: {problem}" for problem in listed[:_SHOWN]]
        if len(listed) > _SHOWN:
            self.problems.append(f"{name}: and {len(listed) - _SHOWN} more like these")
