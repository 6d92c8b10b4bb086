"""multipart/form-data (RFC 7578) as a stream: small fields in memory, files as chunks, nothing on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import (
    NEED_DATA,
    Data,
    Epilogue,
    Event,
    Field,
    File,
    MultipartDecoder,
    Preamble,
)

from portal.errors import Invalid

# RFC 2046, section 5.1.1, says 70; libraries that write the time and a random number there sometimes pass it.
MAX_BOUNDARY = 200
MAX_FIELDS = 100
MAX_FIELD = 256 << 10
MAX_FIELDS_LENGTH = 1 << 20
# What the decoder may hold: one chunk of the body, and a part's header or a boundary that is not whole yet.
_MAX_HELD = (1 << 20) + (128 << 10)
_DELIMITER_LINE = 64
_AGAIN = "Send the form again; nothing of it was stored."


class FilePart:
    """One file of the form. Iterating yields its bytes in memory chunks, once, while the body is received."""

    def __init__(self, name: str, file_name: str, chunks: Iterator[bytes]) -> None:
        self.name = name
        self.file_name = file_name
        self.received = 0
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.received += len(chunk)
            yield chunk


class MultipartReader:
    """Reads a form from `body`, an iterable of chunks of at most 1 MiB that raises Invalid when it is cut off.

    `fields` holds the fields received so far. `next_file` goes on to the next file; `finish` to the end, after which
    the form is known to be whole. Fields are bounded: 100, of 256 KiB each and 1 MiB together. Every fault in the
    form raises Invalid.
    """

    def __init__(self, body: Iterable[bytes], boundary: str) -> None:
        if not 1 <= len(boundary) <= MAX_BOUNDARY or not boundary.isascii():
            raise Invalid(
                "The form names no boundary, or a bad one.", mend="Send it with a browser or a library."
            )
        self._decoder = MultipartDecoder(boundary.encode(), max_form_memory_size=_MAX_HELD)
        self._delimiter = b"--" + boundary.encode()
        self._body = iter(body)
        self._file: FilePart | None = None
        self._fields_length = 0
        self._ahead = b""
        self._whole = False
        self.fields: dict[str, list[str]] = {}

    def field(self, name: str) -> str:
        """Return the one value of the field received under `name`, "" when there is none; raises Invalid on several."""
        values = self.fields.get(name, [])
        if len(values) > 1:
            raise Invalid(f"The field '{name}' is there more than once.", mend="Send it once.")
        return values[0] if values else ""

    def next_file(self) -> FilePart | None:
        """Return the next file, or None at the form's end; what was left unread of the last one is thrown away."""
        if self._file is not None:
            for _ in self._file:
                pass
            self._file = None
        while not self._whole:
            event = self._event()
            if isinstance(event, Epilogue):
                self._whole = True
            elif isinstance(event, File):
                file = FilePart(_name(event), event.filename, self._chunks())
                if file.file_name:
                    self._file = file
                    return file
                if any(file):
                    raise Invalid(
                        "A file of the form has no name.", mend="Give the file a name and send it again."
                    )
            elif isinstance(event, Field):
                self._take_field(event)
            elif not isinstance(event, Preamble):
                raise _malformed()
        return None

    def finish(self) -> None:
        """Read the form to its end; raises Invalid when another file comes, or the end does not."""
        if self.next_file() is not None:
            raise Invalid("The form carries more files than are taken at once.", mend="Send them one by one.")

    def _take_field(self, event: Field) -> None:
        name, value = _name(event), bytearray()
        if sum(map(len, self.fields.values())) >= MAX_FIELDS:
            raise Invalid(f"The form has more than {MAX_FIELDS} fields.", mend=_AGAIN)
        for chunk in self._chunks():
            value += chunk
            self._fields_length += len(chunk)
            if len(value) > MAX_FIELD or self._fields_length > MAX_FIELDS_LENGTH:
                raise Invalid(f"The field '{name}' is too long.", mend="Shorten it and send the form again.")
        try:
            self.fields.setdefault(name, []).append(value.decode())
        except UnicodeDecodeError as error:
            raise Invalid(
                f"The field '{name}' is not UTF-8 text.", mend="Send text fields as UTF-8."
            ) from error

    def _chunks(self) -> Iterator[bytes]:
        more = True
        while more:
            event = self._event()
            if not isinstance(event, Data):
                raise _malformed()
            more = event.more_data
            if event.data:
                yield event.data

    def _event(self) -> Event:
        try:
            while (event := self._decoder.next_event()) is NEED_DATA:
                self._decoder.receive_data(self._next_piece())
        except RequestEntityTooLarge as error:
            raise Invalid("A header inside the form is too long.", mend=_AGAIN) from error
        except ValueError as error:
            raise _malformed() from error
        return event

    def _next_piece(self) -> bytes | None:
        """Return the next chunk of the body, lengthened when it ends inside a delimiter's line.

        Werkzeug 3.1 passes on the CR before a delimiter as the file's own when what it was given so far ends one
        byte after the boundary: each upload would run that risk wherever the network happens to cut it.
        """
        piece = self._ahead or next(self._body, None)
        self._ahead = b""
        while piece and self._ends_inside_delimiter(piece) and (more := next(self._body, None)):
            piece += more[:_DELIMITER_LINE]
            self._ahead = more[_DELIMITER_LINE:]
            if self._ahead:
                break
        return piece

    def _ends_inside_delimiter(self, piece: bytes) -> bool:
        length = len(self._delimiter) + _DELIMITER_LINE
        _, found, rest = (bytes(self._decoder.buffer[-length:]) + piece[-length:]).rpartition(self._delimiter)
        return (
            bool(found) and len(rest) < _DELIMITER_LINE and b"\n" not in rest and not rest.startswith(b"--")
        )


def _name(event: Field | File) -> str:
    # The decoder's type says str, but a part may come without a name.
    name: str | None = event.name
    if not name or len(name) > 200:
        raise Invalid("A part of the form has no name, or one that is too long.", mend=_AGAIN)
    return name


def _malformed() -> Invalid:
    return Invalid("The form is malformed, or was cut off.", mend=_AGAIN)
