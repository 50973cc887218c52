"""Refusals that no page and no action leads to: what is left when all before them is gone (S7).

Written as the owner of the tables, in somebody's name; each in a transaction that is rolled back.
"""

import psycopg
import pytest

from tests.conftest import Cast

TOKEN = """INSERT INTO api_token (account_id, name, scopes, token_sha256, created_at, expires_at)
    VALUES ('{account}', 'x', '{{read}}', sha256('x'), now(), now() + interval '1 day')"""
ORDER = """INSERT INTO allocation SELECT (jsonb_populate_record(NULL::allocation,
    to_jsonb(a) || '{{"{column}": {value}}}')).* FROM allocation a WHERE reader_id = '{rita}'"""

CLOSE = "UPDATE study SET state = 'closed', closed_by = '{cora}'"
EXCLUDE = """INSERT INTO case_exclusion (case_id, study_id, reason)
    SELECT a.case_id, a.study_id, 'No lesion.' FROM assignment a
    WHERE a.reader_id = '{rita}' AND a.position = 1"""
SERVE = """INSERT INTO served (assignment_id, study_id, reader_id)
    SELECT id, study_id, reader_id FROM assignment WHERE reader_id = '{rita}' AND position = 1"""
CALL = """INSERT INTO reading (assignment_id, study_id, reader_id, phase, call, confidence,
        submission_id)
    SELECT id, study_id, reader_id, 'unaided', 'BCC', 70, gen_random_uuid() FROM assignment
    WHERE reader_id = '{rita}' AND position = 1"""

# name -> whose name, the statements of which the last one is refused, how
REFUSED: dict[str, tuple[str, list[str], str]] = {
    "a token in another's name": (
        "cora",
        [TOKEN.format(account="{olga}")],
        "made by the one it acts for",
    ),
    "a token gets another scope": (
        "cora",
        [TOKEN.format(account="{cora}"), "UPDATE api_token SET scopes = '{{export}}'"],
        "A token does not change",
    ),
    "a token is given back": (
        "cora",
        [
            TOKEN.format(account="{cora}"),
            "UPDATE api_token SET revoked_at = now()",
            "UPDATE api_token SET revoked_at = NULL",
        ],
        "one that was revoked stays so",
    ),
    "a study that begins open": (
        "cora",
        [
            """INSERT INTO study (code, title, seed, allocation_algorithm, created_by, state)
               SELECT 'other', 'Other', 1, allocation_algorithm, '{cora}', 'open' FROM study"""
        ],
        "A study begins as a draft",
    ),
    "a profile in another's name": (
        "rolf",
        [
            """INSERT INTO reader_profile
                   (study_id, reader_id, years_experience, specialty, training)
               SELECT id, '{rita}', 1, 'dermatology', 'board certified' FROM study"""
        ],
        "Readers say themselves who they are",
    ),
    "a link for a new password is used again": (
        "",
        [
            """INSERT INTO password_reset (account_id, token_sha256, created_at, expires_at)
               VALUES ('{rita}', sha256('x'), now(), now() + interval '1 hour')""",
            "UPDATE password_reset SET used_at = now()",
            "UPDATE password_reset SET used_at = NULL",
        ],
        "one that was used stays so",
    ),
    "an order by another algorithm": (
        "",
        [ORDER.format(column="algorithm", value='"sha256-sort-1"', rita="{rita}")],
        "drawn by the algorithm of its study",
    ),
    "an order with the number of another": (
        "",
        [ORDER.format(column="reader_number", value="99", rita="{rita}")],
        "Another order was drawn at the same moment",
    ),
    "an exclusion by a coordinator of nothing here": (
        "olga",
        [
            """INSERT INTO case_exclusion (case_id, study_id, reason)
               SELECT id, study_id, 'No lesion.' FROM study_case LIMIT 1"""
        ],
        "Only a coordinator of the study does this",
    ),
    "a consent in another's name": (
        "cora",
        [
            """INSERT INTO consent_text (study_id, text, written_by)
               SELECT id, 'I take part of my own will.', '{cora}' FROM study""",
            """INSERT INTO consent (study_id, reader_id, consent_text_id)
               SELECT study_id, '{rita}', id FROM consent_text""",
        ],
        "Consent is given by the reader",
    ),
    "matches acknowledged when nobody reads any more": (
        "cora",
        [
            CLOSE,
            """INSERT INTO seen_before_acknowledgement
                   (study_id, matches, matches_sha256, reason, author, made_at)
               SELECT id, 1, repeat('0', 64), 'looked at', created_by, now() FROM study""",
        ],
        "acknowledged before cases are read",
    ),
    "a diagnosis that comes after closing": (
        "cora",
        [
            CLOSE,
            """INSERT INTO reference_diagnosis (case_id, study_id, diagnosis, source, recorded_by)
               SELECT id, study_id, 'SK', 'late', '{cora}' FROM study_case LIMIT 1""",
        ],
        "is closed: its cases and predictions are frozen",
    ),
    "an addition of nothing": (
        "cora",
        ["INSERT INTO case_addition (study_id, reason) SELECT id, 'More.' FROM study"],
        "has no cases that wait to be added",
    ),
    "a consent text in another's name": (
        "cora",
        [
            """INSERT INTO consent_text (study_id, text, written_by)
               SELECT id, 'I take part.', '{olga}' FROM study"""
        ],
        "written by the one who does it",
    ),
    "a copy of what is another's": (
        "olga",
        ["INSERT INTO study_copy (study_id, copy_id) SELECT id, id FROM study"],
        "Only a coordinator of both studies",
    ),
    "an exclusion of what is excluded": ("cora", [EXCLUDE, EXCLUDE], "is excluded already"),
    "a part that is ended in another's name": (
        "cora",
        [
            """INSERT INTO membership (study_id, account_id, role, active, reason, changed_by)
               SELECT id, '{rita}', 'reader', false, 'Fell ill.', '{olga}' FROM study"""
        ],
        "ended or given back by the one who does it",
    ),
    "a link for a new password by a coordinator": (
        "cora",
        [
            """INSERT INTO password_reset
                   (account_id, token_sha256, made_by, created_at, expires_at)
               VALUES ('{rita}', sha256('x'), '{cora}', now(), now() + interval '1 hour')"""
        ],
        "made by an administrator",
    ),
    "an excluded case is served": (
        "cora",
        [EXCLUDE, "SELECT set_config('reread.actor', '{rita}', true)", SERVE],
        "not part of the study any more",
    ),
    "a map that was seen before the reveal": (
        "rita",
        [
            SERVE,
            CALL,
            """INSERT INTO viewing (reading_id, study_id, reader_id, map_milliseconds)
               SELECT id, study_id, reader_id, 1 FROM reading WHERE reader_id = '{rita}'""",
        ],
        "There is no map before the reveal",
    ),
    "nobody is erased": ("", ["SELECT erase_person(gen_random_uuid(), 'x')"], "no such account"),
}


@pytest.mark.parametrize("deed", REFUSED)
def test_s7_it_is_refused(open_copy: Cast, deed: str) -> None:
    name, statements, sentence = REFUSED[deed]
    people = {who: str(getattr(open_copy, who).id) for who in ("cora", "olga", "rita", "rolf")}
    with psycopg.connect(open_copy.database.url, options="-c search_path=reread") as owner:
        owner.execute("SELECT set_config('reread.actor', %s, true)", [people.get(name, "")])
        *before, last = [one.replace("{{", "{").replace("}}", "}") for one in statements]
        for who, account in people.items():
            before = [one.replace(f"{{{who}}}", account) for one in before]
            last = last.replace(f"{{{who}}}", account)
        for statement in before:
            owner.execute(statement)
        with pytest.raises(psycopg.Error, match=sentence):
            owner.execute(last)
        owner.rollback()
