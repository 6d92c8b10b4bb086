"""Clients that vanish, break off, trickle or lie; and large transfers, which take no memory for their size."""

from __future__ import annotations

import hashlib
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installed import Installed, contents, records
from tests.faults.serving import Served, serving, wait_until

MIB = 1 << 20
LARGE = 200 * MIB
BOUND = 64 * MIB


@pytest.fixture(scope="module")
def served(template: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all clients, which gives slow ones a second instead of half a minute."""
    copy = template.copy(tmp_path_factory.mktemp("clients") / "data")
    with serving(copy, options=["--grace", "1"]) as running:
        yield running


def answer(client: socket.socket) -> bytes:
    """Return all that the server sends until it closes."""
    pieces = []
    try:
        while piece := client.recv(MIB):
            pieces.append(piece)
    except ConnectionResetError:
        pass
    return b"".join(pieces)


def found(served: Served, **wanted: Any) -> list[dict[str, Any]]:
    with served.installed.opened() as runtime:
        return records(runtime, **wanted)


def check_nothing_left(served: Served, blobs: int) -> None:
    """Check that no upload is under way and that the store holds as many blobs as before."""
    with served.installed.opened() as runtime:
        wait_until(lambda: contents(runtime).uploads == 0)
        held = contents(runtime)
        assert (held.unfinished, len(held.blobs), held.counted) == (0, blobs, held.documents)


def blobs(served: Served) -> int:
    with served.installed.opened() as runtime:
        return len(contents(runtime).blobs)


def reset(client: socket.socket) -> None:
    """Vanish: the other side gets a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_reader_that_vanishes_is_recorded_with_what_was_handed_over(served: Served) -> None:
    size = 48 * MIB
    document = served.deposit(bytes(size))
    with served.installed.opened() as runtime:
        begun = runtime.log.size()
    client = served.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    client.sendall(served.head("GET", f"/documents/{document}/content", "official"))
    received = 0
    while received < 5 * MIB:
        received += len(client.recv(64 << 10))
    reset(client)
    wait_until(lambda: len(found(served, action="document.read", document=document)) == 2)
    intent, outcome = found(served, action="document.read", document=document)
    assert intent["seq"] >= begun
    assert (outcome["completes"], outcome["outcome"]) == (intent["seq"], "aborted")
    # Nothing is counted that the socket did not take; the segment that was on its way is not counted.
    assert received - 2 * MIB <= outcome["bytes_handed"] < size


def test_reader_that_vanishes_before_the_answer_leaves_no_open_intent(served: Served) -> None:
    document = served.deposit(bytes(8 * MIB))
    for _ in range(5):
        client = served.connect()
        client.sendall(served.head("GET", f"/documents/{document}/content", "official"))
        reset(client)
    assert served.request("GET", f"/documents/{document}", "official").status_code == 200
    with served.installed.opened() as runtime:
        wait_until(lambda: runtime.log.open_intents(runtime.clock() + timedelta(days=1)) == ())


def test_zip_of_a_reader_that_vanishes_is_closed_as_well(served: Served) -> None:
    documents = [served.deposit(bytes(24 * MIB), name=f"part-{number}.bin") for number in range(2)]
    client = served.connect()
    path = "/documents.zip?" + "&".join(f"id={document}" for document in documents)
    client.sendall(served.head("GET", path, "official"))
    assert client.recv(64 << 10)
    reset(client)
    wait_until(lambda: len(found(served, action="document.read", document=documents[0])) == 2)
    assert found(served, action="document.read", document=documents[0])[1]["outcome"] == "aborted"
    assert found(served, action="document.read", document=documents[1]) == []


@pytest.mark.parametrize("way", ["half-closed", "reset"])
def test_upload_that_is_cut_off_leaves_nothing_but_its_record(served: Served, way: str) -> None:
    document = served.deposit(b"whole")
    before = blobs(served)
    client = served.connect()
    client.sendall(served.put(f"/documents/{document}/content", 4 * MIB) + bytes(3 * MIB))
    if way == "reset":
        wait_until(lambda: in_progress(served))
        reset(client)
    else:
        client.shutdown(socket.SHUT_WR)
        with closing(client):
            said = answer(client)
        assert said.startswith(b"HTTP/1.1 400 "), said[:200]
        assert b"mend" in said
    wait_until(lambda: found(served, action="document.version", document=document))
    record = found(served, action="document.version", document=document)[-1]
    assert record["outcome"] == "aborted"
    assert "completes" not in record
    check_nothing_left(served, before)
    assert served.request("GET", f"/documents/{document}", "official").json()["version"] == 1


def in_progress(served: Served) -> bool:
    with served.installed.opened() as runtime:
        return contents(runtime).uploads > 0


def test_form_that_is_cut_off_leaves_nothing(served: Served) -> None:
    before = blobs(served)
    fields = {"programme": served.installed.programme, "title": "Cut off", "label": "NATO SECRET"}
    parts = [f'--xyz\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    parts.append('--xyz\r\nContent-Disposition: form-data; name="file"; filename="cut.bin"\r\n\r\n')
    body = "".join(parts).encode() + bytes(2 * MIB)
    headers = {"Content-Type": "multipart/form-data; boundary=xyz", "Content-Length": str(len(body))}
    with closing(served.connect()) as client:
        # All that was announced arrives, but the form's last boundary is not in it.
        client.sendall(served.head("POST", "/documents", "partner", Connection="close", **headers) + body)
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 400 "), said[:200]
    check_nothing_left(served, before)


def test_body_longer_than_announced_is_not_taken_for_a_request(served: Served) -> None:
    document = served.deposit(b"whole")
    hidden = served.head("GET", "/documents", "partner")
    with closing(served.connect()) as client:
        client.sendall(served.put(f"/documents/{document}/content", 5) + b"whole" + bytes(100) + hidden)
        client.shutdown(socket.SHUT_WR)
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 201 ")
    assert said.count(b"HTTP/1.1 ") <= 2
    assert b"items" not in said
    shown = served.request("GET", f"/documents/{document}", "official").json()
    assert (shown["version"], shown["size"]) == (2, 5)


@pytest.mark.parametrize("length", ["-1", "5, 6", "0x10", "1e3", "\N{FULLWIDTH DIGIT FIVE}", ""])
def test_length_that_is_none_is_refused(served: Served, length: str) -> None:
    head = served.head("PUT", "/documents/x/content", "partner", **{"Content-Length": "LENGTH"})
    with closing(served.connect()) as client:
        client.sendall(head.replace(b"LENGTH", length.encode()) + b"hello")
        client.shutdown(socket.SHUT_WR)
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 4"), said[:200]


def test_length_beside_chunked_is_refused_or_ignored(served: Served) -> None:
    document = served.deposit(b"whole")
    head = served.put(f"/documents/{document}/content", 4, **{"Transfer-Encoding": "chunked"})
    with closing(served.connect()) as client:
        client.sendall(head + b"7\r\nchunked\r\n0\r\n\r\n")
        client.shutdown(socket.SHUT_WR)
        said = answer(client)
    shown = served.request("GET", f"/documents/{document}", "official").json()
    assert said.startswith(b"HTTP/1.1 4") or (said.startswith(b"HTTP/1.1 201") and shown["size"] == 7)
    assert said.count(b"HTTP/1.1 ") == 1


def test_client_that_trickles_is_cut_off_and_others_are_served(served: Served) -> None:
    document = served.deposit(b"whole")
    before = blobs(served)
    client = served.connect()
    client.sendall(served.put(f"/documents/{document}/content", MIB) + b"a")
    wait_until(lambda: in_progress(served))
    assert served.request("GET", "/documents", "official").status_code == 200
    with closing(client):
        said = answer(client)
    assert said.startswith(b"HTTP/1.1 400 "), said[:200]
    check_nothing_left(served, before)


def test_large_transfers_take_no_memory_for_their_size(served: Served, tmp_path: Path) -> None:
    document = served.deposit(b"whole")
    status = Path(f"/proc/{served.worker}/status")
    Path(f"/proc/{served.worker}/clear_refs").write_text("5")
    idle = resident(status, "VmRSS")
    block = hashlib.shake_256(b"large").digest(MIB)
    sent, received = hashlib.sha256(), hashlib.sha256()

    def body() -> Iterator[bytes]:
        for number in range(LARGE // MIB):
            piece = number.to_bytes(8) + block[8:]
            sent.update(piece)
            yield piece

    headers = {"Content-Type": "application/octet-stream"}
    answered = served.request(
        "PUT", f"/documents/{document}/content", "partner", data=body(), headers=headers
    )
    assert answered.status_code == 201
    with served.request("GET", f"/documents/{document}/content", "official", stream=True) as content:
        for piece in content.iter_content(MIB):
            received.update(piece)
    assert received.digest() == sent.digest()
    assert answered.json()["digest"] == f"sha-256:{sent.hexdigest()}"
    assert resident(status, "VmHWM") - idle < BOUND


def resident(status: Path, name: str) -> int:
    """Return one of a process's figures of memory, in bytes."""
    line = next(line for line in status.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024
