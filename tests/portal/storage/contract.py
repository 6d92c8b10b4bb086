"""What any blob store must do. A store's own test module subclasses this and gives the `store` fixture."""

from __future__ import annotations

import io
from contextlib import suppress

import pytest

from portal.errors import Conflict, Invalid, Unavailable
from portal.storage import BlobStore

NAME = "documents/3f/3f9c/v1/part-0"


class BlobStoreContract:
    @pytest.fixture
    def store(self) -> BlobStore:
        raise NotImplementedError

    def test_what_was_written_is_read(self, store: BlobStore) -> None:
        writer = store.create(NAME)
        assert writer.write(b"first ") == 6
        assert writer.write(memoryview(bytearray(b"second"))) == 6
        writer.close()
        assert store.get(NAME) == b"first second"
        assert store.size(NAME) == 12

    def test_an_empty_blob_is_a_blob(self, store: BlobStore) -> None:
        store.create(NAME).close()
        assert store.get(NAME) == b""

    def test_a_reader_is_raw_and_seeks(self, store: BlobStore) -> None:
        store.put(NAME, bytes(range(256)) * 4096)
        with store.open(NAME) as reader:
            assert reader.seekable()
            assert reader.seek(-256, io.SEEK_END) == 256 * 4095
            buffer = bytearray(16)
            assert reader.readinto(buffer) == 16  # type: ignore[attr-defined]
            assert buffer == bytes(range(16))
            assert reader.tell() == 256 * 4095 + 16

    def test_nothing_is_seen_before_close(self, store: BlobStore) -> None:
        writer = store.create(NAME)
        writer.write(b"half")
        assert list(store.list()) == []
        with pytest.raises(Unavailable):
            store.open(NAME)
        writer.abort()

    def test_an_aborted_blob_is_gone(self, store: BlobStore) -> None:
        writer = store.create(NAME)
        writer.write(b"half")
        writer.abort()
        writer.abort()
        assert list(store.list()) == []
        assert store.sweep() == 0

    def test_abort_after_close_changes_nothing(self, store: BlobStore) -> None:
        writer = store.create(NAME)
        writer.write(b"whole")
        writer.close()
        writer.abort()
        assert store.get(NAME) == b"whole"

    def test_a_blob_is_never_overwritten(self, store: BlobStore) -> None:
        store.put(NAME, b"first")
        with pytest.raises(Conflict):
            store.create(NAME)
        assert store.get(NAME) == b"first"

    def test_of_two_writers_of_one_name_the_second_is_refused(self, store: BlobStore) -> None:
        first, second = store.create(NAME), store.create(NAME)
        first.write(b"first")
        second.write(b"second")
        first.close()
        with pytest.raises(Conflict):
            second.close()
        assert store.get(NAME) == b"first"
        assert store.sweep() == 0

    def test_put_replaces_in_one_step_and_a_reader_never_mixes_two(self, store: BlobStore) -> None:
        store.put(NAME, b"a longer first")
        with store.open(NAME) as reader:
            store.put(NAME, b"second")
            # A store that keeps the old one no longer says so.
            with suppress(Unavailable):
                assert reader.read() == b"a longer first"
        assert store.get(NAME) == b"second"

    def test_a_missing_blob_is_told(self, store: BlobStore) -> None:
        for ask in (store.open, store.get, store.size):
            with pytest.raises(Unavailable) as told:
                ask(NAME)
            assert told.value.mend

    def test_delete_is_done_once_and_asked_often(self, store: BlobStore) -> None:
        store.put(NAME, b"x")
        store.delete(NAME)
        store.delete(NAME)
        assert list(store.list()) == []

    def test_names_are_listed_by_prefix(self, store: BlobStore) -> None:
        names = ["a/1", "a/10", "a/2/x", "ab", "b/1"]
        for name in names:
            store.put(name, b"x")
        assert list(store.list()) == names
        assert list(store.list("a/")) == names[:3]
        assert list(store.list("a/1")) == names[:2]
        assert list(store.list("a")) == names[:4]
        assert list(store.list("absent/deep")) == []

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            "a/./b",
            ".hidden",
            "a/.hidden",
            "A",
            "a b",
            "a\0b",
            "a\n",
            "é",
            "a\\b",
            "a" * 513,
        ],
    )
    def test_a_bad_name_is_refused(self, store: BlobStore, name: str) -> None:
        with pytest.raises(Invalid):
            store.create(name)
        with pytest.raises(Invalid):
            store.put(name, b"x")
        for ask in (store.open, store.get, store.size, store.delete):
            with pytest.raises(Invalid):
                ask(name)

    def test_a_live_writer_is_not_swept(self, store: BlobStore) -> None:
        writer = store.create(NAME)
        writer.write(b"still being written")
        assert store.sweep() == 0
        writer.close()
        assert store.get(NAME) == b"still being written"
