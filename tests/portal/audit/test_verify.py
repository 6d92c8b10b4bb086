from __future__ import annotations

import io
import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto.translog import checkpoint as notes
from crypto.translog.note import Ed25519Signer
from crypto.translog.verify import MAX_FINDINGS, Report, verify_jsonl
from portal.audit import AuditLog, Event, RecordFilter, SignedCheckpoint
from portal.audit.export import write_jsonl
from portal.audit.record import canonical
from tests.portal.audit.support import ORIGIN, VERIFIERS, Place, outcome, read

COUNT = 600


@pytest.fixture
def signed(log: AuditLog) -> SignedCheckpoint:
    """A log of 600 records, three checkpoints and a few more records."""
    intents = log.append_all([read(f"p{number % 5}", f"d{number % 7}") for number in range(COUNT // 2)])
    log.checkpoint()
    for receipt in intents:
        assert receipt.actor is not None
        assert receipt.document is not None
    log.append_all(
        [outcome(receipt.seq, str(receipt.actor), str(receipt.document)) for receipt in intents[:-5]]
    )
    log.append_all([Event("portal.start") for _ in range(5)])
    log.checkpoint()
    return log.checkpoint()


def places(report: Report) -> str:
    assert not report.ok
    return "; ".join(map(str, report.findings))


def changed(where: Place, seq: int, **fields: object) -> bytes:
    """Return a leaf as a careful forger would write it anew."""
    with where.engine.connect() as connection:
        leaf = connection.exec_driver_sql("SELECT leaf FROM leaves WHERE seq = ?", (seq,)).scalar_one()
    return canonical({**json.loads(leaf), **fields})


def test_an_untouched_log_verifies(where: Place, signed: SignedCheckpoint) -> None:
    report = where.verify()
    assert report.ok, report.findings
    assert (report.records, report.first, report.last, report.root) == (600, 0, 599, signed.checkpoint.root)
    assert "600 records" in report.shown[0]


def test_an_empty_log_verifies(log: AuditLog, where: Place) -> None:
    report = where.verify()
    assert (report.ok, report.records, report.first) == (True, 0, None)


def test_an_edited_leaf_is_named(where: Place, signed: SignedCheckpoint) -> None:
    leaf = changed(where, 123, decision="deny")
    where.tamper("UPDATE leaves SET leaf = :leaf WHERE seq = 123", leaf=leaf)
    found = places(where.verify())
    assert "tile 0/0 holds another hash for leaf 123" in found
    assert "checkpoint of size 300 signs another root" in found
    assert "the anchor signs another root for the first 600 records" in found


def test_a_forger_who_also_mends_tiles_is_caught_by_the_signature(
    where: Place, signed: SignedCheckpoint
) -> None:
    leaf = changed(where, 450, label="NATO RESTRICTED")
    where.tamper("UPDATE leaves SET leaf = :leaf WHERE seq = 450", "DELETE FROM tiles", leaf=leaf)
    where.tamper("UPDATE tree SET size = 0", "DELETE FROM checkpoints")
    assert places(where.verify()) == "the anchor signs another root for the first 600 records"


def test_a_removed_leaf_is_named(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper("DELETE FROM leaves WHERE seq = 77")
    assert "leaf 77 is missing" in places(where.verify())


def test_removed_last_leaves_are_noticed(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper("DELETE FROM leaves WHERE seq >= 590")
    assert "leaf 590 is missing" in places(where.verify())
    where.tamper("UPDATE head SET size = 590")
    found = places(where.verify())
    assert "the anchor covers 600 records, the log holds 590" in found
    assert "the tree is built over 600 records" in found


def test_a_removed_leaf_with_the_rest_moved_up_is_named(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper(
        "DELETE FROM leaves WHERE seq = 100",
        "UPDATE leaves SET seq = -seq WHERE seq > 100",
        "UPDATE leaves SET seq = -seq - 1 WHERE seq < 0",
        "UPDATE head SET size = 599",
    )
    assert "leaf 100 says that it is number 101" in places(where.verify())


def test_swapped_leaves_are_named(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper(
        "UPDATE leaves SET seq = -1 WHERE seq = 10",
        "UPDATE leaves SET seq = 10 WHERE seq = 11",
        "UPDATE leaves SET seq = 11 WHERE seq = -1",
    )
    assert places(where.verify()).startswith("leaf 10 says that it is number 11, where 10 belongs")


def test_an_added_leaf_is_named(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper("INSERT INTO leaves VALUES (600, x'7b7d')")
    assert "leaf 600 stands beyond the log's head of 600" in places(where.verify())


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"time": "2025-01-01T00:00:00.000000Z"}, "before the"),
        ({"time": "yesterday"}, "has no time"),
        ({"v": 2}, "of a format that this verifier does not know"),
        ({"note": "x"}, "fields that no record has: note"),
        ({"subjects": {}}, "does not count the person"),
        ({"subjects": {"person:p1": 3, "document:d2": [3, 9]}}, "has no count for person:p1"),
        ({"subjects": {"person:p1": [9, 8], "document:d2": [9, 8]}}, "where"),
        ({"completes": 3, "outcome": "complete", "action": "log.export"}, "no open intent"),
    ],
)
def test_what_a_leaf_says_is_checked(
    where: Place, signed: SignedCheckpoint, fields: dict[str, object], problem: str
) -> None:
    where.tamper("UPDATE leaves SET leaf = :leaf WHERE seq = 16", leaf=changed(where, 16, **fields))
    found = places(where.verify())
    assert "leaf 16 " in found
    assert problem in found


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND number = 1", "tile 0/1"),
        ("UPDATE tiles SET hashes = 'text' WHERE level = 1", "tile 1/0 holds another hash for tile 0/0"),
        ("UPDATE checkpoints SET size = 599 WHERE size = 600", "checkpoint of size 599 is signed for 600"),
        ("UPDATE checkpoints SET note = x'00' WHERE size = 300", "checkpoint of size 300 does not hold"),
        ("UPDATE checkpoints SET note = 'text' WHERE size = 300", "checkpoint of size 300 does not hold"),
        ("UPDATE subjects SET n = 1 WHERE subject = 'person:p1'", "count of person:p1"),
        ("DELETE FROM subjects WHERE subject = 'document:d3'", "count of document:d3"),
        ("DELETE FROM open_intents WHERE seq = 299", "intent 299"),
        ("INSERT INTO open_intents VALUES (5, 'document.read', 0)", "intent 5"),
        ("DELETE FROM head", "head row is missing"),
        ("UPDATE head SET size = 'many'", "head row is missing"),
        ("UPDATE leaves SET leaf = 'text' WHERE seq = 9", "leaf 9"),
        ("UPDATE leaves SET leaf = x'ff' WHERE seq = 9", "leaf 9"),
    ],
)
def test_everything_beside_the_leaves_is_checked(
    where: Place, signed: SignedCheckpoint, statement: str, place: str
) -> None:
    where.tamper(statement)
    assert place in places(where.verify())


def test_the_projection_is_not_asked(where: Place, signed: SignedCheckpoint) -> None:
    where.tamper(
        "DELETE FROM records", "UPDATE names SET value = value || 'x'", "UPDATE projection SET size = 9"
    )
    assert where.verify().ok


def test_a_checkpoint_by_another_key_or_an_absent_anchor_is_named(
    where: Place, signed: SignedCheckpoint
) -> None:
    stolen = Ed25519Signer.from_seed(ORIGIN, bytes(32))
    where.anchor.write_bytes(notes.sign(signed.checkpoint, stolen))
    assert "the anchor does not hold: no trusted key" in places(where.verify())
    where.anchor.unlink()
    assert "the anchor cannot be read" in places(where.verify())


def test_records_appended_after_the_last_checkpoint_are_verified_too(
    log: AuditLog, where: Place, signed: SignedCheckpoint
) -> None:
    log.append_all([read("p9") for _ in range(10)])
    assert where.verify().ok
    where.tamper("UPDATE leaves SET leaf = :leaf WHERE seq = 605", leaf=changed(where, 605, actor="p8"))
    assert "leaf 605" in places(where.verify())


def verify(export: bytes, signed: SignedCheckpoint | None = None, **more: bool) -> Report:
    note = None if signed is None else signed.note
    return verify_jsonl(io.BytesIO(export), checkpoint=note, verifiers=VERIFIERS, **more)


def footed(lines: list[bytes], first: int, last: int) -> bytes:
    """Return an export of these leaves with a footer that fits them, as a forger would make it."""
    text = b"".join(write_jsonl([list(enumerate(lines))])).splitlines()
    footer = json.loads(text[-1])
    footer["footer"].update(first=first, last=last)
    return b"\n".join([*lines, json.dumps(footer, separators=(",", ":")).encode()]) + b"\n"


def test_a_whole_export_is_that_of_the_checkpoint(log: AuditLog, signed: SignedCheckpoint) -> None:
    export = b"".join(log.export("jsonl"))
    report = verify(export, signed, whole=True)
    assert report.ok, report.findings
    assert (report.records, report.first, report.last, report.root) == (600, 0, 599, signed.checkpoint.root)
    assert f"the checkpoint of {ORIGIN}" in report.shown[1]
    log.append(read())
    assert verify(b"".join(log.export("jsonl")), signed).ok


def test_a_selection_verifies_by_its_lines_and_its_footer(log: AuditLog, signed: SignedCheckpoint) -> None:
    for wanted in (
        RecordFilter(person="p1"),
        RecordFilter(document="d0", decision="permit"),
        RecordFilter(person="-"),
    ):
        export = b"".join(log.export("jsonl", wanted))
        report = verify(export, signed)
        assert report.ok, report.findings
        assert "selection" in report.shown[1]
    assert "where 0 belongs" in places(
        verify(b"".join(log.export("jsonl", RecordFilter(person="p1"))), whole=True)
    )


def test_an_export_without_its_footer_is_cut_off(log: AuditLog, signed: SignedCheckpoint) -> None:
    lines = b"".join(log.export("jsonl")).splitlines(True)
    assert "no footer" in places(verify(b"".join(lines[:-1])))
    assert "no footer" in places(verify(b""))
    assert "cut off" in places(verify(b"".join(lines[:-1])[:-1]))
    assert "whole end" in places(verify(b"".join(lines)[:-1]))
    assert "whole end" in places(verify(b"".join([*lines, lines[0]])))


def test_a_leaf_that_is_removed_swapped_or_added_is_noticed(log: AuditLog, signed: SignedCheckpoint) -> None:
    lines = b"".join(log.export("jsonl")).splitlines()
    removed = [*lines[:50], *lines[51:]]
    assert "records" in places(verify(b"\n".join(removed) + b"\n", signed))
    forged = footed(removed[:-1], 0, 599)
    assert "selection" in "".join(verify(forged, signed).shown)
    assert "says that it is number 51, where 50 belongs" in places(verify(forged, signed, whole=True))
    swapped = [*lines[:50], lines[51], lines[50], *lines[52:]]
    assert "line 52 " in places(verify(b"\n".join(swapped) + b"\n"))
    doubled = [*lines[:50], lines[49], *lines[50:]]
    assert "line 51 " in places(verify(b"\n".join(doubled) + b"\n"))


def test_a_forged_leaf_with_a_fitting_footer_is_caught_by_the_checkpoint(
    log: AuditLog, signed: SignedCheckpoint, where: Place
) -> None:
    lines = b"".join(log.export("jsonl")).splitlines()[:-1]
    lines[10] = changed(where, 10, decision="deny")
    forged = footed(lines, 0, 599)
    assert verify(forged).ok
    assert "signs another root" in places(verify(forged, signed))


def test_an_export_shorter_than_the_checkpoint_is_not_taken_for_it(
    log: AuditLog, signed: SignedCheckpoint
) -> None:
    lines = b"".join(log.export("jsonl")).splitlines()[:-1]
    assert "covers 600 records, the export only 590" in places(verify(footed(lines[:590], 0, 589), signed))


def test_a_checkpoint_that_does_not_hold_is_named(log: AuditLog, signed: SignedCheckpoint) -> None:
    export = b"".join(log.export("jsonl"))
    report = verify_jsonl(io.BytesIO(export), checkpoint=signed.note[:-5], verifiers=VERIFIERS)
    assert "the checkpoint does not hold" in places(report)


@pytest.mark.parametrize(
    "footer",
    [
        b'{"footer":{}}',
        b'{"footer":[]}',
        b'{"footer":',
        b'{"footer":{"records":true,"first":0,"last":0,"root":""}}',
    ],
)
def test_a_footer_that_is_none_is_named(log: AuditLog, footer: bytes) -> None:
    log.append(read())
    lines = b"".join(log.export("jsonl")).splitlines()
    assert "the footer says" in places(verify(lines[0] + b"\n" + footer + b"\n"))


@pytest.mark.parametrize(
    "leaf",
    [
        b"",
        b"null",
        b'{"seq":0.0}',
        b'{"seq":1e2}',
        b'{"seq":NaN}',
        b'{"seq":9007199254740992}',
        b'{"seq": 0}',
        b'{"v":1,"seq":0}',
        b'{"seq":0,"seq":0}',
        b'{"\xc3\xa9":0}',
        b'{"a":"\\u0041"}',
        b"[" * 60_000,
        b'{"a":' + b"9" * 60_000 + b"}",
        b"\xff",
        b'{"a":"' + b"x" * 65_536 + b'"}',
    ],
    ids=range(15),
)
def test_a_line_that_is_no_canonical_record_is_named(leaf: bytes) -> None:
    assert places(verify(footed([leaf], 0, 0))).startswith("line 1 (byte 0) ")


def test_the_findings_end_somewhere(log: AuditLog) -> None:
    log.append_all([read() for _ in range(300)])
    lines = [line.replace(b'"v":1', b'"v":2') for line in b"".join(log.export("jsonl")).splitlines()]
    assert len(verify(b"\n".join(lines) + b"\n").findings) == MAX_FINDINGS


def test_no_changed_bit_of_an_export_passes(log: AuditLog, signed: SignedCheckpoint) -> None:
    export = b"".join(log.export("jsonl"))
    chance = random.Random(11)
    positions = {chance.randrange(len(export)) for _ in range(40)} | set(range(len(export) - 20, len(export)))
    for position in positions:
        damaged = bytearray(export)
        damaged[position] ^= 1 << chance.randrange(8)
        assert not verify(bytes(damaged), signed, whole=True).ok, position


@settings(suppress_health_check=list(HealthCheck), deadline=None)
@given(st.lists(st.binary(max_size=60) | st.just(b'{"footer":{"records":0}}'), max_size=6))
def test_whatever_the_file_holds_a_report_comes_back(lines: list[bytes]) -> None:
    assert not verify(b"\n".join(lines)).ok
