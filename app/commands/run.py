"""Long-running commands: the demonstration, the web server, the worker; and migrations."""

import argparse
import logging

from app.db.migrate import migrate as migrate_database
from app.demo import run_demo
from app.logs import start_logging
from app.running import running, unmigrated
from app.serving import refuse_taken_port
from app.serving import serve as run_server
from app.settings import LogForm, Settings

_SERVING: dict[LogForm, int] = {"text": logging.WARNING, "json": logging.INFO}


def demo(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the demonstration until Ctrl-C."""
    run_demo(settings, port=arguments.port)
    return 0


def serve(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the web application until Ctrl-C."""
    refuse_taken_port(arguments.host, arguments.port)
    address = settings.public_url or f"http://{arguments.host}:{arguments.port}"

    # People on one machine want no line a request; who asks for JSON reads it with a program.
    start_logging(settings.log_form, level=_SERVING[settings.log_form])

    def say() -> None:
        print(f"reread answers at {address} (Ctrl-C stops it).", flush=True)

    with running(settings) as on:
        run_server(on, host=arguments.host, port=arguments.port, ready=say)
    return 0


def worker(arguments: argparse.Namespace, settings: Settings) -> int:
    """Score images as they are asked for, until Ctrl-C."""
    from app.worker import load_scorer, run_worker  # torch: only where a model is needed

    start_logging(settings.log_form, level=logging.INFO)
    with running(settings) as on:
        scorer = load_scorer(
            on.database,
            on.storage,
            settings.model_folder,
            settings.precision,
            gpu=arguments.gpu,
        )
        print("The worker has loaded its model and waits for images (Ctrl-C stops it).", flush=True)
        run_worker(on.database, scorer, until_idle=False, progress=lambda _stored: None)
    return 0


def migrate(arguments: argparse.Namespace, settings: Settings) -> int:
    """Bring the database to the newest schema."""
    del arguments
    with unmigrated(settings) as administrator_url:
        migrate_database(administrator_url, secret=settings.secret)
    print("The database has the newest schema.")
    return 0
