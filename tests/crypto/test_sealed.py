"""Sealed values and row seals: nothing that was altered, moved, copied or invented in a database is taken."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto import canonical
from crypto.errors import Damaged, UnknownKey
from crypto.keyring import KeyRing, WrappedKey
from crypto.providers.contract import RootKey
from crypto.sealed import RowSealer, RowValue, ValueSealer
from tests.crypto.support import NOW, MemoryStore, new_root, ring_of

CONTEXT = ("documents", "document-1", "title")
ROW: list[tuple[str, RowValue]] = [
    ("id", "document-1"),
    ("digest", b"\x11" * 32),
    ("count", 7),
    ("active", True),
    ("gone", None),
    ("created", NOW),
]
patient = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def root(tmp_path: Path) -> RootKey:
    return new_root(tmp_path)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ring(root: RootKey, store: MemoryStore) -> KeyRing:
    return ring_of(root, store)


def rotate(root: RootKey, store: MemoryStore, ring: KeyRing, kind: str) -> None:
    key_id = "0123456789abcdef"
    wrapped = root.wrap(b"n" * 32, canonical.encode("strongroom key", kind, "", 2, key_id))
    store.add(WrappedKey(key_id, kind, "", 2, "active", NOW, wrapped))
    ring.reload()


@patient
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.integers() | st.binary()), st.binary())
def test_a_sealed_value_opens_in_its_place(ring: KeyRing, context: list[Any], plain: bytes) -> None:
    sealer = ValueSealer(ring)
    blob = sealer.seal(tuple(context), plain)
    assert sealer.open(tuple(context), blob) == plain
    assert len(blob) == len(plain) + 37
    with pytest.raises(Damaged):
        sealer.open((*context, None), blob)


@pytest.mark.parametrize(
    "context",
    [
        (),
        ("documents", "document-1"),
        ("documents", "document-2", "title"),
        ("documents", "document-1", "file_name"),
        ("versions", "document-1", "title"),
        ("documents", "document-1title"),
        ("documents", b"document-1", "title"),
    ],
)
def test_a_sealed_value_does_not_open_in_another_place(ring: KeyRing, context: tuple[Any, ...]) -> None:
    sealer = ValueSealer(ring)
    with pytest.raises(Damaged):
        sealer.open(context, sealer.seal(CONTEXT, b"title"))


def test_a_sealed_value_altered_at_any_byte_is_refused(ring: KeyRing) -> None:
    sealer = ValueSealer(ring)
    blob = sealer.seal(CONTEXT, b"title")
    for index in range(len(blob)):
        altered = bytearray(blob)
        altered[index] ^= 1
        for forged in (bytes(altered), blob[:index]):
            with pytest.raises(Damaged):
                sealer.open(CONTEXT, forged)
    with pytest.raises(Damaged):
        sealer.open(CONTEXT, blob + b"\0")


def test_one_value_is_sealed_differently_each_time(ring: KeyRing) -> None:
    sealer = ValueSealer(ring)
    assert sealer.seal(CONTEXT, b"title") != sealer.seal(CONTEXT, b"title")


def test_a_value_of_an_unknown_key_is_refused(ring: KeyRing) -> None:
    sealer = ValueSealer(ring)
    blob = sealer.seal(CONTEXT, b"title")
    with pytest.raises(UnknownKey):
        sealer.open(CONTEXT, blob[:1] + b"\0" * 8 + blob[9:])


def test_a_key_of_another_kind_seals_no_value_and_no_row(ring: KeyRing) -> None:
    row_key = bytes.fromhex(ring.sealing("row").id)
    column_key = bytes.fromhex(ring.sealing("column").id)
    values, rows = ValueSealer(ring), RowSealer(ring)
    blob = values.seal(CONTEXT, b"title")
    seal = rows.seal("table", "1", 1, ROW)
    with pytest.raises(Damaged, match="another kind"):
        values.open(CONTEXT, blob[:1] + row_key + blob[9:])
    with pytest.raises(Damaged, match="another kind"):
        rows.verify("table", "1", 1, ROW, seal[:1] + column_key + seal[9:])


def test_values_and_rows_sealed_before_a_rotation_still_hold(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    values, rows = ValueSealer(ring), RowSealer(ring)
    blob, seal = values.seal(CONTEXT, b"title"), rows.seal("table", "1", 1, ROW)
    rotate(root, store, ring, "column")
    assert values.open(CONTEXT, blob) == b"title"
    assert values.seal(CONTEXT, b"title")[1:9] != blob[1:9]
    rows.verify("table", "1", 1, ROW, seal)


def test_a_row_matches_its_seal(ring: KeyRing) -> None:
    rows = RowSealer(ring)
    seal = rows.seal("documents", "document-1", 3, ROW)
    assert len(seal) == 41
    assert rows.seal("documents", "document-1", 3, ROW) == seal
    rows.verify("documents", "document-1", 3, ROW, seal)
    rows.verify("documents", "document-1", 3, tuple(ROW), seal)


@pytest.mark.parametrize(
    "change",
    [{"table": "versions"}, {"primary_key": "document-2"}, {"row_version": 2}, {"row_version": 4}],
)
def test_a_seal_copied_to_another_place_or_version_is_refused(ring: KeyRing, change: dict[str, Any]) -> None:
    rows = RowSealer(ring)
    place: dict[str, Any] = {"table": "documents", "primary_key": "document-1", "row_version": 3}
    seal = rows.seal(**place, values=ROW)
    with pytest.raises(Damaged, match="differs"):
        rows.verify(**{**place, **change}, values=ROW, seal=seal)


@pytest.mark.parametrize("index", range(len(ROW)))
def test_a_column_edited_renamed_dropped_or_doubled_is_refused(ring: KeyRing, index: int) -> None:
    rows = RowSealer(ring)
    seal = rows.seal("documents", "document-1", 3, ROW)
    name, value = ROW[index]
    others: list[RowValue] = [
        None,
        "",
        "7",
        7,
        8,
        1,
        True,
        False,
        b"",
        b"\x11" * 31,
        NOW + timedelta(microseconds=1),
    ]
    edits = [[(name, other)] for other in others if (type(other), other) != (type(value), value)]
    for edit in [*edits, [("other", value)], [], [ROW[index], ROW[index]]]:
        with pytest.raises(Damaged):
            rows.verify("documents", "document-1", 3, [*ROW[:index], *edit, *ROW[index + 1 :]], seal)


def test_columns_that_change_places_are_refused(ring: KeyRing) -> None:
    rows = RowSealer(ring)
    seal = rows.seal("t", "1", 1, [("a", "x"), ("b", "y")])
    for other in ([("b", "y"), ("a", "x")], [("a", "y"), ("b", "x")], [("a", "xby")]):
        with pytest.raises(Damaged):
            rows.verify("t", "1", 1, other, seal)


def test_a_seal_altered_at_any_byte_is_refused(ring: KeyRing) -> None:
    rows = RowSealer(ring)
    seal = rows.seal("documents", "document-1", 3, ROW)
    for index in range(len(seal)):
        altered = bytearray(seal)
        altered[index] ^= 1
        for forged in (bytes(altered), seal[:index]):
            with pytest.raises(Damaged):
                rows.verify("documents", "document-1", 3, ROW, forged)


def test_a_seal_made_under_another_root_key_is_refused(tmp_path: Path, ring: KeyRing) -> None:
    other = RowSealer(ring_of(new_root(tmp_path, "other.key"), MemoryStore()))
    with pytest.raises(Damaged):
        RowSealer(ring).verify("t", "1", 1, ROW, other.seal("t", "1", 1, ROW))


def test_an_own_key_in_the_store_forges_no_seal(store: MemoryStore, ring: KeyRing) -> None:
    key = store.keys[ring.sealing("row").id]
    forged = dataclasses.replace(key, id="ff" * 8, version=2, wrapped=bytes(len(key.wrapped)))
    store.add(forged)
    with pytest.raises(Damaged):
        RowSealer(ring).verify("t", "1", 1, ROW, b"\x03" + b"\xff" * 8 + bytes(32))


def test_a_row_with_a_naive_time_is_not_sealed(ring: KeyRing) -> None:
    with pytest.raises(TypeError):
        RowSealer(ring).seal("t", "1", 1, [("at", datetime(2026, 1, 1))])  # noqa: DTZ001
    assert RowSealer(ring).seal("t", "1", 1, [("at", datetime(2026, 1, 1, tzinfo=UTC))])


def test_a_blind_index_is_one_for_a_text_and_a_purpose(ring: KeyRing) -> None:
    rows = RowSealer(ring)
    index = rows.blind_index("e-mail", "a@example.org")
    assert rows.blind_index("e-mail", "a@example.org") == index
    assert (
        len({index, rows.blind_index("e-mail", "b@example.org"), rows.blind_index("name", "a@example.org")})
        == 3
    )
    assert b"example" not in index


def test_a_look_up_asks_for_the_index_of_every_key_version(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    rows = RowSealer(ring)
    before = rows.blind_index("e-mail", "a@example.org")
    rotate(root, store, ring, "index")
    after = rows.blind_index("e-mail", "a@example.org")
    assert after != before
    assert rows.blind_indexes("e-mail", "a@example.org") == (after, before)
