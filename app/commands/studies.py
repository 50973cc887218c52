"""Commands on a study: import, score, simulate, export."""

import argparse
from pathlib import Path

from app.actions import design_study
from app.actions.export_pack import export_pack
from app.actions.import_cases import ImportReport, check_cases, import_cases, refuse_unattested
from app.actions.score_cases import request_scoring
from app.actions.simulate_readers import Skill, simulate_readers
from app.commands.people import find_coordinator
from app.commands.proofs import head_said
from app.db import studies
from app.db.administrator import truth_of
from app.db.session import Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, InvalidInput, NotFound, to_mend
from app.domain.study_states import state_in_words
from app.image_source import ImageSource, open_image_source
from app.progress import Progress
from app.running import Running, running
from app.settings import Settings
from app.signing import signer_at


def import_(arguments: argparse.Namespace, settings: Settings) -> int:
    """Import cases, or on a dry run list what must be mended first."""
    table = Path(arguments.cases)
    if not table.is_file():
        raise NotFound(f"There is no file {table}.")
    if not arguments.dry_run:
        refuse_unattested(attested=arguments.attested)
    run = _dry_run if arguments.dry_run else _import
    with running(settings) as on, open_image_source(Path(arguments.images)) as source:
        coordinator = find_coordinator(on, arguments.coordinator)
        try:
            report = run(on, arguments.study, coordinator, table, source)
        except InvalidInput as refusal:
            for problem in refusal.problems:
                print(problem)
            raise
    for problem in report.problems:
        print(problem)
    if report.problems:
        print(f"{to_mend(report.problems)}. Nothing was imported.")
        return 1
    for flag in report.flagged:
        print(f"look at this image: {flag}")
    print(f"{'Would import' if arguments.dry_run else 'Imported'}: {report.summary}")
    return 0


def score(arguments: argparse.Namespace, settings: Settings) -> int:
    """Score a draft's images here and now."""
    from app.worker import load_scorer, run_worker  # torch: only where a model is needed

    with running(settings) as on:
        coordinator = find_coordinator(on, arguments.coordinator)
        study = _find(on, arguments.target, coordinator)
        scorer = load_scorer(on.database, on.storage, settings.model_folder, settings.precision)
        with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
            request_scoring(connection, study=study, model_version=scorer.model_version)
            already = studies.counts_of(connection, study.id)
        done = already.scored_images
        with Progress(f"{study.code}: predictions and Grad-CAM") as progress:

            def show(stored: int) -> None:
                nonlocal done
                done += stored
                progress(done, already.images)

            run_worker(on.database, scorer, until_idle=True, progress=show)
        with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
            counts = studies.counts_of(connection, study.id)
    print(
        f"{study.code}: {counts.scored_images} of {counts.images} images and "
        f"{counts.scored_cases} of {counts.cases} cases have their prediction."
    )
    return 0 if counts.scored_cases == counts.cases else 1


def simulate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Let simulated readers read a study that is open."""
    skill = Skill(arguments.sensitivity, arguments.specificity, arguments.reliance)
    with running(settings) as on:
        coordinator = find_coordinator(on, arguments.coordinator)
        study = _find(on, arguments.study, coordinator)
        with Progress(f"{study.code}: simulated readings") as progress:
            simulate_readers(
                on.database,
                study=study,
                truth=truth_of(on.administrator_url, study.id),
                readers=arguments.readers,
                seed=arguments.seed,
                skill=skill,
                progress=progress,
                by=coordinator,
            )
    print(
        f"{arguments.readers} simulated readers have read {study.code}. They are marked as "
        "simulated wherever they show."
    )
    return 0


def export(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write an unblinded study's pack: a ZIP file or a folder."""
    signer = signer_at(settings.signing_key)
    with running(settings) as on:
        coordinator = find_coordinator(on, arguments.coordinator)
        study = _find(on, arguments.study, coordinator)
        if study.state != "unblinded":
            raise Conflict(
                f'The study "{study.code}" is {state_in_words(study.state)}. Readings with truth '
                "leave the system only after unblinding."
            )
        with on.database.begin(Role.ANALYST, actor=coordinator.id) as connection:
            made = export_pack(
                connection,
                study=study,
                storage=on.storage,
                path=Path(arguments.out),
                overlays=not arguments.without_overlays,
                signer=signer,
                by=coordinator,
            )
    print(f"{arguments.out}: {made.files} files")
    print(head_said(made.head))
    if signer:
        print(f"signed; check it offline with: reread verify --public-key {signer.public_key}")
    return 0


def _dry_run(
    on: Running, code: str, coordinator: Account, table: Path, source: ImageSource
) -> ImportReport:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        study = studies.study_by_code(connection, code)
    with Progress("Images checked") as progress:
        return check_cases(
            on.database,
            study=study,
            csv=table.read_bytes(),
            name=table.name,
            source=source,
            progress=progress,
            by=coordinator,
        )


def _import(
    on: Running, code: str, coordinator: Account, table: Path, source: ImageSource
) -> ImportReport:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        if studies.study_by_code(connection, code) is None:
            design_study.create_study(connection, code=code, title=code, by=coordinator)
            print(f'There was no study named "{code}": a draft was made.')
        study = design_study.find_study(connection, code=code)
    with Progress("Images imported") as progress:
        return import_cases(
            on.database,
            study=study,
            csv=table.read_bytes(),
            name=table.name,
            source=source,
            storage=on.storage,
            progress=progress,
            by=coordinator,
            attested=True,
        )


def _find(on: Running, code: str, coordinator: Account) -> Study:
    with on.database.begin(Role.COORDINATOR, actor=coordinator.id) as connection:
        return design_study.find_study(connection, code=code)
