"""A client of ICAP servers (RFC 3507): how guards and gateways let a document be looked at."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

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

_LONGEST_LINE = 8192
_MOST_LINES = 100
_STATUS = re.compile(r"(?:ICAP|HTTP)/\d\.\d (\d{3}) ?(.*)")
_LARGEST_PREVIEW = 1 << 16
_PIECE = 1 << 20
# RFC 3507 names no header for what was found; servers send X-Infection-Found (an expired draft) or one of their own.
_THREAT = re.compile(r"Threat=([^;]+)")
_TOO_LARGE = frozenset({413, 507})


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    words: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Options:
    method: str
    preview: int | None
    tag: str
    service: str


class Icap:
    """An ICAP service; RESPMOD where it offers it, else REQMOD. `limit`: the most bytes that it is set to look at."""

    def __init__(self, host: str, port: int, service: str, *, limit: int, seconds: float) -> None:
        self.limit = limit
        self._place = host, port
        self._seconds = seconds
        self._authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._url = f"icap://{self._authority}/{service}"

    def scan(self, chunks: Iterable[Chunk]) -> Verdict:
        """See `Scanner.scan`."""
        options = self._options()
        with self._connected() as (link, stream):
            body = _pieces(chunks)
            link.sendall(self._head(options))
            stopped = self._preview(link, stream, body, options.preview)
            answer = stopped or self._rest(link, stream, body)
            return _verdict(answer, stream)

    def probe(self) -> Probe:
        """See `Scanner.probe`."""
        options = self._options()
        return prove(self, f"{options.service} ({options.tag})" if options.tag else options.service, None)

    @contextmanager
    def _connected(self) -> Iterator[tuple[socket.socket, BinaryIO]]:
        try:
            link = socket.create_connection(self._place, CONNECT_SECONDS)
        except OSError as fault:
            raise ScannerUnavailable(
                f"The ICAP server does not answer: {fault.strerror or fault}."
            ) from fault
        with link, link.makefile("rb") as stream:
            link.settimeout(FEED_SECONDS)
            try:
                yield link, stream
            except OSError as fault:
                raise ScannerUnavailable(f"The ICAP server broke off: {fault.strerror or fault}.") from fault

    def _options(self) -> _Options:
        with self._connected() as (link, stream):
            link.sendall(f"OPTIONS {self._url} ICAP/1.0\r\nHost: {self._authority}\r\n\r\n".encode())
            answer = _answer(stream)
        if answer.status != 200:
            raise ScannerUnavailable(f"The ICAP server has no such service: {answer.status} {answer.words}.")
        methods = {item.strip().upper() for item in answer.headers.get("methods", "").split(",")}
        method = next((name for name in ("RESPMOD", "REQMOD") if name in methods), None)
        if method is None:
            raise ScannerUnavailable("The ICAP service offers neither RESPMOD nor REQMOD.")
        preview = answer.headers.get("preview", "")
        return _Options(
            method,
            min(int(preview), _LARGEST_PREVIEW) if preview.isdecimal() else None,
            answer.headers.get("istag", "").strip('"'),
            answer.headers.get("service", "ICAP service"),
        )

    def _head(self, options: _Options) -> bytes:
        # Nothing of the document but its bytes is told: no name, no address.
        octets = "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        if options.method == "RESPMOD":
            request = "GET /document HTTP/1.1\r\nHost: strongroom.invalid\r\n\r\n"
            response = f"HTTP/1.1 200 OK\r\n{octets}"
            held = f"req-hdr=0, res-hdr={len(request)}, res-body={len(request) + len(response)}"
            inner = request + response
        else:
            inner = f"PUT /document HTTP/1.1\r\nHost: strongroom.invalid\r\n{octets}"
            held = f"req-hdr=0, req-body={len(inner)}"
        lines = [f"{options.method} {self._url} ICAP/1.0", f"Host: {self._authority}", "Allow: 204"]
        if options.preview is not None:
            lines.append(f"Preview: {options.preview}")
        return "\r\n".join([*lines, f"Encapsulated: {held}", "", inner]).encode()

    def _preview(
        self, link: socket.socket, stream: BinaryIO, body: _Pieces, size: int | None
    ) -> _Answer | None:
        """Send the preview (RFC 3507, 4.5); returns the answer when that was enough, None to go on."""
        if size is None:
            return None
        head = body.take(size)
        if head:
            _send_chunk(link, head)
        if body.ended:
            link.sendall(b"0; ieof\r\n\r\n")
        else:
            link.sendall(b"0\r\n\r\n")
        link.settimeout(self._seconds)
        answer = _answer(stream)
        link.settimeout(FEED_SECONDS)
        if answer.status != 100:
            return answer
        if body.ended:
            raise ScannerUnavailable("The ICAP server asks for more than there is.")
        return None

    def _rest(self, link: socket.socket, stream: BinaryIO, body: _Pieces) -> _Answer:
        try:
            for piece in body.rest():
                _send_chunk(link, piece)
            link.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered before the end; a verdict of clean on a part is none.
            link.settimeout(self._seconds)
            answer = _answer(stream)
            if answer.status == 204:
                raise ScannerUnavailable("The ICAP server answered before the end.") from None
            return answer
        link.settimeout(self._seconds)
        return _answer(stream)


class _Pieces:
    """The body as a preview and the rest of it."""

    def __init__(self, chunks: Iterable[Chunk]) -> None:
        self._chunks = iter(chunks)
        self._held = b""
        self.ended = False

    def take(self, size: int) -> bytes:
        """Return the first `size` bytes; `ended` tells whether there are no others."""
        while len(self._held) <= size and not self.ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
            else:
                self._held += bytes(chunk)
        head, self._held = self._held[:size], self._held[size:]
        return head

    def rest(self) -> Iterator[Chunk]:
        """Yield what follows."""
        if self._held:
            yield self._held
            self._held = b""
        yield from self._chunks


def _pieces(chunks: Iterable[Chunk]) -> _Pieces:
    return _Pieces(chunks)


def _send_chunk(link: socket.socket, data: Chunk) -> None:
    view = memoryview(data)
    for begin in range(0, len(view), _PIECE):
        piece = view[begin : begin + _PIECE]
        link.sendall(f"{len(piece):x}\r\n".encode())
        link.sendall(piece)
        link.sendall(b"\r\n")


def _line(stream: BinaryIO) -> str:
    line = stream.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise ScannerUnavailable("The ICAP server broke off before its verdict.")
    return line.decode("latin-1").rstrip("\r\n")


def _answer(stream: BinaryIO) -> _Answer:
    found = _STATUS.fullmatch(_line(stream))
    if found is None:
        raise ScannerUnavailable("What answers there does not speak ICAP.")
    headers: dict[str, str] = {}
    for _ in range(_MOST_LINES):
        line = _line(stream)
        if not line:
            return _Answer(int(found[1]), found[2], headers)
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    raise ScannerUnavailable("The ICAP server's answer has too many headers.")


def _verdict(answer: _Answer, stream: BinaryIO) -> Verdict:
    if (name := _named(answer.headers)) is not None:
        return reported(name)
    if answer.status == 204:
        return Clean()
    if answer.status in _TOO_LARGE:
        return NotScannable("too-large", f"{answer.status} {answer.words}")
    if answer.status not in (200, 201):
        raise ScannerUnavailable(f"The ICAP server answers {answer.status} {answer.words}.")
    # It would send something else in the document's place: its own words say why.
    inner = _answer(stream) if "hdr=" in answer.headers.get("encapsulated", "") else answer
    if (name := _named(inner.headers)) is not None:
        return reported(name)
    return NotScannable("refused", f"{inner.status} {inner.words}")


def _named(headers: Mapping[str, str]) -> str | None:
    if "x-infection-found" in headers:
        threat = _THREAT.search(headers["x-infection-found"])
        return (threat[1] if threat else headers["x-infection-found"]).strip() or "something"
    name = headers.get("x-virus-id") or headers.get("x-violations-found")
    if name is None or name.casefold() in ("no threats", "0", ""):
        return None
    return name
