"""The S3 store against a real server: the contract, what is its own, and what a server does that fails or is slow."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest

from crypto.parts import PartsReader, PartWriter
from portal.errors import Conflict, Unavailable
from portal.models import new_id
from portal.settings import Settings
from portal.storage import BlobStore, FileBlobStore, open_store
from portal.storage.s3 import S3BlobStore, S3Place
from tests.portal.storage.contract import NAME, BlobStoreContract
from tests.weed import served_s3

pytestmark = pytest.mark.xdist_group("s3")
MIB = 1 << 20


@pytest.fixture(scope="module")
def server() -> Iterator[S3Place]:
    with served_s3() as place:
        yield place


@pytest.fixture
def place(server: S3Place) -> S3Place:
    return replace(server, prefix=f"/{new_id()}/")


class TestS3BlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self, place: S3Place) -> BlobStore:
        return S3BlobStore(place)


def written(store: BlobStore, content: bytes, name: str = NAME) -> None:
    writer = store.create(name)
    for start in range(0, len(content), MIB):
        writer.write(content[start : start + MIB])
    writer.close()


def test_a_large_blob_goes_in_pieces_and_comes_back_whole(place: S3Place) -> None:
    store = S3BlobStore(place)
    content = os.urandom(20 * MIB + 17)
    written(store, content)
    with store.open(NAME) as reader:
        assert reader.read(100) == content[:100]
        assert reader.read(3 * MIB) == content[100 : 3 * MIB + 100]
        reader.seek(-10, io.SEEK_END)
        assert reader.read(100) == content[-10:]
        reader.seek(0)
        assert reader.read() == content
    assert list(store.list()) == [NAME]


def test_of_two_large_uploads_of_one_name_the_second_is_refused_and_leaves_nothing(place: S3Place) -> None:
    store = S3BlobStore(place)
    first, second = store.create(NAME), store.create(NAME)
    for writer, byte in ((first, b"1"), (second, b"2")):
        writer.write(byte * (9 * MIB))
    first.close()
    with pytest.raises(Conflict):
        second.close()
    assert store.get(NAME)[:1] == b"1"
    assert S3BlobStore(place, left_after=timedelta(0)).sweep() == 0


def test_what_a_writer_that_died_left_is_aborted_once_it_is_old(place: S3Place) -> None:
    dead = S3BlobStore(place)
    dead.create(NAME).write(bytes(9 * MIB))
    assert S3BlobStore(place).sweep() == 0
    assert S3BlobStore(place, left_after=timedelta(seconds=-60)).sweep() == 1
    assert S3BlobStore(place, left_after=timedelta(seconds=-60)).sweep() == 0
    assert list(dead.list()) == []


def test_an_encrypted_part_is_read_from_any_place(place: S3Place) -> None:
    store = S3BlobStore(place)
    content = os.urandom(5 * MIB)
    key, document = os.urandom(32), new_id()
    blob = store.create(f"{document}/part-1")
    part = PartWriter(blob, key, document, 1, 1)
    part.write(content)
    kept = part.close()
    blob.close()
    with PartsReader(
        lambda number: store.open(f"{document}/part-{number}"), [kept], key, document, 1
    ) as reader:
        reader.seek(3 * MIB - 5)
        assert reader.read(10) == content[3 * MIB - 5 : 3 * MIB + 5]
        reader.seek(0)
        assert reader.read() == content


def test_a_server_that_is_down_is_told_within_the_time_limit(place: S3Place) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        store = S3BlobStore(replace(place, endpoint=f"http://127.0.0.1:{taken.getsockname()[1]}"))
        for ask in (store.create, store.open, store.get, store.size, store.delete):
            with pytest.raises(Unavailable, match="object store does not answer") as told:
                ask(NAME)
            assert told.value.mend
            assert "127.0.0.1" not in str(told.value)


def test_wrong_keys_are_told_without_them(place: S3Place) -> None:
    store = S3BlobStore(replace(place, secret_key="not-the-secret"))
    with pytest.raises(Unavailable) as told:
        store.get(NAME)
    assert "not-the-secret" not in f"{told.value!r} {told.value.__cause__!r} {place!r}"


class Proxy:
    """Stands before the server and breaks a connection off after so many bytes of answers."""

    def __init__(self, endpoint: str, after: int) -> None:
        self._port = int(endpoint.rpartition(":")[2])
        self._after = after
        self._server = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as behind:
            threading.Thread(target=_copy, args=(client, behind, None), daemon=True).start()
            _copy(behind, client, self._after)

    def close(self) -> None:
        self._server.close()


def _copy(source: socket.socket, target: socket.socket, most: int | None) -> None:
    done = 0
    try:
        while data := source.recv(65536):
            done += len(data)
            if most is not None and done > most:
                target.shutdown(socket.SHUT_RDWR)
                return
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def test_a_connection_that_breaks_off_is_never_short_data(place: S3Place) -> None:
    written(S3BlobStore(place), bytes(4 * MIB))
    proxy = Proxy(cast(str, place.endpoint), 2 * MIB)
    try:
        store = S3BlobStore(replace(place, endpoint=proxy.endpoint))
        with store.open(NAME) as reader, pytest.raises(Unavailable):
            reader.read(4 * MIB)
    finally:
        proxy.close()


def test_a_server_that_says_nothing_is_given_up(place: S3Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = S3BlobStore(replace(place, endpoint=endpoint, read_seconds=0.2))
        with pytest.raises(Unavailable):
            store.get(NAME)


def test_settings_choose_the_store(tmp_path: Path, place: S3Place) -> None:
    assert isinstance(open_store(Settings(data=tmp_path)), FileBlobStore)
    secret = tmp_path / "secret"
    secret.write_text(f"{place.secret_key}\n")
    secret.chmod(0o600)
    settings = Settings(
        data=tmp_path,
        blob_store=f"s3://{place.bucket}{place.prefix}",
        s3_endpoint=cast(str, place.endpoint),
        s3_access_key=cast(str, place.access_key),
        s3_secret_file=secret,
    )
    store = open_store(settings)
    store.put(NAME, b"x")
    assert S3BlobStore(place).get(NAME) == b"x"
    secret.chmod(0o644)
    with pytest.raises(Unavailable, match="open to others"):
        open_store(settings)
