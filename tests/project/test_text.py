"""What the files of the project say: addresses, vendored scripts, templates."""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(sys.executable).parent
VENDOR = ROOT / "static" / "vendor"

# As their authors publish them; a changed byte, or another version, is noticed here.
VENDORED = {
    # htmx 4.0.1
    "htmx/htmx.min.js": "Qp9rdC8H7EqOoX+nR0P3RPG2Noji+qdwJlGpfzwQJsfOpp3sGwIdSP9xO3+UlEhn",
    # OpenSeadragon 6.1.1 without its last line, which names a source map that is not here
    "openseadragon/openseadragon.min.js": (
        "O9LQFtE4Q2w8ziqz3JQLAS34vYv/7gLihLjFV6pc1tdJ4d00RjJOsnTmm3QQwk21"
    ),
}

# The only addresses the project's own files name; no package registry is among them, because
# which one is used is the business of the machine.
HOSTS = {
    "127.0.0.1",
    "localhost",
    "creativecommons.org",  # matplotlib names it and purl.org in the metadata of an SVG
    "keepachangelog.com",
    "purl.org",
    "semver.org",
    "www.apache.org",
    "www.w3.org",
}


def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("this is no checkout: its files cannot be listed")
    done = subprocess.run(  # noqa: S603 - our own checkout
        [git, "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [path for name in done.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def is_known(host: str) -> bool:
    # A name without a dot is a placeholder or a service of docker-compose.yml.
    reserved = (".example.org", ".example", ".invalid", ".test")
    return host in HOSTS or "." not in host or host == "example.org" or host.endswith(reserved)


def test_files_name_no_address_but_those_listed() -> None:
    strange: list[str] = []
    for path in tracked():
        if VENDOR in path.parents:
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        hosts = re.findall(r"\b(?:https?|git|ssh|s3)://(?:[^\s/@\"']*@)?([A-Za-z0-9.-]+)", text)
        strange += [
            f"{path.relative_to(ROOT)}: {host}"
            for host in hosts
            if not is_known(host.rstrip(".").lower())
        ]
    assert strange == []


def test_s3_vendored_scripts_are_those_that_were_published() -> None:
    found = {
        path.relative_to(VENDOR).as_posix(): base64.b64encode(
            hashlib.sha384(path.read_bytes()).digest()
        ).decode()
        for path in VENDOR.rglob("*.js")
    }
    assert found == VENDORED


def test_every_vendored_script_has_its_licence_beside_it() -> None:
    for name in VENDORED:
        assert (VENDOR / name).with_name("LICENSE").is_file(), name


def lint(*paths: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own programs
        [str(PROGRAMS / "djlint"), "--lint", *map(str, paths)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_templates_keep_their_rules() -> None:
    done = lint(ROOT / "templates")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("rule", "breach"),
    [
        ("R001", "<script>start()</script>"),
        ("R002", "<style>p { color: red }</style>"),
        ("H021", '<p style="color: red">x</p>'),
        ("R003", '<button onclick="start()">x</button>'),
        ("R003", '<button hx-on:click="start()">x</button>'),
        ("R004", '<a href="javascript:start()">x</a>'),
        ("R004", '<div hx-vals="js:{a: 1}">x</div>'),
        ("R005", '<div hx-trigger="click[ctrlKey]">x</div>'),
        ("R006", '<link rel="prefetch" href="/readings">'),
        ("H006", '<img src="/static/icon.svg" alt="x">'),
    ],
)
def test_s4_what_the_policy_would_refuse_the_rules_refuse_first(
    rule: str, breach: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    page.write_text(f"{breach}\n")
    done = subprocess.run(  # noqa: S603 - our own programs
        [
            str(PROGRAMS / "djlint"),
            "--lint",
            "--configuration",
            str(ROOT / "pyproject.toml"),
            "--rules",
            str(ROOT / ".djlint_rules.yaml"),
            str(page),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"{rule} 1:" in done.stdout
