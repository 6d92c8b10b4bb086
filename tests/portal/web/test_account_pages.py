"""One's own account over HTTP: sessions, password, tokens; and the pages that lead to it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from portal.identity import totp
from tests.portal import factories
from tests.portal.attack import Browser
from tests.portal.factories import PASSWORD
from tests.portal.web.visitors import text_of
from tests.portal.worlds import World, build_world

NEW = "harbour lantern whistle"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("account") / "data")
    yield built
    built.runtime.close()


@pytest.fixture
def person(world: World) -> str:
    """Somebody of this test alone, by the name that `world.people` knows them by."""
    name = f"somebody{world.runtime.log.size()}"
    database = world.runtime.database
    world.people[name] = factories.add_person(
        database, world.company, name="Some Body", email=f"{name}@org.example"
    )
    world.totp[name] = factories.add_credential(database, world.people[name])
    return name


def changed(browser: Browser, current: str, new: str, again: str | None = None) -> TestResponse:
    return browser.post("/account/password", {"current": current, "new": new, "again": again or new})


def test_sessions_tell_where_and_when_and_all_others_end_at_once(world: World, person: str) -> None:
    here, elsewhere, third = (Browser.of(world, person) for _ in range(3))
    said = text_of(here.get("/account"))
    assert said.count("127.0.0.1") >= 3
    assert "This session, with a second factor" in said
    assert "just now" in said
    assert here.post("/account/sessions/end-others").status_code == 303
    assert "2 other sessions have ended." in text_of(here.get("/account"))
    assert [browser.get("/account").status_code for browser in (here, elsewhere, third)] == [200, 302, 302]
    assert "End all others" not in here.get("/account").text


def test_one_session_ends_and_a_second_click_changes_nothing(world: World, person: str) -> None:
    here, elsewhere = Browser.of(world, person), Browser.of(world, person)
    [path] = re.findall(r'action="(/account/sessions/[0-9a-f-]{36}/end)"', here.get("/account").text)
    assert [here.post(path).status_code for _ in range(2)] == [303, 303]
    assert elsewhere.get("/account").status_code == 302


def test_a_password_is_changed_by_whoever_knows_it_and_other_sessions_end(world: World, person: str) -> None:
    here, elsewhere = Browser.of(world, person), Browser.of(world, person)
    assert changed(here, PASSWORD, NEW).status_code == 303
    assert "One other session has ended; your tokens hold on." in text_of(here.get("/account"))
    assert elsewhere.get("/account").status_code == 302
    assert Browser(world).sign_in(person, password=PASSWORD).status_code == 401
    assert Browser(world).sign_in(person, password=NEW).status_code == 302
    records = world.records(action="account.password", actor=world.people[person])
    assert [record.get("outcome") for record in records] == [None, "complete"]
    assert all(NEW not in str(record) for record in world.records())


@pytest.mark.parametrize(
    ("current", "new", "again", "sentence"),
    [
        ("wrong password", NEW, NEW, "Your present password is not that one."),
        (PASSWORD, NEW, NEW + "x", "The two new passwords differ."),
        (PASSWORD, "short", "short", "12"),
        (PASSWORD, PASSWORD, PASSWORD, "The new password is the old one."),
    ],
)
def test_a_password_that_is_not_taken_says_why_beside_the_form(
    world: World, person: str, current: str, new: str, again: str, sentence: str
) -> None:
    browser = Browser.of(world, person)
    answer = changed(browser, current, new, again)
    assert (answer.status_code, sentence in text_of(answer)) == (400, True), text_of(answer)
    assert NEW not in answer.text
    assert Browser(world).sign_in(person).status_code == 302


def test_a_wrong_present_password_is_recorded_as_a_failed_sign_in(world: World, person: str) -> None:
    changed(Browser.of(world, person), "wrong password", NEW)
    record = world.records(action="session.refused")[-1]
    assert (record["actor"], record["details"]["problem"]) == (world.people[person], "wrong-password")


def test_a_token_is_shown_once_and_revoked(world: World, person: str) -> None:
    browser = Browser.of(world, person)
    made = browser.post("/account/tokens", {"name": "nightly <b>pull</b>", "days": "30"})
    [secret] = re.findall(r'data-copy="([^"]+)"', made.text)
    assert secret not in browser.get("/account").text
    assert "&lt;b&gt;pull" in made.text
    [path] = re.findall(r'action="(/account/tokens/[^"]+/revoke)"', made.text)
    assert browser.post(path).status_code == 303
    assert "Revoked" in text_of(browser.get("/account"))


@pytest.mark.parametrize(("name", "days"), [("", "30"), ("x", "0"), ("x", "soon"), ("x", "9999")])
def test_a_token_that_cannot_be_made_says_why_beside_the_form(
    world: World, person: str, name: str, days: str
) -> None:
    answer = Browser.of(world, person).post("/account/tokens", {"name": name, "days": days})
    assert answer.status_code == 400
    assert f'name="days" type="number" value="{days}"' in answer.text
    assert 'role="alert"' in answer.text


def test_a_one_time_link_is_set_up_by_scanning_or_by_typing(world: World) -> None:
    guest = factories.add_person(
        world.runtime.database, world.company, name="Guest", email="guest@org.example"
    )
    world.people["guest"] = guest
    link = f"/welcome/{world.runtime.links.create(guest, 1)}"
    browser = Browser(world)
    page = browser.get(link)
    assert "<svg" in page.text[page.text.index('class="qr"') :]
    assert "style=" not in page.text
    shared = re.findall(r'name="shared" value="([A-Z2-7]+)"', page.text)[0]
    assert " ".join(re.findall(".{1,4}", shared)) in text_of(page)
    typed = {"shared": shared, "password": NEW, "again": NEW, "code": "000000"}
    wrong = browser.post(link, {**typed, "again": "other"}, page=link)
    assert (wrong.status_code, "The two passwords differ." in text_of(wrong)) == (400, True)
    assert f'value="{shared}"' in wrong.text
    code = totp.code_at(shared, world.runtime.clock())
    done = browser.post(link, {**typed, "code": code}, page=link)
    assert done.status_code == 302
    assert "Your account is ready." in text_of(browser.get("/sign-in"))
    used = browser.get(link)
    assert (used.status_code, "Ask the person who sent it" in text_of(used)) == (404, True)


def test_sign_in_says_where_it_leads_and_whom_to_ask(world: World) -> None:
    led = world.app.test_client().get("/officer/people", follow_redirects=True)
    said = text_of(led)
    assert "Sign in to go on to the page that you asked for." in said
    assert "Lost your password or your device?" in said
    assert "Every view, download and refusal is recorded with your name" in said
