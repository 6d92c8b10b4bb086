"""Exports: streams of any size at constant memory, each ending in a footer, so that a cut one cannot pass for whole.

The footer's `root` is the RFC 6962 root over the exported leaves in their order, in base64. For an export of everything
it is the root of the log itself, as a checkpoint of that size signs it.
"""

from __future__ import annotations

import base64
import csv
import io
import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from crypto.translog.tree import CompactRange, extend
from portal.audit.reading import log_size, record, stream_leaves
from portal.audit.record import FIELDS, canonical
from portal.audit.search import RecordFilter, Search
from portal.audit.store import reading
from portal.errors import Invalid, Tampered

Rows = Iterable[list[tuple[int, bytes]]]

# What spreadsheets take for the start of a formula (ASVS 5.0, 1.2.10), with the full-width forms that some also take.
_FORMULA = frozenset("=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Footer:
    """What an export ends with: how many records, the first and last number (None when empty), and the root."""

    records: int
    first: int | None
    last: int | None
    root: str


class Exporter:
    """Exports one log. `formats` are the formats that it writes."""

    formats = ("jsonl", "csv")

    def __init__(self, engine: Engine, search: Search) -> None:
        self._engine = engine
        self._search = search

    def stream(self, form: str, wanted: RecordFilter) -> Iterator[bytes]:
        """Yield an export in pieces; raises Invalid for another format.

        Raises Tampered in the middle, so that no footer is written, when a record turns out missing or damaged.
        """
        writers: dict[str, Callable[[Rows], Iterator[bytes]]] = {"jsonl": write_jsonl, "csv": write_csv}
        if form not in writers:
            raise Invalid("an export is jsonl or csv")
        return writers[form](self._rows(wanted))

    def _rows(self, wanted: RecordFilter) -> Iterator[list[tuple[int, bytes]]]:
        if not wanted.empty:
            yield from self._search.stream(wanted)
            return
        with reading(self._engine) as connection:
            stop = log_size(connection)
        seq = 0
        for leaves in stream_leaves(self._engine, 0, stop):
            yield list(enumerate(leaves, seq))
            seq += len(leaves)


class _Tally:
    """Counts and hashes what goes by."""

    def __init__(self) -> None:
        self._edge = CompactRange()
        self._first: int | None = None
        self._last: int | None = None

    def add(self, rows: list[tuple[int, bytes]]) -> None:
        if self._first is None:
            self._first = rows[0][0]
        self._last = rows[-1][0]
        extend(self._edge, (leaf for _, leaf in rows))

    def footer(self) -> Footer:
        root = base64.b64encode(self._edge.root()).decode()
        return Footer(self._edge.size, self._first, self._last, root)


def write_jsonl(rows: Rows) -> Iterator[bytes]:
    """Write JSON Lines: each line is exactly one leaf, the last one the footer."""
    tally = _Tally()
    for some in rows:
        tally.add(some)
        if any(b"\n" in leaf for _, leaf in some):
            raise Tampered("a record of the access log is damaged", mend="Run “strongroom audit verify”.")
        yield b"\n".join(leaf for _, leaf in some) + b"\n"
    end = tally.footer()
    footer = {"records": end.records, "first": end.first, "last": end.last, "root": end.root}
    yield json.dumps({"footer": footer}, separators=(",", ":")).encode() + b"\n"


def write_csv(rows: Rows) -> Iterator[bytes]:
    """Write CSV (RFC 4180, UTF-8, every cell quoted) that no spreadsheet takes for formulas; the last row is
    the footer.
    """
    tally = _Tally()
    yield _csv([FIELDS])
    for some in rows:
        tally.add(some)
        read = (record(seq, leaf).fields for seq, leaf in some)
        yield _csv([safe_cell(fields.get(name)) for name in FIELDS] for fields in read)
    end = tally.footer()
    first, last = ("" if value is None else str(value) for value in (end.first, end.last))
    cells = ["footer", f"records={end.records}", f"first={first}", f"last={last}", f"root={end.root}"]
    yield _csv([cells + [""] * (len(FIELDS) - len(cells))])


def safe_cell(value: Any) -> str:
    """Write one value as a cell: formulas disarmed by an apostrophe, control and bidi characters as `\\uXXXX`."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        text = canonical(value).decode()
    elif isinstance(value, list):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    else:
        text = str(value)
    shown = text if text.isprintable() else "".join(map(_visible, text))
    return "'" + shown if text[:1] in _FORMULA else shown


def _visible(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSEEN:
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
