"""What each database role may do: the whole list, and the refusals tried one by one (B2, B8, L2).

The list is written out so that every new right is a change to this file, seen in a review.
"""

import psycopg
import pytest

from app.db.session import Role
from tests.conftest import Cast
from tests.reading.steps import finish, lock, superuser, unblind

ALL = "*"


def names(words: str) -> list[str]:
    return words.split()


def whole(tables: str) -> dict[str, str]:
    """These tables with every column."""
    return dict.fromkeys(names(tables), ALL)


DESIGN = (
    "design unaided_only_percent washout_days show_probability show_label show_overlay "
    "ask_management ask_comment log_zoom show_performance repeats cases_per_sitting "
    "analysed_readings confidence_scale"
)

EXTENSION = "enrolment_id study_id reader_id number cases order_sha256"

# role -> right -> table -> columns ("*": every one). What is not here is refused.
RIGHTS = {
    "reread_account": {
        "SELECT": {
            "account": ALL,
            "allocation": ALL,
            "api_token": ALL,
            "assignment": ALL,
            "chosen_language": ALL,
            "enrolment": ALL,
            "invitation": ALL,
            "known_device": ALL,
            "passkey": ALL,
            "passkey_challenge": ALL,
            "password_reset": ALL,
            "pending_sign_in": ALL,
            "provider_identity": ALL,
            "provider_sign_in": ALL,
            "recovery_code": ALL,
            "second_factor": ALL,
            "sign_in_failure": ALL,
            "sign_in_session": ALL,
            "study": "id code title state seed allocation_algorithm design unaided_only_percent "
            "repeats opened_at",
            "study_case": "id study_id purpose addition",
            "case_addition": "study_id number added_at",
            "order_extension": "enrolment_id number",
            "case_exclusion": "id case_id study_id made_at",
            "case_readmission": "exclusion_id case_id study_id",
            "standing_exclusion": ALL,
        },
        "INSERT": {
            **whole(
                "account allocation assignment chosen_language coordinator enrolment invitation "
                "known_device passkey_challenge pending_sign_in provider_sign_in recovery_code "
                "second_factor sign_in_failure sign_in_session"
            ),
            "provider_identity": "issuer subject account_id",
            "passkey": "account_id credential_id public_key sign_count name made_at",
            "password_reset": "account_id token_sha256 made_by created_at expires_at",
            "api_token": "account_id name scopes token_sha256 created_at expires_at",
            "membership": "study_id account_id role active reason changed_by",
            "order_extension": EXTENSION,
        },
        "UPDATE": {
            **whole(
                "account chosen_language invitation known_device pending_sign_in sign_in_session"
            ),
            "second_factor": "secret made_at confirmed_at last_step",
            "passkey": "sign_count used_at",
            "api_token": "last_used_at revoked_at",
            "password_reset": "used_at",
            "recovery_code": "used_at",
            "sign_in_failure": "pending",
        },
        "DELETE": whole(
            "known_device passkey passkey_challenge pending_sign_in provider_identity "
            "provider_sign_in second_factor sign_in_failure sign_in_session"
        ),
    },
    "reread_reader": {
        "SELECT": {
            **whole("allocation consent consent_text enrolment membership"),
            "assignment": "id enrolment_id study_id reader_id case_id position session purpose",
            "case_exclusion": "id case_id study_id made_at",
            "case_readmission": "exclusion_id case_id study_id",
            "standing_exclusion": ALL,
            "image": "id study_id case_id position modality storage_key width height synthetic "
            "mm_per_pixel",
            "reader_profile": ALL,
            "reading": ALL,
            "reading_keys": ALL,
            "reveal": "assignment_id study_id reader_id revealed_at",
            "served": ALL,
            "study": "id code title instructions positive_class state demonstration design "
            "washout_days confidence_scale ask_management ask_comment log_zoom cases_per_sitting",
        },
        "INSERT": {
            "consent": "study_id reader_id consent_text_id",
            "reader_profile": "study_id reader_id years_experience specialty training",
            "reading": "assignment_id study_id reader_id phase call confidence submission_id "
            "active_milliseconds management comment",
            "reading_keys": ALL,
            "served": "assignment_id study_id reader_id",
            "viewing": ALL,
        },
        "UPDATE": {"reading_keys": "single_keys keys pause_minutes"},
    },
    "reread_coordinator": {
        "SELECT": {
            "account": "id email name role simulated created_at disabled_at",
            "allocation": ALL,
            "assignment": ALL,
            "case_prediction": "id study_id case_id model_version_id predicted_at",
            **whole("consent consent_text coordinator enrolment image membership reader_profile"),
            "chosen_language": ALL,
            "invitation": "id study_id email invited_by created_at expires_at accepted_by "
            "accepted_at role",
            "model_version": ALL,
            "prediction": "id study_id image_id model_version_id predicted_at",
            "reading": "id assignment_id study_id reader_id phase active_milliseconds locked_at",
            "reference_diagnosis": "case_id study_id source recorded_at diagnosed_on",
            "reveal": "assignment_id study_id reader_id revealed_at",
            "seen_before_acknowledgement": ALL,
            "served": ALL,
            "study": ALL,
            "study_case": ALL,
            "training_list": ALL,
            **whole("protocol_version case_exclusion washout_override case_readmission"),
            **whole("standing_exclusion study_copy"),
            **whole("case_addition order_extension"),
            "reading_correction": "id reading_id study_id kind reason author made_at",
        },
        "INSERT": {
            "seen_before_acknowledgement": "study_id matches_sha256 reason",
            **whole("allocation assignment coordinator enrolment image invitation"),
            # Neither copied_from nor a time: the database says them.
            "study_case": "study_id code patient_code lesion_code age sex anatomical_site "
            "fitzpatrick purpose",
            "reference_diagnosis": "case_id study_id diagnosis source diagnosed_on recorded_by",
            "consent_text": "study_id text written_by",
            "membership": "study_id account_id role active reason changed_by",
            "study": "id code title instructions positive_class seed allocation_algorithm "
            f"model_version_id demonstration created_by {DESIGN}",
            "protocol_version": "study_id changes reason",
            "case_exclusion": "case_id study_id reason",
            "case_readmission": "exclusion_id case_id study_id reason",
            "study_copy": "study_id copy_id",
            "washout_override": "enrolment_id study_id reader_id days reason",
            "reading_correction": "reading_id study_id kind call confidence management reason",
            "case_addition": "study_id reason",
            "order_extension": EXTENSION,
        },
        "UPDATE": {
            "study": "title instructions state model_version_id opened_by closed_by unblinded_by "
            f"unblinding_reason positive_class {DESIGN}",
        },
    },
    "reread_analyst": {
        "SELECT": {
            "account": "id email name role simulated",
            **whole(
                "allocation assignment audit_event case_prediction consent consent_text "
                "coordinator enrolment image membership model_version prediction reader_profile "
                "reading reference_diagnosis reveal seen_before_acknowledgement served study "
                "study_case training_list protocol_version "
                "case_exclusion washout_override reading_correction study_model case_addition "
                "order_extension viewing case_readmission standing_exclusion study_copy"
            ),
        },
    },
    "reread_adjudicator": {
        "SELECT": {
            "image": "id study_id case_id position modality storage_key width height synthetic",
            "reference_diagnosis": ALL,
            "study": "id code title state positive_class demonstration",
            "study_case": ALL,
        },
        "INSERT": {
            "reference_diagnosis": "case_id study_id diagnosis source diagnosed_on recorded_by",
        },
    },
    "reread_auditor": {
        "SELECT": {
            "account": "id name role simulated",
            **whole(
                "allocation assignment audit_event case_prediction consent consent_text "
                "coordinator enrolment image membership model_version prediction reader_profile "
                "reading reference_diagnosis reveal seen_before_acknowledgement served study "
                "study_case training_list protocol_version "
                "case_exclusion washout_override reading_correction study_model case_addition "
                "order_extension viewing case_readmission standing_exclusion study_copy"
            ),
        },
    },
    "reread_worker": {
        "SELECT": {
            "case_prediction": ALL,
            "image": ALL,
            "model_version": ALL,
            "prediction": ALL,
            "study": "id code state model_version_id",
            "study_case": "id study_id",
            "training_list": ALL,
        },
        "INSERT": {
            **whole("case_prediction model_version prediction training_image"),
            "training_list": "model_version_id images list_sha256",
        },
    },
}
FUNCTIONS = {
    "reread_account": {
        "actor",
        "installation_kinds",
        "installation_log",
        "readiness",
        "record_event",
        "record_refusal",
    },
    "reread_reader": {
        "actor",
        "images_ahead",
        "reveal_ai",
        "shown_ai",
        "training_truth",
        "waits_until",
        "withheld",
    },
    "reread_coordinator": {
        "actor",
        "copy_cases",
        "coordinated",
        "coordinates",
        "in_my_studies",
        "last_seen",
        "letters_written",
        "record_event",
        "seen_before_in",
        "seen_elsewhere",
    },
    "reread_analyst": {
        "actor",
        "analysed",
        "coordinated",
        "coordinates",
        "data_digest",
        "in_my_studies",
        "may_analyse",
        "record_event",
    },
    "reread_worker": {"actor"},
    "reread_adjudicator": {"actor", "adjudicated"},
    "reread_auditor": {"actor", "audited", "in_my_studies", "record_event"},
}
# Tables of the study that every role but the owner sees through row-level security only.
GUARDED_BY_ROWS = set(
    names(
        "account allocation assignment audit_event case_prediction consent consent_text "
        "coordinator enrolment image invitation membership prediction reader_profile reading "
        "reference_diagnosis reveal seen_before_acknowledgement served study study_case "
        "protocol_version case_exclusion washout_override reading_correction study_model "
        "case_addition order_extension viewing reading_keys case_readmission study_copy "
        "chosen_language"
    )
)


def rights_in(connection: psycopg.Connection, role: str) -> dict[str, dict[str, str]]:
    """Every right of a role, asked of Postgres itself."""
    found = connection.execute(
        """SELECT p.name, t.relname,
               CASE WHEN bool_and(CASE WHEN p.name IN ('DELETE', 'TRUNCATE', 'TRIGGER')
                                       THEN has_table_privilege(%(role)s, t.oid, p.name)
                                       ELSE has_column_privilege(%(role)s, t.oid, a.attnum, p.name)
                                       END) THEN '*'
               ELSE string_agg(a.attname, ' ' ORDER BY a.attname) FILTER (WHERE
                   p.name NOT IN ('DELETE', 'TRUNCATE', 'TRIGGER')
                   AND has_column_privilege(%(role)s, t.oid, a.attnum, p.name)) END AS columns
           FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace
           JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
           CROSS JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES'), ('DELETE'),
                              ('TRUNCATE'), ('TRIGGER')) AS p (name)
           WHERE n.nspname = 'reread' AND t.relkind IN ('r', 'p', 'v', 'm', 'f')
           GROUP BY p.name, t.relname""",
        {"role": role},
    ).fetchall()
    rights: dict[str, dict[str, str]] = {}
    for right, table, columns in found:
        if columns is not None:
            rights.setdefault(right, {})[table] = columns
    return rights


@pytest.mark.parametrize("role", RIGHTS)
def test_b2_a_role_has_the_rights_of_the_list_and_no_other(
    administrator_url: str, role: str
) -> None:
    listed = {
        right: {
            table: columns if columns == ALL else " ".join(sorted(columns.split()))
            for table, columns in tables.items()
        }
        for right, tables in RIGHTS[role].items()
    }
    with psycopg.connect(administrator_url) as connection:
        assert rights_in(connection, role) == listed


@pytest.mark.parametrize("role", FUNCTIONS)
def test_b2_a_role_may_call_the_functions_of_the_list_and_no_other(
    administrator_url: str, role: str
) -> None:
    with psycopg.connect(administrator_url) as connection:
        found = connection.execute(
            """SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'reread' AND has_function_privilege(%s, p.oid, 'EXECUTE')""",
            [role],
        )
        assert {row[0] for row in found} == FUNCTIONS[role]


def test_b2_no_role_of_the_application_is_more_than_a_login(administrator_url: str) -> None:
    """No superuser, no owner of a table, no member of the owner, no way round the rows."""
    with psycopg.connect(administrator_url) as connection:
        attributes = connection.execute(
            """SELECT DISTINCT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
               FROM pg_roles WHERE rolname = ANY(%s)""",
            [list(Role)],
        ).fetchall()
        members = connection.execute(
            """SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
               WHERE r.rolname = ANY(%s)""",
            [list(Role)],
        ).fetchall()
        owners = connection.execute(
            """SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class c
               JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND c.relkind = 'r' AND c.relname <> 'alembic_version'"""
        ).fetchall()
        owner_signs_in = connection.execute(
            "SELECT rolcanlogin, rolsuper FROM pg_roles WHERE rolname = 'reread_owner'"
        ).fetchone()
    assert attributes == [(False, False, False, False, False)]
    assert members == []
    assert owners == [("reread_owner",)]
    assert owner_signs_in == (False, False)


def test_a3_the_tables_of_a_study_are_seen_row_by_row(administrator_url: str) -> None:
    with psycopg.connect(administrator_url) as connection:
        found = connection.execute(
            """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'reread' AND c.relrowsecurity"""
        )
        assert {row[0] for row in found} == GUARDED_BY_ROWS


def test_b2_a_function_that_runs_as_the_owner_fixes_where_it_looks(
    administrator_url: str,
) -> None:
    """Else a temporary table named like ours could stand in for it."""
    with psycopg.connect(administrator_url) as connection:
        found = connection.execute(
            """SELECT p.proname, p.proconfig FROM pg_proc p
               JOIN pg_namespace n ON n.oid = p.pronamespace
               WHERE n.nspname = 'reread' AND p.prosecdef"""
        ).fetchall()
    assert len(found) >= 8
    assert {tuple(config or ()) for _name, config in found} == {("search_path=reread, pg_temp",)}


# ---------------------------------------------------------------- refusals, tried

REFUSED = [
    (Role.READER, "SELECT * FROM prediction"),
    (Role.READER, "SELECT probability FROM case_prediction"),
    (Role.READER, "SELECT count(*) FROM case_prediction"),
    (Role.READER, "SELECT 1 FROM prediction LIMIT 1"),
    (Role.READER, "SELECT diagnosis FROM reference_diagnosis"),
    (Role.READER, "SELECT count(*) FROM reference_diagnosis"),
    (Role.READER, "SELECT code FROM study_case"),
    (Role.READER, "SELECT name FROM model_version"),
    (Role.READER, "SELECT sha256 FROM image"),
    (Role.READER, "SELECT * FROM image"),
    (Role.READER, "SELECT image FROM image"),
    (Role.READER, "SELECT case_prediction_id FROM reveal"),
    (Role.READER, "SELECT model_version_id FROM study"),
    (Role.READER, "SELECT email FROM account"),
    (Role.READER, "SELECT payload FROM audit_event"),
    (Role.READER, "SELECT token_sha256 FROM sign_in_session"),
    (Role.READER, "SELECT name FROM api_token"),
    (Role.COORDINATOR, "SELECT name FROM api_token"),
    (Role.ACCOUNT, "UPDATE api_token SET scopes = '{export}'"),
    (Role.ACCOUNT, "DELETE FROM api_token"),
    (Role.READER, "SELECT * FROM jobs.procrastinate_jobs"),
    (Role.READER, "SELECT record_event(NULL, 'sign_in.done', 'x', '{}')"),
    (Role.READER, "SELECT append_event(NULL, 'reveal.insert', 'x', '{}')"),
    (Role.READER, "SELECT coordinates(gen_random_uuid())"),
    (Role.READER, "SET ROLE reread_owner"),
    (Role.READER, "SET ROLE reread_analyst"),
    (Role.READER, "SET session_replication_role = replica"),
    (Role.READER, "ALTER TABLE reading DISABLE TRIGGER ALL"),
    (Role.READER, "CREATE TRIGGER t BEFORE INSERT ON reading EXECUTE FUNCTION actor()"),
    (Role.READER, "CREATE TABLE reread.mine (x int)"),
    (Role.READER, "CREATE TABLE public.mine (x int)"),
    (Role.READER, "INSERT INTO reveal SELECT"),
    (Role.READER, "INSERT INTO allocation SELECT"),
    (Role.READER, "INSERT INTO assignment SELECT"),
    (Role.READER, "INSERT INTO reading (locked_at) VALUES (now())"),
    (Role.READER, "INSERT INTO served (served_at) VALUES (now())"),
    (Role.READER, "INSERT INTO audit_event SELECT"),
    (Role.READER, "UPDATE reading SET call = 'SK'"),
    (Role.READER, "UPDATE study SET state = 'unblinded'"),
    (Role.READER, "DELETE FROM reading"),
    (Role.READER, "TRUNCATE reading"),
    (Role.READER, "COPY reading TO PROGRAM 'cat'"),
    (Role.READER, "SELECT pg_read_file('PG_VERSION')"),
    (Role.COORDINATOR, "SELECT diagnosis FROM reference_diagnosis"),
    (Role.COORDINATOR, "SELECT * FROM reference_diagnosis"),
    (Role.COORDINATOR, "SELECT call FROM reading"),
    (Role.COORDINATOR, "SELECT confidence FROM reading"),
    (Role.COORDINATOR, "SELECT count(*) FROM reading WHERE call = 'BCC'"),
    (Role.COORDINATOR, "SELECT probability FROM prediction"),
    (Role.COORDINATOR, "SELECT overlay_key FROM prediction"),
    (Role.COORDINATOR, "SELECT probability FROM case_prediction"),
    (Role.COORDINATOR, "SELECT count(*) FROM case_prediction WHERE call = 'BCC'"),
    (Role.COORDINATOR, "SELECT case_prediction_id FROM reveal"),
    (Role.COORDINATOR, "SELECT payload FROM audit_event"),
    (Role.COORDINATOR, "SELECT password_hash FROM account"),
    (Role.COORDINATOR, "SELECT token_sha256 FROM invitation"),
    (Role.COORDINATOR, "SELECT shown_ai(gen_random_uuid())"),
    (Role.COORDINATOR, "SELECT reveal_ai(gen_random_uuid(), 'x')"),
    (Role.COORDINATOR, "UPDATE study SET seed = 2"),
    (Role.COORDINATOR, "UPDATE study SET closed_at = now()"),
    (Role.COORDINATOR, "INSERT INTO reading SELECT"),
    (Role.COORDINATOR, "INSERT INTO reveal SELECT"),
    (Role.COORDINATOR, "INSERT INTO prediction SELECT"),
    (Role.COORDINATOR, "SELECT patient_sha256 FROM training_image"),
    (Role.COORDINATOR, "SELECT count(*) FROM training_image"),
    (Role.COORDINATOR, "SELECT seen_before(gen_random_uuid(), gen_random_uuid())"),
    (Role.COORDINATOR, "INSERT INTO seen_before_acknowledgement (author) SELECT gen_random_uuid()"),
    (Role.READER, "SELECT perceptual_hash FROM image"),
    (Role.READER, "SELECT seen_before_in(gen_random_uuid())"),
    (Role.READER, "SELECT count(*) FROM training_list"),
    (Role.WORKER, "SELECT image FROM training_image"),
    (Role.WORKER, "INSERT INTO training_list (registered_in) SELECT '1'"),
    (Role.COORDINATOR, "DELETE FROM reading"),
    (Role.COORDINATOR, "INSERT INTO study_case (copied_from) SELECT gen_random_uuid()"),
    (Role.COORDINATOR, "UPDATE study_case SET copied_from = NULL"),
    (Role.COORDINATOR, "UPDATE study SET copied_from = 'another'"),
    (Role.COORDINATOR, "INSERT INTO reference_diagnosis (recorded_at) SELECT now()"),
    (Role.COORDINATOR, "INSERT INTO case_readmission (author) SELECT gen_random_uuid()"),
    (Role.COORDINATOR, "INSERT INTO study_copy (cases) SELECT 9"),
    (Role.COORDINATOR, "DELETE FROM case_exclusion"),
    (Role.READER, "SELECT reason FROM case_readmission"),
    (Role.ACCOUNT, "SELECT call FROM reading"),
    (Role.ACCOUNT, "SELECT count(*) FROM served"),
    (Role.ACCOUNT, "SELECT probability FROM prediction"),
    (Role.ACCOUNT, "SELECT probability FROM case_prediction"),
    (Role.ACCOUNT, "SELECT diagnosis FROM reference_diagnosis"),
    (Role.ACCOUNT, "SELECT source FROM reference_diagnosis"),
    (Role.ACCOUNT, "SELECT storage_key FROM image"),
    (Role.ACCOUNT, "SELECT code FROM study_case"),
    (Role.ACCOUNT, "SELECT payload FROM audit_event"),
    (Role.ACCOUNT, "SELECT shown_ai(gen_random_uuid())"),
    (Role.ACCOUNT, "SELECT reveal_ai(gen_random_uuid(), 'x')"),
    (Role.ACCOUNT, "UPDATE study SET state = 'closed'"),
    (Role.WORKER, "SELECT diagnosis FROM reference_diagnosis"),
    (Role.WORKER, "SELECT count(*) FROM reference_diagnosis"),
    (Role.WORKER, "SELECT call FROM reading"),
    (Role.WORKER, "SELECT count(*) FROM reading"),
    (Role.WORKER, "SELECT count(*) FROM reveal"),
    (Role.WORKER, "SELECT email FROM account"),
    (Role.WORKER, "SELECT code FROM study_case"),
    (Role.WORKER, "SELECT payload FROM audit_event"),
    (Role.WORKER, "UPDATE prediction SET probability = 0"),
    (Role.WORKER, "UPDATE study SET state = 'open'"),
    (Role.ANALYST, "SELECT password_hash FROM account"),
    (Role.ANALYST, "SELECT token_sha256 FROM sign_in_session"),
    (Role.ANALYST, "SELECT email FROM invitation"),
    (Role.ANALYST, "INSERT INTO audit_event SELECT"),
    (Role.ANALYST, "INSERT INTO reading SELECT"),
    (Role.ANALYST, "UPDATE study SET state = 'closed'"),
    (Role.ANALYST, "SELECT shown_ai(gen_random_uuid())"),
    (Role.ADJUDICATOR, "SELECT call FROM reading"),
    (Role.ADJUDICATOR, "SELECT count(*) FROM served"),
    (Role.ADJUDICATOR, "SELECT probability FROM prediction"),
    (Role.ADJUDICATOR, "SELECT probability FROM case_prediction"),
    (Role.ADJUDICATOR, "SELECT payload FROM audit_event"),
    (Role.ADJUDICATOR, "SELECT email FROM account"),
    (Role.ADJUDICATOR, "UPDATE reference_diagnosis SET diagnosis = 'SK'"),
    (Role.ADJUDICATOR, "UPDATE study SET state = 'open'"),
    (Role.AUDITOR, "SELECT email FROM account"),
    (Role.AUDITOR, "SELECT password_hash FROM account"),
    (Role.AUDITOR, "SELECT email FROM invitation"),
    (Role.AUDITOR, "UPDATE study SET state = 'closed'"),
    (Role.AUDITOR, "INSERT INTO reading SELECT"),
    (Role.AUDITOR, "INSERT INTO reference_diagnosis SELECT"),
    (Role.AUDITOR, "INSERT INTO membership SELECT"),
    (Role.AUDITOR, "DELETE FROM reading"),
    (Role.AUDITOR, "SELECT append_event(NULL, 'reveal.insert', 'x', '{}')"),
    (Role.AUDITOR, "SELECT reveal_ai(gen_random_uuid(), 'x')"),
    (Role.ACCOUNT, "SELECT text FROM consent_text"),
    (Role.ACCOUNT, "SELECT years_experience FROM reader_profile"),
    (Role.COORDINATOR, "INSERT INTO consent SELECT"),
    (Role.COORDINATOR, "INSERT INTO reader_profile SELECT"),
]  # fmt: skip


@pytest.fixture(scope="module")
def database_with_readings(open_copy: Cast) -> Cast:
    """Rita has finished a case and locked the next: there is something to be seen."""
    finish(open_copy, open_copy.rita)
    lock(open_copy, open_copy.rita)
    return open_copy


@pytest.mark.parametrize(("role", "statement"), REFUSED, ids=lambda value: str(value)[:60])
def test_b2_the_role_is_refused(database_with_readings: Cast, role: Role, statement: str) -> None:
    cast = database_with_readings
    actor = cast.rita if role is Role.READER else cast.cora
    with cast.begin(role, actor) as connection, pytest.raises(psycopg.Error) as refused:
        connection.execute(statement)
    # Refused for want of the right, not because the statement was mistyped.
    assert refused.value.sqlstate == psycopg.errors.InsufficientPrivilege.sqlstate


def test_d1_no_temporary_table_stands_in_the_place_of_one_of_ours(cast: Cast) -> None:
    """Left on a connection of the pool, it would take the next call and keep it nowhere."""
    with cast.begin(Role.READER, cast.rita) as connection:
        connection.execute("CREATE TEMPORARY TABLE reading AS SELECT 1 AS mine")
        assert connection.execute("SELECT mine FROM pg_temp.reading").fetchone() == (1,)
        assert connection.execute("SELECT submission_id FROM reading").fetchall() == []


@pytest.mark.parametrize("role", [Role.READER, Role.COORDINATOR, Role.ACCOUNT])
def test_b2_the_servers_statistics_tell_a_role_nothing_either(
    database_with_readings: Cast, role: Role
) -> None:
    """Postgres keeps the most frequent values of every column for its planner."""
    cast = database_with_readings
    with superuser(cast) as owner:
        owner.execute("ANALYZE prediction, case_prediction, reference_diagnosis, reading")
        kept = "SELECT tablename, attname FROM pg_stats WHERE tablename = ANY(%s)"
        hidden = [["prediction", "case_prediction", "reference_diagnosis", "reading"]]
        assert len(owner.execute(kept, hidden).fetchall()) > 20
    with cast.begin(role, cast.cora) as connection:
        assert connection.execute(kept, hidden).fetchall() == []


# ---------------------------------------------------------------- rows


def seen(cast: Cast, role: Role, actor: str, table: str, columns: str = "1") -> list[tuple]:
    with cast.begin(role, getattr(cast, actor)) as connection:
        return connection.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - ours


READER_TABLES = ("assignment", "enrolment", "allocation", "served", "reading", "reveal")


@pytest.mark.parametrize("table", READER_TABLES)
def test_a3_a_reader_sees_no_row_of_another_reader(
    database_with_readings: Cast, table: str
) -> None:
    cast = database_with_readings
    assert seen(cast, Role.READER, "rita", table)
    owners = set(seen(cast, Role.READER, "rita", table, "reader_id"))
    assert owners == {(cast.rita.id,)}
    assert cast.rita.id not in {
        row[0] for row in seen(cast, Role.READER, "rolf", table, "reader_id")
    }


def test_b3_images_exist_for_a_reader_once_their_case_was_served(
    database_with_readings: Cast,
) -> None:
    """Rita has been shown two of the six cases, Rolf none."""
    cast = database_with_readings
    shown = set(seen(cast, Role.READER, "rita", "image", "case_id"))
    served = set(
        seen(
            cast,
            Role.READER,
            "rita",
            "assignment a JOIN served s ON s.assignment_id = a.id",
            "case_id",
        )
    )
    assert shown == served
    assert len(shown) == 2
    assert seen(cast, Role.READER, "rolf", "image") == []


def test_a3_a_reader_sees_only_studies_they_read_in(database_with_readings: Cast) -> None:
    cast = database_with_readings
    assert len(seen(cast, Role.READER, "rita", "study")) == 1
    assert seen(cast, Role.READER, "olga", "study") == []


COORDINATED = names(
    "study study_case image reference_diagnosis prediction case_prediction enrolment allocation "
    "assignment served reading reveal coordinator"
)


@pytest.mark.parametrize("table", COORDINATED)
def test_a3_a_coordinator_sees_nothing_of_another_coordinators_study(
    database_with_readings: Cast, table: str
) -> None:
    cast = database_with_readings
    assert seen(cast, Role.COORDINATOR, "cora", table)
    assert seen(cast, Role.COORDINATOR, "olga", table) == []


def test_a3_a_coordinator_knows_the_people_of_their_studies_only(
    database_with_readings: Cast,
) -> None:
    cast = database_with_readings
    names = {row[0] for row in seen(cast, Role.COORDINATOR, "cora", "account", "name")}
    assert names == {"Cora", "Rita", "Rolf"}
    assert seen(cast, Role.COORDINATOR, "olga", "account", "name") == [("Olga",)]


def test_a3_another_coordinator_can_change_nothing_of_the_study(cast: Cast) -> None:
    with cast.begin(Role.COORDINATOR, cast.olga) as connection:
        done = connection.execute(
            "UPDATE study SET state = 'closed', closed_by = %s", [cast.olga.id]
        )
        assert done.rowcount == 0
    with (
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        cast.begin(Role.COORDINATOR, cast.olga) as connection,
    ):
        connection.execute("INSERT INTO coordinator VALUES (%s, %s)", [cast.study.id, cast.olga.id])
    assert cast.reload().state == "open"


ANALYSED = names(
    "study study_case image reference_diagnosis prediction case_prediction enrolment allocation "
    "assignment served reading reveal audit_event"
)


@pytest.mark.parametrize("table", ANALYSED)
def test_b9_an_analyst_sees_nothing_before_unblinding(
    database_with_readings: Cast, table: str
) -> None:
    assert seen(database_with_readings, Role.ANALYST, "cora", table) == []


def test_b9_after_unblinding_the_studys_analyst_sees_it_and_another_does_not(cast: Cast) -> None:
    finish(cast, cast.rita)
    unblind(cast)
    for table in ANALYSED:
        assert seen(cast, Role.ANALYST, "cora", table), table
        assert seen(cast, Role.ANALYST, "olga", table) == [], table
        assert seen(cast, Role.ANALYST, "rita", table) == [], table


def test_b9_closing_alone_shows_the_analyst_nothing(cast: Cast) -> None:
    finish(cast, cast.rita)
    with superuser(cast, actor=cast.cora) as owner:
        owner.execute("UPDATE study SET state = 'closed', closed_by = %s", [cast.cora.id])
    for table in ANALYSED:
        assert seen(cast, Role.ANALYST, "cora", table) == [], table


def test_b2_without_an_actor_no_role_sees_a_studys_rows(database_with_readings: Cast) -> None:
    for table in READER_TABLES:
        with database_with_readings.begin(Role.READER, None) as connection:
            assert connection.execute(f"SELECT 1 FROM {table}").fetchall() == []  # noqa: S608
    for table in COORDINATED:
        with database_with_readings.begin(Role.COORDINATOR, None) as connection:
            assert connection.execute(f"SELECT 1 FROM {table}").fetchall() == []  # noqa: S608
