"""What the project is made of, and what its own code may not do (S1, S2, S4)."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CODE = [*sorted((ROOT / "app").rglob("*.py")), *sorted((ROOT / "models").rglob("*.py"))]
DECISIONS = (
    "reading reveal served assignment allocation audit_event reading_correction case_exclusion "
    "prediction case_prediction reference_diagnosis consent membership protocol_version erasure"
)


def test_s1_the_bill_of_materials_is_that_of_the_locks() -> None:
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, ROOT / "docs" / "sbom.py", "--check"], cwd=ROOT, check=False, timeout=60
    )
    assert done.returncode == 0, "run `python docs/sbom.py`"
    bill = json.loads((ROOT / "docs" / "sbom.json").read_text())
    named = {component["name"] for component in bill["components"]}
    assert {"fastapi", "psycopg", "torch", "htmx"} <= named
    assert "pytest" not in named


# ---------------------------------------------------------------- rules of our own


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string of a module that is no docstring, with its line."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in documentation:
            yield node.lineno, node.value if isinstance(node.value, str) else ""


def changes_of_decisions(source: str) -> list[int]:
    """Lines with SQL that changes or removes a row which is a decision."""
    tables = "|".join(DECISIONS.split())
    change = re.compile(
        rf"\b(UPDATE|DELETE\s+FROM|TRUNCATE|MERGE\s+INTO)\s+({tables})\b", re.IGNORECASE
    )
    return [line for line, text in texts(ast.parse(source)) if change.search(text)]


def times_from_outside(source: str) -> list[int]:
    """Lines with SQL that would set a decision's time by the transaction's clock or a parameter."""
    tables = "|".join(DECISIONS.split())
    insert = re.compile(rf"INSERT\s+INTO\s+({tables})\b", re.IGNORECASE)
    clock = re.compile(
        r"(?i)\bnow\(\)|\b(current|local)_?timestamp\b|(locked|revealed|served)_at\b"
    )
    return [
        line
        for line, text in texts(ast.parse(source))
        if (found := insert.search(text)) and clock.search(text[found.end() :])
    ]


def late_commits(source: str) -> list[int]:
    """Lines where a connection is a dependency whose end comes after the answer was sent."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Subscript)
        and ast.unparse(node).startswith("Annotated[Connection, Depends(")
        and "scope='function'" not in ast.unparse(node)
    ]


def code_from_data(source: str) -> list[int]:
    """Lines that would run what a file holds: pickle and its like, torch.load, eval, exec."""
    wrong = {"torch.load", "eval", "exec", "joblib.load", "np.load", "numpy.load", "yaml.load"}
    found: list[int] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = {name.name.split(".")[0] for name in names}
            case ast.ImportFrom(module=str(module)):
                modules = {module.split(".")[0]}
            case ast.Call(func=function) if ast.unparse(function) in wrong:
                arguments = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                modules = set() if arguments.get("allow_pickle") == "False" else {"pickle"}
            case _:
                continue
        if modules & {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}:
            found.append(node.lineno)
    return found


def files_of_people(source: str) -> list[int]:
    """Lines that would send a file from disk by its path."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and node.id == "FileResponse"
    ]


def unpacked_files(source: str) -> list[int]:
    """Lines that would write what an archive holds to where it says."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in {"extractall", "unpack_archive"}
    ]


RULES = {
    changes_of_decisions: [
        'q = "UPDATE reading SET call = %s"',
        'q = """DELETE\n FROM audit_event"""',
        'q = f"TRUNCATE reveal {x}"',
    ],
    times_from_outside: [
        'q = "INSERT INTO reading (call, locked_at) VALUES (%s, %s)"',
        'q = "INSERT INTO reveal VALUES (now())"',
    ],
    late_commits: ["C = Annotated[Connection, Depends(_as_reader)]"],
    code_from_data: [
        "import pickle",
        "from joblib import load",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
    ],
    files_of_people: ["def show(path): return FileResponse(path)"],
    unpacked_files: ["zipfile.ZipFile(x).extractall(y)", "shutil.unpack_archive(x)"],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_s4_the_code_keeps_its_own_rules(rule: Callable[[str], list[int]]) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in CODE
        for line in rule(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("rule", "breach"),
    [(rule, breach) for rule, breaches in RULES.items() for breach in breaches],
    ids=lambda value: getattr(value, "__name__", value)[:40],
)
def test_s4_a_breach_of_a_rule_is_found(rule: Callable[[str], list[int]], breach: str) -> None:
    assert rule(breach) == [1]


# Who may speak over the network, and with whom: the addresses are settings, none is typed or sent.
CLIENTS = {
    "app/mail.py": {"smtplib"},  # the mail server
    "app/identity_provider.py": {"authlib", "requests"},  # the hospital's
    "app/storage.py": {"fsspec"},  # the object store
    "app/serving.py": {"socket"},  # the port that it listens on
}
NETWORK = {
    "aiohttp", "authlib", "boto3", "botocore", "ftplib", "fsspec", "http.client", "httpx",
    "httpx2", "pycurl", "requests", "s3fs", "smtplib", "socket", "telnetlib", "urllib.request",
    "urllib3", "websockets", "xmlrpc",
}  # fmt: skip


def clients(source: str) -> set[str]:
    """The modules imported that speak over a network."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
        found |= {one for one in NETWORK for name in names if f"{name}.".startswith(f"{one}.")}
    return found


def test_i8_only_these_modules_speak_over_the_network() -> None:
    """A page that fetched an address somebody typed would have to be one of them."""
    found = {
        str(path.relative_to(ROOT)): used
        for path in CODE
        if path.is_relative_to(ROOT / "app") and (used := clients(path.read_text("utf-8")))
    }
    assert found == CLIENTS
    assert clients("def f():\n    from urllib import request") == {"urllib.request"}


# Where a text is said to be HTML already: both are made of what cannot hold any.
HTML = {"app/web/markdown.py", "app/web/routes/second_factor.py"}


def test_s4_code_says_of_two_texts_only_that_they_are_html() -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in CODE
        if re.search(r"\bMarkup\(|HTMLResponse\(", path.read_text(encoding="utf-8"))
    }
    assert found - {"app/web/rendering.py"} == HTML


def test_s4_templates_escape_everything() -> None:
    unescaped = re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(")
    breaches = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "templates").rglob("*"))
        if path.is_file()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if unescaped.search(line)
    ]
    assert breaches == []
    assert unescaped.search("{{ text | safe }}")
