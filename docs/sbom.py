"""Write docs/sbom.json, the bill of materials (CycloneDX 1.6), from the locks; --check compares.

One component a package that the web application or the worker installs, with its version, and one
a vendored script. The hashes of every file of a package stand in the locks.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from app import __version__

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "sbom.json"
LOCKS = {"web": "requirements-web.lock", "worker": "requirements-worker.lock"}
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)
VENDORED = (
    ("htmx", "4.0.1", "htmx/htmx.min.js"),
    ("openseadragon", "6.1.1", "openseadragon/openseadragon.min.js"),
)


def packages() -> list[dict[str, object]]:
    """Return a component for each package of the locks, with the processes that install it."""
    found: dict[tuple[str, str], list[str]] = {}
    for process, lock in LOCKS.items():
        for package in PINNED.findall((ROOT / lock).read_text(encoding="utf-8")):
            found.setdefault(package, []).append(process)
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "properties": [{"name": "reread:installed-by", "value": " ".join(processes)}],
        }
        for (name, version), processes in sorted(found.items())
    ]


def scripts() -> list[dict[str, object]]:
    """Return a component for each vendored script."""
    return [
        {
            "type": "library",
            "name": name,
            "version": version,
            "purl": f"pkg:npm/{name}@{version}",
            "hashes": [{"alg": "SHA-384", "content": digest_of(ROOT / "static" / "vendor" / path)}],
        }
        for name, version, path in VENDORED
    ]


def digest_of(path: Path) -> str:
    """Return the SHA-384 of a file in hexadecimal digits."""
    return hashlib.sha384(path.read_bytes()).hexdigest()


def bill() -> str:
    """Return the whole bill."""
    product = {"type": "application", "name": "reread", "version": __version__}
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": [*packages(), *scripts()],
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(OUT.read_text(encoding="utf-8") != bill())
    OUT.write_text(bill(), encoding="utf-8")
