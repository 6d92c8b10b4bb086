"""Files on their way to a portal and from it: streamed, counted, their digests checked, downloads resumed."""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import requests

from portal.cli.errors import Fails
from portal.cli.remote import Remote, unreachable
from portal.errors import Conflict, Invalid

_PIECE = 1 << 20
_TRIES = 5
_UNSAFE = frozenset('/\\:*?"<>|')

Advance = Callable[[int], None]
"""Told how many bytes went by."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A file and its SHA-256, taken before it is sent so that the portal can check what arrives."""

    path: Path
    size: int
    sha256: bytes

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a raw upload: name (RFC 6266) and digest (RFC 9530)."""
        return {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(self.path.name, safe='')}",
            "Repr-Digest": f"sha-256=:{base64.b64encode(self.sha256).decode()}:",
        }


def outgoing(path: Path) -> Outgoing:
    """Read a file's size and digest; raises Invalid for an empty one."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
        size = file.tell()
    if size == 0:
        raise Invalid(f"{path} is empty.", mend="Nothing was sent.")
    return Outgoing(path, size, digest)


class Body:
    """A file as a request's body of known length, sent in pieces of a MiB, read once."""

    def __init__(self, file: BinaryIO, size: int, advance: Advance) -> None:
        self._file = file
        self._size = size
        self._advance = advance

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        while left and (piece := self._file.read(min(left, _PIECE))):
            left -= len(piece)
            yield piece
            self._advance(len(piece))
        if left:
            raise Conflict(
                "The file became shorter while it was sent.", mend="Send it again; nothing was stored."
            )


def push(
    remote: Remote, file: Outgoing, advance: Advance, *, programme: str, title: str, label: str
) -> dict[str, Any]:
    """Send a new document; returns the portal's receipt. Raises Refused, Unavailable."""
    with file.path.open("rb") as content:
        return remote.json(
            "POST",
            "/documents",
            params={"programme": programme, "label": label},
            headers={**file.headers, "Strongroom-Title": quote(title, safe="")},
            body=Body(content, file.size, advance),
        )


def push_version(remote: Remote, file: Outgoing, advance: Advance, document_id: str) -> dict[str, Any]:
    """Send a new version of a document; returns the portal's receipt. Raises Refused, Unavailable."""
    with file.path.open("rb") as content:
        return remote.json(
            "PUT",
            f"/documents/{quote(document_id, safe='')}/content",
            headers=file.headers,
            body=Body(content, file.size, advance),
        )


@dataclass(frozen=True, slots=True)
class Wanted:
    """The current version of a document as the portal describes it; `sha256` in hexadecimal."""

    id: str
    file_name: str
    size: int
    sha256: str

    @classmethod
    def look_up(cls, remote: Remote, document_id: str) -> Wanted:
        """Ask the portal; raises Refused."""
        found = remote.json("GET", f"/documents/{quote(document_id, safe='')}")
        digest = str(found["digest"]).removeprefix("sha-256:")
        return cls(str(found["id"]), safe_name(str(found["file_name"])), int(found["size"]), digest)


def safe_name(raw: str) -> str:
    """Return a name that can only lie in the folder that was chosen, whatever a portal says."""
    name = "".join("_" if letter in _UNSAFE or not letter.isprintable() else letter for letter in raw).strip(
        " ."
    )
    return name or "document"


def pull(remote: Remote, wanted: Wanted, target: Path, advance: Advance) -> None:
    """Fetch a document into `target`, which appears only when it is whole and its digest holds.

    What came of an earlier try is kept beside it and resumed. Raises Refused, Unavailable, Fails for a digest that
    does not hold.
    """
    draft = target.with_name(f".{wanted.id}.{wanted.sha256[:16]}.part")
    pause = 1.0
    told = 0

    def count(number: int) -> None:
        nonlocal told
        told += number
        advance(number)

    for attempt in range(1, _TRIES + 1):
        try:
            digest = _fetch(remote, wanted, draft, count)
            break
        except requests.RequestException as fault:
            if attempt == _TRIES:
                raise unreachable(fault) from None
            count(-told)
            time.sleep(pause)
            pause *= 2
    if digest != wanted.sha256:
        draft.unlink()
        raise Fails(
            f"What arrived of {wanted.file_name} does not have the digest that the portal told.",
            mend="Pull it again.",
        )
    draft.replace(target)


def _fetch(remote: Remote, wanted: Wanted, draft: Path, advance: Advance) -> str:
    """Fetch what is missing of the draft and return the SHA-256 of the whole."""
    digest = hashlib.sha256()
    with draft.open("a+b") as file:
        file.seek(0)
        held = 0
        while piece := file.read(_PIECE):
            digest.update(piece)
            held += len(piece)
        if held > wanted.size:
            file.truncate(0)
            held, digest = 0, hashlib.sha256()
        advance(held)
        if held < wanted.size:
            headers = {"Range": f"bytes={held}-", "If-Range": f'"{wanted.sha256}"'} if held else {}
            path = f"/documents/{quote(wanted.id, safe='')}/content"
            with remote.ask("GET", path, headers=headers, stream=True) as answer:
                if held and answer.status_code != 206:
                    # The document has another version meanwhile: what is held is of no use.
                    file.truncate(0)
                    advance(-held)
                    digest = hashlib.sha256()
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    digest.update(piece)
                    advance(len(piece))
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
