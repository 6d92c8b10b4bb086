"""Several documents as one streamed ZIP: nothing staged, one intent for each document.

A collection is permitted only when every member is (policy.md). Whoever wants the others alone says so.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import IO, cast

from policies import Label
from policies.aggregates import aggregate
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.errors import Invalid, NotFound, NotPermitted
from portal.services.access import NO_SUCH_DOCUMENT, Access
from portal.services.actor import Actor
from portal.services.changes import shown
from portal.services.release import Release, ReleasedVersion

MOST = 500
_EARLIEST = (1980, 1, 1, 0, 0, 0)
_FILE_MODE = 0o600 << 16
_LONGEST_COMMENT = 60_000
"""APPNOTE 4.4.12 leaves two bytes for its length."""


class HiddenMembers(NotFound):
    """Some of the documents are not there, or not open to this person; `readable` are the others."""

    readable: tuple[str, ...] = ()


class DeniedMembers(NotPermitted):
    """Some of the documents are refused, as this person may know; `readable` are the others."""

    readable: tuple[str, ...] = ()


class Archive:
    """Streams ZIPs of what a person may read."""

    def __init__(self, release: Release, access: Access, log: AuditLog) -> None:
        self._release = release
        self._access = access
        self._log = log

    def open(
        self, actor: Actor, document_ids: Sequence[str], *, leave_out: bool = False
    ) -> Generator[bytes, None, None]:
        """Return the ZIP's bytes as they are made; with `leave_out` without the documents that may not be read.

        Its comment says the dominant label of what is in it, and where that is wider than a member; the log has it in
        a record of the ZIP as a whole. The first document is opened before this returns. Each denial is recorded.
        Raises Invalid for no or too many documents; HiddenMembers or DeniedMembers, where some may not be read and
        are not to be left out; NotFound when none may be read; Unavailable when log, keys or store do not answer.
        """
        wanted = list(dict.fromkeys(document_ids))
        if not wanted:
            raise Invalid("No document was chosen.", mend="Choose at least one.")
        if len(wanted) > MOST:
            raise Invalid(f"A ZIP holds at most {MOST} documents, not {len(wanted)}.", mend="Choose fewer.")
        names: dict[str, str] = {}
        taken: set[str] = set()
        labels: list[Label] = []
        refused: dict[str, NotFound | NotPermitted] = {}
        for document_id in wanted:
            try:
                permission = self._release.permit(actor, Action.DOCUMENT_READ, document_id)
            except (NotFound, NotPermitted) as error:
                refused[document_id] = error
                continue
            names[document_id] = _unique(permission.released, taken)
            labels.append(permission.label)
        if refused and not leave_out:
            raise _refused(refused, tuple(names))
        if not names:
            raise _nothing_to_read()
        words = self._label_words(actor, labels)
        archive = models.new_id()
        self._log.append(
            replace(
                self._access.event(
                    actor,
                    Action.DOCUMENT_READ,
                    decision="permit",
                    label=words.partition("\n")[0],
                    details={**shown(list(names)), "archive": archive},
                ),
                action="document.archive",
            )
        )
        stream = self._stream(actor, names, words, archive, leave_out=leave_out)
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

    def _stream(
        self, actor: Actor, names: dict[str, str], label: str, number: str, *, leave_out: bool
    ) -> Generator[bytes, None, None]:
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
                    # Since the ZIP began: it breaks off, for what it lacks would not show.
                    if not leave_out:
                        raise
                    continue
                transfer = self._release.open(permission, archive=number)
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


def _refused(
    refused: Mapping[str, NotFound | NotPermitted], readable: tuple[str, ...]
) -> NotFound | NotPermitted:
    """Return the one error for all that was refused; it says of each no more than asking for it alone would."""
    known = {key: error for key, error in refused.items() if isinstance(error, NotPermitted)}
    hidden = len(refused) - len(known)
    words = [
        f"{len(refused)} of {len(refused) + len(readable)} documents are not handed out, so nothing was packed."
    ]
    words += [f"{key}: {' '.join(error.denial.sentences)}" for key, error in known.items() if error.denial]
    if hidden:
        words.append(f"{hidden} of them {'is' if hidden == 1 else 'are'} not there, or not open to you.")
    mend = "Leave them out, or choose others." if readable else "Choose others."
    error: HiddenMembers | DeniedMembers
    if hidden == len(refused) and not readable:
        return _nothing_to_read()
    if hidden:
        error = HiddenMembers(" ".join(words), mend=mend)
    else:
        rules = dict.fromkeys(rule for found in known.values() for rule in found.rules)
        error = DeniedMembers(" ".join(words), mend=mend, rules=tuple(rules))
    error.readable = readable
    error.recorded = True
    return error


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
