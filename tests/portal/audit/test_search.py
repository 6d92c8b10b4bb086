from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.audit import AuditLog, Event, Record, RecordFilter
from portal.errors import Invalid, NotFound, Tampered
from tests.portal.audit.support import START, Place, StepClock, outcome, read


def varied(log: AuditLog, count: int = 300) -> list[Record]:
    """Append events of every sort, reproducibly, and return them all."""
    chance = random.Random(7)
    for _ in range(count):
        person, document = f"p{chance.randrange(4)}", f"d{chance.randrange(5)}"
        log.append_all(
            [
                read(
                    person,
                    document,
                    programme=f"prog-{chance.randrange(2)}",
                    organisation=f"org-{chance.randrange(3)}",
                    decision=chance.choice(["permit", "deny"]),
                    label=chance.choice(["NATO SECRET", "NATO RESTRICTED"]),
                ),
                Event(chance.choice(["session.open", "document.list"]), actor=person),
            ]
        )
    return [log.record(seq) for seq in range(log.size())]


def matches(record: Record, wanted: RecordFilter) -> bool:
    return (
        all(
            value is None or record.get(name) == value
            for name, value in (
                ("actor", wanted.person),
                ("document", wanted.document),
                ("programme", wanted.programme),
                ("organisation", wanted.organisation),
                ("action", wanted.action),
                ("decision", wanted.decision),
                ("label", wanted.label),
            )
        )
        and (wanted.time_from is None or record.time >= wanted.time_from)
        and (wanted.time_to is None or record.time < wanted.time_to)
    )


def pages(log: AuditLog, wanted: RecordFilter, limit: int) -> list[int]:
    found: list[int] = []
    before: int | None = None
    while True:
        page = log.search(wanted, before=before, limit=limit)
        found += [record.seq for record in page.records]
        if page.next is None:
            return found
        assert len(page.records) == limit
        before = page.next


def choice(*values: str) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(values)


TIMES = st.none() | st.integers(-10, 400).map(lambda step: START + timedelta(milliseconds=step))
FILTERS = st.builds(
    RecordFilter,
    time_from=TIMES,
    time_to=TIMES,
    person=choice("p0", "p1", "nobody"),
    document=choice("d0", "d4"),
    programme=choice("prog-0"),
    organisation=choice("org-0", "org-2"),
    action=choice("document.read", "session.open", "portal.stop"),
    decision=choice("permit", "deny"),
    label=choice("NATO SECRET"),
)


@pytest.mark.both
def test_every_filter_finds_what_reading_all_records_finds(log: AuditLog) -> None:
    records = varied(log)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(FILTERS, st.integers(1, 70))
    def agree(wanted: RecordFilter, limit: int) -> None:
        expected = [record.seq for record in records if matches(record, wanted)]
        assert pages(log, wanted, limit) == expected[::-1]
        exported = b"".join(log.export("jsonl", wanted)).splitlines()[:-1]
        assert exported == [records[seq].leaf for seq in expected]

    agree()


def test_new_records_are_found_at_once_and_the_rest_after_rebuilding(log: AuditLog, where: Place) -> None:
    varied(log, 20)
    before = pages(log, RecordFilter(person="p1"), 10)
    log.append(read("p1"))
    after = pages(log, RecordFilter(person="p1"), 10)
    assert after == [40, *before]
    where.tamper("DELETE FROM records WHERE seq < 30", "UPDATE names SET value = 'pX' WHERE value = 'p1'")
    log.rebuild_projection()
    assert pages(log, RecordFilter(person="p1"), 10) == after


def test_two_views_of_one_log_share_the_projection(log: AuditLog, where: Place) -> None:
    other = where.open()
    for number in range(3):
        log.append(read("p1", f"a{number}"))
        assert len(log.search(RecordFilter(person="p1")).records) == 2 * number + 1
        other.append(read("p1", f"b{number}"))
        assert len(other.search(RecordFilter(document=f"a{number}")).records) == 1
        assert len(other.search(RecordFilter(person="p1")).records) == 2 * number + 2
    other.rebuild_projection()
    log.append(read("p2", "a0"))
    assert len(log.search(RecordFilter(document="a0")).records) == 2
    other.close()


def test_readers_of_a_document_are_those_who_were_shown_its_content(log: AuditLog) -> None:
    first = log.append(read("p1", "d1"))
    log.append(outcome(first.seq, "p1", "d1"))
    log.append(read("p2", "d1", decision="deny"))
    log.append(Event("document.show", actor="p3", document="d1", decision="permit"))
    preview = log.append(Event("document.preview", actor="p4", document="d1", decision="permit"))
    log.append(read("p5", "d2"))
    assert [reader.person for reader in log.readers_of("d1")] == ["p4", "p1"]
    last = log.append(read("p1", "d1"))
    again, other = log.readers_of("d1")
    assert (again.person, again.count, again.first, again.last) == ("p1", 2, first.seq, last.seq)
    assert (again.first_time, again.last_time) == (first.time, last.time)
    assert (other.person, other.count, other.first) == ("p4", 1, preview.seq)
    assert log.readers_of("d9") == ()
    log.rebuild_projection()
    assert log.readers_of("d1") == (again, other)


def test_a_period_includes_its_start_and_not_its_end(log: AuditLog, clock: StepClock) -> None:
    first, second, third = (log.append(read()) for _ in range(3))
    found = log.search(RecordFilter(time_from=first.time, time_to=third.time))
    assert [record.seq for record in found.records] == [second.seq, first.seq]
    assert log.search(RecordFilter(time_from=third.time + timedelta(days=1))).records == ()


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_its_limits(log: AuditLog, limit: int) -> None:
    with pytest.raises(Invalid):
        log.search(RecordFilter(), limit=limit)


def test_a_decision_that_is_none_and_a_record_that_is_not_there_are_refused(log: AuditLog) -> None:
    log.append(read())
    with pytest.raises(Invalid):
        log.search(RecordFilter(decision="perhaps"))
    for seq in (-1, 1):
        with pytest.raises(NotFound):
            log.record(seq)


@pytest.mark.parametrize("leaf", [b"", b"\xff", b"[]", b'{"seq":7}', b'{"seq":0}'])
def test_a_damaged_record_is_refused_wherever_it_is_shown(log: AuditLog, where: Place, leaf: bytes) -> None:
    log.append(read())
    log.search(RecordFilter())
    where.tamper("UPDATE leaves SET leaf = :leaf", leaf=leaf)
    for look in (lambda: log.record(0), lambda: log.search(RecordFilter()), lambda: list(log.export("csv"))):
        with pytest.raises(Tampered):
            look()


def test_disclosures_that_were_exchanged_are_refused_and_erased_ones_absent(
    log: AuditLog, where: Place
) -> None:
    first = log.append(read(private={"title": "One", "address": "192.0.2.1"}))
    second = log.append(read(private={"title": "Two"}))
    where.tamper("DELETE FROM disclosures WHERE name = 'address'")
    assert log.disclose(first.seq) == {"title": "One"}
    where.tamper(
        "UPDATE disclosures SET value = (SELECT value FROM disclosures WHERE seq = 1) WHERE seq = 0",
        "UPDATE disclosures SET salt = (SELECT salt FROM disclosures WHERE seq = 1) WHERE seq = 0",
    )
    with pytest.raises(Tampered):
        log.disclose(first.seq)
    assert log.disclose(second.seq) == {"title": "Two"}
