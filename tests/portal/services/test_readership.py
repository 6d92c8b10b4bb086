"""Who has opened a document: told to its originator by organisation, to nobody else."""

from __future__ import annotations

from portal.services.actor import Actor
from tests.portal.worlds import World, world

__all__ = ["world"]


def actor(world: World, who: str, organisation: str) -> Actor:
    return Actor(world.people[who], organisation, 2, "test")


def test_originator_sees_which_organisation_read_and_how_often(world: World) -> None:
    document = world.deposited(label="NATO RESTRICTED")
    for who in ("official", "official", "restricted", "other"):
        world.get(f"/documents/{document}/content", who)
    [reading] = world.runtime.readership.of(actor(world, "partner", world.company), document)
    assert (reading.organisation, reading.people, reading.times) == ("Programme Office", 2, 3)


def test_nobody_else_is_told_who_read(world: World) -> None:
    document = world.deposited()
    world.get(f"/documents/{document}/content", "official")
    assert not world.runtime.readership.of(actor(world, "official", world.organisation), document)
    assert not world.runtime.readership.of(actor(world, "other", world.other_company), document)
    assert not world.runtime.readership.of(actor(world, "partner", world.company), "absent")
