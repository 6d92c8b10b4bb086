"""A document that should not be where it is: contained at once by one officer, and a report of who saw it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from portal.errors import Conflict, NotFound, NotPermitted
from portal.services.spills import Spills
from tests.portal.services.test_destruction import REASON, actor, approved, clear
from tests.portal.worlds import ABSENT, World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("spills") / "data")
    clear(built)
    yield built
    built.runtime.close()


@pytest.fixture
def service(world: World) -> Spills:
    return world.runtime.spills


def search(world: World, words: str) -> list[str]:
    headers = world.headers("official")
    answer = world.client.post("/api/v1/documents/search", json={"q": words}, headers=headers)
    return [item["id"] for item in answer.json["items"]]


def faults(world: World, document: str) -> list[object]:
    units = ("counters", "titles", "rows:proposals", f"documents:{document[:2]}", "log")
    return [found for unit in units for found in world.runtime.fsck.check(unit).findings]


def test_contained_document_is_gone_for_everybody_at_once(world: World, service: Spills) -> None:
    document = world.deposited(b"labelled too low", title="Quarterdeckish plan")
    assert search(world, "quarterdeckish") == [document]
    service.contain(actor(world, "officer"), document, REASON)
    for who in ("official", "partner"):
        for path in (f"/documents/{document}", f"/documents/{document}/content"):
            assert world.get(path, who).status_code == 404
    assert search(world, "quarterdeckish") == []
    with world.runtime.database.read() as session:
        assert document not in world.runtime.fsck._titles.entries(session, world.programme)
    assert faults(world, document) == []


def test_report_names_everybody_who_saw_it_also_in_part(world: World, service: Spills) -> None:
    content = bytes(range(256)) * 20
    document = world.deposited(content)
    world.get(f"/documents/{document}/content", "official")
    world.get(f"/documents/{document}/content", "official", headers={"Range": "bytes=10-109"})
    world.get(f"/documents/{document}", "partner")
    assert world.get(f"/documents/{document}/content", "restricted").status_code in (403, 404)
    spill = service.contain(actor(world, "officer"), document, REASON)
    world.get(f"/documents/{document}/content", "official")
    report = service.report(actor(world, "officer-second"), spill)
    seen = [(item.person.id, item.action, item.size, item.outcome) for item in report.sightings]
    official, partner = world.people["official"], world.people["partner"]
    assert seen == [
        (official, "document.read", len(content), "complete"),
        (official, "document.read", 100, "complete"),
        (partner, "document.show", 0, "complete"),
    ]
    assert report.sightings[1].ranges == ("10-110",)
    assert (report.people, report.refused) == (2, 2)
    assert report.spill.reason == REASON
    (record, _) = world.records(action="spill.contain", document=document)
    assert record["details"]["readers"] == 1
    assert REASON not in json.dumps(world.records())


def test_another_officer_sets_free_what_was_contained_for_nothing(world: World, service: Spills) -> None:
    document = world.deposited(b"harmless", title="Mizzenmasthead")
    spill = service.contain(actor(world, "officer"), document, REASON)
    with pytest.raises(NotPermitted):
        service.free(actor(world, "officer"), spill)
    service.free(actor(world, "officer-second"), spill)
    assert world.get(f"/documents/{document}/content", "official").data == b"harmless"
    assert search(world, "mizzenmasthead") == [document]
    with pytest.raises(Conflict):
        service.free(actor(world, "officer-second"), spill)
    assert faults(world, document) == []


def test_contained_document_can_be_destroyed(world: World, service: Spills) -> None:
    document = world.deposited(b"to go")
    spill = service.contain(actor(world, "officer"), document, REASON)
    world.runtime.destruction.destroy(actor(world, "officer"), approved(world, document))
    (view,) = [view for view in service.spills(actor(world, "officer")) if view.id == spill]
    assert view.outcome == "destroyed"
    with pytest.raises(Conflict):
        service.free(actor(world, "officer-second"), spill)
    assert faults(world, document) == []


def test_nobody_but_officers_contains(world: World, service: Spills) -> None:
    document = world.deposited(b"stays open")
    for who in ("official", "auditor", "partner", "administrator"):
        with pytest.raises(NotPermitted):
            service.contain(actor(world, who), document, REASON)
    with pytest.raises(NotFound):
        service.contain(actor(world, "officer"), ABSENT, REASON)
    service.contain(actor(world, "officer"), document, REASON)
    with pytest.raises(Conflict):
        service.contain(actor(world, "officer"), document, REASON)
