"""The demonstration: a study of generated images, a worker, two readers and a coordinator."""

import subprocess
import time
from pathlib import Path

from app.actions import design_study
from app.actions.check_seen_before import acknowledge_seen_before, look_for_seen_before
from app.actions.draw_orders import enrol_reader
from app.actions.import_cases import import_cases
from app.actions.manage_accounts import add_account
from app.actions.score_cases import request_scoring
from app.actions.simulate_readers import Skill, simulate_readers
from app.db import accounts, studies
from app.db.administrator import truth_of
from app.db.session import Role
from app.db.studies import Study
from app.demo_tour import ADMINISTRATOR, COORDINATOR, PASSWORD, READERS, TOUR
from app.domain.access import Account
from app.domain.errors import Unavailable
from app.image_source import open_image_source
from app.progress import Progress
from app.running import Running, running
from app.serving import refuse_taken_port, serve, start_worker, stop_worker
from app.settings import Settings

CASES = Path(__file__).resolve().parents[1] / "demo"
# Two simulated readers of different strength, so that the results have something to show.
SKILLS = (Skill(0.78, 0.72, 0.6), Skill(0.86, 0.80, 0.3))
ALIKE = (
    "Demonstration: these generated pictures were drawn from other seeds than the model's. Among "
    "thousands of drawings a few look alike by chance."
)
MODEL_WAIT = 900.0  # seconds for a worker to load its model, on a machine with much else to do


def run_demo(settings: Settings, *, port: int) -> None:
    """Start everything, say where it is, and stop what was started on Ctrl-C."""
    host = "127.0.0.1"
    refuse_taken_port(host, port)
    print("Starting the database ...", flush=True)
    with running(settings) as on:
        log = settings.data_folder / "worker.log"
        worker = start_worker(log)
        try:
            prepare_demo(on, worker, log)
            serve(
                on,
                host=host,
                port=port,
                ready=lambda: _say(f"http://{host}:{port}"),
                on_tour=TOUR,
            )
        finally:
            stop_worker(worker)
    print("Stopped. `make demo` brings it back with the data as it was.")


def _say(address: str) -> None:
    print(
        f"""
reread runs at {address}   (Ctrl-C stops everything)

Begin with the tour: {address}/tour

  sign in as              e-mail                       password
  a reader                {READERS[0].email}         {PASSWORD}
  another reader          {READERS[1].email}         {PASSWORD}
  the coordinator         {COORDINATOR.email}     {PASSWORD}
  the administrator       {ADMINISTRATOR.email}   {PASSWORD}

Study "demo" is open: its images are generated, no patient's, and its model is a demonstration
that has never seen a patient. Study "demo-results" is unblinded: the coordinator sees its results
at once. The finished readers in both are simulated and marked so.
""",
        flush=True,
    )


def prepare_demo(on: Running, worker: subprocess.Popen[bytes], log: Path) -> None:
    """Create what is missing: accounts, the open study `demo`, the unblinded `demo-results`."""
    coordinator = _coordinator(on)
    study = _study(on, coordinator, code="demo", title="Demonstration: BCC or SK?")
    finished = _study(
        on, coordinator, code="demo-results", title="Demonstration: a study already unblinded"
    )
    for made in (study, finished):
        _import(on, made, coordinator)
        _score(on, made, coordinator, worker, log)
        _open(on, made, coordinator)
        _simulate(on, made, coordinator)
    _unblind(on, finished, coordinator)


def _coordinator(on: Running) -> Account:
    for person in TOUR.people:
        with on.database.begin(Role.ACCOUNT, actor=None) as connection:
            if accounts.credentials_of(connection, person.email) is None:
                add_account(
                    connection,
                    email=person.email,
                    name=person.name,
                    role=person.role,
                    password=PASSWORD,
                )
    with on.database.begin(Role.ACCOUNT, actor=None) as connection:
        found = accounts.credentials_of(connection, COORDINATOR.email)
    if found is None:
        raise Unavailable("The demonstration's coordinator could not be made.")
    return found.account


def _study(on: Running, coordinator: Account, *, code: str, title: str) -> Study:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        if studies.study_by_code(connection, code) is None:
            design_study.create_study(
                connection, code=code, title=title, demonstration=True, by=coordinator
            )
        return design_study.find_study(connection, code=code)


def _import(on: Running, study: Study, coordinator: Account) -> None:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        if studies.counts_of(connection, study.id).cases:
            return
    with Progress(f"{study.code}: importing") as progress, open_image_source(CASES) as source:
        import_cases(
            on.database,
            study=study,
            csv=(CASES / "cases.csv").read_bytes(),
            name="demo/cases.csv",
            source=source,
            storage=on.storage,
            progress=progress,
            by=coordinator,
        )


def _score(
    on: Running, study: Study, coordinator: Account, worker: subprocess.Popen[bytes], log: Path
) -> None:
    """Ask for predictions and wait until the worker has made them all."""
    with Progress(f"{study.code}: predictions and Grad-CAM") as progress:
        began = time.monotonic()
        asked = False
        while True:
            with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
                counts = studies.counts_of(connection, study.id)
                if counts.scored_cases == counts.cases:
                    return
                models = studies.model_versions(connection)
                if models and not asked:
                    now = design_study.find_study(connection, code=study.code)
                    request_scoring(connection, study=now, model_version=models[0].id)
                    asked = True
            progress(counts.scored_images, counts.images)
            if worker.poll() is not None:
                raise Unavailable(f"The worker ended by itself. Its log says why: {log}")
            if not models and time.monotonic() - began > MODEL_WAIT:
                raise Unavailable(f"The worker has not loaded its model. Its log: {log}")
            time.sleep(0.2)


def _open(on: Running, study: Study, coordinator: Account) -> None:
    """Open a draft; the demonstration's people read in the one that stays open."""
    if study.state != "draft":
        return
    if study.code == "demo":
        with on.database.begin(Role.ACCOUNT, actor=None) as connection:
            for reader in READERS:
                found = accounts.credentials_of(connection, reader.email)
                if found is not None:
                    enrol_reader(connection, study=study.id, reader=found.id)
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        seen = look_for_seen_before(connection, study=study)
        if seen.matches:
            acknowledge_seen_before(
                connection,
                study=study,
                matches_sha256=seen.matches_sha256,
                reason=ALIKE,
                by=coordinator,
            )
        design_study.open_study(connection, study=study, by=coordinator)


def _simulate(on: Running, study: Study, coordinator: Account) -> None:
    """Let the simulated readers read; those that are finished have nothing left to do."""
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        now = design_study.find_study(connection, code=study.code)
    if now.state != "open":
        return
    truth = truth_of(on.administrator_url, study.id)
    for number, skill in enumerate(SKILLS, start=1):
        with Progress(f"{study.code}: simulated reader {number}") as progress:
            simulate_readers(
                on.database,
                study=now,
                truth=truth,
                readers=1,
                seed=number,
                skill=skill,
                progress=progress,
                by=coordinator,
            )


def _unblind(on: Running, study: Study, coordinator: Account) -> None:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        now = design_study.find_study(connection, code=study.code)
        if now.state == "open":
            design_study.close_study(connection, study=now, by=coordinator)
            now = design_study.find_study(connection, code=study.code)
        if now.state != "unblinded":
            design_study.unblind_study(
                connection,
                study=now,
                reason="Demonstration: to show results at once.",
                by=coordinator,
            )
