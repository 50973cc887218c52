"""`make languages`: bring every catalogue up to date with the texts of templates, app and static.

New texts come in untranslated, those that are gone are dropped. Nothing is guessed (no "fuzzy"
entries): a text that changed is translated anew. tests/project/test_catalogues.py asks for all.
"""

from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

from app.languages.catalogues import FOLDER

ROOT = FOLDER.parents[1]
# The sentence of a refusal is its first argument, that of a problem in a file its fourth.
REFUSALS = (
    "Refusal SignInNeeded NotAllowed PasswordNeeded SecondFactorNeeded NotFound Conflict TooLarge "
    "InvalidInput TooManyAttempts Unavailable BrokenOff AlreadyLocked FormUsed NotReady"
)
KEYWORDS = {
    **DEFAULT_KEYWORDS,
    "said": None,
    **dict.fromkeys(REFUSALS.split()),
    "Problem": (4,),
}
JINJA = {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}
# Of app/actions and app/domain: what speaks at a terminal alone.
AT_A_TERMINAL = (
    "analyse_file.py",
    "anchor_file.py",
    "audit_chain.py",
    "audit_table.py",
    "back_up.py",
    "backup.py",
    "convert_readings.py",
    "describe_cases.py",
    "output_files.py",
    "plan_power.py",
    "published_table.py",
    "register_training.py",
    "restore_backup.py",
    "simulate_readers.py",
    "training_images.py",
    "verify_files.py",
    "verify_pack.py",
)
# What pages can show; commands and models speak to people at a terminal, in English.
SOURCES: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    ("templates", "jinja2", "**.html", JINJA),
    ("static", "javascript", "*.js", {}),
    ("app/web", "python", "**.py", {}),
    ("app/actions", "python", "*.py", {}),
    ("app/domain", "python", "**.py", {}),
    ("app", "python", "image_source.py", {}),
    ("app", "python", "image_decoding.py", {}),
    ("app", "python", "imaging.py", {}),
    ("app", "python", "mail.py", {}),
    ("app", "python", "zip_*.py", {}),
    ("app/languages", "python", "elsewhere.py", {}),
    ("app", "python", "demo_tour.py", {}),
    ("app/languages", "python", "remarks.py", {}),
)


def texts_of_the_source() -> Catalog:
    """Return every text that is to be translated, with the file it stands in."""
    found = Catalog(project="reread")
    for folder, method, pattern, options in SOURCES:
        for path, _line, text, notes, context in extract_from_dir(
            ROOT / folder,
            [*((name, "ignore") for name in AT_A_TERMINAL), (pattern, method)],
            {pattern: options},
            keywords=KEYWORDS,
            comment_tags=["Translators:"],
        ):
            found.add(text, None, [(f"{folder}/{path}", 0)], auto_comments=notes, context=context)
    return found


def brought_up_to_date(path: Path) -> bytes:
    """Return a catalogue as it is to be: the texts of the source, and their translations so far."""
    with path.open("rb") as file:
        catalogue = read_po(file, locale=path.stem)
    catalogue.update(texts_of_the_source(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    # No dates and tools in the head: two people who translate would differ in them.
    catalogue.header_comment = f"# {catalogue.locale} for reread"
    written = BytesIO()
    write_po(
        written, catalogue, width=100, omit_header=False, sort_by_file=True, include_lineno=False
    )
    return _without_names_and_dates(written.getvalue())


def _without_names_and_dates(text: bytes) -> bytes:
    changing = (
        b'"POT-Creation-Date',
        b'"PO-Revision-Date',
        b'"Generated-By',
        b'"Report-Msgid',
        b'"Last-Translator',
        b'"Language-Team',
        b'"Project-Id-Version',
    )
    return b"".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(changing)
    )


if __name__ == "__main__":
    for each in sorted(FOLDER.glob("*.po")):
        each.write_bytes(brought_up_to_date(each))
