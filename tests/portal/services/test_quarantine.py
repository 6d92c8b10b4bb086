"""What is kept back is admitted by two officers only, and every step is in the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from policies.requests import Role
from portal.errors import Conflict, NotFound, NotPermitted
from portal.services.actor import Actor
from tests.portal import factories
from tests.portal.web.visitors import sign_in
from tests.portal.worlds import BEGINNING, World, build_world


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[World, str]]:
    """An installation that keeps files with an encrypted content back, officers who are cleared, and such a file."""
    world = build_world(tmp_path / "data", content={"encrypted": "quarantine"})
    for name in ("officer", "officer-second"):
        levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
        factories.add_clearance(
            world.runtime.database, world.people[name], levels, {"Context": ["NATO"]}, start=BEGINNING
        )
    answer = world.deposit(b"age-encryption.org/v1\n-> X25519 abc\n", name="design.age")
    assert (answer.json["standing"], answer.json["scan"]) == ("quarantined", "not-scanned")
    yield world, answer.json["id"]
    world.runtime.close()


def officer(world: World, name: str) -> Actor:
    return Actor(world.people[name], world.organisation, 2, f"session-{name}", role=Role.OFFICER, request="r")


def test_two_officers_admit_a_document_and_one_cannot(kept: tuple[World, str]) -> None:
    world, document = kept
    service, first, second = (
        world.runtime.quarantine,
        officer(world, "officer"),
        officer(world, "officer-second"),
    )
    (item,) = service.kept_back(first)
    assert (item.document_id, item.number, item.found.reasons) == (document, 1, ("encrypted",))
    made = service.propose(first, document, 1, "The password came by courier.")
    with pytest.raises(NotPermitted):
        service.admit(first, made)
    (item,) = service.kept_back(second)
    with pytest.raises(NotPermitted):
        service.approve(first, made, item.digest)
    with pytest.raises(Conflict):
        service.approve(second, made, "0" * 64)
    assert world.get(f"/documents/{document}", "official").status_code == 404
    service.approve(second, made, item.digest)
    service.admit(first, made)
    shown = world.get(f"/documents/{document}", "official").json
    assert (shown["scan"], shown["versions"][0]["notices"]) == ("excepted", ["encrypted", "held"])
    assert world.get(f"/documents/{document}/content", "official").status_code == 200
    assert service.kept_back(first) == []
    (record,) = world.records(action="document.quarantine", outcome=None)
    assert (record["details"]["standing"], record["details"]["proposal"]) == ("admitted", made)


def test_officer_who_is_not_cleared_sees_and_decides_nothing(tmp_path: Path) -> None:
    world = build_world(tmp_path / "data", content={"encrypted": "quarantine"})
    document = world.deposit(b"age-encryption.org/v1\n-> X25519 abc\n").json["id"]
    assert world.runtime.quarantine.kept_back(officer(world, "officer")) == []
    with pytest.raises(NotFound):
        world.runtime.quarantine.refuse(officer(world, "officer"), document, 1, "No.")
    world.runtime.close()


def test_document_that_is_refused_stays_and_its_sender_is_told(kept: tuple[World, str]) -> None:
    world, document = kept
    world.runtime.quarantine.refuse(officer(world, "officer"), document, 1, "Send it without a password.")
    assert world.get(f"/documents/{document}", "partner").status_code == 404
    sender = Actor(world.people["partner"], world.company, 2, "session-p", role=Role.PARTNER, request="r")
    receipt = world.runtime.receipts.of(sender, document, 1)
    assert receipt.version.standing == "refused"
    other = Actor(
        world.people["official"], world.organisation, 2, "session-o", role=Role.OFFICIAL, request="r"
    )
    with pytest.raises(NotFound):
        world.runtime.receipts.of(other, document, 1)


def test_refused_content_is_not_stored(tmp_path: Path) -> None:
    world = build_world(tmp_path / "data", content={"encrypted": "refuse"})
    answer = world.deposit(b"age-encryption.org/v1\n-> X25519 abc\n")
    assert answer.status_code == 400
    assert "not taken here" in answer.json["detail"]
    assert not list(world.runtime.settings.blob_folder.rglob("part-*"))
    world.runtime.close()


def test_page_shows_what_is_kept_back_and_takes_decisions(kept: tuple[World, str]) -> None:
    world, document = kept
    browser = sign_in(world, "officer")
    page = browser.get("/quarantine").text
    assert document in page
    assert "nothing can look inside" in page
    answer = browser.post("/quarantine", document=document, number="1", act="propose", reason="Known.")
    assert answer.status_code == 303, answer.text
    assert "another security officer approves it" in browser.get("/quarantine").text
    answer = browser.post("/quarantine", document="none", number="x", act="refuse", reason="Known.")
    assert answer.status_code in (400, 404)
