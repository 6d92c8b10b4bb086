"""Bindings over the API: to whoever may see the document, recorded, and good for what they say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography import x509
from sqlalchemy import delete, text

from policies import stanag4778
from portal import models
from portal.services.binding_signature import verify
from tests.portal.worlds import ABSENT, World, world

__all__ = ["world"]

CONTENT = b"A deliverable of the company"
SHA384 = hashlib.sha384(CONTENT).digest()


def test_a_version_comes_with_its_label_signed(world: World) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET", name="report & plan.pdf")
    answer = world.get(f"/documents/{document}/versions/1/binding", "official")
    assert (answer.status_code, answer.mimetype) == (200, "application/xml")
    assert "report" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    pem = world.client.get("/api/v1/binding-certificate").data
    found = verify(answer.data, x509.load_pem_x509_certificates(pem))
    assert (found.digest, found.trusted) == (SHA384, True)
    bound = stanag4778.read(answer.data, world.runtime.access.policy)
    assert world.runtime.access.policy.marking(bound.label) == "NATO SECRET"
    assert bound.data.uri == found.uri == "report%20%26%20plan.pdf"
    record = world.records(action="document.show")[-1]
    assert (record["document"], record["version"]) == (document, 1)
    assert int(answer.headers["Strongroom-Log-Entry"]) == record["seq"]
    assert world.runtime.bindings.check(answer.data).digest == found.digest == SHA384


def test_the_current_version_is_meant_without_a_number(world: World) -> None:
    document = world.deposited(CONTENT)
    first = world.get(f"/documents/{document}/binding", "official")
    assert world.runtime.bindings.check(first.data).digest == SHA384


def test_the_digest_of_an_older_version_is_computed_once_and_recorded(world: World) -> None:
    document = world.deposited(CONTENT)
    with world.runtime.database.write() as session:
        session.execute(delete(models.VersionDigest))
    for _ in range(2):
        answer = world.get(f"/documents/{document}/binding", "official")
        assert world.runtime.bindings.check(answer.data).digest == SHA384
    first, outcome = world.records(action="document.digest")
    assert (first["document"], first["version"], first["decision"]) == (document, 1, "permit")
    assert (outcome["completes"], outcome["outcome"], outcome["bytes_handed"]) == (
        first["seq"],
        "complete",
        0,
    )


def test_content_that_is_damaged_gets_no_digest(world: World) -> None:
    document = world.deposited(CONTENT)
    with world.runtime.database.write() as session:
        session.execute(delete(models.VersionDigest))
    [part] = (world.runtime.settings.blob_folder).rglob("part-1")
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    assert world.get(f"/documents/{document}/binding", "official").status_code == 503
    assert [record.get("outcome") for record in world.records(action="document.digest")] == [None, "failed"]


def test_a_digest_that_was_edited_is_refused(world: World) -> None:
    document = world.deposited(CONTENT)
    with world.runtime.database.engine.begin() as connection:
        connection.execute(text("UPDATE version_digests SET sha384 = randomblob(48)"))
    assert world.get(f"/documents/{document}/binding", "official").status_code == 503
    assert world.records(action="tamper.detected")[-1]["details"]["table"] == "version_digests"


@pytest.mark.parametrize("who", ["other", "restricted"])
def test_whoever_may_not_see_the_document_learns_nothing(who: str, world: World) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    refused = world.get(f"/documents/{document}/binding", who)
    absent = world.get(f"/documents/{ABSENT}/binding", who)
    assert refused.status_code == absent.status_code == 404
    assert refused.json["detail"] == absent.json["detail"]


def test_a_national_label_stays_as_it_came_beside_its_equivalent(world: World, tmp_path: Path) -> None:
    from policies import stanag4774
    from policies.nations import load_nations

    germany = load_nations()["DEU"]
    xml = stanag4774.serialise(germany.label("GEHEIM"), created=world.runtime.clock(), policy=germany)
    document = world.deposited(CONTENT, label=xml.decode())
    shown = world.get(f"/documents/{document}", "official").json
    assert (shown["label"]["marking"], shown["label"]["classification"]) == ("NATO SECRET", "SECRET")
    assert world.get(f"/documents/{document}", "restricted").status_code == 404
    assert world.get(f"/documents/{document}/content", "official").data == CONTENT
    listed = world.get("/documents?sort=label", "official").json["items"]
    assert [item["id"] for item in listed] == [document]
    bound = stanag4778.read(
        world.get(f"/documents/{document}/binding", "official").data,
        world.runtime.access.policy,
        load_nations(),
    )
    assert (bound.label.policy_id, bound.label.classification) == (germany.id, "GEHEIM")
    [nato] = bound.label.alternatives
    assert world.runtime.access.policy.marking(nato) == "NATO SECRET"


def test_a_national_label_without_an_equivalent_is_refused(world: World) -> None:
    from policies import stanag4774
    from policies.nations import load_nations

    germany = load_nations()["DEU"]
    xml = stanag4774.serialise(
        germany.label("GEHEIM"), created=world.runtime.clock(), policy=germany
    ).decode()
    for wrong in (xml.replace("GEHEIM", "OFFEN"), xml.replace(">DEU<", ">ATL<")):
        answer = world.deposit(CONTENT, label=wrong)
        assert answer.status_code == 400
        assert "does not hold" in answer.json["detail"]
