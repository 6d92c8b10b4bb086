"""What is kept of people between requests: nothing of it outlives a change, wherever the change is made."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import models
from portal.services.document_views import DocumentFilter
from portal.services.runtime import Runtime
from tests.portal.attack import actor, clock_of, end_grant, open_copy, queries, send, sql
from tests.portal.worlds import World

_NODE = """
import json, sys
from pathlib import Path
from portal.services.actor import Actor
from portal.services.document_views import DocumentFilter
from portal.services.runtime import open_portal
from portal.settings import Settings

runtime = open_portal(Settings(data=Path(sys.argv[1]), demonstration=True))
reader = Actor(*sys.argv[2:4], 2, "session-of-another-node")
for _ in sys.stdin:
    found = runtime.documents.find(reader, DocumentFilter())
    print(json.dumps([item.title for item in found.items]), flush=True)
runtime.close()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = open_copy(tmp_path / "copy")
    yield world
    world.runtime.close()


def listed(world: World, who: str = "official") -> list[str]:
    return [item.title for item in world.runtime.documents.find(actor(world, who), DocumentFilter()).items]


def grants_of(world: World, who: str, kind: type[models.ClearanceGrant | models.Membership]) -> list[str]:
    with world.runtime.database.read() as session:
        return [row.id for row in session.query(kind).filter_by(person_id=world.people[who])]


def test_a_second_list_reads_no_grant_again_and_asks_for_fewer_rows(world: World) -> None:
    send(world, b"One", title="One")
    with queries(world) as first:
        listed(world)
    with queries(world) as second:
        assert listed(world) == ["One"]
    assert len(second) < len(first)
    assert not any("FROM memberships" in one and "group_concat" not in one for one in second)


def test_a_revoked_clearance_works_on_the_next_request(world: World) -> None:
    send(world, b"One", title="One")
    assert listed(world) == ["One"]
    for grant in grants_of(world, "official", models.ClearanceGrant):
        world.runtime.grants.end_clearance(actor(world, "officer"), grant)
    assert listed(world) == []


def test_an_ended_membership_works_on_the_next_request(world: World) -> None:
    send(world, b"One", title="One")
    assert listed(world) == ["One"]
    for grant in grants_of(world, "official", models.Membership):
        world.runtime.grants.end_membership(actor(world, "officer"), grant)
    assert listed(world) == []


def test_a_revocation_works_at_once_in_another_process(world: World) -> None:
    send(world, b"One", title="One")
    reader = [world.people["official"], world.organisation]
    command = [sys.executable, "-c", _NODE, str(world.runtime.settings.data), *reader]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdin is not None
        assert node.stdout is not None

        def asked() -> list[str]:
            print(file=node.stdin, flush=True)
            return list(json.loads(node.stdout.readline()))

        assert asked() == asked() == ["One"]
        send(world, b"Two", title="Two", label="NATO RESTRICTED")
        assert sorted(asked()) == ["One", "Two"]
        world.runtime.people.deactivate_organisation(actor(world, "administrator"), world.company)
        assert sorted(asked()) == ["One", "Two"]
        for grant in grants_of(world, "official", models.ClearanceGrant):
            world.runtime.grants.end_clearance(actor(world, "officer"), grant)
        assert asked() == []
        node.stdin.close()
        assert node.wait(60) == 0


def test_what_is_kept_ends_when_a_grant_ends_by_itself(world: World) -> None:
    send(world, b"One", title="One")
    end_grant(world, "clearances", "official", hours=2)
    clock = clock_of(world)
    assert listed(world) == ["One"]
    clock.move(hours=1, minutes=59)
    assert listed(world) == ["One"]
    clock.move(minutes=1)
    assert listed(world) == []
    end_grant(world, "clearances", "official", hours=2)
    assert listed(world) == ["One"]


def test_a_row_edited_behind_the_portal_is_refused_although_it_was_known(world: World) -> None:
    send(world, b"One", title="One")
    assert listed(world) == ["One"]
    sql(world, "UPDATE memberships SET valid_until = 1 WHERE person_id = ?", world.people["official"])
    with pytest.raises(models.TamperedRow):
        listed(world)


def test_a_label_edited_behind_the_portal_is_left_out_although_it_was_known(world: World) -> None:
    send(world, b"One", title="One")
    assert listed(world) == ["One"]
    sql(world, "UPDATE labels SET digest = zeroblob(32)")
    assert listed(world) == []


def test_the_subject_is_the_same_object_until_a_row_changes(world: World) -> None:
    runtime: Runtime = world.runtime

    def subject() -> object:
        with runtime.database.read() as session:
            return runtime.access.subject(session, actor(world, "official"))

    first = subject()
    assert subject() is first
    runtime.grants.grant_clearance(
        actor(world, "officer"), world.people["official"], "RESTRICTED", authority="The authority"
    )
    assert subject() != first
