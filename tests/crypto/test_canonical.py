"""The canonical encoding is injective, and stays what it is."""

from __future__ import annotations

import enum
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.canonical import Value, encode

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4).map(tuple))
sequences = st.lists(values, max_size=5).map(tuple)


def typed(value: Value) -> object:
    """Tell values apart that Python calls equal (True and 1)."""
    return (type(value), tuple(map(typed, value)) if isinstance(value, tuple) else value)


@given(sequences, sequences)
def test_different_sequences_have_different_encodings(
    first: tuple[Value, ...], second: tuple[Value, ...]
) -> None:
    assert (encode(*first) == encode(*second)) == (typed(first) == typed(second))


@given(sequences, sequences)
def test_encoding_a_sequence_joins_the_encodings_of_its_pieces(
    first: tuple[Value, ...], second: tuple[Value, ...]
) -> None:
    assert encode(*first, *second) == encode(*first) + encode(*second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("a", "b"), ("ab",)),
        (("a", b"b"), (b"a", "b")),
        ((("a",), "b"), (("a", "b"),)),
        ((1,), ("1",)),
        ((1,), (True,)),
        ((0,), (None,)),
        ((), ((),)),
        (("", None), (None, "")),
    ],
)
def test_values_that_look_alike_are_told_apart(first: tuple[Value, ...], second: tuple[Value, ...]) -> None:
    assert encode(*first) != encode(*second)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((), ""),
        ((None, True, False), "4e5446"),
        ((0, 1, -1), "690000000100" + "690000000101" + "6900000001ff"),
        ((127, 128, -128, -129), "69000000017f" + "69000000020080" + "690000000180" + "6900000002ff7f"),
        ((2**64,), "6900000009010000000000000000"),
        (("", "a", "Ü"), "7300000000" + "730000000161" + "7300000002c39c"),
        (("x" * 300,), "730000012c" + "78" * 300),
        ((b"", b"\0"), "6200000000" + "620000000100"),
        ((datetime(1970, 1, 1, tzinfo=UTC),), "640000000000000000"),
        ((datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),), "64ffffffffffffffff"),
        (((), ("a", 1)), "7400000000" + "7400000002" + "730000000161" + "690000000101"),
    ],
)
def test_frozen_encodings(values: tuple[Value, ...], expected: str) -> None:
    assert encode(*values).hex() == expected


def test_one_moment_is_encoded_alike_in_every_time_zone() -> None:
    there = timezone(timedelta(hours=2))
    assert encode(datetime(2026, 11, 24, 14, tzinfo=there)) == encode(datetime(2026, 11, 24, 12, tzinfo=UTC))


def test_a_member_of_an_enumeration_is_encoded_as_its_value() -> None:
    class Role(enum.StrEnum):
        PARTNER = "partner"

    assert encode(Role.PARTNER) == encode("partner")


@pytest.mark.parametrize("value", [1.0, ["a"], {"a": 1}, bytearray(b"a"), datetime(2026, 1, 1), object()])  # noqa: DTZ001
def test_other_types_are_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encode(value)  # type: ignore[arg-type]
