from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.errors import Invalid
from portal.services import fields
from tests.portal.factories import START

LATER = START + timedelta(days=30)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "two\nlines", "bell\x07", "turned \u202eround", "zero\u200bwidth", "n" * 201, "\ud800"],
)
def test_a_name_that_does_not_show_as_it_is_stored_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        fields.name(text, "person's name")
    assert "person's name" in refused.value.message
    assert refused.value.mend


def test_a_name_is_kept_in_one_form() -> None:
    assert fields.name("  Zoe\u0308\u00a0Groen ", "person's name") == "Zoë Groen"


@given(st.text(max_size=220))
def test_a_name_that_is_taken_stays_as_it_is(text: str) -> None:
    try:
        taken = fields.name(text, "name")
    except Invalid:
        return
    assert fields.name(taken, "name") == taken
    assert taken.isprintable()
    assert fields.same_name(taken, text)


def test_names_that_look_alike_are_the_same() -> None:
    assert fields.same_name("Deltawerk  Systems", "DELTAWERK systems")
    assert not fields.same_name("Deltawerk Systems", "Deltawerk System")


@pytest.mark.parametrize("text", ["NL", "NLDX", "XY1", "DEX", "", "N LD", "ßDE", "QLA"])
def test_a_code_that_names_no_nation_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        fields.nation(text)


@pytest.mark.parametrize(("text", "code"), [("NLD", "NLD"), (" deu ", "DEU"), ("XKX", "XKX")])
def test_a_nation_is_kept_in_upper_case(text: str, code: str) -> None:
    assert fields.nation(text) == code


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "anna@",
        "@mod.example",
        "a@b@mod.example",
        "anna de@mod.example",
        "anna@mod.example\r\nBcc: x@y.example",
        "Anna <anna@mod.example>",
        "anna@mod.example,bram@mod.example",
        "anna@-mod.example",
        "anna@mod..example",
        "anna@mod_x.example",
        f"anna@{'m' * 64}.example",
        f"{'a' * 250}@mod.example",
    ],
)
def test_what_is_no_single_address_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        fields.email(text)


@pytest.mark.parametrize(
    "text", ["Anna.deVries@MOD.example", "o'neil+portal@mod.example", "zoë@verteidigung.example"]
)
def test_an_address_is_kept_as_it_was_typed(text: str) -> None:
    assert fields.email(f" {text} ") == text


def test_a_grant_never_reaches_into_the_past() -> None:
    assert fields.period(START, START - timedelta(days=900), LATER).start == START
    assert fields.period(START, None, None).start == START
    assert fields.period(START, LATER, None).start == LATER


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (None, START),
        (None, START - timedelta(days=1)),
        (LATER, LATER),
        (LATER, LATER - timedelta(days=1)),
        (datetime(2026, 12, 1), None),  # noqa: DTZ001 - a naive time is what is refused
        (None, datetime(2026, 12, 1)),  # noqa: DTZ001
    ],
)
def test_a_period_that_is_none_is_refused(start: datetime | None, end: datetime | None) -> None:
    with pytest.raises(Invalid):
        fields.period(START, start, end)
