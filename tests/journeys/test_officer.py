"""The security officer in a browser: finds by typing, gives and ends, asks why; by keyboard, and without script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.checking import axe_faults, keyboard_faults, standing_faults
from tests.journeys.conftest import LOOKS, Visits
from tests.journeys.newcomers import Newcomer, make_newcomer

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]

LONG = "W" * 200
ARABIC = "توماس ويلك"


@pytest.fixture
def newcomer(visits: Visits) -> Newcomer:
    """Somebody whom nothing is granted yet."""
    return make_newcomer(visits)


def find_person(page: Page, url: str, words: str) -> None:
    page.goto(f"{url}/officer/people")
    page.fill("#people-q", words)
    page.press("#people-q", "Enter")
    page.wait_for_url("**q=*")
    assert words.split()[0].lower() not in page.url.lower()


def faults(page: Page) -> list[str]:
    return standing_faults(page) + axe_faults(page)


def fill_membership(page: Page) -> None:
    page.fill("#programme_q", "harbour")
    page.locator("#programme-found input[type=radio]").first.check()
    page.fill("#reason", "Order 12 of 24 November")


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_an_officer_finds_a_person_and_adds_them_to_a_programme_and_ends_it(
    visits: Visits, newcomer: Newcomer, width: int, theme: str
) -> None:
    window = {"width": width, "height": 900}
    with visits.page("officer", viewport=window, color_scheme=theme, reduced_motion="reduce") as page:
        find_person(page, visits.demo.url, newcomer.name)
        page.get_by_role("link", name=newcomer.name).click()
        page.get_by_role("link", name="Add to a programme").click()
        expect(page.locator("h1")).to_have_text("Add to a programme")
        fill_membership(page)
        page.fill("#until", "2031-05-03")
        assert faults(page) == []
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("h1")).to_have_text("Add to a programme: is that right?")
        for words in (newcomer.name, "Harbour", "Sat 3 May 2031", "Order 12 of 24 November"):
            expect(page.locator(".facts")).to_contain_text(words)
        assert faults(page) == []
        assert keyboard_faults(page) == []
        page.get_by_role("button", name="Add to a programme").click()
        expect(page.get_by_text("It is recorded with your name.")).to_be_visible()
        expect(page.locator("section", has_text="Programmes").last).to_contain_text("Order 12 of 24 November")
        assert faults(page) == []
        page.get_by_role("link", name="End Harbour").click()
        page.fill("#reason", "Left the programme")
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("h1")).to_have_text("End a membership: is that right?")
        assert faults(page) == []
        page.get_by_role("button", name="End the membership").click()
        expect(page.get_by_text("It has ended.")).to_be_visible()


def test_a_double_click_gives_once_and_going_back_does_not_give_again(
    visits: Visits, newcomer: Newcomer
) -> None:
    with visits.page("officer") as page:
        page.goto(f"{visits.demo.url}/officer/people/{newcomer.id}/memberships/new")
        fill_membership(page)
        page.get_by_role("button", name="Go on").dblclick()
        page.get_by_role("button", name="Add to a programme").dblclick()
        expect(page.get_by_text("It is recorded with your name.")).to_be_visible()
        expect(page.get_by_role("link", name="End Harbour")).to_have_count(1)
        with visits.failing(page, 409):
            page.go_back()
            expect(page.get_by_role("alert")).to_contain_text("holds the same for part of that time")


def test_a_second_tab_is_told_that_it_comes_late(visits: Visits, newcomer: Newcomer) -> None:
    url = f"{visits.demo.url}/officer/people/{newcomer.id}/memberships/new"
    with visits.page("officer") as page:
        tabs = [page, page.context.new_page()]
        for tab in tabs:
            tab.goto(url)
            fill_membership(tab)
            tab.get_by_role("button", name="Go on").click()
        tabs[0].get_by_role("button", name="Add to a programme").click()
        expect(tabs[0].get_by_text("It is recorded with your name.")).to_be_visible()
        with visits.failing(page, 409):
            tabs[1].get_by_role("button", name="Add to a programme").click()
        expect(tabs[1].get_by_role("alert")).to_contain_text("holds the same for part of that time")
        expect(tabs[1].locator("#reason")).to_have_value("Order 12 of 24 November")


def test_changing_ones_mind_leads_back_to_what_was_typed(visits: Visits, newcomer: Newcomer) -> None:
    with visits.page("officer") as page:
        page.goto(f"{visits.demo.url}/officer/people/{newcomer.id}/clearances/new")
        page.get_by_label("NATO RESTRICTED").check()
        page.fill("#authority", "NSA of Belgium")
        page.fill("#reason", "Certificate 4711")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("link", name="Change something").click()
        expect(page.get_by_label("NATO RESTRICTED")).to_be_checked()
        expect(page.locator("#authority")).to_have_value("NSA of Belgium")
        page.go_back()
        expect(page.locator("h1")).to_have_text("Grant a clearance: is that right?")
        page.go_forward()
        expect(page.locator("#reason")).to_have_value("Certificate 4711")


def test_everything_works_without_script(visits: Visits, newcomer: Newcomer) -> None:
    with visits.page("officer", java_script_enabled=False) as page:
        find_person(page, visits.demo.url, newcomer.name)
        page.get_by_role("link", name=newcomer.name).click()
        page.get_by_role("link", name="Add to a programme").click()
        page.fill("#programme_q", "harbour watch")
        page.get_by_role("button", name="Find programme").click()
        page.locator("#programme-found input[type=radio]").first.check()
        page.fill("#reason", "Order 12")
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Add to a programme").click()
        expect(page.get_by_text("It is recorded with your name.")).to_be_visible()


def test_a_person_is_found_and_opened_by_keyboard_alone(visits: Visits, newcomer: Newcomer) -> None:
    with visits.page("officer") as page:
        page.goto(f"{visits.demo.url}/officer/people")
        tab_to(page, "#people-q")
        page.keyboard.type(newcomer.name)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=*")
        tab_to(page, f"a[href*='{newcomer.id}']")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/{newcomer.id}")
        tab_to(page, "a[href*='/roles/new']")
        page.keyboard.press("Enter")
        page.wait_for_url("**/roles/new*")


def tab_to(page: Page, selector: str) -> None:
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(what) => document.activeElement.matches(what)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")


@pytest.mark.parametrize(("width", "theme"), [*LOOKS, (320, "light")])
def test_why_shows_every_rule_for_a_person_and_a_document_found_by_typing(
    visits: Visits, width: int, theme: str
) -> None:
    window = {"width": width, "height": 900}
    with visits.page("officer", viewport=window, color_scheme=theme, reduced_motion="reduce") as page:
        page.goto(f"{visits.demo.url}/officer/why")
        page.fill("#person_q", "tomasz")
        page.locator("#person-found input[type=radio]").first.check()
        page.fill("#document_q", "harbour")
        page.locator("#document-found input[type=radio]").first.check()
        assert faults(page) == []
        page.get_by_role("button", name="Explain").click()
        expect(page.locator("table.rules tbody tr")).to_have_count(15)
        expect(page.locator("#h-verdict")).to_contain_text("Tomasz Wilk")
        expect(page.get_by_text("Not shown in this role", exact=True)).to_be_visible()
        assert faults(page) == []


@pytest.mark.parametrize("name", [LONG, ARABIC])
def test_names_without_spaces_and_from_right_to_left_fit_everywhere(visits: Visits, name: str) -> None:
    somebody = make_newcomer(visits, name)
    with visits.page("officer", viewport={"width": 320, "height": 900}) as page:
        for path in ("people", f"people/{somebody.id}", f"people/{somebody.id}/roles/new"):
            page.goto(f"{visits.demo.url}/officer/{path}")
            assert standing_faults(page) == []
        page.goto(f"{visits.demo.url}/officer/why")
        page.fill("#person_q", name)
        expect(page.locator("#person-found input[type=radio]").first).to_be_visible()
        assert standing_faults(page) == []


def test_a_session_that_ends_under_an_open_form_says_what_became_of_it(
    visits: Visits, newcomer: Newcomer
) -> None:
    with visits.page("officer", java_script_enabled=False) as page:
        page.goto(f"{visits.demo.url}/officer/people/{newcomer.id}/roles/new")
        page.select_option("#role", "official")
        page.fill("#reason", "Order 12")
        page.context.clear_cookies()
        with visits.failing(page, 401):
            page.get_by_role("button", name="Go on").click()
            expect(page.get_by_text("Nothing of what you sent was taken.")).to_be_visible()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
