"""The official in a browser: narrows and searches, comes back to the place, takes a selection along, reads."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.checking import axe_faults, keyboard_faults
from tests.journeys.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.fixture
def listed(visits: Visits) -> Iterator[Page]:
    """The list of documents, at 1440 px."""
    with visits.page("official", accept_downloads=True, viewport={"width": 1440, "height": 900}) as page:
        page.goto(f"{visits.demo.url}/documents")
        yield page


def titles(page: Page) -> list[str]:
    return page.locator("a.doc-title bdi").all_inner_texts()


def test_filters_are_added_and_removed_one_by_one(listed: Page) -> None:
    page = listed
    page.locator("summary", has_text="Filter").click()
    page.get_by_label("Programme", exact=True).select_option(label="Harbour Watch")
    page.get_by_label("Label", exact=True).select_option("NATO RESTRICTED")
    page.get_by_role("button", name="Show", exact=True).click()
    chips = page.locator(".chips > .chip b")
    expect(chips).to_have_text(["Harbour Watch", "NATO RESTRICTED"])
    assert set(page.locator("td.programme").all_inner_texts()) == {"Harbour Watch"}
    page.get_by_label("Sort by").select_option("size")
    page.wait_for_url("**sort=size*")
    expect(page.get_by_role("columnheader", name="Size")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Remove filter: programme").click()
    expect(chips).to_have_text(["NATO RESTRICTED"])
    assert "sort=size" in page.url


def test_the_list_follows_what_is_typed_and_no_address_tells_the_words(listed: Page) -> None:
    page = listed
    page.locator("#q").press_sequentially("radar")
    expect(page.get_by_role("group", name="Filters")).to_contain_text("radar")
    assert titles(page)
    assert all("radar" in title.lower() for title in titles(page))
    assert "q=" in page.url
    assert "radar" not in page.url
    assert page.evaluate("document.activeElement.id") == "q"
    page.fill("#q", "nothing that any title begins with")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()
    page.fill("#q", "")
    expect(page.get_by_role("group", name="Filters")).not_to_contain_text("Title")
    assert len(titles(page)) > 10


def test_the_banner_follows_the_list(visits: Visits, listed: Page) -> None:
    page = listed
    page.goto(f"{visits.demo.url}/documents?sort=-label")
    expect(page.locator("#banner-top")).to_have_text("NATO SECRET")
    page.locator("#q").press_sequentially("site survey")
    expect(page.locator("#banner-top")).to_have_text("NATO UNCLASSIFIED")
    expect(page.locator("#banner-foot")).to_have_text("NATO UNCLASSIFIED")


def test_one_comes_back_from_a_document_to_where_one_was(listed: Page) -> None:
    page = listed
    page.locator("#q").press_sequentially("coastal")
    expect(page.get_by_role("group", name="Filters")).to_contain_text("coastal")
    before = titles(page)
    page.locator("a.doc-title").last.click()
    page.wait_for_url(re.compile("/documents/[0-9a-f-]+$"))
    page.go_back()
    expect(page.locator("#q")).to_have_value("coastal")
    assert titles(page) == before
    page.locator("a.doc-title").last.click()
    page.get_by_label("You are here").get_by_role("link", name="Documents").click()
    expect(page.locator("tr:target")).to_contain_text(before[-1])
    assert titles(page) == before


def test_a_selection_comes_as_one_zip(listed: Page) -> None:
    page = listed
    bar = page.locator(".chosen-bar")
    expect(bar).to_be_hidden()
    boxes = page.locator("tbody input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(2).check()
    expect(bar).to_contain_text("2 chosen")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 2
    page.get_by_role("button", name="Choose none").click()
    expect(bar).to_be_hidden()
    page.get_by_role("checkbox", name="Choose all on this page").check()
    expect(bar).to_contain_text(f"{boxes.count()} chosen")


def test_the_list_works_without_script(visits: Visits) -> None:
    with visits.page("official", java_script_enabled=False, accept_downloads=True) as page:
        page.goto(f"{visits.demo.url}/documents")
        page.locator("tbody input[type=checkbox]").first.check()
        expect(page.locator(".chosen-bar")).to_be_visible()
        with page.expect_download():
            page.get_by_role("button", name="Download as ZIP").click()
        page.get_by_label("Sort by").select_option("size")
        page.get_by_role("button", name="Sort", exact=True).click()
        page.wait_for_url("**sort=size*")
        page.locator("summary", has_text="Filter").click()
        page.get_by_label("Label", exact=True).select_option("NATO RESTRICTED")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".chips > .chip b")).to_have_text(["NATO RESTRICTED"])
        page.fill("#q", "coastal")
        page.press("#q", "Enter")
        expect(page.get_by_role("group", name="Filters")).to_contain_text("coastal")
        assert "coastal" not in page.url


def test_two_tabs_keep_their_own_lists(listed: Page, visits: Visits) -> None:
    other = listed.context.new_page()
    other.goto(f"{visits.demo.url}/documents?label=NATO+RESTRICTED")
    listed.get_by_label("Sort by").select_option("size")
    listed.wait_for_url("**sort=size*")
    other.reload()
    assert "sort" not in other.url
    expect(other.locator(".chips > .chip b")).to_have_text(["NATO RESTRICTED"])


def test_a_document_is_read_and_says_why(listed: Page) -> None:
    page = listed
    page.locator("#q").press_sequentially("interface control")
    expect(page.get_by_role("group", name="Filters")).to_contain_text("interface control")
    page.locator("a.doc-title").first.click()
    page.wait_for_selector(".viewer-page canvas")
    page.get_by_text("Why can I open this?").click()
    expect(page.get_by_text("every rule that applies permits it")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Version 1").click()
    expect(page.get_by_text("This is version 1 of")).to_be_visible()
    page.get_by_role("link", name="Open the newest version").click()
    expect(page.get_by_text("this one")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 390, 320])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_menu_selection_and_search_are_accessible_when_open(visits: Visits, theme: str, width: int) -> None:
    with visits.page("official", color_scheme=theme, viewport={"width": width, "height": 5000}) as page:
        page.goto(f"{visits.demo.url}/documents")
        page.locator("tbody input[type=checkbox]").first.check()
        page.locator("summary", has_text="Filter").click()
        assert axe_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.keyboard.press("Escape")
        if width == 390:
            page.evaluate("document.activeElement.blur()")
            assert keyboard_faults(page) == []


def test_an_ended_session_sends_a_search_to_the_sign_in_and_back(visits: Visits) -> None:
    with visits.page("official", "Failed to load resource") as page:
        page.goto(f"{visits.demo.url}/documents?label=NATO+RESTRICTED")
        page.context.clear_cookies()
        page.locator("#q").press_sequentially("coastal")
        page.wait_for_url(re.compile(r"/sign-in\?next=/documents"))
