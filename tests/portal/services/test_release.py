"""Release: what becomes of a transfer whose store fails while it runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.parts import PartsReader, PartWriter
from policies.requests import Action
from portal import models
from portal.errors import NotFound, Unavailable
from portal.services import release as release_module
from portal.services.deposit import Declared
from portal.services.release import Transfer
from tests.portal.attack import actor, open_copy, recorded
from tests.portal.worlds import World

KEY = bytes(range(32))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    copy = open_copy(tmp_path / "data")
    yield copy
    copy.runtime.close()


def in_two_parts(world: World, document: str) -> PartsReader:
    """Return content of two parts, the second of which goes missing once it was seen to be there."""
    release = world.runtime.release
    parts = []
    for number in (1, 2):
        sink = release._blobs.create(f"two/part-{number}")
        writer = PartWriter(sink, KEY, document, 1, number)
        writer.write(b"Deliverable")
        parts.append(writer.close())
        sink.close()
    reader = PartsReader(lambda number: release._blobs.open(f"two/part-{number}"), parts, KEY, document, 1)
    release._blobs.delete("two/part-2")
    return reader


def test_a_transfer_whose_store_fails_midway_is_recorded_as_failed(world: World) -> None:
    document = world.deposited(b"Deliverable")
    release = world.runtime.release
    permission = release.permit(actor(world, "official"), Action.DOCUMENT_READ, document)
    with recorded(world) as records:
        opened = release.open(permission)
        opened._content.close()
        content = in_two_parts(world, document)
        transfer = Transfer(
            release._log,
            release._alarm,
            permission,
            opened._intent,
            opened._receipt,
            content,
            0,
            22,
            lambda: None,
        )
        pieces = iter(transfer)
        assert hashlib.sha256(next(pieces)).digest() == permission.released.sha256
        with pytest.raises(Unavailable):
            next(pieces)
        transfer.close()
    assert [(r.get("outcome"), r.get("bytes_handed")) for r in records] == [(None, None), ("failed", 11)]


def test_a_running_transfer_is_cut_when_its_grant_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_module, "LOOK_AGAIN", 0)
    declared = Declared(world.programme, "Long", "NATO SECRET", "long.bin")
    with world.runtime.deposit.begin(actor(world, "partner"), declared) as intake:
        intake.write(bytes(3 << 20))
        document = intake.complete().document_id
    permission = world.runtime.release.permit(actor(world, "official"), Action.DOCUMENT_READ, document)
    transfer = world.runtime.release.open(permission)
    pieces = iter(transfer)
    next(pieces)
    with world.runtime.database.write(0) as session:
        for row in session.query(models.Membership).filter_by(person_id=world.people["official"]):
            row.valid_until = world.runtime.clock()
    with recorded(world) as records:
        with pytest.raises(NotFound):
            next(pieces)
        transfer.close()
    assert [record.get("decision") for record in records] == ["deny", None]
    assert records[-1]["outcome"] == "aborted"
    assert records[-1]["bytes_handed"] < 2 << 20
