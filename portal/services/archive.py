"""Several documents as one streamed ZIP: nothing staged, one intent for each document, what is refused is left out."""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from pathlib import PurePosixPath
from typing import IO, cast

from policies import Label
from policies.aggregates import aggregate
from policies.requests import Action
from portal.errors import Invalid, NotFound, NotPermitted
from portal.services.access import NO_SUCH_DOCUMENT, Access
from portal.services.actor import Actor
from portal.services.release import Release, ReleasedVersion

MOST = 500
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o600 << 16
_LONGEST_COMMENT = 60_000
"""APPNOTE 4.4.12 leaves two bytes for its length."""


class Archive:
    """Streams ZIPs of what a person may read."""

    def __init__(self, release: Release, access: Access) -> None:
        self._release = release
        self._access = access

    def open(self, actor: Actor, document_ids: Sequence[str]) -> Generator[bytes, None, None]:
        """Return the ZIP's bytes as they are made; each denial is recorded and nothing about it is said.

        Its comment says the dominant label of what is in it, and where that is wider than a member. The first document
        is opened before this returns. Raises Invalid for no or too many documents, NotFound when none of them may be
        read, Unavailable when log, keys or store do not answer.
        """
        wanted = list(dict.fromkeys(document_ids))
        if not wanted:
            raise Invalid("No document was chosen.", mend="Choose at least one.")
        if len(wanted) > MOST:
            raise Invalid(f"A ZIP holds at most {MOST} documents, not {len(wanted)}.", mend="Choose fewer.")
        names: dict[str, str] = {}
        taken: set[str] = set()
        labels: list[Label] = []
        for document_id in wanted:
            try:
                permission = self._release.permit(actor, Action.DOCUMENT_READ, document_id)
            except (NotFound, NotPermitted):
                continue
            names[document_id] = _unique(permission.released, taken)
            labels.append(permission.label)
        if not names:
            raise _nothing_to_read()
        stream = self._stream(actor, names, self._label_words(actor, labels))
        next(stream)
        return stream

    def _label_words(self, actor: Actor, labels: Sequence[Label]) -> str:
        """Return the marking of all together; it decides nothing, for every member was decided by itself."""
        environment = self._access.environment(actor)
        found = aggregate(labels, environment.rules.policy, environment.time)
        if found.label is None:
            told = (
                f"These labels have none in common: handle all of it as {environment.rules.ceiling}.",
                *(reason.text for reason in found.reasons),
            )
        else:
            told = (self._access.marking(found.label), *(reason.text for reason in found.wider))
        return "\n".join(told)

    def _stream(self, actor: Actor, names: dict[str, str], label: str) -> Generator[bytes, None, None]:
        # The first piece is empty and comes when the first document is open: `open` takes it, so that what fails until
        # then is an answer of its own, and closing the stream from there on records the outcome.
        begun = False
        sink = _Sink()
        with zipfile.ZipFile(cast(IO[bytes], sink), "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.comment = label.encode()[:_LONGEST_COMMENT]
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
