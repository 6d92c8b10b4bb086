"""Keys do not show themselves, and a root key file is only used when nobody else can read it."""

from __future__ import annotations

import copy
import os
import pickle
import stat
from pathlib import Path

import pytest

from crypto.errors import Damaged, KeyUnavailable
from crypto.keys import Dek, Secret, Wrapper
from crypto.providers.file import FileRootKey, create_root_key_file
from tests.crypto.support import KEY, MemoryStore, new_root, ring_of


def secrets_of_all_kinds(folder: Path) -> list[object]:
    root = new_root(folder)
    ring = ring_of(root, MemoryStore())
    key = ring.domain_key("NATO SECRET", "programme")
    return [Secret(KEY), Dek(KEY), Wrapper("00" * 8, KEY), root, key, ring.signer("log-signing")]


def test_printing_a_key_shows_no_material(tmp_path: Path) -> None:
    for secret in secrets_of_all_kinds(tmp_path):
        for text in (repr(secret), str(secret), f"{secret}"):
            assert KEY.hex() not in text
            assert str(KEY) not in text
            assert len(text) < 60


def test_printing_a_key_of_the_ring_shows_its_id(tmp_path: Path) -> None:
    key = ring_of(new_root(tmp_path), MemoryStore()).sealing("row")
    assert repr(key) == f"<RingKey {key.id}>"


def test_keys_are_not_pickled_or_copied(tmp_path: Path) -> None:
    for secret in secrets_of_all_kinds(tmp_path):
        for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                attempt(secret)


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError):
        Dek(b"short")


def test_a_new_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    before = os.umask(0)
    try:
        key_id = create_root_key_file(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert FileRootKey(path).id == key_id
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    create_root_key_file(path)
    written = path.read_bytes()
    with pytest.raises(FileExistsError):
        create_root_key_file(path)
    assert path.read_bytes() == written
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    create_root_key_file(path)
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match=f"{mode:04o}"):
        FileRootKey(path)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_key_file_for_its_owner_alone_is_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    create_root_key_file(path)
    path.chmod(mode)
    assert FileRootKey(path).id


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=r"root\.key does not exist"):
        FileRootKey(tmp_path / "root.key")


def test_a_link_to_a_key_file_is_refused(tmp_path: Path) -> None:
    create_root_key_file(tmp_path / "root.key")
    (tmp_path / "link").symlink_to(tmp_path / "root.key")
    with pytest.raises(KeyUnavailable):
        FileRootKey(tmp_path / "link")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(KeyUnavailable):
            FileRootKey(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe",
        b"a:b",
        b"strongroom-root-key-1:0011223344556677:AAAA\n",
        b"strongroom-root-key-1:0011223344556677:!" + b"A" * 43,
        b"strongroom-root-key-1:00112233:" + b"A" * 43 + b"=",
        b"strongroom-root-key-1:001122334455667G:" + b"A" * 43 + b"=",
        b"strongroom-root-key-2:0011223344556677:" + b"A" * 43 + b"=",
    ],
)
def test_what_is_no_key_file_is_refused_without_showing_its_content(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "root.key"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(KeyUnavailable) as refusal:
        FileRootKey(path)
    assert "AAAA" not in str(refusal.value)


def test_a_root_key_opens_what_it_wrapped(tmp_path: Path) -> None:
    root = new_root(tmp_path)
    blob = root.wrap(KEY, b"context")
    assert FileRootKey(tmp_path / "root.key").unwrap(blob, b"context") == KEY
    assert root.wrap(KEY, b"context") != blob


def test_an_altered_wrapping_is_refused_at_every_byte(tmp_path: Path) -> None:
    root = new_root(tmp_path)
    blob = root.wrap(KEY, b"context")
    for index in range(len(blob)):
        altered = bytearray(blob)
        altered[index] ^= 1
        with pytest.raises(Damaged):
            root.unwrap(bytes(altered), b"context")
        with pytest.raises(Damaged):
            root.unwrap(blob[:index], b"context")


def test_another_context_or_root_key_does_not_open_a_wrapping(tmp_path: Path) -> None:
    blob = new_root(tmp_path).wrap(KEY, b"context")
    with pytest.raises(Damaged):
        FileRootKey(tmp_path / "root.key").unwrap(blob, b"other")
    with pytest.raises(Damaged):
        new_root(tmp_path, "other.key").unwrap(blob, b"context")
