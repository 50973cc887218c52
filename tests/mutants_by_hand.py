"""Break the program on purpose, one small change at a time, and see if its test misses it (S7).

`tests.mutants` takes refusals away by itself; these are changes of another kind, each written by
hand for the test that claims to catch it. A change is put into the file itself, the test runs, and
the file is as it was. It takes half a minute each: it is no part of the tests, which only see to it
that every change still fits its file and every test is there (project/test_requirements.py).

    python -m tests.mutants_by_hand --list
    python -m tests.mutants_by_hand --only "the map"
"""

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 600  # seconds


@dataclass(frozen=True)
class ByHand:
    """A change of one file, and the test that is to fail with it."""

    name: str
    file: str
    before: str  # stands in the file once
    after: str
    test: str


MUTANTS = [
    ByHand(
        "AI output is shown before its reveal is committed",
        "migrations/versions/0015_copies_stay_blind.sql",
        "        AND r.revealed_in IS DISTINCT FROM pg_current_xact_id_if_assigned()\n"
        "        -- While the same case",
        "        -- While the same case",
        "tests/database/test_release.py::"
        "test_d3_a_reveal_that_could_still_be_taken_back_shows_nothing",
    ),
    ByHand(
        "what was shown is shown again while its picture waits in another open study",
        "migrations/versions/0015_copies_stay_blind.sql",
        "OR t.state = 'open' AND j.sha256 IN (",
        "OR t.state = 'none' AND j.sha256 IN (",
        "tests/reading/test_copies_stay_blind.py::"
        "test_b1_what_was_shown_of_a_picture_is_shut_while_it_waits_in_another_study",
    ),
    ByHand(
        "AI output is there for whoever asks before the lock",
        "migrations/versions/0015_copies_stay_blind.sql",
        "    FROM reveal r\n    JOIN study s ON s.id = r.study_id\n    JOIN case_prediction c ",
        "    FROM (SELECT a.study_id, a.case_id, a.reader_id, a.id AS assignment_id,\n"
        "                 p.id AS case_prediction_id, '3'::xid8 AS revealed_in\n"
        "          FROM assignment a JOIN case_prediction p USING (case_id)) r\n"
        "    JOIN study s ON s.id = r.study_id\n    JOIN case_prediction c ",
        "tests/web/test_two_worlds.py::"
        "test_b1_b5_b8_up_to_the_lock_a_reader_gets_the_same_answers_in_both_worlds",
    ),
    ByHand(
        "a look at an unblinded log leaves no trace",
        "app/web/routes/audit.py",
        'record_look(connection, study=study, what="log", by=viewer)',
        "pass",
        "tests/web/test_two_worlds.py::"
        "test_b9_l7_after_unblinding_whatever_depends_on_truth_ai_or_calls_is_written_down",
    ),
    ByHand(
        "a figure of the results leaves no trace",
        "app/actions/analyse_study.py",
        'record_look(connection, study=study, what=f"changed calls of {reader}", by=by)',
        "pass",
        "tests/web/test_two_worlds.py::"
        "test_b9_l7_after_unblinding_whatever_depends_on_truth_ai_or_calls_is_written_down",
    ),
    ByHand(
        "a token invites to any part",
        "app/web/routes/api.py",
        "    if part is not Part.READER:\n",
        "    if part is Part.READER and not email:\n",
        "tests/access/test_api.py::"
        "test_a14_a_token_appoints_nobody_who_would_see_or_steer_the_study",
    ),
    ByHand(
        "an account is disabled without the password",
        "app/web/routes/administration.py",
        "    _fresh: FreshPassword,\n    connection: AdministratorConnection,\n    account: UUID,\n"
        "    disabled: Annotated",
        "    connection: AdministratorConnection,\n    account: UUID,\n    disabled: Annotated",
        "tests/access/test_password_again.py::"
        "test_a14_an_account_is_disabled_and_enabled_with_the_password_alone",
    ),
    ByHand(
        "the installation's log is given without the password",
        "app/web/routes/administration.py",
        "    _viewer: AdministratorOnly, _fresh: FreshPassword,",
        "    _viewer: AdministratorOnly,",
        "tests/access/test_installation_log.py::"
        "test_a14_the_file_of_it_is_given_with_the_password_alone",
    ),
    ByHand(
        "the installation's log lacks its first event",
        "app/web/routes/administration.py",
        "for e in audit.installation_chain(connection))",
        "for e in list(audit.installation_chain(connection))[1:])",
        "tests/access/test_installation_log.py::"
        "test_l6_the_file_of_it_is_a_chain_that_holds_and_looking_is_an_event",
    ),
    ByHand(
        "a look at the installation's log leaves no trace",
        "app/web/routes/administration.py",
        '    _note_look(connection, "log")\n',
        "",
        "tests/access/test_installation_log.py::"
        "test_l6_the_file_of_it_is_a_chain_that_holds_and_looking_is_an_event",
    ),
    ByHand(
        "the reason of an exclusion is markup",
        "templates/case.html",
        "name=act.author_name, reason=act.reason %}Excluded",
        "name=act.author_name, reason=act.reason | safe %}Excluded",
        "tests/web/test_hostile_text.py::test_i6_what_stands_in_any_column_is_text_on_every_page",
    ),
    ByHand(
        "a cell of the report is markup",
        "app/actions/report_html.py",
        'f"<td>{escape(cell)}</td>"',
        'f"<td>{cell}</td>"',
        "tests/web/test_hostile_text.py::test_i6_nor_in_the_results_or_the_files_of_a_study",
    ),
    ByHand(
        "a page asks for the image that a text names",
        "app/web/markdown.py",
        '.enable("table").disable("image")',
        '.enable("table")',
        "tests/web/test_hostile_text.py::test_i6_what_stands_in_any_column_is_text_on_every_page",
    ),
    ByHand(
        "a picture may be computed for ever",
        "app/image_decoding.py",
        "    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))\n",
        "    del seconds\n",
        "tests/importing/test_imaging.py::"
        "test_i1_a_picture_that_takes_too_long_ends_its_child_alone",
    ),
    ByHand(
        "a picture may wait for ever",
        "app/image_decoding.py",
        "    signal.alarm(2 * SECONDS)\n",
        "",
        "tests/importing/test_imaging.py::"
        "test_i1_a_picture_that_takes_too_long_ends_its_child_alone",
    ),
    ByHand(
        "a picture may take all memory",
        "app/image_decoding.py",
        "        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))\n",
        "        pass\n",
        "tests/importing/test_imaging.py::"
        "test_i1_the_child_can_open_no_file_and_take_no_more_than_its_memory",
    ),
    ByHand(
        "a picture may write files",
        "app/image_decoding.py",
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n",
        "",
        "tests/importing/test_imaging.py::"
        "test_i1_the_child_can_open_no_file_and_take_no_more_than_its_memory",
    ),
    ByHand(
        "a backup leaves the rows of one table out",
        "app/db/dump.py",
        '        f"--exclude-table-data={_WITHOUT_ROWS}",\n',
        '        f"--exclude-table-data={_WITHOUT_ROWS}",\n'
        '        "--exclude-table-data=reread.known_device",\n',
        "tests/recovery/test_backup.py::test_r1_a_dump_holds_the_rows_of_every_table_but_sessions",
    ),
    ByHand(
        "a restore signs everybody in again",
        "app/db/dump.py",
        '        f"--exclude-table-data={_WITHOUT_ROWS}",\n',
        "",
        "tests/recovery/test_backup.py::test_a6_nobody_is_signed_in_by_a_restore",
    ),
    ByHand(
        "a second press sends the form again",
        "static/once.js",
        "      event.preventDefault();\n      return;\n",
        "      return;\n",
        "tests/browser/test_copy_and_letters.py::"
        "test_a_letter_sent_with_a_double_press_is_sent_once",
    ),
    ByHand(
        "verify takes a reveal before its lock",
        "app/domain/audit_chain.py",
        '    "reveal.insert": "unaided",\n',
        '    "reveal.insert": "served.insert",\n',
        "tests/database/test_audit.py::"
        "test_d3_l3_a_step_moved_before_the_one_it_must_follow_is_named_so",
    ),
    ByHand(
        "verify takes an aided call before its reveal",
        "app/domain/audit_chain.py",
        '    "aided": "reveal.insert",\n',
        '    "aided": "unaided",\n',
        "tests/database/test_audit.py::"
        "test_d3_l3_a_step_moved_before_the_one_it_must_follow_is_named_so",
    ),
    ByHand(
        "verify takes an unaided call of a case that was not shown",
        "app/domain/audit_chain.py",
        '    "unaided": "served.insert",\n',
        '    "unaided": None,\n',
        "tests/database/test_audit.py::"
        "test_d3_l3_a_step_moved_before_the_one_it_must_follow_is_named_so",
    ),
    ByHand(
        "verify does not compute the results again",
        "app/actions/pack/check_derived.py",
        "differences(found, json.loads(made))",
        "differences(found, found)",
        "tests/pack/test_tampering.py::test_x1_a_result_changed_in_its_sixth_place_is_found",
    ),
    ByHand(
        "verify finds no function that was written anew",
        "app/db/functions.py",
        "    return sorted(name for name, body in found if written.get(name) != body)\n",
        "    return sorted(name for name, _body in found if name not in written)\n",
        "tests/database/test_append_only.py::"
        "test_l8_a_guards_function_that_was_written_anew_is_found",
    ),
    ByHand(
        "the page shows the one predictive value for the other",
        "templates/results.html",
        '("ppv", _("PPV")), ("npv", _("NPV"))) %}',
        '("npv", _("PPV")), ("ppv", _("NPV"))) %}',
        "tests/pack/test_numbers_again.py::"
        "test_x1_calls_are_counted_again_and_compared_by_other_code",
    ),
    ByHand(
        "withstood advice is counted among the wrong cases",
        "app/statistics/reliance.py",
        "rsr=_share(after, before & ~model)",
        "rsr=_share(after, ~before & ~model)",
        "tests/pack/test_numbers_again.py::test_x1_changed_calls_and_reliance_are_counted_again",
    ),
    ByHand(
        "sign-ins are begun without end from one address",
        "app/actions/guessing.py",
        "BEGUN_PER_ADDRESS = 100\n",
        "BEGUN_PER_ADDRESS = 100_000\n",
        "tests/access/test_begun.py::test_a10_the_bounds_are_those_that_the_manual_names",
    ),
    ByHand(
        "each IPv6 address has guesses of its own",
        "app/actions/guessing.py",
        "    return str(ipaddress.IPv6Address(int(found) >> 64 << 64))\n",
        "    return str(found)\n",
        "tests/access/test_begun.py::"
        "test_a10_guesses_from_ever_new_addresses_of_one_network_are_counted_together",
    ),
    ByHand(
        "an upload is read before its sender is asked who they are",
        "app/web/uploads.py",
        "                await permission(request)\n",
        "",
        "tests/access/test_uploads.py::"
        "test_i5_an_upload_of_somebody_who_may_not_import_is_refused_before_it_arrives",
    ),
    ByHand(
        "an unaided call whose transaction broke off is lost",
        "app/web/retrying.py",
        "(?:unaided|reveal|aided)",
        "(?:reveal|aided)",
        "tests/faults/test_broken_off.py::"
        "test_f5_a_step_broken_off_is_tried_again_before_the_reader_hears_of_it",
    ),
    ByHand(
        "a temporary table may stand in the place of one of ours",
        "app/db/session.py",
        '"reread, jobs, pg_temp"',
        '"reread, jobs"',
        "tests/database/test_rights.py::"
        "test_d1_no_temporary_table_stands_in_the_place_of_one_of_ours",
    ),
    ByHand(
        "the log of a process quotes an exception",
        "app/logs.py",
        '        return "\\n".join(_places(ei[1]))\n',
        "        return super().formatException(ei)\n",
        "tests/web/test_watching.py::"
        "test_b11_of_an_exception_the_log_holds_kind_and_place_and_no_message",
    ),
    ByHand(
        "a body may stop coming",
        "app/web/patience.py",
        "            left = min(self._pause, until - time.monotonic())\n",
        "            left = until - time.monotonic()\n",
        "tests/web/test_patience.py::test_i5_a_body_that_stops_coming_ends_the_request",
    ),
    ByHand(
        "each refusal fills the log",
        "migrations/versions/0010_watched.sql",
        "late.at > clock_timestamp() - interval '1 minute') THEN",
        "late.at > clock_timestamp()) THEN",
        "tests/access/test_refusals_logged.py::test_l6_the_same_refusal_fills_no_log",
    ),
    ByHand(
        "a signature holds at any time",
        "app/signing.py",
        "{head.hash}\\n{at}\\n",
        "{head.hash}\\n\\n",
        "tests/pack/test_signing.py::test_l4_a_signature_holds_for_its_study_head_and_time_alone",
    ),
    ByHand(
        "a form from this host without TLS is taken",
        "app/web/protection.py",
        '        schemes = ("https",) if self._secure else ("http", "https")\n',
        '        schemes = ("http", "https")\n',
        "tests/access/test_protection.py::"
        "test_a7_where_the_site_has_tls_a_page_of_its_host_without_it_is_another_site",
    ),
]


def main() -> int:
    """Put each change that was asked for to the test; exit status 1 where one survived."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="", help="a part of the changes' names")
    parser.add_argument("--list", action="store_true", help="name them and run nothing")
    asked = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if asked.only in mutant.name]
    survived = 0
    for mutant in chosen:
        if asked.list:
            print(mutant.name, mutant.test, sep="\n    ")
            continue
        missed = _is_missed(mutant)
        survived += not missed
        print(f"{'killed  ' if missed else 'survived'}  {mutant.name}", flush=True)
    return 1 if survived else 0


def _is_missed(mutant: ByHand) -> bool:
    """Say whether the test fails with the change; it must have passed without."""
    path = ROOT / mutant.file
    text = path.read_text(encoding="utf-8")
    if text.count(mutant.before) != 1:
        raise SystemExit(f"{mutant.name}: what is to be changed does not stand once in {path}.")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", mutant.test]
    try:
        path.write_text(text.replace(mutant.before, mutant.after), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - our own tests
            command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LONGEST
        )
    finally:
        path.write_text(text, encoding="utf-8")
    if done.returncode not in {0, 1}:  # 1: a test failed; anything else says nothing of the change
        raise SystemExit(f"{mutant.name}: the test could not be run.\n{done.stdout[-2000:]}")
    return done.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
