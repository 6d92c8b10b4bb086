"""What stands around every page: appearance, the role acted as, counts, the foot, and errors in the same look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask import abort
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.errors import TooLarge, TooMany, Unavailable
from portal.http.routing import signed_in
from portal.web.frame import count_beside
from tests.portal import factories
from tests.portal.attack import Browser
from tests.portal.web.visitors import Visitor, links_of, sign_in, text_of
from tests.portal.worlds import BEGINNING, World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("frame") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def official(world: World) -> Visitor:
    return sign_in(world, "official")


def theme_of(page: TestResponse) -> str:
    found = re.search(r'<html[^>]*data-bs-theme="(\w+)"', page.text)
    return found[1] if found else ""


def test_a_theme_is_kept_for_the_browser_without_script(official: Visitor) -> None:
    assert theme_of(official.get("/account")) == ""
    answer = official.post("/appearance", theme="dark", back="/account?x=1")
    assert (answer.status_code, answer.location) == (303, "/account?x=1")
    page = official.get("/account")
    assert theme_of(page) == "dark"
    assert re.search(r'value="dark" aria-pressed="true"', page.text)
    official.post("/appearance", theme="", back="/account")
    assert theme_of(official.get("/account")) == ""


def test_an_appearance_that_is_none_changes_nothing(official: Visitor) -> None:
    assert official.post("/appearance", theme="pink").status_code == 400
    official.client.set_cookie("strongroom-theme", 'dark" onload="x')
    assert theme_of(official.get("/account")) == ""


@pytest.mark.parametrize(
    "back", ["https://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "http://[", ""]
)
def test_a_choice_never_leads_elsewhere(official: Visitor, back: str) -> None:
    assert official.post("/appearance", theme="", back=back).location == "/"


@pytest.fixture(scope="module")
def both(world: World) -> Browser:
    person = factories.add_person(
        world.runtime.database, world.organisation, name="Both", email="both@org.example"
    )
    for role in ("official", "administrator"):
        factories.add_role(world.runtime.database, person, role, start=BEGINNING)
    world.people["both"] = person
    return Browser.of(world, "both")


def test_whoever_holds_several_roles_acts_in_one_or_in_all(world: World, both: Browser) -> None:
    assert both.get("/administration/people").status_code == both.get("/documents").status_code == 200
    assert both.post("/role", {"role": "official"}).headers["Location"] == "/"
    assert "You act as official now." in text_of(both.client.get("/", follow_redirects=True))
    assert both.get("/administration/people").status_code == 403
    assert world.records(action="session.role")[0]["details"] == {"role": "official"}
    both.post("/role", {"role": ""})
    assert both.get("/administration/people").status_code == 200


def test_the_log_names_the_role_that_was_chosen(world: World, both: Browser) -> None:
    both.post("/role", {"role": "administrator"})
    both.get("/administration/people")
    assert world.records(action="account.manage", actor=world.people["both"])[-1]["role"] == "administrator"
    both.post("/role", {"role": ""})


@pytest.mark.parametrize(("role", "status"), [("auditor", 409), ("king", 400)])
def test_nobody_acts_in_a_role_that_they_do_not_hold(both: Browser, role: str, status: int) -> None:
    assert both.post("/role", {"role": role}).status_code == status
    assert both.get("/documents").status_code == 200


def test_the_menu_offers_no_choice_to_whoever_holds_one_role(official: Visitor) -> None:
    page = official.get("/account")
    assert 'action="/role"' not in page.text
    assert "Roles are given and ended by security officers" in page.text


def test_every_page_leads_to_help_recording_and_accessibility(world: World, official: Visitor) -> None:
    for client in (official.client, world.app.test_client()):
        page = client.get("/sign-in", follow_redirects=True)
        for words, path in (
            ("Help", "/help"),
            ("Privacy and recording", "/privacy"),
            ("Accessibility", "/accessibility"),
        ):
            assert links_of(page, words) == [path]
            assert client.get(path).status_code == 200


def test_help_speaks_of_what_ones_role_can_do(world: World, official: Visitor) -> None:
    assert "As an official" in text_of(official.get("/help"))
    assert "As an administrator" not in text_of(official.get("/help"))
    assert "As an" not in text_of(world.app.test_client().get("/help"))


def test_a_count_stands_beside_its_place_and_a_failing_one_does_not(world: World) -> None:
    def fails(_actor: object) -> str:
        raise Unavailable("The database is away.")

    app = create_app(world.runtime)
    count_beside(app, "administration.people", lambda actor: f"of {actor.assurance}")
    count_beside(app, "administration.status", fails)
    other = World(world.runtime, app, app.test_client(), "", "", "", "", world.people, world.tokens)
    page = Browser.of(other, "administrator").get("/account")
    assert page.status_code == 200
    assert re.search(r'Accounts <span class="n">of 2</span>', page.text)
    assert page.text.count('class="n"') == 1


SAID = {
    400: "Nothing was changed. Go back in your browser",
    403: "Nothing was opened or changed, and you did nothing wrong.",
    404: "There is no such page, or it is not open to you.",
    405: "Open the page from the navigation",
    413: "Nothing of it was kept.",
    429: "Nothing was lost. Wait a minute",
    500: "If it happens again, tell your administrator this number.",
    503: "Nothing was lost, and nothing was opened.",
}


@pytest.fixture(scope="module")
def failing(world: World) -> Browser:
    """A browser at the portal with a page for each error, which every page can run into."""
    app = create_app(world.runtime)
    errors = {413: TooLarge("Too large."), 429: TooMany("Too many."), 503: Unavailable("Not now.")}

    @signed_in()
    def fail(status: int) -> str:
        if status in errors:
            raise errors[status]
        if status == 500:
            raise RuntimeError("with a secret in it")
        abort(status)

    app.add_url_rule("/fail/<int:status>", "fail", fail, methods=["GET"])
    other = World(world.runtime, app, app.test_client(), "", "", "", "", world.people, world.tokens)
    return Browser.of(other, "official")


@pytest.mark.parametrize("status", sorted(SAID))
def test_an_error_says_what_happens_next_and_carries_a_number(failing: Browser, status: int) -> None:
    answer = {
        403: lambda: failing.get("/audit"),
        405: lambda: failing.get("/appearance"),
    }.get(status, lambda: failing.get(f"/fail/{status}"))()
    assert answer.status_code == status
    assert SAID[status] in text_of(answer)
    assert re.search(r"<span class=\"mono\" data-request>[0-9a-f-]{36}</span>", answer.text)
    assert "secret" not in answer.text
    assert 'class="topbar"' in answer.text
    assert "Back to the first page" in answer.text


def test_a_part_of_a_page_that_fails_is_told_within_the_page(failing: Browser) -> None:
    answer = failing.get("/fail/503", headers={"HX-Request": "true"})
    assert answer.status_code == 503
    assert "<html" not in answer.text
    assert "Not now." in answer.text


def test_a_form_of_a_session_that_has_ended_says_so(world: World) -> None:
    browser = Browser.of(world, "auditor")
    token = browser.token()
    browser.post("/sign-out")
    answer = browser.client.post("/account/tokens", data={"csrf_token": token, "name": "x", "days": "1"})
    assert answer.status_code == 401
    assert "Nothing of what you sent was taken." in text_of(answer)
    assert links_of(answer, "Sign in") == ["/sign-in"]


def test_the_style_page_shows_every_part_in_both_themes(official: Visitor) -> None:
    page = official.get("/_style")
    assert page.status_code == 200
    assert page.text.count('class="style-sheet"') == 1
    both = official.get("/_style?sheets=both").text
    assert re.findall(r'class="style-sheet" data-bs-theme="(\w+)"', both) == ["light", "dark"]
    ids = re.findall(r' id="([^"]+)"', both)
    assert len(ids) == len(set(ids))
    assert official.get("/_style?sheets=pink").status_code == 200


def test_the_style_page_names_every_part() -> None:
    templates = Path(__file__).parents[3] / "templates"
    shown = "".join((templates / "style" / name).read_text() for name in ("style.html", "sheet.html"))
    parts = {path.name for path in (templates / "parts").glob("*.html")}
    # Those have a page of their own in tests, need a script, or are a part of another one.
    apart = {"hx.html", "label_picker.html", "upload.html", "viewer.html", "found.html"}
    assert {name for name in parts - apart if f'"parts/{name}"' not in shown} == set()


def test_there_is_no_style_page_outside_a_demonstration(world: World) -> None:
    runtime = replace(world.runtime, settings=replace(world.runtime.settings, demonstration=False))
    app = create_app(runtime)
    other = World(runtime, app, app.test_client(), "", "", "", "", world.people, world.tokens)
    assert Browser.of(other, "official").get("/_style").status_code == 404
