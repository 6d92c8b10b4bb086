"""Quotas: told before the first byte, held to at the last, uploads under way counted in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.errors import TooLarge
from portal.services.actor import Actor
from portal.services.deposit import Declared
from portal.services.upload_views import Announced
from tests.portal.worlds import World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("quotas") / "data"
    built = build_world(folder, quota_person=1000, quota_organisation=1500)
    yield built
    built.runtime.close()


def partner(world: World) -> Actor:
    return Actor(world.people["partner"], world.company, assurance=2, session="test")


def declared(world: World, length: int | None) -> Declared:
    return Declared(world.programme, "A title", "NATO SECRET", "a.txt", length)


def test_a_quota_counts_what_is_kept_and_what_is_under_way(world: World) -> None:
    deposit, resumable, actor = world.runtime.deposit, world.runtime.resumable, partner(world)
    quotas = deposit.receiving.quotas
    assert quotas.left(actor) == 1000
    world.deposited(b"x" * 600)
    assert quotas.left(actor) == 400
    with pytest.raises(TooLarge, match="400 are left"):
        deposit.begin(actor, declared(world, 401))
    upload = resumable.begin(actor, Announced(declared(world, 300), 300))
    assert quotas.left(actor) == 100
    with pytest.raises(TooLarge, match="100 are left"):
        resumable.begin(actor, Announced(declared(world, 101), 101))
    # A form does not say how long its file is: then the last byte decides.
    assert world.deposit(b"x" * 101).status_code == 413
    resumable.receive(actor, upload.id, 0, [b"x" * 300])
    assert quotas.left(actor) == 100
    assert world.deposit(b"x" * 100).status_code == 201
    assert quotas.left(actor) == 0


def test_without_a_quota_there_is_no_end(world: World, tmp_path: Path) -> None:
    free = build_world(tmp_path / "data")
    assert free.runtime.deposit.receiving.quotas.left(partner(free)) is None
    free.runtime.close()
