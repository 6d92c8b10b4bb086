"""A client of ClamAV's daemon: INSTREAM over a Unix socket or TCP (clamd(8), *Commands*)."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from portal.scanning import memory
from portal.scanning.scanners import (
    CONNECT_SECONDS,
    FEED_SECONDS,
    Chunk,
    Clean,
    NotScannable,
    Probe,
    ScannerUnavailable,
    Verdict,
    prove,
    reported,
)

_LONGEST_REPLY = 4096
_DATED = re.compile(r"ClamAV ([^/]+)(?:/[^/]*/(.+))?")


class Clamd:
    """ClamAV's daemon at a socket's path or a (host, port); `limit`: its MaxFileSize."""

    def __init__(self, place: str | tuple[str, int], *, limit: int, seconds: float) -> None:
        self.limit = limit
        self._place = place
        self._seconds = seconds

    def scan(self, chunks: Iterable[Chunk]) -> Verdict:
        """See `Scanner.scan`."""
        signatures = self.version()[1]
        with self._connected() as link:
            link.sendall(b"zINSTREAM\0")
            whole = _feed(link, chunks)
            link.settimeout(self._seconds)
            return _verdict(_reply(link), signatures, whole=whole)

    def version(self) -> tuple[str, datetime | None]:
        """Return its version and its signatures' date, if it tells one; raises ScannerUnavailable."""
        with self._connected() as link:
            link.sendall(b"zVERSION\0")
            found = _DATED.fullmatch(_reply(link))
        if found is None:
            raise ScannerUnavailable("What answers there is not clamd.")
        return f"ClamAV {found[1]}", _date(found[2])

    def probe(self) -> Probe:
        """See `Scanner.probe`; where the daemon can be watched, also that what it spools stays in memory."""
        if isinstance(self._place, str):
            self._check_spool()
        return prove(self, *self.version())

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        try:
            link = _connect(self._place)
        except OSError as fault:
            raise ScannerUnavailable(f"clamd does not answer: {fault.strerror or fault}.") from fault
        with link:
            link.settimeout(FEED_SECONDS)
            try:
                yield link
            except OSError as fault:
                raise ScannerUnavailable(f"clamd broke off: {fault.strerror or fault}.") from fault

    def _check_spool(self) -> None:
        """Watch where a stream is spooled while it is open; silent where the daemon's files cannot be seen."""
        with self._connected() as link:
            peer, *_ = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            before = memory.open_files(peer)
            link.sendall(b"zINSTREAM\0" + struct.pack("!I", 4) + bytes(4))
            # The second command is answered when the first chunk of the other stream has long been taken.
            self.version()
            spooled = memory.open_files(peer) - before
        for path in spooled:
            if not memory.in_memory(path):
                raise ScannerUnavailable(
                    f"clamd writes what it scans to {path.parent}, which is a disk: it must be in memory (tmpfs)."
                )


def _connect(place: str | tuple[str, int]) -> socket.socket:
    if not isinstance(place, str):
        return socket.create_connection(place, CONNECT_SECONDS)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(CONNECT_SECONDS)
        link.connect(place)
    except BaseException:
        link.close()
        raise
    return link


def spool_of(config: Path) -> Path | None:
    """Return the TemporaryDirectory that a clamd.conf names; None for none. Raises OSError."""
    for line in config.read_text("utf-8", "replace").splitlines():
        name, _, value = line.strip().partition(" ")
        if name == "TemporaryDirectory":
            return Path(value.strip())
    return None


def _feed(link: socket.socket, chunks: Iterable[Chunk]) -> bool:
    """Send all chunks and the end; False when clamd wanted no more, in which case it has said why."""
    for chunk in chunks:
        if len(chunk):
            try:
                link.sendall(struct.pack("!I", len(chunk)))
                link.sendall(chunk)
            except (BrokenPipeError, ConnectionResetError):
                return False
    try:
        link.sendall(bytes(4))
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _reply(link: socket.socket) -> str:
    data = b""
    while not data.endswith(b"\0"):
        more = link.recv(_LONGEST_REPLY)
        if not more or len(data) > _LONGEST_REPLY:
            raise ScannerUnavailable("clamd broke off before its verdict.")
        data += more
    return data[:-1].decode("utf-8", "replace").strip()


def _verdict(reply: str, signatures: datetime | None, *, whole: bool) -> Verdict:
    if reply.endswith("ERROR"):
        if "size limit exceeded" in reply:
            return NotScannable("too-large", reply)
        raise ScannerUnavailable(f"clamd says: {reply}")
    name = reply.removeprefix("stream: ")
    if name.endswith(" FOUND"):
        return reported(name.removesuffix(" FOUND"), signatures)
    if name == "OK" and whole:
        return Clean(signatures)
    raise ScannerUnavailable(f"clamd gave no verdict: {reply[:200]}")


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text.strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError:
        return None
