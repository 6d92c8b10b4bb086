from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.errors import Invalid, TooMany, Unavailable
from portal.identity.passwords import LEAST, MOST, PasswordHasher, check_password
from tests.portal.factories import CHEAP_HASHER, PASSWORD

WHO = {"email": "anna.devries@mod.example", "name": "Anna de Vries"}


def test_the_right_password_is_accepted_and_others_are_not() -> None:
    stored = CHEAP_HASHER.hash(PASSWORD)
    assert CHEAP_HASHER.verify(stored, PASSWORD)
    assert not CHEAP_HASHER.verify(stored, PASSWORD + " ")
    assert not CHEAP_HASHER.verify(stored, PASSWORD.upper())
    assert not CHEAP_HASHER.verify(stored, "")


def test_stored_passwords_are_argon2id_with_a_salt_each() -> None:
    first, second = CHEAP_HASHER.hash(PASSWORD), CHEAP_HASHER.hash(PASSWORD)
    assert first.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert first != second


def test_an_accent_composed_otherwise_is_the_same_password() -> None:
    assert CHEAP_HASHER.verify(
        CHEAP_HASHER.hash("café au lait à Orléans"), "cafe\u0301 au lait a\u0300 Orle\u0301ans"
    )


@pytest.mark.parametrize("stored", [None, "", "not a hash"])
def test_an_account_without_a_password_is_refused(stored: str | None) -> None:
    assert not CHEAP_HASHER.verify(stored, PASSWORD)
    assert not CHEAP_HASHER.verify(stored, "")


def test_an_unknown_account_costs_one_verification_too(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(memory=8, rounds=1)
    verified: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noted(self: argon2.PasswordHasher, stored: str, password: bytes) -> bool:
        verified.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    hasher.verify(None, PASSWORD)
    hasher.verify(hasher.hash(PASSWORD), PASSWORD)
    parameters = [stored.rsplit("$", 2)[0] for stored in verified]
    assert len(parameters) == 2
    assert parameters[0] == parameters[1]


def test_a_password_that_is_too_long_never_matches() -> None:
    exact = "x" * MOST
    assert CHEAP_HASHER.verify(CHEAP_HASHER.hash(exact), exact)
    assert not CHEAP_HASHER.verify(CHEAP_HASHER.hash(exact), exact + "y")


def test_text_that_utf8_cannot_carry_is_only_wrong() -> None:
    assert not CHEAP_HASHER.verify(CHEAP_HASHER.hash("correct? horse battery"), "correct\ud800 horse battery")


def test_higher_parameters_ask_for_a_rehash() -> None:
    stored = CHEAP_HASHER.hash(PASSWORD)
    assert not CHEAP_HASHER.needs_rehash(stored)
    raised = PasswordHasher(memory=16, rounds=2)
    assert raised.needs_rehash(stored)
    assert raised.verify(stored, PASSWORD)


def test_whoever_gets_no_turn_in_time_is_told_to_come_back() -> None:
    hasher = PasswordHasher(memory=8, rounds=1, at_once=1, wait=0.01)
    stored = hasher.hash(PASSWORD)
    with hasher._turn():
        with pytest.raises(TooMany):
            hasher.verify(stored, PASSWORD)
        with pytest.raises(TooMany):
            hasher.hash(PASSWORD)
    assert hasher.verify(stored, PASSWORD)


def test_no_more_passwords_are_checked_at_once_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(memory=8, rounds=1, at_once=2, wait=30)
    stored = hasher.hash(PASSWORD)
    both = threading.Barrier(2, timeout=30)
    lock, running, most = threading.Lock(), 0, 0
    verify = argon2.PasswordHasher.verify

    def counted(*arguments: Any) -> bool:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        both.wait()
        matches = verify(*arguments)
        both.wait()
        with lock:
            running -= 1
        return matches

    monkeypatch.setattr(argon2.PasswordHasher, "verify", counted)
    threads = [threading.Thread(target=hasher.verify, args=(stored, PASSWORD)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_a_check_without_memory_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(memory=8, rounds=1)

    def exhausted(*_arguments: Any) -> bool:
        raise MemoryError

    monkeypatch.setattr(argon2.PasswordHasher, "verify", exhausted)
    with pytest.raises(Unavailable):
        hasher.verify(None, PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "correct horse battery staple",
        "zwölf Boxkämpfer jagen",
        "Anna de Vries keeps seven herons",
        "my secret herons fly at night",
        "ab" * 3 + "gulls over Den Helder",
        "twelve chars",
        "ハーリングを食べる七羽の鷺たち",
    ],
)
def test_long_passwords_of_any_composition_are_taken(password: str) -> None:
    check_password(password, **WHO)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "Sh0rt!",
        "eleven char",
        "a" * 12,
        "abababababab",
        "abcabcabcabc",
        "adminadminadmin",
        "123456789012",
        "qwertyuiop12",
        "1qaz2wsx3edc",
        "abcdefghijklmnop",
        "Password1234",
        "P@ssw0rd12345!",
        "Welcome-2026!!",
        "strongroom2026",
        "Anna de Vries",
        "annadevries2026",
        "anna.devries@mod.example",
        "vriesvries1234",
        "gull\ud800s over Den Helder",
        "x7" * 65,
    ],
)
def test_passwords_that_are_guessed_first_are_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, **WHO)
    assert refused.value.mend


@settings(max_examples=200)
@given(st.text(max_size=200))
def test_every_text_is_either_refused_or_of_a_good_length(password: str) -> None:
    with suppress(Invalid):
        check_password(password, **WHO)
        assert LEAST <= len(password) <= MOST


@given(st.text(max_size=20))
def test_what_is_too_short_is_always_refused(text: str) -> None:
    with pytest.raises(Invalid):
        check_password(text[: LEAST - 1], **WHO)
