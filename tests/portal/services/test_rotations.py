"""Rotations: everything goes over to the new version of a key, content untouched, while the portal goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, text, update

from crypto.certificates import read_certificate
from crypto.keyring import KeyState, WrappedKey
from crypto.manifest import open_manifest
from crypto.translog.note import Verifier
from portal import models
from portal.audit import Event
from portal.clock import system_clock
from portal.errors import Conflict, Invalid, NotFound, NotPermitted
from portal.services.actor import Actor
from portal.services.fsck_findings import Finding
from portal.services.rotations import KINDS
from portal.services.runtime import open_portal
from tests.portal.worlds import World, build_world

ORDER = Event(action="keys.rotate")


class Shifted:
    """The system's clock, moved forward at will."""

    by = timedelta(0)

    def __call__(self) -> datetime:
        return system_clock() + self.by


@pytest.fixture
def clock() -> Shifted:
    return Shifted()


@pytest.fixture
def world(tmp_path: Path, clock: Shifted) -> Iterator[World]:
    built = build_world(tmp_path / "data")
    rotations = built.runtime.rotations
    rotations._clock = clock
    yield built
    built.runtime.close()


def rotate(world: World, clock: Shifted, kind: str, domain: str = "") -> str:
    """Order a rotation and carry it through."""
    rotation = world.runtime.rotations.order(kind, domain, ORDER)
    world.runtime.rotations.work()
    clock.by += timedelta(hours=1)
    world.runtime.rotations.work()
    assert world.runtime.rotations.one(rotation).state == "done"
    return rotation


def keys_of(world: World, kind: str) -> list[WrappedKey]:
    found = [key for key in world.runtime.ring.stored() if key.kind == kind]
    return sorted(found, key=lambda key: (key.domain, key.version))


def checked(world: World) -> list[Finding]:
    """Return what a whole check of storage finds."""
    fsck = world.runtime.fsck
    return [finding for unit in fsck.plan() for finding in fsck.check(unit).findings]


def test_a_rotated_kek_takes_all_documents_and_manifests_over_and_is_retired(
    world: World, clock: Shifted
) -> None:
    documents = [world.deposited(f"content {number}".encode()) for number in range(3)]
    other = world.deposited(b"other", label="NATO RESTRICTED")
    domain = f"{world.programme}/SECRET"
    before = [row.blob for row in versions(world)]
    rotation = rotate(world, clock, "kek", domain)
    old, new = [key for key in keys_of(world, "kek") if key.domain == domain]
    assert (old.state, new.state) == (KeyState.RETIRED, KeyState.ACTIVE)
    under = {row.document_id: row.wrapped_dek[1:9].hex() for row in versions(world)}
    assert {under[document] for document in documents} == {new.id}
    assert under[other] not in (old.id, new.id)
    for row in versions(world):
        if row.document_id in documents:
            manifest = open_manifest(
                world.runtime.ring, world.runtime.manifests._blobs.get(f"{row.blob}/manifest")
            )
            assert (manifest.kek_id, manifest.kek_version) == (new.id, 2)
    assert [row.blob for row in versions(world)] == before
    for number, document in enumerate(documents):
        assert world.get(f"/documents/{document}/content", "official").data == f"content {number}".encode()
    assert not checked(world)
    view = world.runtime.rotations.one(rotation)
    assert (view.done, view.total, view.failed) == (3, 3, 0)
    actions = [record["action"] for record in world.records() if record["action"].startswith("keys.")]
    assert actions == ["keys.rotate", "keys.rewrapped", "keys.retired"]


def versions(world: World) -> list[models.Version]:
    with world.runtime.database.read() as session:
        return list(session.scalars(select(models.Version).order_by(models.Version.created)))


def test_a_key_of_every_kind_is_rotated_and_everything_opens_without_the_older_ones(
    world: World, clock: Shifted
) -> None:
    document = world.deposited(b"content", title="Quay drawings")
    assert world.runtime.bindings.pem  # its key is made on first use
    for kind in KINDS:
        if kind == "kek":
            continue
        rotate(world, clock, kind)
        if kind not in ("root", "binding", "log-signing", "receipt-signing"):
            old, new = keys_of(world, kind)
            assert (kind, old.state, new.state) == (kind, KeyState.RETIRED, KeyState.ACTIVE)
            world.runtime.ring.change_state(old.id, KeyState.DESTROYED)
    again = open_portal(world.runtime.settings)
    with again.database.read() as session:
        for mapper in models.Base.registry.mappers:
            if issubclass(mapper.class_, models.SealedRow):
                for row in session.scalars(select(mapper.class_)):
                    assert all(getattr(row, name) is not None for name in row.sealed_texts)
    for seq in range(again.log.size()):
        again.log.disclose(seq)
    again.close()
    assert world.get(f"/documents/{document}/content", "official").data == b"content"
    found = world.client.post(
        "/api/v1/documents/search", json={"q": "quay"}, headers=world.headers("official")
    )
    assert [item["id"] for item in found.json["items"]] == [document]
    assert world.deposited(b"afterwards")
    assert not checked(world)


def test_the_log_goes_on_under_a_new_signing_key_and_old_checkpoints_still_hold(
    world: World, clock: Shifted
) -> None:
    world.runtime.log.checkpoint()
    rotate(world, clock, "log-signing")
    signed = world.runtime.log.checkpoint()
    assert world.runtime.log.latest_checkpoint() == signed
    assert world.runtime.log.inclusion_proof(0).signed.size == signed.size
    again = open_portal(world.runtime.settings)
    assert again.log.latest_checkpoint() is not None
    again.close()
    assert [key.state for key in keys_of(world, "log-signing")] == [KeyState.SUPERSEDED, KeyState.ACTIVE]
    assert not checked(world)


def test_an_upload_under_the_old_key_after_the_first_pass_is_met_by_the_second(
    world: World, clock: Shifted
) -> None:
    world.deposited(b"first")
    other = open_portal(world.runtime.settings)  # a node that has the old key in use
    domain = f"{world.programme}/SECRET"
    other.ring.domain_key("SECRET", world.programme)
    rotation = world.runtime.rotations.order("kek", domain, ORDER)
    world.runtime.rotations.work()
    assert world.runtime.rotations.one(rotation).state == "waiting"
    late = world.deposited(b"late")
    old = keys_of(world, "kek")[0]
    with world.runtime.database.read() as session:
        row = session.get_one(models.Version, (late, 1))
        assert row.wrapped_dek[1:9].hex() != old.id
    assert other.ring.domain_key("SECRET", world.programme).id == old.id
    other.close()
    clock.by += timedelta(hours=1)
    world.runtime.rotations.work()
    assert world.runtime.rotations.one(rotation).state == "done"


def test_a_row_that_was_altered_is_left_reported_and_keeps_the_old_key_alive(
    world: World, clock: Shifted
) -> None:
    good, bad = world.deposited(b"good"), world.deposited(b"bad")
    with world.runtime.database.engine.begin() as connection:
        connection.execute(
            text("update versions set media_type = 'text/html' where document_id = :id"), {"id": bad}
        )
    rotation = rotate(world, clock, "kek", f"{world.programme}/SECRET")
    assert world.runtime.rotations.one(rotation).failed == 1
    old, new = keys_of(world, "kek")
    assert old.state == KeyState.SUPERSEDED
    assert world.get(f"/documents/{good}/content", "official").data == b"good"
    assert world.records(action="tamper.detected")
    with world.runtime.database.engine.connect() as connection:
        kept = connection.execute(
            text("select wrapped_dek from versions where document_id = :id"), {"id": bad}
        )
        assert bytes(kept.scalar_one())[1:9].hex() == old.id != new.id


def test_another_node_takes_a_rotation_over_when_the_first_is_gone(world: World, clock: Shifted) -> None:
    world.deposited(b"content")
    rotation = world.runtime.rotations.order("kek", f"{world.programme}/SECRET", ORDER)
    first = world.runtime.rotations
    assert first._step(rotation)
    other = open_portal(world.runtime.settings)
    other.rotations._clock = clock
    assert not other.rotations.work()
    assert other.rotations.one(rotation).state == "rewrapping"
    clock.by += timedelta(hours=1)
    other.rotations.work()
    assert other.rotations.one(rotation).state == "done"
    other.close()


def test_a_kek_that_is_older_than_the_settings_allow_is_rotated_by_itself(
    world: World, clock: Shifted
) -> None:
    world.deposited(b"content")
    assert world.runtime.rotations.order_due() == 0
    clock.by = timedelta(days=400)
    assert world.runtime.rotations.order_due() == 1
    assert world.runtime.rotations.order_due() == 0


def test_what_cannot_be_rotated_is_refused(world: World) -> None:
    rotations = world.runtime.rotations
    with pytest.raises(Invalid, match="no kind"):
        rotations.order("password", "", ORDER)
    with pytest.raises(NotFound):
        rotations.order("kek", "nowhere/SECRET", ORDER)
    rotations.order("row", "", ORDER)
    with pytest.raises(Conflict, match="under way"):
        rotations.order("row", "", ORDER)


def actor_of(world: World, who: str) -> Actor:
    found = world.runtime.account.by_token(world.tokens[who], "request", "test")
    assert found is not None
    return Actor(
        person_id=found.person_id,
        organisation_id=found.organisation_id,
        assurance=found.assurance,
        session=found.session,
        role=found.role,
        request="request",
        address="test",
    )


def test_only_administrators_see_and_order(world: World) -> None:
    for who in ("partner", "official", "officer", "auditor"):
        with pytest.raises(NotPermitted):
            world.runtime.keys.inventory(actor_of(world, who))
        with pytest.raises(NotPermitted):
            world.runtime.keys.rotate(actor_of(world, who), "row")
    document = world.deposited(b"content")
    inventory = world.runtime.keys.inventory(actor_of(world, "administrator"))
    (kek,) = [key for key in inventory.keys if key.kind == "kek"]
    assert (kek.classification, kek.documents, kek.version, kek.newest) == ("SECRET", 1, 1, True)
    assert (inventory.provider, document) == ("file", document)
    assert world.records(action="keys.show", decision="permit")


def test_a_retired_key_is_destroyed_with_a_certificate_and_no_other(world: World, clock: Shifted) -> None:
    world.deposited(b"content")
    administrator = actor_of(world, "administrator")
    rotate(world, clock, "kek", f"{world.programme}/SECRET")
    old, new = keys_of(world, "kek")
    with pytest.raises(Conflict):
        world.runtime.keys.destroy(administrator, new.id)
    signer = world.runtime.ring.signer("receipt-signing")
    raw = world.runtime.keys.destroy(administrator, old.id)
    settings = world.runtime.settings
    certificate = read_certificate(raw, [Verifier(settings.name, signer.public_key)])
    assert certificate.subject == f"key:{old.id}"
    assert certificate.backups_end - certificate.destroyed == timedelta(days=settings.key_backup_days)
    assert (keys_of(world, "kek")[0].state, keys_of(world, "kek")[0].wrapped) == (KeyState.DESTROYED, b"")
    assert world.records(action="keys.destroy")[0]["seq"] == certificate.log_entry
    assert world.deposited(b"afterwards")


def test_older_root_keys_are_forgotten_only_when_nothing_is_under_them(world: World, clock: Shifted) -> None:
    administrator = actor_of(world, "administrator")
    world.runtime.ring.root.rotate()
    with pytest.raises(Conflict):
        world.runtime.keys.retire_root(administrator)
    rotate(world, clock, "root")
    assert world.runtime.keys.retire_root(administrator) == 2
    open_portal(world.runtime.settings).close()
    assert world.get("/documents", "official").status_code == 200


def test_a_moved_key_row_is_not_laundered(world: World, clock: Shifted) -> None:
    world.deposited(b"content")
    (kek,) = keys_of(world, "kek")
    with world.runtime.database.engine.begin() as connection:
        connection.execute(
            update(models.Key).where(models.Key.id == kek.id).values(domain="elsewhere/SECRET")
        )
    again = open_portal(world.runtime.settings)
    again.rotations._clock = clock
    with pytest.raises(NotFound):
        again.rotations.order("kek", f"{world.programme}/SECRET", ORDER)
    again.close()


def test_a_retired_kek_is_destroyed_by_itself_half_a_day_later(world: World, clock: Shifted) -> None:
    document = world.deposited(b"content")
    rotate(world, clock, "kek", f"{world.programme}/SECRET")
    care = world.runtime.keys
    care._clock = clock
    clock.by = timedelta(hours=11)
    care.sweep()
    assert keys_of(world, "kek")[0].state == KeyState.RETIRED
    clock.by = timedelta(hours=13)
    care.sweep()
    assert (keys_of(world, "kek")[0].state, keys_of(world, "kek")[0].wrapped) == (KeyState.DESTROYED, b"")
    assert len(world.records(action="keys.destroy")) == 1
    assert world.get(f"/documents/{document}/content", "official").data == b"content"
