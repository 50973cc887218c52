"""The command `reread`. `reread --help` lists what it does; each command has its own help."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg

from app import __version__
from app.commands.evaluate_options import add_evaluate_options, add_score_options
from app.commands.file_options import (
    add_analyse_options,
    add_audit_options,
    add_baseline_options,
    add_power_options,
)
from app.commands.model_options import add_train_options
from app.domain.errors import Refusal
from app.settings import BadSettingError, Settings

if TYPE_CHECKING:
    # Generic for the type checker only; the class itself takes no parameter at run time.
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001

# "module:function"; imported only when it runs, so that help is quick and `analyse` loads no web.
Command = str
STUDY = "the study's short name, for example bcc-2027"


def build_parser() -> argparse.ArgumentParser:
    """Build the command line with its help."""
    parser = argparse.ArgumentParser(
        prog="reread",
        description="Reader studies in dermatology with an AI that is shown only after the "
        "unaided call is locked. Where DATABASE_URL is not set, every command runs on an embedded "
        "PostgreSQL under .reread/ and stops it again if it started it.",
    )
    parser.add_argument("--version", action="version", version=f"reread {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_running(commands)
    _add_backups(commands)
    _add_study(commands)
    _add_models(commands)
    _add_files(commands)
    add_evaluate_options(
        _command(
            commands,
            "evaluate",
            "evaluate:evaluate",
            "Evaluate a model on a table of cases with diagnoses: accuracy, calibration, parts, "
            "maps and wrong calls, with intervals by patient.",
        )
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a refusal is a sentence on standard error and exit status 1."""
    # Being told to end is like Ctrl-C: what was started is stopped on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = build_parser().parse_args(arguments)
    # Before any command loads numpy: several BLAS threads on shared cores wait for each other
    # longer than these small matrices take on one.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    module, _, function = chosen.run.partition(":")
    try:
        command: Callable[[argparse.Namespace, Settings], int] = getattr(
            import_module(f"app.commands.{module}"), function
        )
        return command(chosen, Settings.from_environment(os.environ))
    except (Refusal, BadSettingError) as refusal:
        print(f"reread: {refusal}", file=sys.stderr)
        return 1
    except psycopg.OperationalError as error:
        print(f"reread: the database cannot be reached: {error}", file=sys.stderr)
        url = os.environ.get("DATABASE_URL")
        if url and not urlsplit(url).username:
            # All who connect by themselves are the administrator; the roles have their pools.
            print(
                f"reread {chosen.command} needs the administrator's user and password in "
                "DATABASE_URL.",
                file=sys.stderr,
            )
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130


def _command(
    commands: "_Commands", name: str, run_it: Command, about: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run_it)
    return parser


def _add_running(commands: "_Commands") -> None:
    demo = _command(
        commands, "demo", "run:demo", "Start the demonstration: study, worker and web application."
    )
    demo.add_argument("--port", type=int, default=8000, help="port of the web page (8000)")
    serve = _command(commands, "serve", "run:serve", "Start the web application.")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="port to listen on (8000)")
    worker = _command(
        commands, "worker", "run:worker", "Start a worker, which scores images with the model."
    )
    worker.add_argument(
        "--gpu",
        type=int,
        metavar="N",
        help="the number of the GPU, from 0 (without it: the first there is, or the processor)",
    )
    _command(commands, "migrate", "run:migrate", "Bring the database to the newest schema.")
    add_user = _command(
        commands,
        "add-user",
        "people:add_user",
        "Make an account. The password is asked for, or read from standard input.",
    )
    add_user.add_argument(
        "role", choices=["reader", "coordinator", "administrator"], help="what the account is for"
    )
    add_user.add_argument("email", help="the e-mail address to sign in with")
    add_user.add_argument("name", help="the person's name, in quotes")
    reset = _command(
        commands,
        "reset-password",
        "people:reset_password",
        "Print a link with which somebody who lost the password sets a new one.",
    )
    reset.add_argument("email", help="the address the account signs in with")
    reset.add_argument(
        "--address",
        default="http://127.0.0.1:8000",
        help="of the site, where REREAD_PUBLIC_URL is not set (http://127.0.0.1:8000)",
    )
    erase = _command(
        commands,
        "erase-person",
        "people:erase_person",
        "Remove a person's name and address from the database and its log; the readings stay.",
    )
    erase.add_argument("email", help="the e-mail address of the account")
    erase.add_argument("--reason", required=True, help="why, for the log; without the name")


def _add_backups(commands: "_Commands") -> None:
    backup = _command(
        commands,
        "backup",
        "backups:backup",
        "Write database, images and maps of one moment into a folder, with their SHA-256 and the "
        "heads of all logs.",
    )
    backup.add_argument("folder", help="the folder to make")
    restore = _command(
        commands,
        "restore",
        "backups:restore",
        "Bring a backup into an empty place, to the newest schema, and prove log, rows, guards and "
        "files.",
    )
    restore.add_argument("folder", help="a folder written by reread backup")


def _add_study(commands: "_Commands") -> None:
    import_ = _command(
        commands,
        "import",
        "studies:import_",
        "Import cases into a study that is a draft; all of them, or nothing and a list of what to "
        "mend. Understands reread's own columns, the ISIC archive's and PAD-UFES-20's.",
    )
    import_.add_argument("cases", help="the table of cases (CSV), one row an image")
    import_.add_argument("--study", required=True, help=f"{STUDY}; a new draft if there is none")
    import_.add_argument("--images", required=True, help="the folder or ZIP file of the images")
    import_.add_argument(
        "--dry-run", action="store_true", help="only check: list every problem, import nothing"
    )
    import_.add_argument(
        "--attested",
        action="store_true",
        help="say that somebody looked at every picture: no face, name, date or other text that "
        "tells who the patient is; needed for the import, and kept in the log",
    )
    score = _command(
        commands,
        "score",
        "evaluate:score",
        "Let the model score all images of a draft, here and now; or, with a table of cases, let a "
        "model folder score its images without a study.",
    )
    add_score_options(score, STUDY)
    simulate = _command(
        commands,
        "simulate",
        "studies:simulate",
        "Let simulated readers read an open study; they are marked as simulated everywhere.",
    )
    simulate.add_argument("study", help=STUDY)
    simulate.add_argument("--readers", type=int, default=2, help="how many (2)")
    simulate.add_argument("--seed", type=int, default=1, help="the same seed, the same calls (1)")
    simulate.add_argument(
        "--sensitivity", type=float, default=0.80, help="for BCC, before the AI (0.80)"
    )
    simulate.add_argument(
        "--specificity", type=float, default=0.75, help="for SK, before the AI (0.75)"
    )
    simulate.add_argument(
        "--reliance", type=float, default=0.5, help="how much it follows the AI: 0 not at all (0.5)"
    )
    export = _command(
        commands,
        "export",
        "studies:export",
        "Write an unblinded study's pack: readings, cases, predictions, orders, results, figures, "
        "log, and what a manuscript needs beside them.",
    )
    export.add_argument("study", help=STUDY)
    export.add_argument(
        "--out", required=True, help="the ZIP file (a name in .zip) or the folder to write"
    )
    export.add_argument(
        "--without-overlays", action="store_true", help="leave the Grad-CAM maps out"
    )
    for command in (import_, score, simulate, export):
        command.add_argument(
            "--coordinator", metavar="EMAIL", help="for whom, where there are several coordinators"
        )
    verify = _command(
        commands,
        "verify",
        "proofs:verify",
        "Prove that no call was altered and that every reveal came after its locked call.",
    )
    verify.add_argument(
        "target", help="a pack (ZIP file or folder) written by reread export, or a study's name"
    )
    verify.add_argument(
        "--anchor",
        action="append",
        default=[],
        metavar="NUMBER:HASH",
        help="a head of the log noted at an earlier time; may be given several times",
    )
    verify.add_argument(
        "--anchors", metavar="FILE", help="a file of such heads, as reread anchor writes it"
    )
    verify.add_argument(
        "--files",
        action="store_true",
        help="also compare a study's images and maps on disk with their SHA-256",
    )
    verify.add_argument(
        "--public-key",
        metavar="KEY",
        help="the key (ed25519:...) that must have signed the pack's head, or each kept anchor",
    )
    allocation = _command(
        commands,
        "allocation",
        "allocation:allocation",
        "Derive every reader's order again from the seed: case, arm, session and occasion.",
    )
    allocation.add_argument("verify", choices=["verify"], help="what to do with it")
    allocation.add_argument("target", help="a pack (ZIP file or folder), or a study's name")
    anchor = _command(
        commands,
        "anchor",
        "proofs:anchor",
        "Print the head of a study's log, to be kept outside as an anchor of later checks.",
    )
    anchor.add_argument("study", help=STUDY)
    anchor.add_argument("--to", metavar="FILE", help="append it to this file as well")
    signing_key = _command(
        commands,
        "signing-key",
        "proofs:signing_key",
        "Make a key that signs heads of the log, and print its public half.",
    )
    signing_key.add_argument("file", help="where the private key goes; never overwritten")


def _add_models(commands: "_Commands") -> None:
    add_train_options(
        _command(
            commands,
            "train",
            "models:train",
            "Train a model (CoOp on a frozen CLIP) on a table of cases, split by patient. "
            "Interrupted, the same command goes on where it was.",
        )
    )


def _add_files(commands: "_Commands") -> None:
    add_analyse_options(
        _command(
            commands,
            "analyse",
            "files:analyse",
            "Compute AUC, sensitivity, specificity, NRI and IDI from a file of readings alone.",
        )
    )
    add_baseline_options(
        _command(
            commands,
            "baseline",
            "files:baseline",
            "Compare age, sex, site and other characteristics of the cases between two groups.",
        )
    )
    add_power_options(
        _command(
            commands,
            "power",
            "files:power",
            "Compute the power of a study for numbers of readers and of cases, and how many cases "
            "reach a target, from a pilot (Hillis, Obuchowski and Berbaum 2011).",
        )
    )
    add_audit_options(
        _command(
            commands,
            "audit-table",
            "files:audit_table",
            "Find the tables of whole numbers that give a published sensitivity, specificity, PPV, "
            "NPV and AUC, and say which figures cannot be true together.",
        )
    )


if __name__ == "__main__":
    sys.exit(main())
