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
ROOM = "browser/test_reading_room.py"

# Rule -> (file, a part of the test's name): every test whose name has it is listed.
RULES: dict[str, list[tuple[str, str]]] = {
    "1. One road for AI output, only after the lock, in every design": [
        (RELEASE, "before_the_unaided_lock"),
        (RELEASE, "a_lock_that_could_still_be_taken_back"),
        (DESIGNS, "test_b1_"),
        (DESIGNS, "test_b2_"),
        (ROOM, "nothing_of_the_ai_is_fetched"),
    ],
    "2. Truth never reaches a reader, but of a training case": [
        (DESIGNS, "the_truth_of_a_training_case"),
        ("database/test_rights.py", "a_role_has_the_rights_of_the_list"),
        ("importing/test_imaging.py", "no_metadata_survives"),
    ],
    "3. Call first, then confidence, then what else is asked; nothing preselected": [
        (ROOM, "nothing_is_preselected"),
        (DESIGNS, "test_d11_"),
    ],
    "4. The reveal is logged, once": [(RELEASE, "the_reveal_is_recorded_once")],
    "5. Reload, back, second tab and lost answers end at the server's state": [
        (ROOM, "reload_back_and_a_second_tab"),
        ("reading/test_reading.py", "the_same_submit_again"),
        (DESIGNS, "test_d6_"),
    ],
    "6. After the lock nothing changes; a correction is a further row": [
        ("database/test_append_only.py", "no_row_is_updated"),
        ("database/test_append_only.py", "no_row_is_deleted"),
        (DESIGNS, "test_d4_"),
    ],
    "7. The order is drawn once, hashed, and derived again": [
        (LIFE, "every_order_is_derived_again"),
        (LIFE, "nothing_is_added_to_an_order"),
        (RELEASE, "no_case_is_served_before"),
        (DESIGNS, "order"),
    ],
    "8. Four designs, training, repeats, washout": [
        (DESIGNS, "in_every_design"),
        (DESIGNS, "second_session"),
        (DESIGNS, "another_washout"),
        (DESIGNS, "crossover_arms"),
        (DESIGNS, "training_cases_come_first"),
        (DESIGNS, "a_case_excluded"),
    ],
    "9. Progress, never accuracy; frozen designs; unblinding is an act": [
        (DESIGNS, "test_d13_"),
        (LIFE, "unblinding_freezes"),
        ("database/test_rights.py", "an_analyst_sees_nothing"),
        (LIFE, "closing_while_eight_readers_write"),
    ],
    "An older database keeps what it holds": [("database/test_upgrade.py", "test_r5_")],
}


def sentence(name: str) -> str:
    """Return a test's name as a sentence."""
    words = re.sub(r"^test_(?:[a-z]\d+_)?", "", name).replace("_", " ")
    words = re.sub(r"\bai\b", "AI", words)
    return words[0].upper() + words[1:] + "."


def printed() -> str:
    """Return the rules with their tests, as they stand in the page."""
    lines: list[str] = []
    for rule, tests in RULES.items():
        lines += [f"**{rule}**", ""]
        for file, part in tests:
            source = (ROOT / "tests" / file).read_text()
            names = [n for n in re.findall(r"^def (test_\w+)", source, re.MULTILINE) if part in n]
            if not names:
                raise SystemExit(f"{rule}: no test in {file} has {part} in its name")
            lines += [f"- {sentence(name)} `tests/{file}::{name}`" for name in names]
        lines.append("")
    return "\n".join(lines)


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
