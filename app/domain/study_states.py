"""The states of a study as sentences name them; the database knows them by one word each."""

from app.domain.sentences import Sentence, said

STATES = {
    "draft": said("being prepared"),
    "open": said("open"),
    "closed": said("closed"),
    "unblinded": said("unblinded"),
}


def state_in_words(state: str) -> Sentence:
    """Say a state, or several as the database joins them ("draft or open")."""
    first, _, others = state.partition(" or ")
    one = STATES.get(first, said(first))
    return said("{one} or {others}", one=one, others=state_in_words(others)) if others else one
