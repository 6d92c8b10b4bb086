"""The contract of scanners, kept by clamd on both kinds of socket and by c-icap; and scanners that fail."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from portal.scanning import memory
from portal.scanning.scanners import (
    Chunk,
    Clean,
    Found,
    NotScannable,
    Scanner,
    ScannerUnavailable,
    open_scanner,
)
from tests.scanners import LIMIT, SIGNED, SIGNED_NAME, ClamDaemon, c_icap, clamd

MIB = 1 << 20


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClamDaemon]:
    with clamd(tmp_path_factory.mktemp("clamd")) as running:
        yield running


@pytest.fixture(scope="module")
def icap_address(daemon: ClamDaemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with c_icap(tmp_path_factory.mktemp("icap") / "server", daemon) as address:
        yield address


@pytest.fixture(params=["unix", "tcp", "icap"])
def scanner(request: pytest.FixtureRequest, daemon: ClamDaemon) -> Scanner:
    if request.param == "icap":
        return opened(request.getfixturevalue("icap_address"))
    return opened(daemon.address if request.param == "unix" else f"clamd://127.0.0.1:{daemon.port}")


def opened(address: str, limit: int = LIMIT, seconds: float = 60) -> Scanner:
    return open_scanner(address, limit=limit, seconds=seconds)


@pytest.mark.parametrize("size", [1, 100, 1024, 4096, 3 * MIB + 17])
def test_harmless_content_is_clean(scanner: Scanner, size: int) -> None:
    assert isinstance(scanner.scan(pieces(bytes(size), 70_001)), Clean)


@pytest.mark.parametrize("place", [0, 1000, 2 * MIB])
def test_signed_content_is_found_wherever_it_stands(scanner: Scanner, place: int) -> None:
    content = bytes(place) + SIGNED + bytes(100)
    verdict = scanner.scan(pieces(content, 10_007))
    assert isinstance(verdict, Found)
    assert verdict.name.startswith(SIGNED_NAME)


def test_memory_that_is_used_again_is_scanned_as_it_was(scanner: Scanner) -> None:
    def reusing() -> Iterator[Chunk]:
        memory_of_one = bytearray(4096)
        for number in range(64):
            memory_of_one[:] = (SIGNED if number == 50 else b"\0").ljust(4096, b"\0")
            yield memoryview(memory_of_one)

    assert isinstance(scanner.scan(reusing()), Found)


@pytest.mark.parametrize("over", [1, 3 * MIB])
def test_too_large_a_stream_is_not_scannable(scanner: Scanner, over: int) -> None:
    verdict = scanner.scan(pieces(bytes(LIMIT + over), MIB))
    assert isinstance(verdict, NotScannable)
    assert verdict.reason in ("too-large", "refused")


def test_scanner_proves_that_it_refuses_what_is_too_large(scanner: Scanner) -> None:
    proved = scanner.probe()
    assert proved.limit == LIMIT
    assert "ClamAV" in proved.version or "C-ICAP" in proved.version


def test_several_streams_are_scanned_at_once(scanner: Scanner) -> None:
    verdicts: dict[int, object] = {}

    def scan(number: int) -> None:
        content = (SIGNED if number % 2 else b"x") * 50_000
        verdicts[number] = type(scanner.scan(pieces(content, 50_000)))

    threads = [threading.Thread(target=scan, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == {number: Found if number % 2 else Clean for number in range(8)}


def test_sender_that_fails_leaves_no_verdict(scanner: Scanner) -> None:
    def failing() -> Iterator[Chunk]:
        yield bytes(MIB)
        raise ValueError("the client went away")

    with pytest.raises(ValueError, match="went away"):
        scanner.scan(failing())


def test_scanner_that_passes_what_it_did_not_look_at_is_refused(tmp_path: Path) -> None:
    """clamd's own setting: without AlertExceedsMax it answers OK above its limit."""
    with (
        clamd(tmp_path / "clamd", alert=False) as careless,
        pytest.raises(ScannerUnavailable, match="above its limit"),
    ):
        opened(careless.address).probe()


def test_scanner_that_spools_to_a_disk_is_refused(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    if memory.in_memory(spool):
        pytest.skip("the tests' own folder is in memory")
    with (
        clamd(tmp_path / "clamd", spool=spool) as spooling,
        pytest.raises(ScannerUnavailable, match="must be in memory"),
    ):
        opened(spooling.address).probe()


@pytest.mark.parametrize("kind", ["clamd", "icap"])
def test_scanner_that_is_down_is_unavailable(kind: str, tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        addresses = {
            "clamd": [f"clamd:{tmp_path}/none", f"clamd://127.0.0.1:{port}"],
            "icap": [f"icap://127.0.0.1:{port}/scan"],
        }
        for address in addresses[kind]:
            with pytest.raises(ScannerUnavailable, match="does not answer"):
                opened(address).scan([b"x"])


VERSION = b"ClamAV 1.4.6/27800/Mon Nov 23 08:25:33 2026\0"


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([VERSION, b""], "broke off"),
        ([VERSION, b"stream: O"], "broke off"),
        ([VERSION, b"stream: \0"], "no verdict"),
        ([VERSION, b"stream: Can't allocate memory ERROR\0"], "clamd says"),
        ([b"220 mail.example ESMTP\r\n\0"], "is not clamd"),
    ],
)
def test_clamd_that_is_cut_off_or_strange_gives_no_verdict(answers: list[bytes], fault: str) -> None:
    with answering(answers) as port, pytest.raises(ScannerUnavailable, match=fault):
        opened(f"clamd://127.0.0.1:{port}").scan(pieces(bytes(MIB), 1000))


def test_clamd_that_answers_ok_before_the_end_is_not_believed() -> None:
    with answering([VERSION, b"stream: OK\0"], read=100) as port, pytest.raises(ScannerUnavailable):
        opened(f"clamd://127.0.0.1:{port}").scan(pieces(bytes(64 * MIB), MIB))


def test_verdict_carries_the_date_of_the_signatures() -> None:
    with answering([VERSION, b"stream: OK\0"]) as port:
        verdict = opened(f"clamd://127.0.0.1:{port}").scan([b"x"])
    assert verdict == Clean(datetime(2026, 11, 23, 8, 25, 33, tzinfo=UTC))


def test_slow_scanner_is_waited_for_as_long_as_was_set() -> None:
    with answering([VERSION, None]) as port, pytest.raises(ScannerUnavailable, match="timed out"):
        opened(f"clamd://127.0.0.1:{port}", seconds=0.2).scan([b"x"])


OPTIONS = b'ICAP/1.0 200 OK\r\nMethods: %b\r\nPreview: 4\r\nISTag: "tag"\r\nService: Guard\r\n\r\n'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"ICAP/1.0 204 No Content\r\n\r\n", Clean),
        (b"ICAP/1.0 200 OK\r\nX-Infection-Found: Type=0; Resolution=2; Threat=Worm;\r\n\r\n", Found),
        (b"ICAP/1.0 200 OK\r\nX-Virus-ID: Worm\r\n\r\n", Found),
        (
            b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=30\r\n\r\nHTTP/1.1 403 Forbidden\r\n\r\n",
            NotScannable,
        ),
        (b"ICAP/1.0 413 Too Large\r\n\r\n", NotScannable),
    ],
)
@pytest.mark.parametrize("method", [b"RESPMOD", b"REQMOD"])
def test_icap_answer_is_read(method: bytes, answer: bytes, expected: type[object]) -> None:
    """After the preview already, and after all: both are in RFC 3507, 4.5."""
    for answers in ([OPTIONS % method, answer], [OPTIONS % method, b"ICAP/1.0 100 Continue\r\n\r\n", answer]):
        with answering(answers) as port:
            assert isinstance(opened(f"icap://127.0.0.1:{port}/guard").scan([b"12345678"]), expected)


@pytest.mark.parametrize(
    "answers",
    [
        [b"ICAP/1.0 404 ICAP Service not found\r\n\r\n"],
        [OPTIONS % b"OPTIONS"],
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"SSH-2.0-OpenSSH_9.2\r\n"],
        [OPTIONS % b"RESPMOD", b"ICAP/1.0 500 Server Error\r\n\r\n"],
        [OPTIONS % b"RESPMOD", b"ICAP/1.0 204 No"],
        [OPTIONS % b"RESPMOD", b""],
    ],
)
def test_icap_server_that_is_cut_off_or_strange_gives_no_verdict(answers: list[bytes]) -> None:
    with answering(answers) as port, pytest.raises(ScannerUnavailable):
        opened(f"icap://127.0.0.1:{port}/guard").scan([b"12345678"])


@pytest.mark.parametrize(
    "address",
    [
        "",
        "clamd",
        "clamd:",
        "clamd:run/s",
        "clamd://host",
        "clamd://h:0",
        "icap://h:1344",
        "http://h:1/x",
        "clamd://h:1/x",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="write clamd:"):
        opened(address)


def test_places_in_memory_are_told_from_disks(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        "2 1 0:2 / /run rw shared:3 - tmpfs tmpfs rw\n"
        "3 2 8:2 / /run/kept\\040here rw - ext4 /dev/sdb rw\n"
    )
    assert memory.in_memory(Path("/run/clamav"), mounts)
    assert not memory.in_memory(Path("/run/kept here/spool"), mounts)
    assert not memory.in_memory(Path("/runs"), mounts)


def pieces(content: bytes, size: int) -> Iterator[Chunk]:
    for begin in range(0, len(content), size):
        yield content[begin : begin + size]


@contextmanager
def answering(answers: list[bytes | None] | list[bytes], read: int | None = None) -> Iterator[int]:
    """Listen on a port and answer a connection each (None: never); `read`: at most so much is read before."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()
        served = threading.Thread(target=_answer_all, args=(server, list(answers), read, ended), daemon=True)
        served.start()
        yield int(server.getsockname()[1])
        ended.set()
        server.shutdown(socket.SHUT_RDWR)
        served.join(5)


def _answer_all(
    server: socket.socket, answers: list[bytes | None], read: int | None, ended: threading.Event
) -> None:
    while answers:
        try:
            link, _ = server.accept()
        except OSError:
            return
        with link:
            link.settimeout(5)
            try:
                _converse(link, answers, read, ended)
            except OSError:
                continue


def _converse(
    link: socket.socket, answers: list[bytes | None], read: int | None, ended: threading.Event
) -> None:
    data = link.recv(read or MIB)
    icap = b"ICAP/1.0" in data
    while icap and not (data.endswith((b"0\r\n\r\n", b"ieof\r\n\r\n")) or data.startswith(b"OPTIONS")):
        data += link.recv(MIB)
    while not icap and read is None and data.startswith(b"zINSTREAM") and not data.endswith(b"\0\0\0\0"):
        data += link.recv(MIB)
    answer = answers.pop(0)
    if answer is None:
        ended.wait(5)
        return
    link.sendall(answer)
    if b" 100 Continue" in answer:
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += link.recv(MIB)
        following = answers.pop(0)
        assert following is not None
        link.sendall(following)
