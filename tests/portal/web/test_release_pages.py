"""The pages on releases, originators' control and consents, over HTTP, on a whole installation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.portal import factories
from tests.portal.web.visitors import Visitor, doors_of, links_of, sign_in, text_of
from tests.portal.worlds import ABSENT, BEGINNING, World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("release-pages") / "data")
    levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
    factories.add_clearance(
        built.runtime.database, built.people["officer"], levels, {"Context": ["NATO"]}, start=BEGINNING
    )
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Visitor:
    return sign_in(world, "officer")


def test_a_document_is_chosen_by_its_number(world: World, officer: Visitor) -> None:
    document = world.deposited()
    page = officer.get("/policy/documents")
    assert links_of(officer.get("/policy"), "Releases") == ["/policy/documents"]
    assert "Titles are not shown" in text_of(page)
    offered = officer.post("/policy/documents", document_q=document[:8])
    assert document in offered.text
    told = officer.post_and_follow("/policy/documents", document=document)
    assert "It is released to nobody" in text_of(told)
    assert "Sarrazin" in text_of(told)
    assert "A deliverable" not in told.text
    why = officer.get(f"/officer/why?person={world.people['other']}&document={document}")
    assert links_of(why, "To whom it is released") == [f"/policy/documents/{document}"]


def test_a_document_is_released_and_the_release_ended(world: World, officer: Visitor) -> None:
    document = world.deposited()
    url = f"/policy/documents/{document}"
    found = officer.post(url, act="release", organisation_q="other", find="organisation")
    assert world.other_company in found.text
    told = officer.post_and_follow(url, act="release", organisation=world.other_company, reason="Asked for.")
    assert "It is released." in text_of(told)
    assert "Other Company" in text_of(told)
    assert world.get(f"/documents/{document}/content", "other").status_code == 200
    [end] = re.findall(r'action="(/policy/documents/[^"]+/releases/[^"]+/end)"', told.text)
    assert "It has ended." in text_of(officer.post_and_follow(end))
    assert world.get(f"/documents/{document}/content", "other").status_code == 404
    assert officer.post(end).status_code == 409


def test_control_and_consent_are_kept_and_what_they_refuse_is_told(world: World, officer: Visitor) -> None:
    document = world.deposited()
    url = f"/policy/documents/{document}"
    told = officer.post_and_follow(url, act="control", control_reason="Clause 7")
    assert "with the consent of its originator only" in text_of(told)
    refused = officer.post(url, act="release", organisation=world.other_company, reason="Asked for.")
    assert refused.status_code == 403
    assert "has not agreed" in text_of(refused)
    told = officer.post_and_follow(url, act="consent", to_act="release", reference="Letter 17")
    assert "Letter 17" in text_of(told)
    told = officer.post_and_follow(url, act="release", person=world.people["other"], reason="Asked for.")
    assert "with the consent of its originator" in text_of(told)


def test_a_wrong_form_comes_back_with_what_was_wrong(world: World, officer: Visitor) -> None:
    url = f"/policy/documents/{world.deposited()}"
    nobody = officer.post(url, act="release", reason="Asked for.")
    assert (nobody.status_code, "This names nobody." in text_of(nobody)) == (400, True)
    both = {"organisation": world.other_company, "person": world.people["other"]}
    assert "or several" in text_of(officer.post(url, act="release", reason="Asked for.", **both))
    assert officer.post(url, act="burn").status_code == 404
    assert officer.get(f"/policy/documents/{ABSENT}").status_code == 404


@pytest.mark.parametrize("who", ["partner", "official", "auditor", "administrator"])
def test_nobody_else_gets_in(world: World, who: str) -> None:
    visitor = sign_in(world, who)
    for method, path in doors_of(world, "releases"):
        answer = visitor.get(path) if method == "GET" else visitor.post(path)
        assert answer.status_code == 403, (who, path)
