"""A ZIP says the dominant label of what is in it, and where that is wider than a member."""

from __future__ import annotations

import io
import zipfile

from tests.portal.worlds import World, world

__all__ = ["world"]


def comment(world: World, *documents: str) -> str:
    asked = "&".join(f"id={document}" for document in documents)
    answer = world.get(f"/documents.zip?{asked}", "official")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return archive.comment.decode()


def test_highest_classification_stands_for_all(world: World) -> None:
    high, low = world.deposited(label="NATO SECRET"), world.deposited(label="NATO RESTRICTED")
    assert comment(world, low, high) == "NATO SECRET"
    assert comment(world, low) == "NATO RESTRICTED"


def test_what_was_left_out_does_not_count(world: World) -> None:
    high, low = world.deposited(label="NATO SECRET"), world.deposited(label="NATO RESTRICTED")
    answer = world.get(f"/documents.zip?id={high}&id={low}", "restricted")
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.comment == b"NATO RESTRICTED"


def test_a_dropped_value_is_told(world: World) -> None:
    from tests.portal import factories

    official = world.people["official"]
    for person in (official, world.people["partner"]):
        held = {"Context": ["NATO"], "Releasable To": ["NATO"]}
        factories.add_clearance(world.runtime.database, person, ["UNCLASSIFIED", "RESTRICTED"], held)
    plain = world.deposited(label="NATO RESTRICTED")
    released = world.deposited(label="NATO RESTRICTED Releasable to Japan, Switzerland")
    told = comment(world, plain, released).splitlines()
    assert told[0] == "NATO RESTRICTED"
    assert "Releasable To is dropped, for not every member has it" in " ".join(told)
