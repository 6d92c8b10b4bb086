"""Many readers at once: 64 parallel downloads, 500 that read a kilobyte a second, a short range of a long document.

One client thread serves all connections, so that what is measured is the portal. `python -m bench.readers [MIB]`:
the length of the document, 64 MiB unless told.
"""

from __future__ import annotations

import hashlib
import io
import os
import selectors
import socket
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.figures import Figure, machine, median, show
from bench.transfers import MIB, Client, Memory, Portal, portal_in, write_plain
from bench.world import Person
from crypto.parts import PartsReader, PartWriter
from crypto.segments import SEGMENT

PARALLEL, SLOW = 64, 500
WITHIN, LATENCY_TIMES, MEMORY_MIB = 0.8, 2.0, 256.0
FIRST_WORK, WARM_WORK = 3.0, 2.0
PAGES = 60


def asked(portal: Portal, path: str, who: Person, more: str = "", *, small: bool = False) -> socket.socket:
    """Send one request and return its connection; `small`: with as little room to receive as there can be."""
    place = urlsplit(portal.url)
    connection = socket.socket()
    if small:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect((place.hostname or "", place.port or 0))
    head = (
        f"GET {urlsplit(path).path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {who.token}\r\n"
    )
    connection.sendall(f"{head}{more}Connection: close\r\n\r\n".encode())
    connection.setblocking(False)
    return connection


def drain(connections: list[socket.socket]) -> int:
    """Read all connections to their ends and return how many bytes came."""
    buffer, total = bytearray(MIB), 0
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                count = connection.recv_into(buffer)
                total += count
                if not count:
                    selector.unregister(connection)
                    connection.close()
    return total


def rate(portal: Portal, path: str, length: int, count: int) -> float:
    """Return the MB/s of `count` downloads of the whole document at once."""
    people = (portal.official, portal.partner)
    started = time.perf_counter()
    connections = [asked(portal, path, people[n % 2]) for n in range(count)]
    total = drain(connections)
    seconds = time.perf_counter() - started
    if total < length * count:
        raise RuntimeError(f"{total:,} bytes came of {length * count:,}")
    return total / seconds / 1e6


def parallel(portal: Portal, path: str, length: int, rounds: int = 3) -> list[Figure]:
    """Measure 64 downloads at once beside one."""
    memory = Memory(portal.process)
    rate(portal, path, length, 1)
    idle = memory.now()
    memory.forget_peak()
    alone, together = [], []
    for _ in range(rounds):
        alone.append(rate(portal, path, length, 1))
        together.append(rate(portal, path, length, PARALLEL))
    return [
        Figure("one download", max(alone), "MB/s"),
        Figure("64 downloads at once, in all", median(together), "MB/s"),
        Figure("64 at once / the best one", median(together) / max(alone), "", WITHIN, least=True),
        Figure("memory over idle, 64 downloads", memory.peak() - idle, "MiB", MEMORY_MIB),
    ]


def latency(portal: Portal, meanwhile: Callable[[], None]) -> float:
    """Return the median milliseconds of a list page, doing `meanwhile` between two of them."""
    taken = []
    request = urllib.request.Request(
        f"{portal.url}/api/v1/documents?limit=20",
        headers={"Authorization": f"Bearer {portal.official.token}"},
    )
    for _ in range(PAGES):
        meanwhile()
        started = time.perf_counter()
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
        taken.append((time.perf_counter() - started) * 1e3)
        time.sleep(0.05)
    return median(taken)


def slow(portal: Portal, path: str) -> list[Figure]:
    """Measure a page while 500 clients read a kilobyte a second each, as many of them as are let in."""
    idle = latency(portal, lambda: None)
    people = (portal.official, portal.partner)
    readers = [asked(portal, path, people[n % 2], small=True) for n in range(SLOW)]
    held = set(readers)
    last = [0.0]

    def read_a_little() -> None:
        if time.monotonic() - last[0] < 1:
            return
        last[0] = time.monotonic()
        for reader in list(held):
            try:
                if not reader.recv(1000):
                    held.discard(reader)
            except BlockingIOError:
                continue
            except OSError:
                held.discard(reader)

    # The burst of their arrivals is not what is measured.
    while any(not _answered(reader) for reader in readers):
        time.sleep(0.1)
    busy = latency(portal, read_a_little)
    served = len(held)
    for reader in readers:
        reader.close()
    return [
        Figure("page, idle", idle, "ms"),
        Figure("page, 500 slow readers", busy, "ms"),
        Figure("slow / idle", busy / idle, "", LATENCY_TIMES),
        Figure("slow readers let in (others are told to wait)", served, ""),
    ]


def _answered(reader: socket.socket) -> bool:
    try:
        reader.recv(1, socket.MSG_PEEK)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


class _Counting(io.BytesIO):
    """Ciphertext that counts how much of it was read."""

    octets = 0

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        count = super().readinto(buffer)
        type(self).octets += count
        return count


def short_range() -> list[Figure]:
    """Count the segments that 64 KiB across a boundary cost, first and warm: the document's length plays no part."""
    key, sink = os.urandom(32), io.BytesIO()
    writer = PartWriter(sink, key, "document", 1, 1)
    for _ in range(64):
        writer.write(bytes(MIB))
    part = writer.close()
    with PartsReader(lambda _: _Counting(sink.getvalue()), [part], key, "document", 1) as reader:
        work = []
        for _ in range(2):
            _Counting.octets = 0
            hashlib.sha256(b"".join(bytes(p) for p in reader.segments(30 * MIB - 32_000, 30 * MIB + 33_536)))
            work.append(_Counting.octets / SEGMENT)
    return [
        Figure("64 KiB range, first: segments", work[0], "", FIRST_WORK),
        Figure("64 KiB range, warm: segments", work[1], "", WARM_WORK),
    ]


def run(mib: int = 64) -> list[Figure]:
    """Measure all of it on a document of `mib` MiB."""
    print(f"{mib} MiB; {machine()}", flush=True)
    figures = short_range()
    os.environ["STRONGROOM_TOKEN_REQUESTS_PER_MINUTE"] = "100000"
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as name:
        folder = Path(name)
        plain = folder / "plain.bin"
        write_plain(plain, mib)
        with portal_in(folder) as portal:
            client = Client(portal, plain)
            client.put()
            path = client.newest()
            figures += parallel(portal, path, mib * MIB)
            figures += slow(portal, path)
    return figures


def main() -> None:
    show(run(*(int(value) for value in sys.argv[1:])))


if __name__ == "__main__":
    main()
