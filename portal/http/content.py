"""Answers that carry a document's bytes."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from itertools import chain
from urllib.parse import quote

from flask import Response, current_app, request

from policies.requests import Action
from portal.http.ranges import wanted_range
from portal.http.security_headers import content_headers
from portal.http.slots import SlottedBody, slots
from portal.http.transfer import TransferSlots
from portal.services.actor import Actor
from portal.services.release import Permission, ReleasedVersion, Transfer
from portal.services.runtime import Runtime

_INLINE = frozenset(
    {
        "application/pdf",
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "text/plain",
        "text/csv",
    }
)
"""Media types that a browser may show; everything else is a download. SVG and HTML are never shown."""


def can_be_viewed(media_type: str) -> bool:
    """Say whether the portal shows this media type in the browser."""
    return media_type in _INLINE


def disposition(kind: str, file_name: str) -> str:
    """Return a Content-Disposition (RFC 6266) with the name in ASCII and in UTF-8."""
    ascii_name = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in file_name)
    return f"{kind}; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(file_name, safe='')}"


def etag_of(version: ReleasedVersion) -> str:
    """Return the strong entity tag of a version: its digest."""
    return f'"{version.sha256.hex()}"'


def content_answer(
    runtime: Runtime,
    actor: Actor,
    document_id: str,
    number: int | None,
    *,
    action: Action,
    inline: bool = False,
) -> Response:
    """Decide, record and stream a version's content, or the range of it that was asked for.

    HEAD, and a request whose If-None-Match holds, hand out no content: they are decided alike and recorded as shown.
    """
    held = slots()
    held.take(actor.person_id)
    try:
        return _content(
            runtime, runtime.release.permit(actor, action, document_id, number), held, inline=inline
        )
    except BaseException:
        held.give_back(actor.person_id)
        raise


def _content(runtime: Runtime, permission: Permission, held: TransferSlots, *, inline: bool) -> Response:
    version = permission.released
    etag = etag_of(version)
    headers = {
        **content_headers(https=runtime.settings.secure),
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(
            "inline" if inline and can_be_viewed(version.media_type) else "attachment", version.file_name
        ),
        "Repr-Digest": f"sha-256=:{base64.b64encode(version.sha256).decode()}:",
        "Strongroom-Version": str(version.number),
    }
    unchanged = request.if_none_match.contains_weak(version.sha256.hex())
    if unchanged or request.method == "HEAD":
        receipt = runtime.release.describe(permission)
        headers["Strongroom-Log-Entry"] = str(receipt.seq)
        answer = Response(status=304 if unchanged else 200, headers=headers, content_type=version.media_type)
        if not unchanged:
            answer.content_length = version.size
        held.give_back(permission.person_id)
        return answer
    wanted = wanted_range(request.headers, version.size, etag)
    transfer = runtime.release.open(permission, wanted.start, wanted.stop)
    headers["Strongroom-Log-Entry"] = str(transfer.log_entry)
    headers["Content-Length"] = str(wanted.length)
    if wanted.partial:
        headers["Content-Range"] = wanted.content_range
    try:
        pieces = _begun(transfer)
    except BaseException:
        transfer.close()
        raise
    return Response(
        SlottedBody(pieces, transfer.close, held, permission.person_id),
        status=206 if wanted.partial else 200,
        headers=headers,
        content_type=version.media_type,
        direct_passthrough=True,
    )


def archive_answer(
    runtime: Runtime, actor: Actor, document_ids: Sequence[str], *, leave_out: bool = False
) -> Response:
    """Stream several documents as one ZIP; with `leave_out` without those that may not be read."""
    held = slots()
    held.take(actor.person_id)
    try:
        stream = runtime.archive.open(actor, document_ids, leave_out=leave_out)
    except BaseException:
        held.give_back(actor.person_id)
        raise
    answer = Response(
        SlottedBody(stream, stream.close, held, actor.person_id),
        headers=content_headers(https=runtime.settings.secure),
        content_type="application/zip",
        direct_passthrough=True,
    )
    answer.headers["Content-Disposition"] = 'attachment; filename="documents.zip"'
    return answer


def _begun(transfer: Transfer) -> Iterator[bytes]:
    """Open the first piece now: content that is damaged from the start is an error, not an answer that breaks off."""
    pieces = _pieces(transfer)
    first = next(pieces, None)
    return pieces if first is None else chain((first,), pieces)


def _pieces(transfer: Transfer) -> Iterator[bytes]:
    for segment in transfer:
        yield bytes(segment)


def runtime() -> Runtime:
    """Return the running portal of this application."""
    found: Runtime = current_app.extensions["strongroom"]
    return found
