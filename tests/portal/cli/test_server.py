from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


class Client:
    """A connection whose answers are read one behind the other, as they were asked for."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._file = self._socket.makefile("rb")
        self.sendall = self._socket.sendall

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()

    def end(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def answer(self) -> tuple[int, bytes, str]:
        """Return status, content (less than announced when it was cut off) and what becomes of the connection."""
        status = int(self._file.readline().split()[1])
        headers = http.client.parse_headers(self._file)
        return status, self.read(int(headers["Content-Length"])), headers["Connection"]


@dataclass
class Served:
    port: int
    folder: Path
    process: subprocess.Popen[str]

    def connect(self) -> Client:
        return Client(self.port)

    def wait_for(self, name: str) -> str:
        deadline = time.monotonic() + 30
        while not (self.folder / name).exists():
            assert self.process.poll() is None or name == "ended"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return (self.folder / name).read_text()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.portal.cli.served", str(port), str(tmp_path)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, stderr=log, stdout=log, text=True)
    server = Served(port, tmp_path, process)
    server.wait_for("serving")
    yield server
    if process.poll() is None:
        process.kill()
        process.wait()


def head(path: str, *lines: str, method: str = "POST") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def test_an_answer_before_the_body_is_read_reaches_a_client_that_sends_it_all_first(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/refuse", f"Content-Length: {20 << 20}"))
        for _ in range(20):
            client.sendall(bytes(1 << 20))
        assert client.answer() == (413, b"refused before it was read", "close")
        assert client.read(1) == b""


def test_an_answer_before_a_chunked_body_is_read_reaches_the_client(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/refuse", "Transfer-Encoding: chunked"))
        for _ in range(100):
            client.sendall(b"10000\r\n" + bytes(1 << 16) + b"\r\n")
        assert client.answer()[0] == 413


def test_a_connection_is_kept_after_a_small_body_was_left_unread(served: Served) -> None:
    with served.connect() as client:
        for _ in range(3):
            client.sendall(head("/refuse", "Content-Length: 1000") + bytes(1000))
            assert client.answer() == (413, b"refused before it was read", "keep-alive")


def test_bodies_and_requests_behind_one_another_are_told_apart(served: Served) -> None:
    chunked = b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    form = head("/form", "Content-Length: 3", "Content-Type: application/x-www-form-urlencoded") + b"a=1"
    with served.connect() as client:
        client.sendall(
            head("/count", "Content-Length: 5")
            + b"12345"
            + head("/count", "Transfer-Encoding: chunked")
            + chunked
            + form
            + head("/count", "Content-Length: 0")
        )
        assert [client.answer()[1] for _ in range(4)] == [b"5", b"7", b"1", b"0"]


def test_a_large_body_arrives_whole(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/count", f"Content-Length: {50 << 20}"))
        for _ in range(50):
            client.sendall(bytes(1 << 20))
        assert client.answer()[1] == str(50 << 20).encode()


@pytest.mark.parametrize("lines", [("Content-Length: 1000",), ("Transfer-Encoding: chunked",)])
def test_a_body_that_is_cut_off_is_refused(served: Served, lines: tuple[str, ...]) -> None:
    with served.connect() as client:
        client.sendall(head("/count", *lines) + b"64\r\n" + bytes(50))
        client.end()
        assert client.answer()[0] == 400


def test_an_ordinary_form_that_is_cut_off_is_refused(served: Served) -> None:
    with served.connect() as client:
        client.sendall(
            head("/form", "Content-Length: 9", "Content-Type: application/x-www-form-urlencoded") + b"a=1"
        )
        client.end()
        assert client.answer()[0] == 400


@pytest.mark.parametrize("sent", [b"", b"POST /count HTTP/1.1\r\nHo"])
def test_clients_that_send_no_whole_head_hold_no_thread(served: Served, sent: bytes) -> None:
    with ExitStack() as stack:
        # The server under test has four threads.
        silent = [stack.enter_context(served.connect()) for _ in range(20)]
        for client in silent:
            client.sendall(sent)
        with served.connect() as client:
            client.sendall(head("/count", "Content-Length: 1") + b"1")
            assert client.answer()[1] == b"1"
        silent[0].sendall(head("/count", "Content-Length: 2")[len(sent) :] + b"12")
        assert silent[0].answer()[1] == b"2"


def test_a_head_that_arrives_byte_by_byte_is_read(served: Served) -> None:
    with served.connect() as client:
        for _ in range(2):
            for octet in head("/count", "Content-Length: 2") + b"12":
                client.sendall(bytes([octet]))
            assert client.answer()[1] == b"2"


def test_a_head_that_never_ends_is_refused(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/count", *(f"X-{number}: {'x' * 4000}" for number in range(150))))
        assert client.answer()[0] == 431


def test_content_that_fails_midway_ends_short(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/fails", method="GET"))
        assert client.answer() == (200, b"some", "keep-alive")


def test_a_fault_is_logged_in_a_line_by_its_kind_and_places_without_its_words(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/fails", method="GET"))
        client.read()
    (line,) = (served.folder / "log").read_text().splitlines()
    told = json.loads(line)
    assert (told["level"], told["message"]) == ("ERROR", "Error handling request")
    assert [error["kind"] for error in told["errors"]] == ["RuntimeError"]
    assert told["errors"][0]["places"][-1].startswith("tests/portal/cli/served.py:")
    assert "midway" not in line


def test_query_strings_are_not_logged(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/fails?word=secret", method="GET") + head("/slow?word=secret", method="GET"))
        client.read()
    assert "secret" not in (served.folder / "log").read_text()


MALFORMED = {
    "line": b"GARBAGE secret\r\n\r\n",
    "version": b"GET /x?q=secret FOO/1.1\r\n\r\n",
    "method": b"G@secret /x HTTP/1.1\r\n\r\n",
    "header": b"GET /x HTTP/1.1\r\nStrongroom-Title secret\r\n\r\n",
    "name": b"GET /x HTTP/1.1\r\nA secret: b\r\n\r\n",
    "value": b"GET /x HTTP/1.1\r\nTitle: secret\x00\r\n\r\n",
    "length": b"GET /x HTTP/1.1\r\nContent-Length: secret\r\n\r\n",
    "coding": b"GET /x HTTP/1.1\r\nTransfer-Encoding: secret\r\n\r\n",
    "address": b"GET http://[secret/ HTTP/1.1\r\n\r\n",
    "long": b"GET /x?q=secret" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n",
    "many": b"GET /x HTTP/1.1\r\n" + b"A: secret\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_request_is_refused_and_nowhere_repeated(served: Served, sent: bytes) -> None:
    with served.connect() as client:
        client.sendall(sent)
        client.end()
        answer = client.read()
    assert re.match(rb"HTTP/1.1 (400|414|431|501) ", answer)
    assert b"secret" not in answer
    log = (served.folder / "log").read_text()
    assert "refused what is no request" in log
    assert "secret" not in log


def test_an_address_may_name_two_hundred_documents(served: Served) -> None:
    ids = "&".join(["id=3da0daa4-bf6f-4213-87fe-b30e7fd165d0"] * 200)
    with served.connect() as client:
        client.sendall(head(f"/count?{ids}", "Content-Length: 1") + b"1")
        assert client.answer()[1] == b"1"


def test_core_dumps_are_off(served: Served) -> None:
    assert served.wait_for("serving") == "(0, 0)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux kills a child with its parent")
def test_a_parent_that_is_killed_takes_its_child_with_it(served: Served) -> None:
    served.wait_for("serving")
    parent = served.process.pid
    (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    served.process.kill()
    served.process.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # It was killed, too: ending by itself it would have called back, and held port and installation until then.
    assert not (served.folder / "ended").exists()


def test_sigterm_lets_a_request_end_and_calls_back(served: Served) -> None:
    with served.connect() as client:
        client.sendall(head("/slow", method="GET"))
        served.wait_for("slow")
        served.process.send_signal(signal.SIGTERM)
        assert client.answer()[1] == b"done"
    assert served.process.wait(timeout=30) == 0
    assert (served.folder / "ended").exists()


def test_sigterm_ends_a_transfer_that_never_would_and_lets_it_record_its_end(served: Served) -> None:
    with served.connect() as stalled, served.connect() as idle:
        stalled.sendall(head("/endless", method="GET"))
        assert stalled.read(1 << 16)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(timeout=30) == 0
        assert idle.read(1) == b""
    assert (served.folder / "content-closed").exists()
    assert (served.folder / "ended").exists()
