"""The officer's question why somebody can or cannot open a document, over HTTP, on a whole installation."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.portal.web.visitors import Visitor, links_of, sign_in, text_of
from tests.portal.worlds import ABSENT, World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("why") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Visitor:
    return sign_in(world, "officer")


def test_why_shows_every_rule_with_its_verdict(world: World, officer: Visitor) -> None:
    document = world.deposited(title="Secret title of a plan")
    asked = {
        "document": f"http://localhost/documents/{document}",
        "action": "document.read",
        "assurance": "2",
    }
    page = officer.post_and_follow("/officer/why", person_q="restricted@org.example", **asked)
    said = text_of(page)
    assert "Restricted cannot open or download it: 1 of 15 rules refuses." in said
    assert "They are told nothing" in said
    assert page.text.count('<th scope="row" class="main small nowrap">') == 15
    assert page.text.count('class="is-no"') == 1
    assert "The person is a member of the programme Harbour Shield." in said
    assert "The document was delivered to the organisation Programme Office." in said
    assert "The least that would have to change" in said
    assert "Grant a clearance that adds SECRET to one that is held" in said
    assert "Secret title" not in page.text
    assert f'value="{world.people["restricted"]}" checked' in page.text
    record = world.records(action="access.explain")[-1]
    assert (record["target"], record["document"]) == (world.people["restricted"], document)
    permitted = officer.post_and_follow("/officer/why", person=world.people["official"], **asked)
    assert "Official can open or download it: no rule refuses." in text_of(permitted)
    weak = officer.post_and_follow(
        "/officer/why", person_q="official@org.example", **{**asked, "assurance": "1"}
    )
    assert "They are told why, as far as it concerns themselves." in text_of(weak)


def test_the_banner_stays_the_lowest_whatever_document_is_asked_about(world: World, officer: Visitor) -> None:
    document = world.deposited(label="NATO SECRET")
    page = officer.get(f"/officer/why?person={world.people['official']}&document={document}")
    assert re.findall(r'class="banner [^>]*data-cls="(\d)"', page.text) == ["1", "1"]
    assert 'class="label" data-cls="4"' in page.text


def test_why_begins_with_the_person_whose_page_one_comes_from(world: World, officer: Visitor) -> None:
    [url] = links_of(officer.get(f"/officer/people/{world.people['official']}"), "Why can they")
    assert "example" not in url
    assert f'value="{world.people["official"]}" checked' in officer.get(url).text


def test_why_finds_documents_by_number_and_by_programme_and_tells_no_title(
    world: World, officer: Visitor
) -> None:
    document = world.deposited(title="Secret title of a plan", label="NATO RESTRICTED")
    for typed in (document[:8], document, f"http://localhost/documents/{document}", "harbour"):
        part = officer.post("/officer/find/document", document_q=typed)
        assert f'value="{document}"' in part.text
        assert "NATO RESTRICTED · Harbour Shield" in text_of(part)
        assert "Secret title" not in part.text
    assert "No document has such a number" in text_of(
        officer.post("/officer/find/document", document_q="x y")
    )
    record = world.records(action="access.explain")[-1]
    assert record["details"]["filters"] == ["query"]


def test_a_question_is_built_step_by_step_without_script(world: World, officer: Visitor) -> None:
    document = world.deposited(label="NATO RESTRICTED")
    several = officer.post("/officer/why", person_q="offic", find="person", action="document.read")
    assert several.text.count('type="radio" name="person"') > 1
    chosen = officer.post(
        "/officer/why",
        person=world.people["official"],
        person_q="offic",
        document_q=document[:8],
        find="document",
        action="document.preview",
        assurance="1",
    )
    assert f'value="{world.people["official"]}" checked' in chosen.text
    assert f'value="{document}" checked' in chosen.text
    assert 'value="document.preview" selected' in chosen.text
    assert "Several match: choose one person." in text_of(
        officer.post("/officer/why", person_q="offic", document=document)
    )


@pytest.mark.parametrize(
    ("changed", "status", "sentence"),
    [
        ({"person_q": "Somebody"}, 400, "This names no person."),
        ({"person_q": "nobody@org.example"}, 400, "Nobody is called so."),
        ({"person_q": "", "person": ABSENT}, 404, "There is no such person."),
        ({"document": "the plan"}, 400, "This names no document."),
        ({"document": ABSENT}, 404, "There is no such document"),
        ({"action": "document.burn"}, 400, "This is nothing that is decided about a document."),
        ({"assurance": "9"}, 400, "There is no assurance 9."),
        ({"assurance": "much"}, 400, "There is no such sign-in."),
    ],
)
def test_a_question_that_cannot_be_answered_comes_back_with_the_reason(
    changed: dict[str, str], status: int, sentence: str, world: World, officer: Visitor
) -> None:
    asked = {"person_q": "official@org.example", "document": world.programme, "action": "document.read"}
    answer = officer.post("/officer/why", **{**asked, "assurance": "2", **changed})
    if answer.status_code == 303:
        answer = officer.get(answer.location)
    assert (answer.status_code, sentence in text_of(answer)) == (status, True), text_of(answer)
