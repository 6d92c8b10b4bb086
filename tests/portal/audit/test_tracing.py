"""Entries, counts, charts and traces: what the projection says is what reading every record says."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from portal.audit import AuditLog, Event, Record, RecordFilter
from portal.audit.catalogue import CATALOGUE
from portal.audit.record import is_intent
from portal.audit.search import Activity
from tests.portal.audit.support import START, Place, StepClock, outcome, read


def varied(log: AuditLog, count: int = 400) -> list[Record]:
    """Append reads with and without an end, refusals, routine and single records, and return them all."""
    chance = random.Random(11)
    waiting: list[tuple[int, str, str]] = []
    for _ in range(count):
        person, document = f"p{chance.randrange(3)}", f"d{chance.randrange(4)}"
        sort = chance.randrange(7)
        if sort < 3:
            intent = log.append(
                read(person, document, programme=f"prog-{chance.randrange(2)}", organisation="o1")
            )
            waiting.append((intent.seq, person, document))
        elif sort == 3:
            log.append(read(person, document, decision="deny", rule="need-to-know", organisation="o1"))
        elif sort == 4:
            log.append(Event("document.list", actor=person, decision="permit"))
        elif sort == 5:
            log.append(Event("session.open", actor=person))
        elif waiting and chance.random() < 0.9:
            seq, who, what = waiting.pop(chance.randrange(len(waiting)))
            log.append(
                outcome(
                    seq,
                    who,
                    what,
                    organisation="o1",
                    outcome=chance.choice(["complete", "aborted", "unknown"]),
                )
            )
    return [log.record(seq) for seq in range(log.size())]


def result(record: Record, records: list[Record]) -> str | None:
    """Return how an intent ended, "open" without an end, None for what is no intent."""
    if not is_intent(CATALOGUE[record.action], record.fields):
        return None
    return next((str(r.get("outcome")) for r in records if r.get("completes") == record.seq), "open")


def expected(records: list[Record], wanted: dict[str, str], *, routine: bool, unsure: bool) -> list[int]:
    found = []
    for record in records:
        ended = result(record, records)
        daily = CATALOGUE[record.action].routine and ended in (None, "complete")
        if record.get("completes") is not None or any(record.get(k) != v for k, v in wanted.items()):
            continue
        if (daily and not routine) or (unsure and ended not in ("open", "unknown")):
            continue
        found.append(record.seq)
    return found[::-1]


@pytest.mark.parametrize("routine", [True, False])
@pytest.mark.parametrize("unsure", [True, False])
@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"actor": "p1"},
        {"document": "d2", "decision": "permit"},
        {"actor": "p0", "decision": "deny"},
        {"action": "document.read", "programme": "prog-1"},
        {"actor": "nobody"},
    ],
)
def test_entries_are_intents_with_their_outcomes_and_what_stands_alone(
    log: AuditLog, wanted: dict[str, str], routine: bool, unsure: bool
) -> None:
    records = varied(log)
    asked = RecordFilter(**{("person" if name == "actor" else name): value for name, value in wanted.items()})
    right = expected(records, wanted, routine=routine, unsure=unsure)
    found = []
    before = None
    while True:
        page = log.entries(asked, routine=routine, unsure=unsure, before=before, limit=17)
        found += page.entries
        before = page.next
        if before is None:
            break
    assert [entry.record.seq for entry in found] == right
    for entry in found:
        ended = result(entry.record, records)
        assert entry.unsure == (ended in ("open", "unknown"))
        assert (entry.outcome is None) == (ended in (None, "open"))
        if entry.outcome is not None:
            assert entry.outcome.get("completes") == entry.record.seq
    assert log.count_entries(asked, routine=routine, unsure=unsure, most=1000) == len(right)
    assert log.count_entries(asked, routine=routine, unsure=unsure, most=3) == min(3, len(right))


@pytest.mark.both
def test_records_are_counted_by_period_and_by_filter(log: AuditLog) -> None:
    records = varied(log)
    assert log.count(RecordFilter(), most=10_000) == len(records)
    middle = records[100].time
    assert log.count(RecordFilter(time_from=middle), most=10_000) == len(records) - 100
    assert log.count(RecordFilter(time_to=middle), most=50) == 50
    assert log.count(RecordFilter(time_from=records[-1].time + timedelta(days=1)), most=5) == 0
    of_person = sum(record.get("actor") == "p1" for record in records)
    assert log.count(RecordFilter(person="p1"), most=10_000) == of_person


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=6), timedelta(minutes=30)])
@pytest.mark.parametrize(
    "wanted", [{}, {"actor": "p1"}, {"action": "document.list"}, {"actor": "p1", "document": "d1"}]
)
def test_a_chart_adds_up_what_the_records_say(
    log: AuditLog, clock: StepClock, step: timedelta, wanted: dict[str, str]
) -> None:
    clock.step = timedelta(minutes=7)
    records = varied(log, 200)
    start = START.replace(minute=0, second=0, microsecond=0)
    count = 60
    sums: Counter[tuple[int, str]] = Counter()
    for record in records:
        if record.get("decision") is None or "completes" in record.fields:
            continue
        if any(record.get(name) != value for name, value in wanted.items()):
            continue
        sort = "deny" if record.get("decision") == "deny" else "permit"
        sums[(record.time - start) // step, sort] += 1
        sums[(record.time - start) // step, "daily"] += CATALOGUE[record.action].routine
    asked = RecordFilter(**{("person" if name == "actor" else name): value for name, value in wanted.items()})
    assert log.activity(asked, start, step, count) == tuple(
        Activity(start + place * step, sums[place, "permit"], sums[place, "deny"], sums[place, "daily"])
        for place in range(count)
    )


def test_a_document_and_a_person_are_traced_from_both_ends(log: AuditLog) -> None:
    records = varied(log)
    for document in ("d0", "d3"):
        about = [r for r in records if r.get("document") == document and "completes" not in r.fields]
        shown = [r for r in about if r.get("decision") == "permit"]
        handed = sum(r.get("bytes_handed") or 0 for r in records if r.get("document") == document)
        refused = [r for r in records if r.get("document") == document and r.get("decision") == "deny"]
        totals = log.traces.totals("document", document)
        assert (totals.others, totals.downloads) == (len({r.get("actor") for r in shown}), len(shown))
        assert (totals.size, totals.refused) == (handed, len(refused))
        assert totals.unsure == sum(result(r, records) in ("open", "unknown") for r in shown)
        [group] = log.traces.groups(document)
        assert (group.organisation, group.people, group.size) == ("o1", totals.others, handed)
        assert (group.first_time, group.last_time) == (shown[0].time, shown[-1].time)
        latest = log.traces.refused("document", document, 10)
        assert sum(one.count for one in latest) == len(refused)
        assert latest[0].last == refused[-1].seq
        for reader in log.traces.readers_of(document):
            assert reader in log.traces.readings_of(reader.person)
    readers = log.traces.readers_of("d0")
    assert log.traces.readers_of("d0", limit=2) == readers[:2]
    assert log.traces.readers_of("d0", before=readers[0].last) == readers[1:]
    assert log.traces.totals("actor", "nobody").others == 0


def test_what_the_log_carries_is_listed_latest_first(log: AuditLog) -> None:
    records = varied(log)
    known = log.traces.known("document")
    last = {r.get("document"): r.seq for r in records if r.get("document")}
    assert {one.value: one.last for one in known} == last
    assert [one.last for one in known] == sorted(last.values(), reverse=True)
    assert known[0].count == sum(r.get("document") == known[0].value for r in records)
    assert [one.value for one in log.traces.known("document", starting="d3")] == ["d3"]
    assert {one.value for one in log.traces.known("document", among=["d1", "d9"])} == {"d1"}
    assert log.traces.known("document", before=known[0].last, limit=1) == known[1:2]


def test_a_record_knows_its_outcome_and_its_neighbours(log: AuditLog) -> None:
    first = log.append(read("p1", "d1"))
    end = log.append(outcome(first.seq, "p1", "d1"))
    other = log.append(read("p2", "d1"))
    standing = log.standing(log.record(end.seq))
    assert log.standing(log.record(first.seq)).ended == end.seq
    assert (standing.ended, standing.neighbours["person"].number, standing.neighbours["person"].after) == (
        None,
        2,
        None,
    )
    document = standing.neighbours["document"]
    assert (document.number, document.count, document.before, document.after) == (2, 3, first.seq, other.seq)


def test_a_projection_of_an_earlier_release_is_made_anew(log: AuditLog, where: Place) -> None:
    varied(log, 50)
    before = log.entries(RecordFilter())
    where.tamper(
        "DROP TABLE hours", "DROP TABLE readers", "CREATE TABLE readers (document INTEGER, actor INTEGER)"
    )
    again = where.open()
    assert again.entries(RecordFilter()) == before
    assert again.traces.readers_of("d1") != ()
    again.close()


def test_refusals_and_open_ends_are_found_by_an_index_of_their_own(log: AuditLog, where: Place) -> None:
    varied(log, 50)
    log.entries(RecordFilter())
    for index, words in (
        ("records_actor_refused", "actor + 0 = 1 AND decision = 2 ORDER BY seq DESC"),
        ("records_unsure", "result IN (0, 4) AND actor + 0 = 1"),
    ):
        with log._engine.connect() as connection:
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN SELECT seq FROM records WHERE {words}")).all()
        assert any(index in row[-1] for row in plan)


def test_the_size_on_disk_and_the_anchor_are_told(log: AuditLog) -> None:
    assert log.anchored() is None
    log.append(read())
    signed = log.checkpoint()
    anchored = log.anchored()
    assert anchored is not None
    assert anchored.checkpoint == signed.checkpoint
    assert log.file_size() > 10_000
