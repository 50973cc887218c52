"""The keys of the reading room: what they do, the standard ones, and each reader's own.

Digits always say how sure; Enter always locks. Everything else can be given another key, or all
single keys switched off (WCAG 2.1.4).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.errors import InvalidInput
from app.domain.sentences import said

MEANINGS: dict[str, str] = {
    "bcc": said("call BCC"),
    "sk": said("call SK"),
    "biopsy": said("biopsy"),
    "no_biopsy": said("no biopsy"),
    "bcc_biopsy": said("call BCC and biopsy, in one"),
    "bcc_no_biopsy": said("call BCC and no biopsy, in one"),
    "sk_biopsy": said("call SK and biopsy, in one"),
    "sk_no_biopsy": said("call SK and no biopsy, in one"),
    "lock": said("lock the call, like Enter"),
    "peek": said("hold: the image with the map off (or on)"),
    "compare": said("the map beside the plain image"),
    "next_image": said("next image of the case"),
    "all_images": said("all images of the case, side by side"),
    "zoom_in": said("zoom in"),
    "zoom_out": said("zoom out"),
    "fit": said("fit the whole image"),
}
ACTS = tuple(MEANINGS)
# Both questions answered by one key, so that a call takes three also where management is asked.
BOTH_IN_ONE = ("bcc_biopsy", "bcc_no_biopsy", "sk_biopsy", "sk_no_biopsy")
STANDARD: dict[str, str] = {
    "bcc": "b",
    "sk": "s",
    "biopsy": "y",
    "no_biopsy": "n",
    "bcc_biopsy": "g",  # beside B and S on the keyboard: above for a biopsy, below for none
    "bcc_no_biopsy": "v",
    "sk_biopsy": "w",
    "sk_no_biopsy": "x",
    "lock": "l",
    "peek": "o",
    "compare": "c",
    "next_image": "i",
    "all_images": "a",
    "zoom_in": "+",
    "zoom_out": "-",
    "fit": "f",
}
# A whole call within reach of one hand: the call, a digit, the lock.
LEFT_HAND: dict[str, str] = {
    **STANDARD,
    "bcc": "d",
    "sk": "f",
    "biopsy": "w",
    "no_biopsy": "x",
    "bcc_biopsy": "e",  # above D and F for a biopsy, below them for none
    "bcc_no_biopsy": "c",
    "sk_biopsy": "r",
    "sk_no_biopsy": "v",
    "lock": "g",
    "peek": "b",
    "compare": "s",
    "next_image": "t",
    "fit": "z",
}
NUMBER_PAD: dict[str, str] = {**STANDARD, "bcc": "/", "sk": "*", "peek": "."}
# Where a biopsy is asked for, the pad's four signs answer both in one; letters call and zoom.
NUMBER_PAD_BIOPSY: dict[str, str] = {
    **STANDARD,
    "bcc_biopsy": "/",
    "bcc_no_biopsy": "*",
    "sk_biopsy": "-",
    "sk_no_biopsy": "+",
    "peek": ".",
    "zoom_in": "g",
    "zoom_out": "v",
}
LAYOUTS: dict[str, tuple[str, dict[str, str]]] = {
    "standard": (said("Standard: B, S, digits, Enter"), STANDARD),
    "left": (said("Left hand: D, F, digits, G"), LEFT_HAND),
    "number-pad": (said("Number pad: /, *, digits, Enter"), NUMBER_PAD),
    "number-pad-biopsy": (
        said("Number pad, call and biopsy in one: /, *, -, +, digits, Enter"),
        NUMBER_PAD_BIOPSY,
    ),
}
PAUSES = (5, 240)  # minutes: the least and the most after which a pause is offered
STANDARD_PAUSE = 45


@dataclass(frozen=True)
class ReadingKeys:
    """A reader's keys: one character an act, or none ("") for an act of BOTH_IN_ONE.

    None for `pause_minutes`: no pause is offered.
    """

    single_keys: bool = True
    keys: Mapping[str, str] = field(default_factory=lambda: STANDARD)
    pause_minutes: int | None = STANDARD_PAUSE

    @property
    def changed(self) -> dict[str, str]:
        """Return what differs from the standard, as it is stored."""
        return {act: key for act, key in self.keys.items() if key != STANDARD[act]}


def stored_keys(changed: Mapping[str, object]) -> dict[str, str]:
    """Return all keys from what was stored; an act that is not known any more is left out.

    A key that the reader gave to something else stays theirs: the act that came later has none.
    """
    taken = {str(key) for act, key in changed.items() if act in ACTS}
    keys: dict[str, str] = {}
    for act, standard in STANDARD.items():
        free = "" if act in BOTH_IN_ONE and standard in taken else standard
        keys[act] = str(changed.get(act, free))
    return keys


def parse_keys(typed: Mapping[str, str], *, single_keys: bool, pause: str) -> ReadingKeys:
    """Check the form of a reader's keys; raises InvalidInput with what to mend."""
    keys: dict[str, str] = {}
    for act in ACTS:
        key = typed.get(act, "").strip().lower()
        if not key and act in BOTH_IN_ONE:
            keys[act] = ""
            continue
        if len(key) != 1 or not key.isprintable() or key.isdigit():
            raise InvalidInput(
                said(
                    'The key to "{meaning}" is one letter or sign; digits say how sure.',
                    meaning=MEANINGS[act],
                ),
                field=act,
            )
        twin = next((other for other, taken in keys.items() if taken == key), None)
        if twin is not None:
            raise InvalidInput(
                said(
                    'The key {key} stands for both "{one}" and "{other}". Give one of '
                    "them another.",
                    key=key.upper(),
                    one=MEANINGS[twin],
                    other=MEANINGS[act],
                ),
                field=act,
            )
        keys[act] = key
    return ReadingKeys(single_keys=single_keys, keys=keys, pause_minutes=_minutes(pause))


def _minutes(text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    least, most = PAUSES
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and least <= int(text) <= most):  # noqa: PLR2004
        raise InvalidInput(
            said(
                "A pause is offered after {least} to {most} minutes, or never.",
                least=least,
                most=most,
            ),
            field="pause_minutes",
        )
    return int(text)
