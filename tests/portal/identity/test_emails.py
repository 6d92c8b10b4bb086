from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.identity.emails import email_index, email_indexes, normal_email
from portal.models import Seals


@pytest.mark.parametrize("typed", ["Anna@MOD.example", " anna@mod.example ", "\uff41nna@mod.example"])
def test_an_address_is_found_however_it_is_typed(seals: Seals, typed: str) -> None:
    assert email_index(seals.rows, "anna@mod.example") in email_indexes(seals.rows, typed)


@pytest.mark.parametrize(
    "typed",
    ["", "anna", "@mod.example", "anna@", "an na@mod.example", "anna\u202e@mod.example", f"{'a' * 251}@b.c"],
)
def test_what_is_no_address_is_refused(seals: Seals, typed: str) -> None:
    with pytest.raises(Invalid):
        email_index(seals.rows, typed)


@pytest.mark.parametrize("typed", ["", "\ud800@mod.example", "a" * 100_000, "anna"])
def test_whatever_was_typed_can_be_looked_up(seals: Seals, typed: str) -> None:
    assert email_indexes(seals.rows, typed)


@given(st.emails())
def test_the_normal_form_is_its_own_normal_form(email: str) -> None:
    assert normal_email(normal_email(email)) == normal_email(email)
