"""Passwords: what a new one must be like, and argon2id hashes, a few at a time."""

import re
import secrets
from threading import BoundedSemaphore

import argon2
from zxcvbn import zxcvbn

from app.domain.access import password_problem
from app.domain.errors import InvalidInput
from app.domain.sentences import Sentence, said

MOST_AT_ONCE = 4
# Of zxcvbn's 0 to 4: fewer than 10^8 guesses with its lists of 30,000 leaked passwords, names and
# words, keyboard rows, dates, and the usual ways of writing them otherwise.
WEAKEST_SCORE = 3
LONGEST_ESTIMATED = 72  # characters: its time grows faster than their number

# argon2id with the library's defaults: 64 MiB, t=3, p=4.
_hasher = argon2.PasswordHasher()
# Each hash takes 64 MiB: a crowd at the door waits its turn instead of filling the memory.
_hashing = BoundedSemaphore(MOST_AT_ONCE)
# Verified against where there is no password, so that both answers take as long.
_NOBODYS = _hasher.hash(secrets.token_urlsafe(16))


def hash_new_password(password: str, *, email: str, field: str = "password") -> str:
    """Return the hash of a new password; raises InvalidInput for one that is easily guessed.

    `field` names the form's field in which it was typed.
    """
    problem = password_problem(password, email=email) or _guessable(password, email=email)
    if problem:
        raise InvalidInput(problem, field=field)
    return hash_password(password)


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password."""
    with _hashing:
        return _hasher.hash(password)


def fits(stored: str | None, password: str) -> bool:
    """Say whether a password is the stored one; takes as long where there is none."""
    with _hashing:
        try:
            return _hasher.verify(stored or _NOBODYS, password) and stored is not None
        except argon2.exceptions.VerifyMismatchError:
            return False


def needs_rehash(stored: str) -> bool:
    """Say whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(stored)


def _guessable(password: str, *, email: str) -> Sentence | None:
    own = [word for word in re.split(r"[^a-z0-9]+", email.lower()) if word]
    found = zxcvbn(password[:LONGEST_ESTIMATED], user_inputs=["reread", email, *own])
    if found["score"] >= WEAKEST_SCORE:
        return None
    return said("This password is among the first that are guessed; use a sentence of your own.")
