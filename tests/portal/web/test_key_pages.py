"""The administrator's pages on keys: what there is, rotations and their progress, destroying a retired one, sealing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from portal.clock import system_clock
from tests.portal.web.visitors import Visitor, sign_in, text_of
from tests.portal.worlds import World, build_world

KEYS = "/administration/keys"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("key-pages") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def administrator(world: World) -> Visitor:
    return sign_in(world, "administrator")


def kek_of(world: World, version: int) -> str:
    return next(key.id for key in world.runtime.ring.stored() if (key.kind, key.version) == ("kek", version))


def test_the_inventory_says_what_each_key_is_for_and_when_it_changes(
    world: World, administrator: Visitor
) -> None:
    world.deposited(b"content")
    said = text_of(administrator.get(KEYS))
    for words in ("Root key", "a key file", "SECRET,", "In use", "Log checkpoints", "Names and titles"):
        assert words in said
    assert world.records(action="keys.show")


def test_a_key_is_rotated_after_a_question_and_its_older_version_destroyed_with_a_certificate(
    world: World, administrator: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.deposited()
    old = kek_of(world, 1)
    assert "Make a new version now?" in text_of(administrator.get(f"{KEYS}/{old}/rotate"))
    page = text_of(administrator.post_and_follow(f"{KEYS}/{old}/rotate"))
    assert "The rotation is ordered" in page
    assert "A new version is being made" in page
    again = administrator.post(f"{KEYS}/{old}/rotate")
    assert (again.status_code, "under way" in text_of(again)) == (409, True)
    early = administrator.post(f"{KEYS}/{old}/destroy")
    assert (early.status_code, "not destroyed" in text_of(early)) == (409, True)
    rotations = world.runtime.rotations
    rotations.work()
    assert "Waiting until no node" in text_of(administrator.get(KEYS))
    monkeypatch.setattr(rotations, "_clock", lambda: system_clock() + timedelta(hours=1))
    rotations.work()
    assert "Nothing under it" in text_of(administrator.get(KEYS))
    assert "Destroy it for ever?" in text_of(administrator.get(f"{KEYS}/{old}/destroy"))
    certificate = administrator.post(f"{KEYS}/{old}/destroy")
    assert certificate.text.startswith("strongroom certificate of destruction v1\n")
    assert "attachment" in certificate.headers["Content-Disposition"]
    assert "Destroyed" in text_of(administrator.get(KEYS))


def test_the_root_key_is_rotated_from_the_page(world: World, administrator: Visitor) -> None:
    before = world.runtime.ring.root.id
    administrator.post_and_follow(f"{KEYS}/root/rotate")
    world.runtime.rotations.work()
    assert world.runtime.ring.root.id != before


def test_a_key_file_is_not_sealed_and_the_page_says_why(world: World, administrator: Visitor) -> None:
    assert "a seal would stop nobody" in text_of(administrator.get(f"{KEYS}/seal"))
    refused = administrator.post(f"{KEYS}/seal")
    assert (refused.status_code, "would stop nobody" in text_of(refused)) == (409, True)
    assert not world.records(action="keys.seal")


def test_a_key_that_is_not_there_is_not_found(administrator: Visitor) -> None:
    for path in ("rotate", "destroy"):
        assert administrator.get(f"{KEYS}/0011223344556677/{path}").status_code == 404
        assert administrator.post(f"{KEYS}/0011223344556677/{path}").status_code == 404
