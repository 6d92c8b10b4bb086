"""Serving the portal with gunicorn: one process, many threads, time limits on slow clients, an end within 5 s."""

from __future__ import annotations

import ctypes
import errno
import gc
import logging
import os
import selectors
import signal
import socket
import sys
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from portal.cli import logs
from portal.cli.memory import keep_from_dumps
from portal.errors import Invalid
from portal.http.request import closing_unread

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_log = logging.getLogger(__name__)
RECEIVE_AT_ONCE = 1 << 20
HEAD_SECONDS = 10
MAX_HEAD = 64 << 10
# A client may keep a thread waiting for its bytes this long, and a second more for each so many bytes it sent.
GRACE = 30.0
LEAST_RATE = 4096
# One write is at most a segment of 1 MiB: a reader slower than about 9 kB/s is cut off.
SEND_SECONDS = 120.0
LINGER_SECONDS = 2.0
LINGER_OCTETS = 64 << 20
# Room for a ZIP of 200 documents, whose ids stand in the address; the most that gunicorn can be told.
MAX_LINE = 8190
_FOR_EXIT = 1
_PR_SET_PDEATHSIG = 1  # prctl(2)
_OWN_FAULTS = (InvalidResponseHeader, InvalidResponseHeaderName)
_MALFORMED = ("400 Bad Request", "This is not a request that can be read.")
_REFUSED: Mapping[type[ParseException], tuple[str, str]] = MappingProxyType(
    {
        LimitRequestLine: ("414 URI Too Long", f"The address is longer than {MAX_LINE} bytes."),
        LimitRequestHeaders: (
            "431 Request Header Fields Too Large",
            "There are too many headers, or one is too long.",
        ),
        ExpectationFailed: ("417 Expectation Failed", "Only 100-continue can be expected."),
        UnsupportedTransferCoding: (
            "501 Not Implemented",
            "The only transfer coding that is read is chunked.",
        ),
    }
)
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - holds gunicorn's heartbeat file, which has no content


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where to listen, how many requests are served at once, how many seconds SIGTERM leaves them."""

    port: int
    host: str = "127.0.0.1"
    threads: int = 32
    graceful_seconds: int = 3
    trusted_proxies: tuple[str, ...] = ()


def _nothing() -> None:
    return None


def serve(
    make_app: Callable[[], WSGIApplication],
    settings: ServerSettings,
    *,
    on_serving: Callable[[], None] = _nothing,
    on_end: Callable[[], None] = _nothing,
) -> None:
    """Serve until SIGTERM or SIGINT; ends the interpreter (SystemExit), 0 when all went well.

    `make_app`, then `on_serving`, are called in the serving process, after the fork, when connections are taken
    already; `on_end` there too, when the last request has ended. Whoever opens files or databases does so in them.
    """
    keep_from_dumps()
    logs.install()
    # What is loaded by now stays until the end: looking through it once more then takes a quarter of a second each.
    gc.freeze()
    _Server(make_app, settings, on_serving, on_end).run()


class _Server(BaseApplication):  # type: ignore[misc]
    def __init__(
        self,
        make_app: Callable[[], WSGIApplication],
        settings: ServerSettings,
        on_serving: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._make_app = make_app
        self._settings = settings
        self._on_serving = on_serving
        self._on_end = on_end
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        options = {
            "bind": f"{settings.host}:{settings.port}",
            "workers": 1,
            "threads": settings.threads,
            "worker_class": _Worker,
            "worker_tmp_dir": str(_MEMORY_FOLDER) if _MEMORY_FOLDER.is_dir() else None,
            "graceful_timeout": settings.graceful_seconds,
            "keepalive": HEAD_SECONDS,
            "timeout": 60,
            "accesslog": None,
            "errorlog": "-",
            "loglevel": "warning",
            "logger_class": _Logger,
            "control_socket_disable": True,
            "forwarded_allow_ips": ",".join(settings.trusted_proxies),
            "http_parser": "python",
            "limit_request_line": MAX_LINE,
            "proc_name": "strongroom",
            "post_fork": self._after_fork,
            "post_worker_init": lambda _worker: self._begin(),
            "worker_exit": lambda _arbiter, worker: self._on_end() if worker.booted else None,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def _begin(self) -> None:
        gc.freeze()
        self._on_serving()

    def load(self) -> WSGIApplication:
        return closing_unread(self._make_app())

    @staticmethod
    def _after_fork(_arbiter: Any, worker: Any) -> None:
        _die_with_parent(worker.ppid)
        # The parent kills its child when the time is over: the child must stop waiting for requests before that.
        worker.cfg.set("graceful_timeout", max(0, worker.cfg.graceful_timeout - 1 - _FOR_EXIT))


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's logger, whose lines go where all others go."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _Unreader(SocketUnreader):  # type: ignore[misc]
    """Receives from a client for as long as it keeps up the least rate."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.begin(HEAD_SECONDS)

    def begin(self, grace: float) -> None:
        self._grace = grace
        self._waited = 0.0
        self._received = 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        outer = self.sock.gettimeout()
        left = self._grace + self._received / LEAST_RATE - self._waited
        if left <= 0:
            raise _too_slow()
        self.sock.settimeout(left if outer is None else min(left, outer))
        begun = time.monotonic()
        try:
            data: bytes = super().chunk(size_hint)
        except TimeoutError:
            raise _too_slow() from None
        finally:
            self.sock.settimeout(outer)
        self._waited += time.monotonic() - begun
        self._received += len(data)
        return data


class _Connection(TConn):  # type: ignore[misc]
    """A connection that takes a thread only when the head of a request is there: who is slow costs no thread."""

    _head = b""

    def head_is_there(self) -> bool:
        """Take in what has arrived; return whether a thread has something to do with it."""
        try:
            data: bytes = self.sock.recv(MAX_HEAD)
        except BlockingIOError:
            return False
        except OSError:
            return True
        self._head += data
        return not data or b"\r\n\r\n" in self._head or len(self._head) >= MAX_HEAD

    def init(self) -> None:
        super().init()
        self.sock.settimeout(SEND_SECONDS)
        if not isinstance(self.parser.unreader, _Unreader):
            self.parser.unreader = _Unreader(self.sock)
        self.parser.unreader.begin(HEAD_SECONDS)
        head, self._head = self._head, b""
        self.parser.unreader.unread(head)


class _Body:
    """The `wsgi.input` of one request: `read1` hands over what one receive brought; what is cut off is an error."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._framed = request.body
        self._unreader = request.unreader
        self._chunked = any(name == "TRANSFER-ENCODING" for name, _ in request.headers)
        self._left = 0 if self._chunked else _content_length(request)
        self._ended = not self._chunked and self._left == 0
        self.failed = False
        self.abandoned = False
        self.answered = False

    @property
    def unread(self) -> int:
        if self._ended:
            return 0
        return 1 << 62 if self._chunked or self.failed else self._left

    def abandon(self) -> None:
        self.abandoned = True
        self._request.force_close()

    def read1(self, size: int = -1) -> bytes:
        if self._ended or size == 0:
            return b""
        size = RECEIVE_AT_ONCE if size < 0 else min(size, RECEIVE_AT_ONCE)
        try:
            data = self._read_chunked(size) if self._chunked else self._read_counted(size)
        except (OSError, ParseException) as error:
            self.failed = True
            if self.answered:
                raise ConnectionResetError(errno.ECONNRESET, "the rest of the body is lost") from error
            raise Invalid("The request broke off, or came too slowly.", mend="Send it again.") from error
        return data

    def _read_chunked(self, size: int) -> bytes:
        data: bytes = self._framed.read(size)
        self._ended = not data
        return data

    def _read_counted(self, size: int) -> bytes:
        wanted = min(size, self._left)
        data: bytes = self._unreader.read(None, read_ahead=wanted)
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the client is gone")
        if len(data) > wanted:
            self._unreader.unread(data[wanted:])
            data = data[:wanted]
        self._left -= len(data)
        self._ended = self._left == 0
        return data

    def read(self, size: int | None = -1) -> bytes:
        pieces = []
        left = 1 << 62 if size is None or size < 0 else size
        while left and (piece := self.read1(min(left, RECEIVE_AT_ONCE))):
            pieces.append(piece)
            left -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readline(self, size: int | None = -1) -> bytes:
        """PEP 3333 asks for it; no part of the portal reads a body by lines."""
        raise NotImplementedError

    readlines = __iter__ = readline


class _Worker(ThreadWorker):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = _LastingQueue()
        self._connected: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    def accept(self, listener: socket.socket) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        self._connected.add(client)
        self._await_head(_Connection(self.cfg, client, address, listener.getsockname()))

    def _await_head(self, conn: Any) -> None:
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: socket.socket) -> None:
        if conn.head_is_there():
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: socket.socket) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        if conn.head_is_there():
            self.enqueue_req(conn)
        else:
            self._await_head(conn)

    def handle_request(self, req: Any, conn: Any) -> bool:
        body = req.body = _Body(req)
        req.unreader.begin(GRACE)
        keep = False
        try:
            keep = bool(super().handle_request(req, conn))
        except TimeoutError:
            raise _too_slow() from None
        finally:
            body.answered = True
            # gunicorn would wait for the client's end in the one thread that accepts connections, for seconds each.
            if body.abandoned or (not keep and body.unread):
                _linger(conn.sock)
            elif not keep:
                _cut(conn.sock)
        return keep

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        if isinstance(exc, ParseException) and not isinstance(exc, _OWN_FAULTS):
            _refuse(client, exc)
            return
        if req is not None:
            # gunicorn would log the query string.
            req.uri = req.path
        super().handle_error(req, client, addr, exc)

    def run(self) -> None:
        super().run()
        # Whoever is still being served is cut off, so that its thread ends what it does (and records it) in time.
        for sock in tuple(self._connected):
            _cut(sock)
        self.tpool.shutdown(wait=True, cancel_futures=True)


class _LastingQueue(PollableMethodQueue):  # type: ignore[misc]
    def close(self) -> None:
        """Stay open: a thread that ends later would write its wake-up byte into whatever has the number by then."""


def _die_with_parent(parent: int) -> None:
    """Let this process be killed when its parent is: it would hold port and installation against the next start."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _content_length(request: Any) -> int:
    return next((int(value) for name, value in request.headers if name == "CONTENT-LENGTH"), 0)


def _refuse(client: socket.socket, fault: ParseException) -> None:
    """Answer what is no request. gunicorn's answer and log repeat its words, which may be a title or a search."""
    status, words = next((told for kind, told in _REFUSED.items() if isinstance(fault, kind)), _MALFORMED)
    _log.warning("refused what is no request: %s", type(fault).__name__)
    body = f"{words}\n".encode()
    head = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    with suppress(OSError):
        client.sendall(head.encode() + body)


def _too_slow() -> ConnectionResetError:
    # gunicorn passes over a reset in silence, where a timeout would fill the log with traces.
    return ConnectionResetError(errno.ECONNRESET, "the client was too slow")


def _linger(sock: socket.socket) -> None:
    """End our side and read on for a while, so that the client reads the answer before it learns of the end."""
    deadline = time.monotonic() + LINGER_SECONDS
    drained = 0
    buffer = bytearray(64 << 10)
    try:
        sock.shutdown(socket.SHUT_WR)
        while drained < LINGER_OCTETS and (left := deadline - time.monotonic()) > 0:
            sock.settimeout(left)
            received = sock.recv_into(buffer)
            if not received:
                break
            drained += received
    except OSError:
        pass
    # gunicorn lingers too, in the one thread that accepts connections: with both sides ended it does not wait there.
    _cut(sock)


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
