"""How long the results page takes, on a study as large as the paper's with ten times its readers.

Builds a study in an embedded Postgres of its own: generated pictures of 64 x 64 pixels,
predictions drawn at random, simulated readers who go through the same actions as people. No
number of it says anything about skin cancer. Then it asks for the page, the numbers and each
figure over the application itself, and prints the seconds.

Run: `.venv/bin/python bench/results_page.py [--readers 20] [--cases 707]`; building takes minutes.
"""

# ruff: noqa: E402 - the path comes before the imports

import argparse
import contextlib
import csv
import hashlib
import io
import random
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python would find bench/statistics.py under the standard library's name.
sys.path[0] = str(ROOT)

import psycopg
from PIL import Image
from starlette.testclient import TestClient

from app.actions import design_study, manage_accounts
from app.actions.import_cases import import_cases
from app.actions.simulate_readers import Skill, simulate_readers
from app.db import predictions
from app.db.administrator import truth_of
from app.db.embedded import embedded_postgres
from app.db.migrate import migrate
from app.db.session import Database, Role
from app.db.studies import Study
from app.domain.access import Account, AccountRole
from app.image_source import open_image_source
from app.main import build_app
from app.settings import Settings
from app.storage import Storage

CODE = "simulated"
EMAIL, PASSWORD = "bench@example.org", "a password for measuring"
POSITIVE_SHARE = 0.14  # as in the paper: 99 of 707
ADDRESS = "http://127.0.0.1:8000"


def case_files(cases: int, side: int = 64) -> tuple[bytes, bytes]:
    """Make a case file with invented characteristics, and its ZIP of generated pictures."""
    chance = random.Random(1)  # noqa: S311 - no secret
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    names = "case_id image diagnosis diagnosis_confirm synthetic age sex anatom_site fitzpatrick"
    writer.writerow(names.split())
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(cases):
            bcc = number < POSITIVE_SHARE * cases
            age = min(95, max(18, round(chance.gauss(68 if bcc else 61, 12))))
            site = chance.choice(("face", "back", "arm", "chest"))
            made = (f"c{number:04}", f"p{number}.png", "BCC" if bcc else "SK", "generated", "yes")
            sex = chance.choice(("male", "female"))
            writer.writerow([*made, age, sex, site, chance.choice(("I", "II", "III", ""))])
            out = io.BytesIO()
            noise = Image.frombytes("RGB", (64, 64), chance.randbytes(3 * 64 * 64))
            noise.resize((side, side)).save(out, "PNG")
            archive.writestr(f"p{number}.png", out.getvalue())
    return table.getvalue().encode(), pack.getvalue()


def prepare(database: Database, url: str, storage: Storage, cases: int, side: int = 64) -> Account:
    """Make the study and open it; returns its coordinator."""
    with database.begin(Role.ACCOUNT, actor=None) as connection:
        cora = manage_accounts.add_account(
            connection,
            email=EMAIL,
            name="Bench coordinator",
            role=AccountRole.COORDINATOR,
            password=PASSWORD,
        )
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        design_study.create_study(
            connection, code=CODE, title="Simulated readers", demonstration=True, by=cora
        )
    study = found(database, cora)
    table, pack = case_files(cases, side)
    with open_image_source(io.BytesIO(pack), name="images.zip") as source:
        import_cases(
            database,
            study=study,
            csv=table,
            name="cases.csv",
            source=source,
            storage=storage,
            progress=said("cases"),
            by=cora,
        )
    predict(database, url, storage, study)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        design_study.open_study(connection, study=found(database, cora), by=cora)
    return cora


def build(database: Database, url: str, storage: Storage, readers: int, cases: int) -> Account:
    """Make the study and unblind it; returns its coordinator."""
    cora = prepare(database, url, storage, cases)
    study = found(database, cora)
    truth = truth_of(url, study.id)
    for number in range(1, readers + 1):
        simulate_readers(
            database,
            study=found(database, cora),
            truth=truth,
            readers=1,
            seed=number,
            skill=Skill(0.70 + 0.01 * number, 0.65 + 0.01 * number, 0.5),
            progress=said(f"reader {number} of {readers}"),
            by=cora,
        )
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        design_study.close_study(connection, study=found(database, cora), by=cora)
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        design_study.unblind_study(
            connection, study=found(database, cora), reason="To measure the page.", by=cora
        )
    return cora


def found(database: Database, cora: Account) -> Study:
    """Read the study as it is now."""
    with database.begin(Role.COORDINATOR, actor=cora.id) as connection:
        return design_study.find_study(connection, code=CODE)


def said(what: str) -> Callable[[int, int], None]:
    """Say a step once, as it begins."""
    print(f"  {what}", file=sys.stderr, flush=True)
    return lambda _done, _total: None


def predict(database: Database, url: str, storage: Storage, study: Study) -> None:
    """Give each case a probability drawn at random, higher for BCC; there is no model."""
    truth = truth_of(url, study.id)
    chance = random.Random(2)  # noqa: S311 - no secret
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (230, 120, 40, 90)).save(out, "PNG")
    with psycopg.connect(url, options="-c search_path=reread") as owner:
        images = owner.execute(
            "SELECT id, case_id FROM image WHERE study_id = %s", [study.id]
        ).fetchall()
    with database.begin(Role.WORKER, actor=None) as connection:
        version = predictions.register_model(
            connection,
            name="random numbers, for measuring",
            backbone="none",
            weights_sha256="0" * 64,
            preprocessing="none",
            threshold=0.5,
            map_scale=1.0,
            map_grid=(14, 14),
            demonstration=True,
            card="There is no model: the probabilities were drawn at random.",
        )
        for image, case in images:
            mean = 0.62 if truth[case].diagnosis == "BCC" else 0.38
            predictions.insert_prediction(
                connection,
                study=study.id,
                image=image,
                model_version=version,
                probability=min(0.99, max(0.01, chance.gauss(mean, 0.2))),
                overlay_key=storage.put(out.getvalue(), suffix=".png"),
                overlay_sha256=hashlib.sha256(out.getvalue()).hexdigest(),
                device="none",
            )
        predictions.insert_case_predictions(
            connection, cases=[case for _image, case in images], model_version=version
        )
    with psycopg.connect(url, options="-c search_path=reread") as owner:
        owner.execute("UPDATE study SET model_version_id = %s WHERE id = %s", [version, study.id])


def seconds(browser: TestClient, address: str) -> tuple[float, bytes]:
    """Ask once; RuntimeError for anything but an answer."""
    start = time.perf_counter()
    answer = browser.get(address)
    if answer.status_code != 200:  # noqa: PLR2004 - measured is only what answers
        raise RuntimeError(f"{address}: {answer.status_code}")
    return time.perf_counter() - start, answer.content


def measure(browser: TestClient) -> None:
    """Print the seconds of the page, first and again, of the numbers and of the figures."""
    page = f"/studies/{CODE}/results"
    first, content = seconds(browser, page)
    again = min(seconds(browser, page)[0] for _ in range(3))
    numbers, _ = seconds(browser, f"{page}/analysis.json")
    addresses = re.findall(r'<img src="([^"]+\.svg)"', content.decode())
    drawn = [seconds(browser, address)[0] for address in addresses]
    print(f"page, first after the start  {first:6.2f} s ({len(content) / 1e3:.0f} kB)")
    print(f"page, again                  {again:6.2f} s")
    print(f"analysis.json                {numbers:6.2f} s")
    print(
        f"{len(drawn)} figures, one by one     {sum(drawn):6.2f} s, the slowest {max(drawn):.2f} s"
    )


def main() -> None:
    """Build the study, or take the one that is there, and measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--cases", type=int, default=707)
    parser.add_argument("--data", help="keep the study in this folder, and use it again")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        made = asked.data or stack.enter_context(tempfile.TemporaryDirectory(prefix="reread-"))
        folder = Path(made).resolve()
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # as root the server runs as another user
        url = stack.enter_context(embedded_postgres(folder / "postgres"))
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("ALTER SYSTEM SET fsync = off")
            owner.execute("SELECT pg_reload_conf()")
        migrate(url, secret=None)
        database = Database(url, secret=None)
        stack.callback(database.close)
        built = folder / "built"
        if not built.exists():
            build(database, url, Storage(f"{folder}/files"), asked.readers, asked.cases)
            built.write_text(f"{asked.readers} simulated readers x {asked.cases} cases x 2")
        print(built.read_text())
        measure(browser_of(database, folder))


def browser_of(database: Database, folder: Path) -> TestClient:
    """Sign the coordinator in."""
    settings = Settings.from_environment({"REREAD_STORAGE": f"{folder}/files"})
    browser = TestClient(
        build_app(settings, database),
        base_url=ADDRESS,
        headers={"Sec-Fetch-Site": "same-origin", "Origin": ADDRESS},
    )
    browser.post("/sign-in", data={"email": EMAIL, "password": PASSWORD})
    return browser


if __name__ == "__main__":
    main()
