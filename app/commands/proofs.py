"""Commands that prove: verify a pack or a study, and keep heads of the log outside."""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

from app.actions.verify_files import count_files, verify_files
from app.actions.verify_pack import Verdict, study_of_pack, verify_pack
from app.actions.verify_study import verify_study
from app.db.administrator import head_of, records_of
from app.domain.anchor_file import anchor_line, moment, parse_anchor, read_anchors
from app.domain.audit_chain import Anchor
from app.domain.errors import InvalidInput, NotFound
from app.progress import Progress
from app.running import running
from app.settings import Settings
from app.signing import is_signed, make_key, signer_at


def verify(arguments: argparse.Namespace, settings: Settings) -> int:
    """Prove a pack (offline) or a study in the database."""
    given = [parse_anchor(text) for text in arguments.anchor]
    path = Path(arguments.target)
    # A folder may happen to be named like a study, as demo/ is here.
    if path.is_file() or (path / "manifest.json").is_file():
        if arguments.files:
            raise InvalidInput("--files is for a study in the database; a pack is checked whole.")
        try:
            kept = _kept(arguments, study_of_pack(path)) if arguments.anchors else ()
            verdict = verify_pack(path, anchors=given, kept=kept, public_key=arguments.public_key)
        except InvalidInput as refusal:
            for problem in refusal.problems:  # what is wrong with a ZIP file, entry by entry
                print(problem)
            raise
        return say_verdict(verdict)
    if arguments.public_key and not arguments.anchors:
        raise InvalidInput("--public-key is for a pack, or for a file of anchors (--anchors).")
    with running(settings) as on:
        records = records_of(on.administrator_url, arguments.target)
        if records is None:
            raise NotFound(f"{arguments.target} is neither a pack nor a study.")
        if arguments.anchors:
            given += _kept(arguments, arguments.target)
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
    signer, now = signer_at(settings.signing_key), datetime.now(UTC)
    signature = signer.sign(arguments.study, head, at=moment(now)) if signer else ""
    line = anchor_line(arguments.study, head, at=now, signature=signature)
    if arguments.to:
        _append(Path(arguments.to), line)
    print(line, end="")
    return 0


def signing_key(arguments: argparse.Namespace, _settings: Settings) -> int:
    """Make a key that signs heads of the log, and print its public half."""
    made = make_key(Path(arguments.file))
    print(f"public key (make it known, for example with the protocol): {made.public_key}")
    print(f"Set REREAD_SIGNING_KEY={arguments.file} for web application and commands.")
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


def _kept(arguments: argparse.Namespace, study: str) -> tuple[Anchor, ...]:
    file: str = arguments.anchors
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise InvalidInput(f"{file} cannot be read as a file of anchors: {fault}.") from fault
    found = read_anchors(text, study=study, name=file)
    if not found:
        raise InvalidInput(f'{file} holds no anchor of the study "{study}".')
    key: str | None = arguments.public_key
    for head in found if key else ():
        if not is_signed(key or "", study, head.anchor, head.signature, at=head.at):
            raise InvalidInput(
                f"{file}: the head {head.anchor.seq} of {head.at} is not signed by {key}: "
                "it is no anchor of this installation."
            )
    return tuple(head.anchor for head in found)


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
