"""Sending in the browser over HTTP: the form without script, nothing taken twice, what a page asks for beside it."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.portal import factories
from tests.portal.attack import Browser, fields, open_copy, recorded
from tests.portal.web.visitors import text_of
from tests.portal.worlds import BEGINNING, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    copy = open_copy(tmp_path / "data")
    yield copy
    copy.runtime.close()


def send(browser: Browser, path: str = "/send", **form: Any) -> TestResponse:
    """Send the plain form as a browser does, the file last."""
    values = {
        "csrf_token": browser.token(),
        "programme": browser.world.programme,
        "title": "Harbour plan",
        "classification": "RESTRICTED",
        **form,
        "file": (io.BytesIO(form.pop("content", b"Plan")), "plan.txt"),
    }
    return browser.client.post(path, data={name: value for name, value in values.items() if value != ""})


def documents(world: World, who: str = "partner") -> list[str]:
    return [item["id"] for item in world.get("/documents", who).json["items"]]


# Nothing twice


def test_the_plain_form_sent_twice_makes_one_document(world: World) -> None:
    partner = Browser.of(world, "partner")
    key = fields(partner.get("/send"))["key"]
    first, second = (send(partner, key=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert len(documents(world)) == 1


def test_each_form_has_a_key_of_its_own(world: World) -> None:
    partner = Browser.of(world, "partner")
    one, other = (fields(partner.get("/send"))["key"] for _ in range(2))
    assert one != other
    send(partner, key=one)
    send(partner, key=other)
    assert len(documents(world)) == 2


def test_a_version_sent_twice_is_taken_once(world: World) -> None:
    document = world.deposited(name="plan.txt")
    partner = Browser.of(world, "partner")
    assert fields(partner.get(f"/documents/{document}/send"))["version"] == "2"
    for _ in range(2):
        answer = send(partner, f"/documents/{document}/send", version="2", content=b"Second")
        assert answer.location == f"/documents/{document}/versions/2/receipt"
    assert world.get(f"/documents/{document}", "partner").json["version"] == 2


def test_a_version_that_somebody_else_sent_meanwhile_is_said_to_be_there(world: World) -> None:
    document = world.deposited(name="plan.txt")
    database = world.runtime.database
    colleague = factories.add_person(
        database, world.company, name="Colleague", email="colleague@org.example", nation="FRA"
    )
    factories.add_role(database, colleague, "partner", start=BEGINNING)
    factories.add_membership(database, colleague, world.programme, start=BEGINNING)
    factories.add_clearance(
        database, colleague, ("RESTRICTED", "SECRET"), {"Context": ["NATO"]}, start=BEGINNING
    )
    world.people["colleague"] = colleague
    path = f"/documents/{document}/send"
    assert send(Browser.of(world, "colleague"), path, version="2").status_code == 303
    answer = send(Browser.of(world, "partner"), path, version="2")
    assert answer.status_code == 409
    assert "Version 2 arrived meanwhile" in text_of(answer)


def test_a_key_that_is_used_again_over_the_api_answers_with_the_first_receipt(world: World) -> None:
    headers = world.headers("partner", **{"Idempotency-Key": "one"})
    path, first = "/api/v1/documents", {}
    for status in (201, 200):
        form = {"programme": world.programme, "title": "Plan", "label": "NATO RESTRICTED"}
        with recorded(world) as records:
            answer = world.client.post(
                path, data={**form, "file": (io.BytesIO(b"Plan"), "plan.txt")}, headers=headers
            )
        assert answer.status_code == status
        first = first or answer.json
        assert answer.json == first
        assert records
    assert len(documents(world)) == 1


def test_a_key_is_its_senders_alone(world: World) -> None:
    found = set()
    for who in ("partner", "other"):
        answer = world.client.post(
            "/api/v1/documents",
            data={
                "programme": world.programme,
                "title": "Plan",
                "label": "NATO RESTRICTED",
                "file": (io.BytesIO(b"Plan"), "plan.txt"),
            },
            headers=world.headers(who, **{"Idempotency-Key": "one"}),
        )
        assert answer.status_code == 201
        found.add(answer.json["id"])
    assert len(found) == 2


def test_a_key_that_is_too_long_is_refused(world: World) -> None:
    answer = world.client.post(
        "/api/v1/documents", data=b"x", headers=world.headers("partner", **{"Idempotency-Key": "k" * 101})
    )
    assert answer.status_code == 400


def test_an_upload_whose_answer_was_lost_is_found_by_its_key(world: World) -> None:
    partner = Browser.of(world, "partner")
    assert partner.post("/send/arrived", {"key": "one"}).json == {}
    location = send(partner, key="one").location
    with recorded(world) as records:
        found = partner.post("/send/arrived", {"key": "one"}).json
    assert location == f"/documents/{found['id']}/versions/1/receipt"
    assert [record["action"] for record in records] == ["document.show"]
    assert Browser.of(world, "other").post("/send/arrived", {"key": "one"}).json == {}


# Without script


def test_the_marking_is_shown_without_script_and_no_address_carries_the_title(world: World) -> None:
    partner = Browser.of(world, "partner")
    page = partner.post(
        "/send/label",
        {
            "programme": world.programme,
            "title": "Harbour plan",
            "classification": "RESTRICTED",
            "tag:Releasable To": "SWE",
            "key": "one",
        },
    )
    assert page.status_code == 200
    assert "NATO RESTRICTED Releasable to Sweden" in text_of(page)
    kept = fields(page)
    assert (kept["title"], kept["key"]) == ("Harbour plan", "one")
    assert re.search(r'value="RESTRICTED"[^>]* checked', page.text)
    form = partner.get("/send").text
    assert 'formmethod="get"' not in form


def test_chosen_ones_come_first_in_a_long_list(world: World) -> None:
    database = world.runtime.database
    released = factories.add_person(
        database, world.company, name="Released", email="released@org.example", nation="SWE"
    )
    factories.add_role(database, released, "partner", start=BEGINNING)
    factories.add_membership(database, released, world.programme, start=BEGINNING)
    held = {"Context": ["NATO"], "Releasable To": ["SWE"]}
    factories.add_clearance(database, released, ("UNCLASSIFIED", "RESTRICTED"), held, start=BEGINNING)
    world.people["released"] = released
    page = Browser.of(world, "released").post(
        "/send/label", {"classification": "RESTRICTED", "tag:Releasable To": "SWE"}
    )
    values = re.findall(r'name="tag:Releasable To" value="(\w+)"', page.text)
    assert values[0] == "SWE"
    assert len(values) > 50


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"classification": ""}, "No classification was chosen."),
        ({"title": " "}, "title"),
        ({"programme": "", "programme_name": "Nowhere"}, "No programme of yours has this name."),
        ({"classification": "COSMIC"}, ""),
    ],
)
def test_what_is_wrong_comes_back_with_everything_else_as_it_was(
    world: World, wrong: dict[str, str], sentence: str
) -> None:
    partner = Browser.of(world, "partner")
    answer = send(partner, **{"title": "Harbour plan", "key": "one", **wrong})
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert "nothing was stored" in text_of(answer)
    assert fields(answer)["key"] == "one"
    assert documents(world) == []


def test_a_form_whose_session_has_ended_is_refused_and_says_what_to_do(world: World) -> None:
    partner = Browser.of(world, "partner")
    token = partner.token()
    partner.post("/sign-out")
    answer = partner.client.post(
        "/send", data={"csrf_token": token, "file": (io.BytesIO(b"Plan"), "plan.txt")}
    )
    assert answer.status_code == 401
    assert "Sign in" in text_of(answer)


# Beside the page


def test_a_page_that_stood_open_gets_the_token_of_the_new_session(world: World) -> None:
    partner = Browser.of(world, "partner")
    token = partner.get("/send/token").json["token"]
    answer = partner.client.post(
        "/send/marking", data={"classification": "RESTRICTED"}, headers={"X-CSRFToken": token}
    )
    assert answer.json == {"marking": "NATO RESTRICTED", "lacv": 2, "problems": []}
    assert Browser(world).client.get("/send/token", headers={"HX-Request": "true"}).status_code == 401


def test_only_what_the_person_may_use_is_offered(world: World) -> None:
    page = Browser.of(world, "partner").get("/send")
    assert re.findall(r'name="classification" value="(\w+)"', page.text) == [
        "UNCLASSIFIED",
        "RESTRICTED",
        "CONFIDENTIAL",
        "SECRET",
    ]
    # Offered beside some classifications only: the page lets it go when another is chosen.
    assert 'data-stands-with="' in page.text
