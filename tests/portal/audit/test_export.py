from __future__ import annotations

import base64
import csv
import io
import json
import tracemalloc
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.audit import AuditLog, RecordFilter
from portal.audit.export import safe_cell, write_csv, write_jsonl
from portal.audit.record import FIELDS, canonical
from portal.errors import Invalid, Tampered
from tests.crypto.translog.naive import mth
from tests.portal.audit.support import Place, read


def test_every_line_is_exactly_one_leaf_and_the_last_one_the_footer(log: AuditLog) -> None:
    log.append_all([read(f"p{number % 3}") for number in range(700)])
    lines = b"".join(log.export("jsonl")).split(b"\n")
    leaves = [log.record(seq).leaf for seq in range(700)]
    assert lines.pop() == b""
    assert lines[:-1] == leaves
    root = base64.b64encode(mth(leaves)).decode()
    assert json.loads(lines[-1]) == {"footer": {"records": 700, "first": 0, "last": 699, "root": root}}
    assert log.checkpoint().checkpoint.root == base64.b64decode(root)


def test_a_selection_has_a_footer_of_its_own(log: AuditLog) -> None:
    log.append_all([read(f"p{number % 3}") for number in range(30)])
    lines = b"".join(log.export("jsonl", RecordFilter(person="p1"))).splitlines()
    footer = json.loads(lines[-1])["footer"]
    assert (footer["records"], footer["first"], footer["last"]) == (10, 1, 28)
    assert base64.b64decode(footer["root"]) == mth(lines[:-1])


def test_an_empty_export_says_so(log: AuditLog) -> None:
    log.append(read())
    (line,) = b"".join(log.export("jsonl", RecordFilter(person="nobody"))).splitlines()
    assert json.loads(line)["footer"]["records"] == 0
    assert json.loads(line)["footer"]["first"] is None
    rows = list(csv.reader(io.StringIO(b"".join(log.export("csv", RecordFilter(person="nobody"))).decode())))
    assert rows[1][:4] == ["footer", "records=0", "first=", "last="]


def test_csv_carries_every_field_and_ends_in_the_same_footer(log: AuditLog) -> None:
    log.append_all([read(f"p{number}", details={"size": 5, "ranges": ["0-4"]}) for number in range(5)])
    rows = list(csv.reader(io.StringIO(b"".join(log.export("csv")).decode(), newline="")))
    footer = json.loads(b"".join(log.export("jsonl")).splitlines()[-1])["footer"]
    assert rows[0] == list(FIELDS)
    assert all(len(row) == len(FIELDS) for row in rows)
    shown = dict(zip(FIELDS, rows[3], strict=True))
    assert (shown["seq"], shown["actor"], shown["label"], shown["rule"]) == ("2", "p2", "NATO SECRET", "")
    assert json.loads(shown["details"]) == {"size": 5, "ranges": ["0-4"]}
    assert json.loads(shown["subjects"])["document:d1"] == [3, 1]
    assert rows[-1][:5] == ["footer", "records=5", "first=0", "last=4", f"root={footer['root']}"]


@given(st.text())
def test_no_cell_starts_a_formula_or_hides_a_character(text: str) -> None:
    cell = safe_cell(text)
    assert cell[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20")
    assert all(unicodedata.category(letter) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for letter in cell)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\\u0009=1"),
        ("\0", "'\\u0000"),
        ("a\u202eb", "a\\u202eb"),
        ("a\nb", "a\\u000ab"),
        ("\U000e0001", "\\U000e0001"),
        (True, "true"),
        (None, ""),
        (["=1"], '["=1"]'),
        ({"b": 1, "a": "x\u2066"}, '{"a":"x\\u2066","b":1}'),
    ],
)
def test_cells_are_written_for_spreadsheets(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_a_hostile_label_stays_one_cell(log: AuditLog) -> None:
    fields = {
        "v": 1,
        "seq": 0,
        "time": "2026-03-01T12:00:00.000000Z",
        "action": "x",
        "label": '=A1"\r\n,\u202e',
    }
    text = b"".join(write_csv([[(0, canonical(fields))]])).decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == 3
    assert rows[1][FIELDS.index("label")] == "'=A1\"\\u000d\\u000a,\\u202e"


def test_a_missing_leaf_breaks_the_export_off_without_a_footer(log: AuditLog, where: Place) -> None:
    log.append_all([read() for _ in range(400)])
    for number in range(6):
        log.append_all([read(f"q{number}") for _ in range(400)])
    where.tamper("DELETE FROM leaves WHERE seq = 2500")
    pieces: list[bytes] = []
    with pytest.raises(Tampered, match="2500"):
        pieces.extend(log.export("jsonl"))
    assert b"footer" not in b"".join(pieces)


def test_a_leaf_with_a_line_break_is_not_exported_as_two_lines() -> None:
    with pytest.raises(Tampered):
        list(write_jsonl([[(0, b'{"a":1}\n{"b":2}')]]))


def test_other_formats_are_refused(log: AuditLog) -> None:
    with pytest.raises(Invalid):
        log.export("xml")


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_memory_does_not_follow_the_size_of_an_export(log: AuditLog, form: str) -> None:
    for _ in range(30):
        log.append_all([read(f"p{number}") for number in range(500)])
    list(log.export(form, RecordFilter(person="p1")))
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in log.export(form))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < size / 2
