"""The web process holds no model: neither torch nor our own models package (S2)."""

import subprocess
import sys

BUILD = """
import sys
from app.db.session import Database
from app.main import build_site
from app.settings import Settings

settings = Settings.from_environment({})
build_site(settings, Database("postgresql://nobody@localhost/nothing", secret=None))
heavy = {name.split(".")[0] for name in sys.modules} & {
    "torch", "torchvision", "open_clip", "safetensors", "timm", "models", "app.worker"
}
assert "fastapi" in sys.modules
print(sorted(heavy))
"""


def test_s2_building_the_web_application_loads_no_model_code() -> None:
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-W", "error", "-c", BUILD],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"
