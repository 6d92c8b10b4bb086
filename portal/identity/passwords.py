"""Passwords: argon2id (RFC 9106) with bounded concurrency, and the rules that a new password must keep.

The rules prefer length to composition (NIST SP 800-63B, section 5.1.1.2; OWASP ASVS 5.0, 6.2). Passwords are
compared in NFKC, so that the keyboard that composes an accent does not matter.
"""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

import argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from portal.errors import Invalid, TooMany, Unavailable

LEAST = 12
MOST = 128
"""Length of a password in characters (code points)."""

_LEAST_DISTINCT = 5
_LEAST_NAME = 4
_RUNS = (
    "01234567890123456789",
    "98765432109876543210",
    "abcdefghijklmnopqrstuvwxyz",
    "zyxwvutsrqponmlkjihgfedcba",
    "qwertyuiopasdfghjklzxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
    "qwertzuiopasdfghjklyxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm",
    "1q2w3e4r5t6y7u8i9o0p",
)
_WORDS = frozenset(
    {
        "access", "account", "admin", "administrator", "changeme", "classified", "computer",
        "confidential", "default", "demo", "department", "document", "dragon", "football", "guest",
        "hello", "iloveyou", "letmein", "login", "master", "monkey", "ministry", "motdepasse", "nato",
        "officer", "official", "otan", "partner", "password", "passwort", "princess", "qwerty",
        "restricted", "secret", "secure", "security", "strongroom", "summer", "sunshine", "superman",
        "system", "temporary", "test", "user", "welcome", "winter",
    }
)  # fmt: skip
_LOOKALIKES = str.maketrans("013457@$!", "oieastasi")


class PasswordHasher:
    """Hashes and verifies passwords; at most `at_once` at a time, others wait at most `wait` seconds for their turn.

    `memory` is in KiB, `rounds` are passes over it, `lanes` its degree of parallelism (RFC 9106, section 3.1).
    """

    def __init__(
        self, *, memory: int = 65_536, rounds: int = 3, lanes: int = 1, at_once: int = 2, wait: float = 5.0
    ) -> None:
        self._hasher = argon2.PasswordHasher(
            time_cost=rounds, memory_cost=memory, parallelism=lanes, type=argon2.Type.ID
        )
        self._turns = threading.BoundedSemaphore(at_once)
        self._wait = wait
        self._nobody = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """Return the PHC string of a password; raises TooMany when no turn came, Unavailable without memory."""
        with self._turn():
            return self._hasher.hash(_octets(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether `password` is the one of the PHC string `stored`.

        None stands for an account that does not exist or has no password: the answer is False, for the same work.
        Raises TooMany when no turn came, Unavailable without memory.
        """
        known = bool(stored) and len(password) <= MOST
        with self._turn():
            try:
                matches = self._hasher.verify(
                    stored if stored and known else self._nobody, _octets(password[:MOST])
                )
            except (VerifyMismatchError, InvalidHashError):
                return False
        return matches and known

    def needs_rehash(self, stored: str) -> bool:
        """Tell whether a PHC string was made with other parameters than those in force."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._wait):
            raise TooMany(
                "Too many people are signing in at this moment.", mend="Try again shortly.", retry_after=5
            )
        try:
            yield
        except (VerificationError, argon2.exceptions.HashingError, MemoryError) as fault:
            raise Unavailable("Passwords cannot be checked now.", mend="Try again in a minute.") from fault
        finally:
            self._turns.release()


def check_password(password: str, *, email: str, name: str) -> None:
    """Raise Invalid, with what to do, unless `password` may be the password of the person with this e-mail and name."""
    length = len(password)
    if length < LEAST:
        raise Invalid(
            f"The password has {length} characters; it needs at least {LEAST}.",
            mend="Several words that only you would put together make a good one.",
        )
    if length > MOST:
        raise Invalid(
            f"The password is longer than {MOST} characters.", mend=f"Shorten it to at most {MOST}."
        )
    try:
        password.encode()
    except UnicodeEncodeError:
        raise Invalid(
            "The password holds something that is not text.", mend="Choose other characters."
        ) from None
    plain = _squeezed(password)
    for told in _told(email, name):
        # What is left beside the name must still be long enough to be a password of its own.
        if told in plain and len(plain.replace(told, "")) < LEAST - _LEAST_NAME:
            raise Invalid(
                "The password is made of your name or e-mail address.", mend="Leave them out of it."
            )
    if _guessable(plain):
        raise Invalid(
            "The password is one of those that are tried first.",
            mend="Choose several words that only you would put together.",
        )


def _told(email: str, name: str) -> Iterator[str]:
    """Yield what anybody knows of the person: the address, its parts, the name and its words."""
    local, _, domain = email.partition("@")
    for text in (email, local, *local.split("."), domain.split(".")[0], name, *name.split()):
        known = _squeezed(text)
        if len(known) >= _LEAST_NAME:
            yield known


def _guessable(plain: str) -> bool:
    if len(set(plain)) < _LEAST_DISTINCT:
        return True
    period = (plain + plain).find(plain, 1)
    core = plain[:period]
    if period < len(plain) and len(core) < LEAST:
        return True
    spelled = core.strip("0123456789!?*#+$").translate(_LOOKALIKES)
    words = {"".join(filter(str.isalpha, text)) for text in (core, spelled)}
    return not words.isdisjoint(_WORDS) or any(_covers(run, plain) for run in _RUNS)


def _covers(run: str, plain: str) -> bool:
    """Tell whether a run of the keyboard makes up all but a few characters of the password."""
    longest = 0
    for start in range(len(plain)):
        while start + longest < len(plain) and plain[start : start + longest + 1] in run:
            longest += 1
    return len(plain) - longest < LEAST - _LEAST_DISTINCT and longest > len(plain) // 2


def _squeezed(text: str) -> str:
    """Return text as somebody who guesses would look at it: no case, no spaces, no punctuation between words."""
    return "".join(
        letter for letter in _normal(text).casefold() if not letter.isspace() and letter not in "._-"
    )


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _octets(password: str) -> bytes:
    # Lone surrogates can come from JSON; they are in no stored password, and must not stop the check.
    return _normal(password).encode("utf-8", "surrogatepass")
