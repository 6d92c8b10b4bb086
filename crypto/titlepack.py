"""Title packs: the titles of a programme's documents, encrypted at rest, searched and sorted in memory.

A pack is a row of numbered pieces that only grows; a later entry of a document takes the place of an earlier one.
A piece is JSON `[[document id, label digest in hex, title or null], …]` under AES-256-GCM, stored as
`0x06 ‖ key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.exceptions import InvalidTag

from crypto import canonical, envelope
from crypto.errors import Damaged
from crypto.keyring import KeyRing, RingKey
from crypto.keys import NONCE_BYTES

_USE = "strongroom title pack"
_WORD = re.compile(r"[^\W_]+")
# Letters that people type without their stroke or ligature, but that have no decomposition in Unicode.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t", "ı": "i"}  # noqa: RUF001
)


@dataclass(frozen=True, slots=True)
class PackEntry:
    """One document's title, or None once the document is to be found no longer."""

    document_id: str
    label_digest: bytes
    title: str | None


def seal_piece(ring: KeyRing, programme_id: str, number: int, entries: Iterable[PackEntry]) -> bytes:
    """Encrypt entries as piece `number` of a programme's pack."""
    key = ring.sealing("pack")
    listed = [[entry.document_id, entry.label_digest.hex(), entry.title] for entry in entries]
    plain = json.dumps(listed, ensure_ascii=False, separators=(",", ":")).encode()
    nonce = os.urandom(NONCE_BYTES)
    sealed = key.gcm.encrypt(nonce, plain, _associated_data(key, programme_id, number))
    return envelope.prefix(envelope.PACK, key.id) + nonce + sealed


def open_piece(ring: KeyRing, programme_id: str, number: int, blob: bytes) -> tuple[PackEntry, ...]:
    """Decrypt what `seal_piece` made; raises Damaged when piece, programme or number differ."""
    key = ring.by_id(envelope.key_id_of(blob, envelope.PACK))
    if key.kind != "pack":
        raise Damaged("a piece of a title pack names a key of another kind")
    start = envelope.PREFIX_BYTES
    bound = _associated_data(key, programme_id, number)
    try:
        plain = key.gcm.decrypt(blob[start : start + NONCE_BYTES], blob[start + NONCE_BYTES :], bound)
    except (InvalidTag, ValueError):
        raise Damaged("a piece of a title pack was altered or moved") from None
    return tuple(
        PackEntry(document, bytes.fromhex(digest), title) for document, digest, title in json.loads(plain)
    )


def normalise(text: str) -> str:
    """Return `text` without case and accents (Unicode NFKD, marks dropped, case folded)."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join([letter for letter in folded if not unicodedata.combining(letter)])
    return plain.translate(_LETTERS)


def words(text: str) -> list[str]:
    """Return the normalised words of `text`: runs of letters and digits."""
    return _WORD.findall(normalise(text))


class TitleIndex:
    """The titles of one programme in memory, in title order. Safe for use by several threads."""

    def __init__(self, entries: Iterable[PackEntry] = ()) -> None:
        self._lock = threading.Lock()
        self._table = _Table(())
        self.add(entries)

    def __len__(self) -> int:
        return len(self._table.documents)

    def add(self, entries: Iterable[PackEntry]) -> None:
        """Take entries in the order in which they were sealed; a document's last one counts."""
        latest = {entry.document_id: entry for entry in entries}
        rows = [
            (_line(entry.title), entry.title, entry.document_id, entry.label_digest)
            for entry in latest.values()
            if entry.title is not None
        ]
        with self._lock:
            self._table = _Table(sorted([row for row in self._table.rows if row[2] not in latest] + rows))

    def ordered(self, labels: Set[bytes] | None = None) -> list[str]:
        """Return the ids of all documents, or of those with one of these label digests, in title order."""
        table = self._table
        return table.pick(range(len(table.documents)), labels)

    def search(self, query: str, labels: Set[bytes] | None = None) -> list[str]:
        """Return the ids of the documents in whose title every word of `query` begins some word.

        Titles that hold the whole query, word for word, come first; each group is in title order. Case and accents
        do not count. With `labels` only documents with one of these label digests are found. A query without a
        letter or digit finds nothing.
        """
        asked = words(query)
        if not asked:
            return []
        table = self._table
        first, *others = [f" {word}" for word in sorted(set(asked), key=len, reverse=True)]
        found = table.containing(first)
        for other in others:
            found = table.among(found, other)
        exact = table.among(found, f" {' '.join(asked)} ")
        if exact:
            front = set(exact)
            found = exact + [index for index in found if index not in front]
        return table.pick(found, labels)


_Row: TypeAlias = tuple[str, str, str, bytes]
"""A document's line, title, id and label digest: rows in order are in title order."""


class _Table:
    """Rows that never change, with all lines in one string, which is what makes a scan fast."""

    def __init__(self, rows: Sequence[_Row]) -> None:
        self.rows = rows
        self.documents = [row[2] for row in rows]
        self._labels = [row[3] for row in rows]
        self._text = "".join([row[0] for row in rows])
        self._starts = list(itertools.accumulate([len(row[0]) for row in rows], initial=0))

    def containing(self, needle: str) -> list[int]:
        """Return the indexes of the lines that contain `needle`, in order."""
        find, starts = self._text.find, self._starts
        found = []
        position = find(needle)
        index = 0
        while position >= 0:
            index = bisect.bisect_right(starts, position, index)
            found.append(index - 1)
            position = find(needle, starts[index])
        return found

    def among(self, indexes: list[int], needle: str) -> list[int]:
        """Return those of the indexes whose lines contain `needle`."""
        find, starts = self._text.find, self._starts
        return [index for index in indexes if find(needle, starts[index], starts[index + 1]) >= 0]

    def pick(self, indexes: Iterable[int], labels: Set[bytes] | None) -> list[str]:
        """Return the documents at these indexes, without those of other labels."""
        if labels is None:
            return [self.documents[index] for index in indexes]
        return [self.documents[index] for index in indexes if self._labels[index] in labels]


def _line(title: str) -> str:
    """Return a title's words, each with a space before it, ending with a space and a line feed.

    So `" word"` finds a beginning and `" word "` a whole word, and no find reaches into the next line.
    """
    return f" {' '.join(words(title))} \n"


def _associated_data(key: RingKey, programme_id: str, number: int) -> bytes:
    return canonical.encode(_USE, programme_id, number, key.id)
