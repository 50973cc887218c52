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
