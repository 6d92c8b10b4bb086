"""The request class: no code can parse a body with content by accident, or spool it to disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

import flask
from werkzeug.exceptions import RequestEntityTooLarge

from portal.errors import Invalid, TooLarge
from portal.http.multipart import MultipartReader
from portal.http.transfer import CHUNK, BodyReader

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_FORM = 1 << 20
LEFT_UNREAD = 64 << 10
# The parser copies each chunk several times: under 128 KiB the C library need not ask the kernel for each copy.
_FORM_CHUNK = 96 << 10


class PortalRequest(flask.Request):
    """A request whose ordinary body is at most 1 MiB in memory, and whose content is read as a stream or not at all.

    Views that take content call `body` or `multipart`; `form`, `files` and `values` raise Invalid on multipart.
    """

    def __init__(
        self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False
    ) -> None:
        super().__init__(environ, populate_request, shallow)
        self.max_content_length = MAX_FORM
        self.max_form_memory_size = MAX_FORM

    def body(self, limit: int, *, chunk: int = CHUNK) -> BodyReader:
        """Return the raw body as a stream of at most `limit` bytes; raises TooLarge, later also Invalid."""
        length = self.content_length
        if length is None and not self.environ.get("wsgi.input_terminated"):
            length = 0
        return BodyReader(self.input_stream, length, limit=limit, chunk=chunk)

    def multipart(self, limit: int) -> MultipartReader:
        """Return the multipart/form-data body as a stream of parts; raises TooLarge, Invalid."""
        if self.mimetype != "multipart/form-data":
            raise Invalid("The request is not a form with files.", mend="Send it as multipart/form-data.")
        return MultipartReader(self.body(limit, chunk=_FORM_CHUNK), self.mimetype_params.get("boundary", ""))

    def _load_form_data(self) -> None:
        if self.mimetype.startswith("multipart/"):
            raise Invalid(
                "Files are not taken here.",
                mend="Send the form as application/x-www-form-urlencoded, or use the upload.",
            )
        try:
            super()._load_form_data()
        except RequestEntityTooLarge as error:
            raise TooLarge(
                f"The form is larger than {MAX_FORM:,} bytes.", mend="Send less at once."
            ) from error

    def _get_file_stream(self, *_: Any, **__: Any) -> NoReturn:
        raise Invalid("Files are not taken here.", mend="Use the upload.")


@runtime_checkable
class AbandonableInput(Protocol):
    """A `wsgi.input` that knows what was left unread and can give its connection up; see `portal.cli.server`."""

    @property
    def unread(self) -> int:
        """How many bytes the client may still send, at least."""
        ...

    def abandon(self) -> None:
        """Let the answer say `Connection: close`, and the connection end after a short while of draining."""
        ...


def closing_unread(app: WSGIApplication) -> WSGIApplication:
    """Wrap `app` so that an answer given before the body was read reaches the client.

    Up to 64 KiB the server drains and keeps the connection. Beyond that the connection is abandoned when the answer
    begins: the server sends the answer, ends its own side, and goes on reading for a short while, so that the client
    finds the answer and not a reset (RFC 9112, 9.6).
    """

    def guarded(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"]

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:
            if isinstance(body, AbandonableInput) and body.unread > LEFT_UNREAD:
                body.abandon()
            return start_response(status, headers, *error)

        return app(environ, start)

    return guarded
