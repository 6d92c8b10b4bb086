"""The key ring: one key for a place, bound to it, found by id, shared by threads and nodes."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto import canonical
from crypto.errors import Damaged, KeyUnavailable, UnknownKey
from crypto.keyring import DekContext, Domain, KeyRing, KeyState, WrappedKey
from crypto.keys import Dek
from crypto.providers.contract import RootKey
from crypto.unwrapping import unwrap_dek
from tests.crypto.support import KEY, NOW, MemoryStore, new_root, ring_of

DOMAIN = Domain("NATO SECRET", "programme")
CONTEXT = DekContext("document", 2, b"l" * 32, b"p" * 32)


@pytest.fixture
def root(tmp_path: Path) -> RootKey:
    return new_root(tmp_path)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def ring(root: RootKey, store: MemoryStore) -> KeyRing:
    return ring_of(root, store)


def add_version(
    root: RootKey, store: MemoryStore, kind: str, version: int, state: str = KeyState.ACTIVE
) -> str:
    """Do what a rotation does: add the next version of a key."""
    key_id = f"{version:016x}"
    wrapped = root.wrap(bytes((version,)) * 32, canonical.encode("strongroom key", kind, "", version, key_id))
    store.add(WrappedKey(key_id, kind, "", version, state, NOW, wrapped))
    return key_id


def test_each_domain_has_a_key_of_its_own(ring: KeyRing, store: MemoryStore) -> None:
    keys = [
        ring.domain_key(classification, programme)
        for classification in ("NATO SECRET", "NATO RESTRICTED")
        for programme in ("one", "two")
    ]
    assert len({key.material for key in keys}) == 4
    assert len({key.domain for key in keys}) == 4
    assert len(store.keys) == 4


def test_a_key_is_created_once_and_found_by_another_node(root: RootKey, store: MemoryStore) -> None:
    first = ring_of(root, store).domain_key("NATO SECRET", "one")
    other = ring_of(root, store)
    assert other.domain_key("NATO SECRET", "one").material == first.material
    assert other.by_id(first.id).material == first.material


def test_a_stored_key_shows_no_material(ring: KeyRing, store: MemoryStore) -> None:
    key = ring.sealing("column")
    stored = store.keys[key.id]
    assert key.material not in stored.wrapped
    assert (stored.kind, stored.domain, stored.version, stored.state) == ("column", "", 1, "active")
    assert stored.created == NOW


@pytest.mark.parametrize(("classification", "programme"), [("", "a"), ("a", ""), ("a", "b/c")])
def test_a_domain_that_another_could_be_taken_for_is_refused(classification: str, programme: str) -> None:
    with pytest.raises(ValueError):
        Domain(classification, programme)


def test_threads_agree_on_one_key(root: RootKey, store: MemoryStore) -> None:
    ring = ring_of(root, store)
    with ThreadPoolExecutor(16) as pool:
        keys = list(pool.map(lambda _: ring.domain_key("NATO SECRET", "one").id, range(64)))
    assert len(set(keys)) == 1
    assert len(store.keys) == 1


def test_nodes_that_create_a_key_at_once_agree_on_one(root: RootKey, store: MemoryStore) -> None:
    class LateStore(MemoryStore):
        """Another node adds its key between our look and our add."""

        def add(self, key: WrappedKey) -> None:
            if not store.keys:
                other = ring_of(root, store)
                other.sealing("row")
            self.keys = store.keys
            super().add(key)

    ours = ring_of(root, LateStore())
    theirs = ring_of(root, store)
    assert ours.sealing("row").material == theirs.sealing("row").material
    assert len(store.keys) == 1


def test_a_store_that_fails_is_not_taken_for_one_that_has_the_key(root: RootKey) -> None:
    class BrokenStore(MemoryStore):
        def add(self, key: WrappedKey) -> None:
            raise OSError("disk full")

    ring = ring_of(root, BrokenStore())
    with pytest.raises(OSError, match="disk full"):
        ring.sealing("row")


def test_an_unknown_key_id_reloads_the_store_once(ring: KeyRing, store: MemoryStore) -> None:
    ring.sealing("row")
    loads = store.loads
    with pytest.raises(UnknownKey, match="00ff00ff00ff00ff"):
        ring.by_id("00ff00ff00ff00ff")
    assert store.loads == loads + 1


def test_the_newest_version_seals_and_older_ones_still_open(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    first = ring.sealing("column")
    newer = add_version(root, store, "column", 2)
    assert ring.sealing("column").id == first.id
    ring.reload()
    assert ring.sealing("column").id == newer
    assert ring.by_id(first.id).material == first.material
    assert [key.version for key in ring.versions("column")] == [2, 1]


def test_a_retired_newest_key_is_not_replaced_by_an_older_one(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    ring.sealing("column")
    retired = add_version(root, store, "column", 2, KeyState.RETIRED)
    ring.reload()
    with pytest.raises(KeyUnavailable, match="retired"):
        ring.sealing("column")
    assert ring.by_id(retired).version == 2


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "row"},
        {"domain": "other"},
        {"version": 7},
        {"id": "00" * 8},
        {"wrapped": b""},
        {"wrapped": b"x" * 69},
    ],
)
@pytest.mark.parametrize("opened_before", [False, True])
def test_a_key_edited_in_the_store_is_refused(
    root: RootKey, store: MemoryStore, change: dict[str, Any], opened_before: bool
) -> None:
    ring = ring_of(root, store)
    key = ring.domain_key("NATO SECRET", "one")
    edited = dataclasses.replace(store.keys.pop(key.id), **change)
    store.keys[edited.id] = edited
    # What a node has opened is known by its id, so an edit that leaves the place alone is met by other nodes only.
    if not opened_before or "wrapped" in change:
        ring = ring_of(root, store)
    ring.reload()
    with pytest.raises(Damaged):
        ring._sealing(edited.kind, edited.domain)  # type: ignore[arg-type]


def test_a_key_deleted_from_the_store_is_dropped(ring: KeyRing, store: MemoryStore) -> None:
    key = ring.sealing("column")
    del store.keys[key.id]
    ring.reload()
    with pytest.raises(UnknownKey):
        ring.by_id(key.id)


def test_another_root_key_opens_nothing(tmp_path: Path, ring: KeyRing, store: MemoryStore) -> None:
    ring.sealing("row")
    with pytest.raises(Damaged):
        ring_of(new_root(tmp_path, "other.key"), store).sealing("row")


def test_a_signer_signs_what_its_public_key_verifies(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    signer = ring.signer("log-signing")
    Ed25519PublicKey.from_public_bytes(signer.public_key).verify(signer.sign(b"message"), b"message")
    again = ring_of(root, store).signer("log-signing")
    assert (again.id, again.public_key) == (signer.id, signer.public_key)
    assert ring.signer("receipt-signing").public_key != signer.public_key


def test_signing_keys_are_published_with_their_history(
    root: RootKey, store: MemoryStore, ring: KeyRing
) -> None:
    ring.signer("log-signing")
    add_version(root, store, "log-signing", 2)
    assert [signer.version for signer in ring.signers("log-signing")] == [1, 2]


def test_a_dek_opens_where_it_was_wrapped(ring: KeyRing) -> None:
    wrapped = ring.wrap_dek(Dek(KEY), DOMAIN, CONTEXT)
    assert unwrap_dek(ring, wrapped, DOMAIN, CONTEXT).material == KEY
    assert KEY not in wrapped


@pytest.mark.parametrize(
    "change",
    [{"document_id": "other"}, {"version": 3}, {"label_digest": b"m" * 32}, {"parts_digest": b"q" * 32}],
)
def test_a_dek_does_not_open_for_another_document_version_label_or_parts_list(
    ring: KeyRing, change: dict[str, Any]
) -> None:
    wrapped = ring.wrap_dek(Dek(KEY), DOMAIN, CONTEXT)
    with pytest.raises(Damaged):
        unwrap_dek(ring, wrapped, DOMAIN, dataclasses.replace(CONTEXT, **change))


@pytest.mark.parametrize("domain", [Domain("NATO SECRET", "other"), Domain("NATO RESTRICTED", "programme")])
def test_a_dek_does_not_open_for_another_classification_or_programme(ring: KeyRing, domain: Domain) -> None:
    wrapped = ring.wrap_dek(Dek(KEY), DOMAIN, CONTEXT)
    ring.domain_key(domain.classification, domain.programme_id)
    with pytest.raises(Damaged, match="security domain"):
        unwrap_dek(ring, wrapped, domain, CONTEXT)


def test_a_wrapped_dek_altered_at_any_byte_is_refused(ring: KeyRing) -> None:
    wrapped = ring.wrap_dek(Dek(KEY), DOMAIN, CONTEXT)
    for index in range(len(wrapped)):
        altered = bytearray(wrapped)
        altered[index] ^= 1
        for blob in (bytes(altered), wrapped[:index]):
            with pytest.raises(Damaged):
                unwrap_dek(ring, blob, DOMAIN, CONTEXT)


def test_a_key_of_another_kind_unwraps_no_dek(ring: KeyRing) -> None:
    forged = ring.sealing("column").wrapper.wrap(KEY, b"")
    with pytest.raises(Damaged):
        unwrap_dek(ring, forged, DOMAIN, CONTEXT)
