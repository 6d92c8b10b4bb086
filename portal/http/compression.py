"""Pages go out compressed where that tells nobody anything.

The length of a compressed page tells whether what somebody planted in it repeats something secret beside it (BREACH).
So only what the browser says the portal's own pages, or the person, asked for is compressed: what another site's page
makes a browser ask for is not. Lengths are rounded up after a random surplus, since a title that one company
sends stands in one list with another's. The token of forms is masked anew in each answer (`portal.http.csrf`).
Documents, the API and the log's exports go out as they are; the bundle's files were compressed when they were built.
"""

from __future__ import annotations

import secrets
import struct
import zlib

from flask import Flask, Response, request

_LEAST = 1_000
_LEVEL = 5
_STEP = 512
_SURPLUS = 256
_HEADER = b"\x1f\x8b\x08\x08\x00\x00\x00\x00\x00\xff"
"""RFC 1952: deflate, with a file name, no time, no operating system."""
_ASKED_HERE = frozenset({"same-origin", "none"})


def install(app: Flask) -> None:
    """Compress the pages of `app`; to be installed before whatever else changes answers at their end."""
    app.after_request(_compress)


def squeezed(content: bytes) -> bytes:
    """Return `content` in the gzip format, with a file name in its header that hides the true length."""
    squeezer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = squeezer.compress(content) + squeezer.flush()
    trailer = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    least = len(_HEADER) + 1 + len(body) + len(trailer) + secrets.randbelow(_SURPLUS)
    name = b"x" * (-least % _STEP + least - len(_HEADER) - 1 - len(body) - len(trailer))
    return b"".join((_HEADER, name, b"\0", body, trailer))


def _compress(response: Response) -> Response:
    if response.mimetype != "text/html" or response.is_streamed or response.direct_passthrough:
        return response
    response.vary.update(("Accept-Encoding", "Sec-Fetch-Site"))
    content = response.get_data()
    if (
        len(content) >= _LEAST
        and "Content-Encoding" not in response.headers
        and request.accept_encodings["gzip"] > 0
        and request.headers.get("Sec-Fetch-Site") in _ASKED_HERE
    ):
        response.set_data(squeezed(content))
        response.headers["Content-Encoding"] = "gzip"
    return response
