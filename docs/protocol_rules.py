"""Print the table of rules and tests in docs/protocol.md: `python docs/protocol_rules.py`.

Each test's name is the rule as a sentence, so the table says what is tried and nothing else.
`--check` compares the page with what would be printed.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "protocol.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"
DESIGNS = "reading/test_designs.py"
RELEASE = "database/test_release.py"
LIFE = "database/test_study_life.py"
RIGHTS = "database/test_rights.py"
ROOM = "browser/test_reading_room.py"
BLINDING = "web/test_blinding.py"
SAVED = "web/test_saved.py"
CLAUSES = "reading/test_protocol_clauses.py"
BALANCE = "reading/test_allocation_balance.py"
ALLOCATION = "commands/test_allocation.py"
ADDED = "reading/test_added_cases.py"
READMISSION = "reading/test_readmission.py"
PASSWORD = "access/test_password_again.py"  # noqa: S105 - a file

# Rule -> clause -> (file, a part of the test's name): every test whose name has it is listed.
Tests = list[tuple[str, str]]
RULES: dict[str, dict[str, Tests]] = {
    "The states of a case and their times": {
        "Assigned, served, locked, revealed or withheld, locked: none is skipped": [
            (RELEASE, "test_d3_no_call"),
            (RELEASE, "test_d3_a_call_after_the_reveal"),
            ("reading/test_machine.py", "any_sequence"),
            ("reading/test_machine_over_http.py", "any_sequence"),
        ],
        "All four times are of the server's clock": [
            (CLAUSES, "test_d8_"),
            ("database/test_append_only.py", "times_are_the_databases"),
            ("faults/test_clocks.py", "test_d8_"),
        ],
        "The browser's active time, idle and hidden tab taken out, is kept beside them": [
            ("browser/test_active_time.py", "leaves_out"),
            ("reading/test_submission.py", "test_d9_"),
        ],
    },
    "1. AI output leaves the server only after the unaided lock, by one road": {
        "Probability, label and map leave only once the unaided row is there": [
            (RELEASE, "before_the_unaided_lock"),
            (RELEASE, "locking_does_not_release"),
            (RELEASE, "a_lock_that_could_still_be_taken_back"),
            (RELEASE, "inside_a_savepoint"),
            (BLINDING, "test_b1_"),
            (DESIGNS, "test_b1_"),
        ],
        "Sizes, headers, addresses, 404 and 200, classes and prefetch tell nothing": [
            (BLINDING, "test_b3_"),
            (BLINDING, "test_b5_"),
            (BLINDING, "test_b6_"),
            (ROOM, "nothing_of_the_ai_is_fetched"),
            (RIGHTS, "images_exist_for_a_reader"),
        ],
        "The order tells nothing": [(BLINDING, "test_b4_"), (BALANCE, "test_b4_")],
        "One road, which fails closed": [
            (RELEASE, "without_an_actor_nothing"),
            (RELEASE, "after_closing_no_further_case"),
            (RELEASE, "a_reveal_that_could_still_be_taken_back"),
            (DESIGNS, "test_b2_"),
            (RIGHTS, "a_role_may_call_the_functions"),
        ],
    },
    "2. Truth never reaches a reader, but of a training case": {
        "The answers to the calls say nothing on correctness": [(CLAUSES, "test_b8_")],
        "No reader can read a diagnosis": [
            (RIGHTS, "a_role_has_the_rights_of_the_list"),
            (DESIGNS, "the_truth_of_a_training_case"),
        ],
        "Codes, addresses and file names are opaque; metadata is stripped": [
            (BLINDING, "test_b3_"),
            (BLINDING, "before_the_reveal_no_answer"),
            ("importing/test_storage.py", "keys_are_random"),
            ("importing/test_imaging.py", "no_metadata_survives"),
        ],
    },
    "3. The call first, then how sure; nothing is preselected": {
        "The call is asked for before how sure": [(CLAUSES, "asked_for_before")],
        "A call is BCC or SK, its confidence 0 to 100": [
            ("reading/test_submission.py", "neither_bcc_nor_sk"),
            ("reading/test_submission.py", "no_percentage"),
        ],
        "Or, where the study says so, one of five steps": [
            ("reading/test_five_steps.py", ""),
        ],
        "The malignancy score is derived": [(CLAUSES, "malignancy_score")],
        "Management and a comment where the study asks": [(DESIGNS, "test_d11_")],
        "Nothing is preselected": [
            (ROOM, "nothing_is_preselected"),
            (SAVED, "nothing_is_preselected"),
        ],
        "After the AI the same questions, with the reader's own first call beside them": [
            (CLAUSES, "the_same_questions"),
        ],
    },
    "4. The reveal comes by itself after the lock, and is logged": {
        "It comes by itself": [(ROOM, "the_reveal_comes_by_itself")],
        "It is logged, once, with what was shown": [
            (RELEASE, "the_reveal_is_recorded_once"),
            (RELEASE, "the_prediction_of_this_very_case"),
        ],
    },
    "5. Whatever is interrupted ends at the state that the server holds": {
        "Reload, back, second and stale tab": [
            (ROOM, "reload_back_and_a_second_tab"),
            (SAVED, "a_stale_tab"),
            (DESIGNS, "test_d6_"),
        ],
        "A lost answer and a crash lose nothing and ask nothing twice": [
            (SAVED, "test_d1_"),
            (SAVED, "test_d14_"),
            (ROOM, "a_lost_submit"),
            (ROOM, "an_answer_lost"),
            ("faults/test_torture.py", "killed_with_9"),
        ],
        "Each submit has its key": [
            ("reading/test_reading.py", "the_same_submit_again"),
            ("reading/test_submission.py", "ten_copies"),
            ("reading/test_submission.py", "ten_tabs"),
            (LIFE, "a_submission_id"),
        ],
    },
    "6. Free until the lock; after it nothing changes": {
        "Choosing locks nothing; the lock is an act of its own": [(ROOM, "choosing_is_free")],
        "No row is changed or deleted": [
            ("database/test_append_only.py", "no_row_is_updated"),
            ("database/test_append_only.py", "no_row_is_deleted"),
            ("database/test_append_only.py", "no_table_is_emptied"),
        ],
        "Voiding and correcting are further rows with author and reason": [
            (DESIGNS, "a_reading_is_corrected_by_a_further_row"),
        ],
        "The analysis says which readings it used": [("pack/test_texts.py", "which_readings")],
    },
    "7. The order is drawn once, from a seed, and derived again": {
        "Random for each reader": [(CLAUSES, "an_order_of_their_own")],
        "Drawn from a recorded seed by an algorithm that bears its version": [
            (CLAUSES, "its_seed_and_the_version"),
            ("database/test_upgrade.py", "by_its_own_algorithm"),
        ],
        "Made once, stored, never changed": [
            (LIFE, "an_order_is_not_drawn_while"),
            (LIFE, "nothing_is_added_to_an_order"),
            (LIFE, "a_case_stands_once"),
            (LIFE, "a_place_in_an_order"),
            (RELEASE, "no_case_is_served_before"),
        ],
        "Hashed; the digest is shown before the first case": [
            (LIFE, "with_its_true_digest"),
            (LIFE, "not_what_it_says"),
            (CLAUSES, "the_digest_of_the_order"),
        ],
        "Derived again by a command": [
            (LIFE, "every_order_is_derived_again"),
            (ALLOCATION, "test_d7_"),
            ("reading/test_order_by_the_manual.py", "test_d7_"),
        ],
        "Of the study's design, without the excluded cases": [
            (DESIGNS, "test_d7_an_order_that_is_not"),
            (DESIGNS, "test_d7_a_case_excluded_before"),
            (BALANCE, "a_case_excluded_later"),
        ],
        "Stable when cases are added: an amendment with its reason appends them": [
            (ADDED, "test_d7_"),
            (ADDED, "test_b10_"),
        ],
    },
    "8. Four designs, training cases, repeats, washout": {
        "Each design is read, exported and proven": [
            (DESIGNS, "in_every_design"),
            ("browser/test_each_design.py", "in_each_design"),
            ("pack/test_pack_of_designs.py", "in_every_design"),
        ],
        "Hidden share: withheld after the lock, and every case read with AI by somebody": [
            (BALANCE, "in_the_hidden_share"),
            ("browser/test_room_of_designs.py", "after_a_withheld_case"),
        ],
        "Crossover: balanced, with a washout that the server holds": [
            (BALANCE, "in_a_crossover"),
            (DESIGNS, "crossover_arms"),
            (DESIGNS, "second_session"),
            (CLAUSES, "the_washout_is_as_long"),
            ("web/test_refused_acts.py", "test_d7_"),
        ],
        "Another washout needs a reason and stands in the methods": [
            (DESIGNS, "another_washout"),
            ("pack/test_texts.py", "an_override_is_told"),
        ],
        "Parallel arms": [(BALANCE, "parallel_arms")],
        "Training cases come first, with feedback, and never count": [
            (DESIGNS, "training_cases_come_first"),
            (BALANCE, "training_comes_first"),
            (CLAUSES, "a_training_case_never_counts"),
            ("browser/test_room_of_designs.py", "training_management"),
        ],
        "Repeats measure a reader's agreement with themselves": [
            ("statistics/test_repeats.py", "the_first_reading_counts"),
            ("statistics/test_repeats.py", "second_readings_agree"),
        ],
        "An excluded case is read by nobody any more": [
            (DESIGNS, "test_d7_a_case_excluded_while_open"),
        ],
        "An exclusion is undone by a further row": [
            (READMISSION, "an_exclusion_is_undone_by_a_further_row"),
            (READMISSION, "who_is_past_the_case"),
            (READMISSION, "the_case_is_where_its_reader_left_it"),
            (READMISSION, "who_joined_while_it_was_excluded"),
            (READMISSION, "in_the_other_designs_too"),
            (READMISSION, "excluded_before_the_orders_were_drawn"),
        ],
    },
    "9. Progress, never accuracy; unblinding is an act": {
        "Interim pages show progress, times and what is missing": [
            ("web/test_monitor.py", "each_state_of_a_case"),
            ("web/test_monitor.py", "missing_is_what_was_assigned"),
            ("web/test_monitor.py", "too_fast"),
        ],
        "Interim pages show no call, diagnosis or output": [
            (BLINDING, "the_coordinator_sees_progress"),
            ("web/test_monitor.py", "test_b8_"),
            (RIGHTS, "test_b9_"),
            ("access/test_api.py", "test_b8_b9_"),
        ],
        "The design is frozen from opening on": [
            (DESIGNS, "test_d13_"),
            (LIFE, "test_d13_"),
        ],
        "Unblinding: its person, the password again, a reason, the time": [
            ("access/test_sign_in.py", "unblinding_needs_the_password"),
            (CLAUSES, "nobody_but_the_studys_coordinator"),
            (PASSWORD, "what_the_person_said"),
            (LIFE, "a_coordinator_closes_in_their_own_name"),
            (LIFE, "times_and_digest_are_not"),
        ],
        "It freezes the data, whose digest every result bears": [
            (LIFE, "unblinding_freezes"),
            (LIFE, "closing_while_eight_readers_write"),
            ("web/test_kept_analyses.py", "altered_after_unblinding"),
            ("web/test_results_tables.py", "bears_the_digest"),
        ],
    },
    "10. Two to five readers carry no claim about readers in general": {
        "The result says so": [
            (CLAUSES, "up_to_five_readers"),
            ("statistics/test_study_analysis.py", "two_readers_get_the_fixed"),
            ("statistics/test_readings_file.py", "names_the_population"),
        ],
    },
    "An older database keeps what it holds": {
        "Readings, orders, digest and chain": [("database/test_upgrade.py", "test_r5_")],
    },
}


def sentence(name: str) -> str:
    """Return a test's name as a sentence."""
    words = re.sub(r"^test_(?:[a-z]\d+_)*", "", name).replace("_", " ")
    words = re.sub(r"\bai\b", "AI", words)
    return words[0].upper() + words[1:] + "."


def printed() -> str:
    """Return the rules with their tests, as they stand in the page."""
    lines: list[str] = []
    for rule, clauses in RULES.items():
        lines += [f"**{rule}**", ""]
        for clause, tests in clauses.items():
            lines.append(f"- {clause}:")
            lines += [f"  - {line}" for file, part in tests for line in _named(rule, file, part)]
        lines.append("")
    return "\n".join(lines)


def _named(rule: str, file: str, part: str) -> list[str]:
    source = (ROOT / "tests" / file).read_text()
    names = [n for n in re.findall(r"^def (test_\w+)", source, re.MULTILINE) if part in n]
    if not names:
        raise SystemExit(f"{rule}: no test in {file} has {part} in its name")
    return [f"{sentence(name)} `tests/{file}::{name}`" for name in names]


def page_with(text: str) -> str:
    """Return the page with this table."""
    page = PAGE.read_text()
    before, after = page[: page.index(BEGIN) + len(BEGIN)], page[page.index(END) :]
    return f"{before}\n{text}\n{after}"


if __name__ == "__main__":
    wanted = page_with(printed())
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text() != wanted)
    PAGE.write_text(wanted)
