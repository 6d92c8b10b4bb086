"""Content is encrypted anew under a new key, and reads as before; what fails changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal import models
from portal.errors import NotFound, NotPermitted, Tampered
from tests.portal.services.test_rotations import actor_of, checked, keys_of
from tests.portal.worlds import World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("reencryption") / "data")
    yield built
    built.runtime.close()


def row_of(world: World, document: str) -> models.Version:
    with world.runtime.database.read() as session:
        return session.get_one(models.Version, (document, 1))


def test_content_moves_to_a_new_key_and_new_parts_and_the_old_ones_go(world: World) -> None:
    content = b"exposed " * 200_000
    document = world.deposited(content)
    before = row_of(world, document)
    (kek,) = keys_of(world, "kek")
    administrator = actor_of(world, "administrator")
    assert (document, 1) in world.runtime.reencryption.under(administrator, kek.id)
    world.runtime.reencryption.version(administrator, document, 1)
    after = row_of(world, document)
    assert after.blob != before.blob
    assert (after.parts != before.parts, after.wrapped_dek != before.wrapped_dek) == (True, True)
    assert after.sha256 == before.sha256
    folder = world.runtime.settings.blob_folder
    assert not list(folder.glob(f"{before.blob}/*"))
    assert world.get(f"/documents/{document}/content", "official").data == content
    assert not checked(world)
    assert [record["document"] for record in world.records(action="keys.reencrypt")] == [document]


def test_damaged_content_stays_as_it_is_and_is_reported(world: World) -> None:
    document = world.deposited(b"damaged" * 1000)
    before = row_of(world, document)
    path: Path = world.runtime.settings.blob_folder / before.blob / "part-1"
    raw = bytearray(path.read_bytes())
    raw[100] ^= 1
    path.chmod(0o600)
    path.write_bytes(raw)
    files = len(list(world.runtime.settings.blob_folder.rglob("*")))
    with pytest.raises(Tampered):
        world.runtime.reencryption.version(actor_of(world, "administrator"), document, 1)
    assert row_of(world, document).blob == before.blob
    assert len([name for name in world.runtime.settings.blob_folder.rglob("*") if name.is_file()]) <= files
    assert world.records(action="tamper.detected")
    with world.runtime.database.read() as session:
        assert session.query(models.Upload).count() == 0


def test_only_an_administrator_orders_it_and_only_of_what_is_there(world: World) -> None:
    with pytest.raises(NotPermitted):
        world.runtime.reencryption.version(actor_of(world, "official"), "x", 1)
    with pytest.raises(NotFound):
        world.runtime.reencryption.version(actor_of(world, "administrator"), "x", 1)
