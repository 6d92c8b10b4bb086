"""The manifest is there before its version is: whatever is acknowledged can be rescued without the database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from portal import models
from portal.errors import NotFound, Unavailable
from portal.services.filing import Arrival, Target
from tests.portal.api.test_tus import begun, patch
from tests.portal.worlds import ABSENT, World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("manifests") / "data")
    yield built
    built.runtime.close()


def damage(world: World, document: str) -> list[object]:
    units = (f"documents:{document[:2]}", "counters", "titles")
    return [found for unit in units for found in world.runtime.fsck.check(unit).findings]


def test_manifest_stands_before_its_version_is_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    filing = world.runtime.deposit.receiving._filing
    blobs = world.runtime.deposit.receiving.blobs
    filed = filing.file
    met: list[bytes] = []

    def watched(actor: object, action: object, target: Target, arrival: Arrival) -> object:
        met.append(blobs.get(f"{arrival.upload.blob}/manifest"))
        return filed(actor, action, target, arrival)  # type: ignore[arg-type]

    monkeypatch.setattr(filing, "file", watched)
    document = world.deposited(b"one")
    assert len(met) == 1
    assert damage(world, document) == []


def test_deposit_whose_manifest_cannot_be_written_is_not_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = world.runtime.deposit.receiving.blobs
    before = set(blobs.list())

    def fails(*_: object) -> None:
        raise Unavailable("The store does not answer.")

    with monkeypatch.context() as patched:
        patched.setattr(blobs, "put", fails)
        assert world.deposit(b"two").status_code == 503
    assert set(blobs.list()) == before
    assert world.runtime.fsck.check("log").findings == []


def test_manifest_follows_the_database_and_says_when_there_is_nothing_to_do(world: World) -> None:
    document = world.deposited(b"three")
    follow = world.runtime.manifests.follow
    assert not follow(document, 1)
    folder = world.runtime.settings.blob_folder / document[:2] / document
    (manifest,) = folder.rglob("manifest")
    manifest.write_bytes(b"torn")
    assert [found.kind for found in world.runtime.fsck.check(f"documents:{document[:2]}").findings] == [
        "manifest"
    ]
    assert follow(document, 1)
    assert not follow(document, 1)
    assert damage(world, document) == []
    with pytest.raises(NotFound):
        follow(ABSENT, 1)


def test_version_in_several_parts_holds_and_a_missing_one_is_named(world: World) -> None:
    url = begun(world, 11)
    assert patch(world, url, 0, b"first ").status_code == 204
    assert patch(world, url, 6, b"other").status_code in (200, 201, 204)
    parts = list(world.runtime.settings.blob_folder.rglob("part-2"))
    assert len(parts) == 1
    document = parts[0].parts[-3]
    assert damage(world, document) == []
    parts[0].unlink()
    found = world.runtime.fsck.check(f"documents:{document[:2]}").findings
    assert [(item.kind, item.place.rpartition("/")[2]) for item in found] == [("missing", "part-2")]


def test_new_label_gets_a_new_name_and_the_old_manifest_stands_until_then(world: World) -> None:
    document = world.deposited(b"four")
    manifests, database = world.runtime.manifests, world.runtime.database
    folder = next((world.runtime.settings.blob_folder / document[:2] / document).iterdir())
    with database.read() as session:
        found = world.runtime.access.head(session, document)
        assert found is not None
        row = session.get_one(models.Version, (document, 1))
        manifest, place = manifests.of(found[0], row, found[1].label), row.blob
    for number in (1, 2):
        name = manifests.write(place, manifest, renamed=True)
        assert name == f"{place}/manifest-{number}"
        assert len(list(folder.glob("manifest*"))) == 2
        manifests.keep_only(place, name)
        assert [path.name for path in folder.glob("manifest*")] == [f"manifest-{number}"]
        assert damage(world, document) == []
