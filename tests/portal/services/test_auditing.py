"""Auditing: what auditors search, count and export, and that their looking is recorded."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from portal.audit.search import RecordFilter
from portal.errors import Invalid, NotPermitted
from portal.services.actor import Actor
from tests.portal.worlds import World, world

__all__ = ["world"]


@pytest.fixture
def auditor(world: World) -> Actor:
    return Actor(world.people["auditor"], world.organisation, 2, "test")


def test_looking_is_itself_recorded(world: World, auditor: Actor) -> None:
    world.runtime.auditing.search(auditor, RecordFilter(action="document.read"))
    [record] = world.records(action="log.search")
    assert (record["actor"], record["details"]["action"]) == (auditor.person_id, "document.read")


def test_pages_hold_every_record_once(world: World, auditor: Actor) -> None:
    size = world.runtime.log.size()
    seen: list[int] = []
    cursor = None
    while True:
        page = world.runtime.auditing.search(auditor, RecordFilter(), cursor, limit=7)
        seen += [record.seq for record in page.items if record.seq < size]
        cursor = page.next
        if cursor is None:
            break
    assert seen == list(range(size - 1, -1, -1))


def test_activity_counts_accesses_and_refusals(world: World, auditor: Actor) -> None:
    document = world.deposited()
    before = sum(
        one.accesses for one in world.runtime.auditing.activity(auditor, RecordFilter(action="document.read"))
    )
    world.get(f"/documents/{document}/content", "official")
    world.get(f"/documents/{document}/content", "other")
    found = world.runtime.auditing.activity(auditor, RecordFilter(action="document.read"))
    assert (sum(one.accesses for one in found) - before, sum(one.refusals for one in found)) == (1, 1)


def test_activity_of_a_long_period_is_by_day(world: World, auditor: Actor) -> None:
    now = datetime.now(UTC)
    found = world.runtime.auditing.activity(
        auditor, RecordFilter(time_from=now - timedelta(days=30), time_to=now)
    )
    assert found[1].start - found[0].start == timedelta(days=1)
    assert len(found) == 31


def test_export_given_up_is_recorded_as_aborted(world: World, auditor: Actor) -> None:
    receipt, stream = world.runtime.auditing.export(auditor, RecordFilter(), "jsonl")
    next(iter(stream))
    stream.close()
    [outcome] = [record for record in world.records(action="log.export") if "completes" in record]
    assert (outcome["completes"], outcome["outcome"]) == (receipt.seq, "aborted")


def test_export_of_a_selection_ends_with_its_count(world: World, auditor: Actor) -> None:
    world.deposited()
    _, stream = world.runtime.auditing.export(auditor, RecordFilter(action="document.upload"), "jsonl")
    lines = b"".join(stream).splitlines()
    assert json.loads(lines[-1])["footer"]["records"] == len(lines) - 1 == 2


def test_unknown_format_is_refused(world: World, auditor: Actor) -> None:
    with pytest.raises(Invalid, match="format"):
        world.runtime.auditing.export(auditor, RecordFilter(), "pdf")


@pytest.mark.parametrize("who", ["partner", "official", "officer", "administrator"])
def test_nobody_but_an_auditor_reads_the_log(world: World, who: str) -> None:
    actor = Actor(world.people[who], world.organisation, 2, "test")
    with pytest.raises(NotPermitted):
        world.runtime.auditing.search(actor, RecordFilter())
    assert world.records(action="log.search", decision="deny", actor=actor.person_id)
