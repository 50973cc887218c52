"""Commands that prove: verify a pack or a study, and keep heads of the log outside."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from app.actions.verify_files import count_files, verify_files
from app.actions.verify_pack import Verdict, study_of_pack, verify_pack
from app.actions.verify_study import verify_study
from app.db.administrator import head_of, records_of
from app.domain.anchor_file import anchor_line, parse_anchor, read_anchors
from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput, NotFound
from app.progress import Progress
from app.running import running
from app.settings import Settings


def verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Prove a pack (offline) or a study in the database."""
    given = [parse_anchor(text) for text in arguments.anchor]
    path = Path(arguments.target)
    # A folder may happen to be named like a study, as demo/ is here.
    if path.is_file() or (path / "manifest.json").is_file():
        if arguments.files:
            raise InvalidInput("--files is for a study in the database; a pack is checked whole.")
        kept = _kept(arguments.anchors, study_of_pack(path)) if arguments.anchors else ()
        return say_verdict(verify_pack(path, anchors=given, kept=kept))
    with running(settings) as on:
        records = records_of(on.administrator_url, arguments.target)
        if records is None:
            raise NotFound(f"{arguments.target} is neither a pack nor a study.")
        if arguments.anchors:
            given += _kept(arguments.anchors, arguments.target)
        verdict = verify_study(records, anchors=given)
        if arguments.files:
            with Progress("Files compared") as progress:
                found = verify_files(records, on.storage, progress=progress)
            said = f"{count_files(records)} files of images and maps against their SHA-256"
            verdict = Verdict((*verdict.checked, said), (*verdict.problems, *found), verdict.head)
    return say_verdict(verdict)


def anchor(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print the head of a study's log, and append it to a file that is kept outside."""
    with running(settings) as on:
        head = head_of(on.administrator_url, arguments.study)
    if head is None:
        raise NotFound(f'There is no study named "{arguments.study}".')
    line = anchor_line(arguments.study, head, at=datetime.now(UTC))
    if arguments.to:
        _append(Path(arguments.to), line)
    print(line, end="")
    return 0


def say_verdict(verdict: Verdict) -> int:
    """Print what was checked and what is wrong; returns the exit status."""
    for sentence in verdict.checked:
        print(f"checked: {sentence}")
    for problem in verdict.problems:
        print(f"PROBLEM: {problem}")
    print(head_said(verdict.head))
    print("Something is wrong." if verdict.problems else "Everything holds.")
    return 1 if verdict.problems else 0


def head_said(head: Anchor) -> str:
    """Say a head of a log as it is to be noted."""
    return f"head of the log (keep it outside, as an anchor): {head.seq}:{head.hash}"


def _kept(file: str, study: str) -> tuple[Anchor, ...]:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"{file} cannot be read as a file of anchors: {fault}.") from fault
    found = read_anchors(text, study=study, name=file)
    if not found:
        raise InvalidInput(f'{file} holds no anchor of the study "{study}".')
    return found


def _append(path: Path, line: str) -> None:
    """Append one line in one write, and force it to disk."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as fault:
        raise InvalidInput(f"{path} cannot be written: {fault.strerror}.") from fault
