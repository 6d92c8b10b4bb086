"""The officer's pages on what must go, over HTTP: contain, request, approve, carry out, certificate, report."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from crypto.certificates import read_certificate
from crypto.translog.note import Verifier
from tests.portal.services.test_destruction import clear
from tests.portal.web.visitors import Visitor, sign_in, text_of
from tests.portal.worlds import ABSENT, World, build_world

REASON = "It was labelled too low."


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("custody") / "data")
    clear(built)
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Visitor:
    return sign_in(world, "officer")


@pytest.fixture(scope="module")
def second(world: World) -> Visitor:
    return sign_in(world, "officer-second")


def begun(officer: Visitor, document: str, act: str) -> str:
    answer = officer.post("/custody", document=document, reason=REASON, act=act)
    assert answer.status_code == 303, text_of(answer)
    return str(answer.location)


def test_document_is_contained_reported_and_set_free(world: World, officer: Visitor, second: Visitor) -> None:
    document = world.deposited(b"labelled too low")
    world.get(f"/documents/{document}/content", "official")
    path = begun(officer, document, "contain")
    assert world.get(f"/documents/{document}", "official").status_code == 404
    said = text_of(officer.get(path))
    for words in ("Official", "Downloaded it", "to the end, 16 bytes", "1 person", REASON, "Contained"):
        assert words in said
    assert "another security officer sets it free" in said
    report = officer.get(f"{path}/report.json")
    assert json.loads(report.data)["sightings"][0]["person"]["id"] == world.people["official"]
    assert officer.post(path).status_code == 403
    assert second.post(path).status_code == 303
    assert world.get(f"/documents/{document}", "official").status_code == 200
    assert "Set free" in text_of(second.get("/custody"))


def test_two_officers_destroy_and_print_the_certificate(
    world: World, officer: Visitor, second: Visitor
) -> None:
    document = world.deposited(b"must go", title="Old plan")
    path = begun(officer, document, "destroy")
    page = officer.get(path)
    assert "Old plan" in text_of(page)
    assert "another security officer approves it" in text_of(page)
    hidden = page.text.split('name="digest" value="')[1][:64]
    assert second.post(path, act="approve", digest="0" * 64).status_code == 409
    assert second.post(path, act="approve", digest=hidden).status_code == 303
    assert "for good" in text_of(officer.get(f"{path}/carry-out"))
    assert second.post(f"{path}/carry-out").status_code == 403
    assert officer.post(f"{path}/carry-out").status_code == 303
    said = text_of(officer.get(path))
    assert "Destroyed" in said
    assert "Old plan" not in said
    printed = officer.get(f"{path}/certificate")
    assert "No backup can open it from" in text_of(printed)
    content = json.loads(officer.get(f"{path}/certificate.json").data)
    keys = [Verifier.parse(key) for key in content["keys"]]
    says = read_certificate(content["certificates"][0].encode(), keys)
    assert says.subject == f"version:{document}/1"


def test_what_cannot_be_done_is_told_beside_the_form(world: World, officer: Visitor) -> None:
    document = world.deposited(b"stays")
    for fields, status in (
        ({"document": ABSENT, "reason": REASON, "act": "contain"}, 404),
        ({"document": document, "reason": "", "act": "contain"}, 400),
        ({"document": document, "reason": REASON, "act": "burn"}, 400),
    ):
        answer = officer.post("/custody", **fields)
        assert answer.status_code == status
        assert 'role="alert"' in answer.text
    begun(officer, document, "destroy")
    again = officer.post("/custody", document=document, reason=REASON, act="destroy")
    assert again.status_code == 409
    assert "requested already" in text_of(again)
