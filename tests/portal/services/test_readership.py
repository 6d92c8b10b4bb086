"""Who has opened a document: told to its originator by organisation, to nobody else."""

from __future__ import annotations

from collections.abc import Sequence

from portal.services.actor import Actor
from portal.services.document_views import DocumentFilter
from portal.services.readership import ReadingOrganisation
from tests.portal.worlds import World, world

__all__ = ["world"]


def actor(world: World, who: str, organisation: str) -> Actor:
    return Actor(world.people[who], organisation, 2, "test")


def told(world: World, somebody: Actor, document: str) -> Sequence[ReadingOrganisation]:
    page = world.runtime.documents.show(somebody, document)
    return world.runtime.readership.of_document(somebody, page)


def test_originator_sees_which_organisation_read_and_how_often(world: World) -> None:
    document = world.deposited(label="NATO RESTRICTED")
    for who in ("official", "official", "restricted", "other"):
        world.get(f"/documents/{document}/content", who)
    partner = actor(world, "partner", world.company)
    [reading] = told(world, partner, document)
    assert (reading.organisation, reading.people, reading.times) == ("Programme Office", 2, 3)
    assert not reading.own
    listed = world.runtime.documents.overview(partner, DocumentFilter(own=True))
    assert world.runtime.readership.of_page(partner, listed) == {document: [reading]}


def test_ones_own_colleagues_are_told_apart(world: World) -> None:
    document = world.deposited()
    world.get(f"/documents/{document}/content", "partner")
    [reading] = told(world, actor(world, "partner", world.company), document)
    assert (reading.organisation, reading.own) == ("Sarrazin", True)


def test_nobody_else_is_told_who_read(world: World) -> None:
    document = world.deposited()
    world.get(f"/documents/{document}/content", "official")
    official = actor(world, "official", world.organisation)
    assert not told(world, official, document)
    for wanted in (DocumentFilter(), DocumentFilter(own=True)):
        listed = world.runtime.documents.overview(official, wanted)
        assert not world.runtime.readership.of_page(official, listed)
