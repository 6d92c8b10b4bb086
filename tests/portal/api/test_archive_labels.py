"""A ZIP says the dominant label of what is in it, and where that is wider than a member."""

from __future__ import annotations

import io
import zipfile

import pytest

from portal import models
from portal.errors import NotFound
from portal.services.actor import Actor
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


def test_the_dominant_label_is_recorded_and_the_reads_name_their_zip(world: World) -> None:
    documents = [world.deposited(label=label) for label in ("NATO RESTRICTED", "NATO SECRET")]
    comment(world, *documents)
    [whole] = world.records(action="document.archive")
    assert (whole["label"], whole["details"]["shown"]) == ("NATO SECRET", 2)
    reads = [record for record in world.records(action="document.read") if "details" in record]
    assert [record["document"] for record in reads] == documents
    assert {record["details"]["archive"] for record in reads} == {whole["details"]["archive"]}


def test_what_is_refused_while_it_is_packed_breaks_it_off(world: World) -> None:
    first, second = world.deposited(b"a"), world.deposited(b"b")
    official = world.people["official"]
    actor = Actor(official, world.organisation, 2, "session", request="request-7")
    stream = world.runtime.archive.open(actor, [first, second])
    next(stream)
    with world.runtime.database.write(log_entry=0) as session:
        session.get_one(models.Person, official).active = False
    with pytest.raises(NotFound):
        for _ in stream:
            pass


def test_what_was_left_out_does_not_count(world: World) -> None:
    high, low = world.deposited(label="NATO SECRET"), world.deposited(label="NATO RESTRICTED")
    assert world.get(f"/documents.zip?id={high}&id={low}", "restricted").status_code == 404
    assert world.get(f"/documents.zip?id={low}&leave_out=yes", "restricted").status_code == 400
    answer = world.get(f"/documents.zip?id={high}&id={low}&leave_out=true", "restricted")
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
