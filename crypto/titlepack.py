"""Title packs: the titles of a programme's documents, encrypted at rest, searched and sorted in memory.

A pack is a row of numbered pieces that only grows; a later entry of a document takes the place of an earlier one.
A piece is JSON `[[document id, label digest in hex, title or null, created], …]` under AES-256-GCM, stored as
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
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
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
    """One document's title, or None once the document is to be found no longer.

    `created` places it among others, in microseconds since 1970; 0 where the piece does not say.
    """

    document_id: str
    label_digest: bytes
    title: str | None
    created: int = 0


def seal_piece(ring: KeyRing, programme_id: str, number: int, entries: Iterable[PackEntry]) -> bytes:
    """Encrypt entries as piece `number` of a programme's pack."""
    key = ring.sealing("pack")
    listed = [
        [
            entry.document_id,
            entry.label_digest.hex(),
            entry.title,
            *([entry.created] if entry.created else ()),
        ]
        for entry in entries
    ]
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
        PackEntry(document, bytes.fromhex(digest), title, *created)
        for document, digest, title, *created in json.loads(plain)
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


Match: TypeAlias = tuple[int, str]
"""A document that was found: when it was created, and its id; matches in this order are the oldest first."""


class TitleIndex:
    """The titles of one programme in memory, by time. Safe for use by several threads."""

    def __init__(self, entries: Iterable[PackEntry] = ()) -> None:
        self._lock = threading.Lock()
        self._table = _Table()
        self.add(entries)

    def __len__(self) -> int:
        return len(self._table.created)

    @property
    def size(self) -> int:
        """How many bytes of memory the titles take, about."""
        return self._table.size

    def add(self, entries: Iterable[PackEntry]) -> None:
        """Take entries in the order in which they were sealed; a document's last one counts."""
        latest = {entry.document_id: entry for entry in entries}
        fresh = sorted(
            (entry for entry in latest.values() if entry.title is not None),
            key=lambda entry: (entry.created, entry.document_id),
        )
        lines = _lines([entry.title or "" for entry in fresh])
        rows = [
            (entry.created, entry.document_id, line, entry.label_digest)
            for entry, line in zip(fresh, lines, strict=True)
        ]
        with self._lock:
            self._table = self._table.with_rows(rows, latest)

    def ordered(self, labels: Set[bytes] | None = None) -> list[str]:
        """Return the ids of all documents, or of those with one of these label digests, in title order."""
        table = self._table
        lines = [
            (table.line(index), table.document(index))
            for index in range(len(table.created))
            if table.has(index, labels)
        ]
        return [document for _, document in sorted(lines)]

    def search(
        self,
        query: str,
        labels: Set[bytes] | None = None,
        *,
        newest: bool = True,
        beyond: Match | None = None,
    ) -> Iterator[Match]:
        """Yield the documents in whose title every word of `query` begins some word, one after the other as they are
        asked for: the newest first, or the oldest. With `beyond` only those that come after that place are.

        Case and accents do not count. With `labels` only documents with one of these label digests are found. A query
        without a letter or digit finds nothing.
        """
        # What is rarest is looked for first: numbers, then long words.
        asked = sorted(set(words(query)), key=lambda word: (word.isalpha(), -len(word)))
        table = self._table
        if asked and table.may_hold(asked):
            yield from table.matches([f" {word}" for word in asked], labels, newest, beyond)


_Row: TypeAlias = tuple[int, str, str, bytes]
"""When a document was created, its id, line and label digest: rows in order are in the order of time."""


class _Table:
    """Rows that never change, in the order of time; all lines are one string, which is what makes a scan fast."""

    created: array[int]
    _width: int
    _documents: str
    _text: str
    _starts: array[int]
    _digests: list[bytes]
    _labels: array[int]
    _words: str

    def __init__(self, rows: Sequence[_Row] = (), before: _Table | None = None) -> None:
        """Take rows, which come after those of the table `before`."""
        self.created = array("q", before.created if before else ())
        self.created.extend([row[0] for row in rows])
        self._width = before._width if before else max([len(row[1]) for row in rows], default=0)
        self._documents = before._documents if before else ""
        self._documents += "".join([row[1].ljust(self._width, _FILL) for row in rows])
        text = "".join([row[2] for row in rows])
        self._text = before._text + text if before else text
        self._starts = array("L", before._starts if before else [0])
        self._starts.extend(itertools.accumulate([len(row[2]) for row in rows], initial=self._starts.pop()))
        self._digests = before._digests if before else []
        self._digests = list(dict.fromkeys([*self._digests, *(row[3] for row in rows)]))
        codes = {digest: code for code, digest in enumerate(self._digests)}
        self._labels = array("L", before._labels if before else ())
        self._labels.extend([codes[row[3]] for row in rows])
        self._words = _vocabulary(text, before._words if before else "")

    @property
    def size(self) -> int:
        return len(self._text) + len(self._documents) + len(self._words) + 24 * len(self.created)

    def document(self, index: int) -> str:
        return self._documents[index * self._width : (index + 1) * self._width].rstrip(_FILL)

    def line(self, index: int) -> str:
        return self._text[self._starts[index] : self._starts[index + 1]]

    def has(self, index: int, labels: Set[bytes] | None) -> bool:
        """Whether a row has one of these label digests."""
        return labels is None or self._digests[self._labels[index]] in labels

    def with_rows(self, rows: Sequence[_Row], replaced: Collection[str]) -> _Table:
        """Return a table with these rows too, which are in order, and without the former rows of `replaced`."""
        if not self.created:
            return _Table(rows)
        if len(replaced) <= _FEW and not any(self._place(document) for document in replaced):
            fits = all(len(row[1]) <= self._width for row in rows)
            if not rows or (fits and rows[0][:2] > (self.created[-1], self.document(len(self.created) - 1))):
                return _Table(rows, self) if rows else self
        kept = [
            (self.created[index], self.document(index), self.line(index), self._digests[self._labels[index]])
            for index in range(len(self.created))
            if self.document(index) not in replaced
        ]
        return _Table(sorted([*kept, *rows]))

    def _place(self, document: str) -> bool:
        """Whether a document may be here; that an id begins inside another one does no harm."""
        return document.ljust(self._width, _FILL) in self._documents

    def may_hold(self, asked: Sequence[str]) -> bool:
        """Whether words begin so somewhere; those that begin with a digit are too many to be kept, and may."""
        return all(f" {word}" in self._words for word in asked if word[0].isalpha())

    def matches(
        self, needles: Sequence[str], labels: Set[bytes] | None, newest: bool, beyond: Match | None
    ) -> Iterator[Match]:
        """Yield the rows whose lines contain every needle."""
        first, *others = needles
        text, starts = self._text, self._starts
        begin, end = self._span(newest, beyond)
        find = text.rfind if newest else text.find
        position = find(first, starts[begin], starts[end])
        while position >= 0:
            index = bisect.bisect_right(starts, position) - 1
            here, there = starts[index], starts[index + 1]
            if self.has(index, labels) and all(text.find(other, here, there) >= 0 for other in others):
                yield self.created[index], self.document(index)
            left = (starts[begin], here) if newest else (there, starts[end])
            position = find(first, *left)

    def _span(self, newest: bool, beyond: Match | None) -> tuple[int, int]:
        """Return between which rows those lie that come after a place."""
        begin, end = 0, len(self.created)
        if beyond is None:
            return begin, end
        created, document = beyond
        if newest:
            end = bisect.bisect_right(self.created, created)
            while end and self.created[end - 1] == created and self.document(end - 1) >= document:
                end -= 1
        else:
            begin = bisect.bisect_left(self.created, created)
            while begin < end and self.created[begin] == created and self.document(begin) <= document:
                begin += 1
        return begin, end


_FILL = "\0"
_FEW = 64
_GAP = re.compile(r"(?:[^\w\n]|_)+")


def _lines(titles: Sequence[str]) -> list[str]:
    """Return the words of each title, each word with a space before it, ending with a space and a line feed.

    So `" word"` finds a beginning and no find reaches into the next line. All titles are normalised at once.
    """
    if not titles:
        return []
    whole = "\n".join([" ".join(title.splitlines()) for title in titles])
    return [f" {line.strip()} \n" for line in _GAP.sub(" ", normalise(whole)).split("\n")]


def _vocabulary(text: str, known: str) -> str:
    """Return `known` and every other word that begins with a letter, once, each with a space before it.

    Most searches end here in most packs.
    """
    fresh = {word for word in text.split() if word[0].isalpha()}.difference(known.split())
    return known + "".join([f" {word}" for word in sorted(fresh)])


def _associated_data(key: RingKey, programme_id: str, number: int) -> bytes:
    return canonical.encode(_USE, programme_id, number, key.id)
