"""Two officers destroy a document: nothing of it opens any more, and a certificate that anybody checks says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from policies.requests import Role
from portal import models
from portal.cli.destruction import destruction as command
from portal.errors import Conflict, NotFound, NotPermitted, Unavailable
from portal.services.actor import Actor
from portal.services.destruction import Destruction
from tests.portal import factories
from tests.portal.worlds import BEGINNING, World, build_world

REASON = "The contract has ended."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("destruction") / "data")
    clear(built)
    yield built
    built.runtime.close()


def clear(world: World) -> None:
    """Give both officers the clearance that they need to act on documents."""
    levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
    for name in ("officer", "officer-second"):
        person = world.people[name]
        factories.add_clearance(
            world.runtime.database, person, levels, {"Context": ["NATO"]}, start=BEGINNING
        )


def actor(world: World, name: str) -> Actor:
    role = Role.OFFICER if name.startswith("officer") else Role(name)
    return Actor(
        person_id=world.people[name],
        organisation_id=world.organisation,
        assurance=2,
        session=f"session-{name}",
        role=role,
        request="request",
        address="127.0.0.1",
    )


@pytest.fixture
def service(world: World) -> Destruction:
    return world.runtime.destruction


def blobs(world: World, document: str) -> list[Path]:
    folder = world.runtime.settings.blob_folder / document[:2] / document
    return [path for path in folder.rglob("*") if path.is_file()]


def requested(world: World, document: str) -> str:
    return world.runtime.destruction.propose(actor(world, "officer"), document, REASON)


def approved(world: World, document: str) -> str:
    request = requested(world, document)
    digest = world.runtime.destruction.request(actor(world, "officer-second"), request).digest
    world.runtime.destruction.approve(actor(world, "officer-second"), request, digest)
    return request


def details(world: World, action: str, document: str) -> list[dict[str, Any]]:
    return [record.get("details", {}) for record in world.records(action=action, document=document)]


def test_two_officers_destroy_and_nothing_of_it_is_left(world: World, service: Destruction) -> None:
    document = world.deposited(b"to be destroyed", title="Quarterdeck")
    kept = world.deposited(b"to be kept", title="Mizzenmast")
    assert blobs(world, document)
    request = approved(world, document)
    service.destroy(actor(world, "officer"), request)
    assert blobs(world, document) == []
    for path in (f"/documents/{document}", f"/documents/{document}/content"):
        absent = world.get(path.replace(document, "00000000-0000-4000-8000-000000000000"), "official")
        gone = world.get(path, "official")
        assert (
            (gone.status_code, gone.json["title"])
            == (absent.status_code, absent.json["title"])
            == (404, "Not found")
        )
    assert world.get(f"/documents/{kept}/content", "official").data == b"to be kept"
    with world.runtime.database.read() as session:
        row = session.get_one(models.Document, document)
        version = session.get_one(models.Version, (document, 1))
        assert (row.state, row.title, version.file_name, version.wrapped_dek) == ("destroyed", "", "", b"")
        packed = world.runtime.fsck._titles.entries(session, world.programme)
        assert document not in packed
        assert kept in packed
    assert len(details(world, "document.destroy", document)) == 2
    (certified, _) = details(world, "destruction.certify", document)
    assert certified["objects"] == 2
    units = ("counters", "titles", "rows:proposals", f"documents:{document[:2]}", "log")
    assert [found for unit in units for found in world.runtime.fsck.check(unit).findings] == []


def test_certificate_says_two_dates_and_is_checked_offline(
    world: World, service: Destruction, tmp_path: Path
) -> None:
    document = world.deposited(b"certified")
    request = approved(world, document)
    service.destroy(actor(world, "officer"), request)
    (found,) = service.certificates(actor(world, "officer"), request)
    says, settings = found.says, world.runtime.settings
    assert says.subject == f"version:{document}/1"
    assert (says.ordered_by, says.approved_by) == (world.people["officer"], world.people["officer-second"])
    least = timedelta(days=settings.key_backup_days)
    assert least < says.backups_end - says.destroyed <= least + timedelta(days=settings.key_rotation_days)
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps({"certificates": [found.note]}), "utf-8")
    (key,) = service.erasure.verifier_keys()
    answer = CliRunner().invoke(command, ["verify", str(file), "--key", key, "--json"])
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.output)["subject"] == says.subject
    file.write_text(json.dumps({"certificates": [found.note.replace(document, document[::-1])]}), "utf-8")
    assert CliRunner().invoke(command, ["verify", str(file), "--key", key]).exit_code == 1


def test_one_officer_alone_destroys_nothing(world: World, service: Destruction) -> None:
    document = world.deposited(b"by one alone")
    request = requested(world, document)
    digest = service.request(actor(world, "officer"), request).digest
    with pytest.raises(NotPermitted):
        service.destroy(actor(world, "officer"), request)
    with pytest.raises(NotPermitted):
        service.approve(actor(world, "officer"), request, digest)
    with pytest.raises(Conflict):
        service.approve(actor(world, "officer-second"), request, "0" * 64)
    service.approve(actor(world, "officer-second"), request, digest)
    with pytest.raises(NotPermitted):
        service.destroy(actor(world, "officer-second"), request)
    assert world.get(f"/documents/{document}/content", "official").status_code == 200


@pytest.mark.parametrize("who", ["official", "auditor", "partner"])
def test_nobody_but_officers_comes_near(world: World, service: Destruction, who: str) -> None:
    document = world.deposited(b"not yours")
    with pytest.raises(NotPermitted):
        service.propose(actor(world, who), document, REASON)
    with pytest.raises(NotPermitted):
        service.requests(actor(world, who))


def test_document_beyond_an_officers_clearance_is_absent_to_them(world: World, service: Destruction) -> None:
    document = world.deposited(b"higher")
    person = factories.add_person(
        world.runtime.database,
        world.organisation,
        name="Uncleared",
        email="uncleared@org.example",
        nation="FRA",
    )
    factories.add_role(world.runtime.database, person, "officer", start=BEGINNING)
    uncleared = replace(actor(world, "officer"), person_id=person)
    with pytest.raises(NotFound):
        service.propose(uncleared, document, REASON)
    with pytest.raises(NotFound):
        service.propose(actor(world, "officer"), "00000000-0000-4000-8000-000000000000", REASON)
    request = requested(world, document)
    seen = next(view for view in service.requests(uncleared) if view.id == request)
    assert (seen.title, seen.marking) == ("", "")


def test_what_changed_since_is_not_destroyed(world: World, service: Destruction) -> None:
    document = world.deposited(b"first")
    request = approved(world, document)
    answer = world.client.put(
        f"/api/v1/documents/{document}/content",
        data=b"second",
        headers=world.headers("partner", **{"Content-Type": "application/octet-stream"}),
    )
    assert answer.status_code in (200, 201)
    with pytest.raises(Conflict):
        service.destroy(actor(world, "officer"), request)
    service.withdraw(actor(world, "officer"), request)
    with pytest.raises(Conflict):
        service.destroy(actor(world, "officer"), request)
    assert requested(world, document)
    with pytest.raises(Conflict):
        requested(world, document)


def test_store_that_fails_leaves_keys_erased_and_the_rest_follows(
    world: World, service: Destruction, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = world.deposited(b"slow to go")
    request = approved(world, document)

    def fails(_name: str) -> None:
        raise Unavailable("The store does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(service.erasure._blobs, "delete", fails)
        with pytest.raises(Unavailable):
            service.destroy(actor(world, "officer"), request)
    assert blobs(world, document)
    assert world.get(f"/documents/{document}/content", "official").status_code == 404
    findings = world.runtime.fsck.check(f"documents:{document[:2]}").findings
    assert {found.kind for found in findings if found.document == document} == {"leftover"}
    with pytest.raises(Conflict):
        service.certificates(actor(world, "officer"), request)
    world.runtime.housekeeping.sweep()
    assert blobs(world, document) == []
    assert service.certificates(actor(world, "officer"), request)
    assert service.erasure.finish_all() == 0
