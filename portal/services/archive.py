"""Several documents as one streamed ZIP: nothing staged, one intent for each document, what is refused is left out."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from pathlib import PurePosixPath
from typing import IO, cast

from policies.requests import Action
from portal.errors import Invalid, NotFound, NotPermitted
from portal.services.access import NO_SUCH_DOCUMENT
from portal.services.actor import Actor
from portal.services.release import Release, ReleasedVersion

MOST = 500
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o600 << 16


class Archive:
    """Streams ZIPs of what a person may read."""

    def __init__(self, release: Release) -> None:
        self._release = release

    def open(self, actor: Actor, document_ids: Sequence[str]) -> Generator[bytes, None, None]:
        """Return the ZIP's bytes as they are made; each denial is recorded and nothing about it is said.

        The first document is opened before this returns. Raises Invalid for no or too many documents, NotFound when
        none of them may be read, Unavailable when log, keys or store do not answer.
        """
        wanted = list(dict.fromkeys(document_ids))
        if not wanted:
            raise Invalid("No document was chosen.", mend="Choose at least one.")
        if len(wanted) > MOST:
            raise Invalid(f"A ZIP holds at most {MOST} documents, not {len(wanted)}.", mend="Choose fewer.")
        names: dict[str, str] = {}
        taken: set[str] = set()
        for document_id in wanted:
            try:
                version = self._release.permit(actor, Action.DOCUMENT_READ, document_id).released
            except (NotFound, NotPermitted):
                continue
            names[document_id] = _unique(version, taken)
        if not names:
            raise _nothing_to_read()
        stream = self._stream(actor, names)
        next(stream)
        return stream

    def _stream(self, actor: Actor, names: dict[str, str]) -> Generator[bytes, None, None]:
        # The first piece is empty and comes when the first document is open: `open` takes it, so that what fails until
        # then is an answer of its own, and closing the stream from there on records the outcome.
        begun = False
        sink = _Sink()
        with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for document_id, name in names.items():
                try:
                    permission = self._release.permit(actor, Action.DOCUMENT_READ, document_id)
                except (NotFound, NotPermitted):
                    continue
                transfer = self._release.open(permission)
                info = zipfile.ZipInfo(name, _EARLIEST)
                info.external_attr = _FILE_MODE
                info.file_size = permission.released.size
                try:
                    if not begun:
                        begun = True
                        yield b""
                    with archive.open(info, "w", force_zip64=True) as entry:
                        for segment in transfer:
                            entry.write(segment)
                            yield from sink.take()
                finally:
                    transfer.close()
                yield from sink.take()
            if not begun:
                raise _nothing_to_read()
        yield from sink.take()


class _Sink:
    """A file that only grows, whose bytes are taken as they come."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        return pieces


def _nothing_to_read() -> NotFound:
    error = NotFound(NO_SUCH_DOCUMENT)
    error.recorded = True
    return error


def _unique(version: ReleasedVersion, taken: set[str]) -> str:
    path = PurePosixPath(version.file_name)
    name, number = version.file_name, 1
    while name.casefold() in taken:
        number += 1
        name = f"{path.stem} ({number}){path.suffix}"
    taken.add(name.casefold())
    return name
