"""The partner in a browser: sends files with labels of their own, through every fault, and sees what became of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.journeys.checking import axe_faults, keyboard_faults
from tests.journeys.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]
REFUSED = "Failed to load resource"


@pytest.fixture
def sending(visits: Visits) -> Iterator[Page]:
    """The upload page with programme and label chosen; what a fault test breaks off may be reported as not loaded."""
    with visits.page("partner", REFUSED) as page:
        page.goto(f"{visits.demo.url}/send")
        page.select_option("#programme", visits.demo.programmes[0]["id"])
        page.check("input[name=classification][value=RESTRICTED]")
        expect(page.locator("output.marking")).to_contain_text("NATO RESTRICTED")
        yield page


def file(name: str, content: bytes = b"content") -> Any:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def unique(words: str) -> str:
    return f"{words} {uuid.uuid4().hex[:8]}"


def send(page: Page) -> None:
    page.get_by_role("button", name="Send", exact=True).click()


def rows(page: Page) -> Locator:
    return page.locator("[data-upload-row]")


def found(visits: Visits, page: Page, title: str) -> int:
    """Return how many documents of this title the list finds."""
    page.goto(f"{visits.demo.url}/documents")
    page.fill("#q", title)
    page.press("#q", "Enter")
    page.wait_for_url("**/documents?q=*")
    return page.locator("a.doc-title").count()


def test_a_partner_sends_several_files_with_labels_of_their_own(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Harbour survey")
    page.locator("#upload-file").set_input_files(
        [file("one.txt"), file("\u05ea\u05d5\u05db\u05e0\u05d9\u05ea.txt"), file("x" * 200)]
    )
    page.get_by_label("Title of one.txt").fill(title)
    page.get_by_label("Label of one.txt").select_option("NATO UNCLASSIFIED")
    send(page)
    expect(page.locator("[data-upload-status]")).to_have_text("3 of 3 received whole")
    with page.expect_navigation():
        page.get_by_role("link", name="Receipt of one.txt").click()
    expect(page.get_by_role("heading", name="Received whole")).to_be_visible()
    expect(page.locator("main .label-solid")).to_have_text("NATO UNCLASSIFIED")
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    assert title in download.value.path().read_text("utf-8")
    page.emulate_media(media="print")
    expect(page.locator(".topbar")).to_be_hidden()
    expect(page.get_by_text("SHA-256")).to_be_visible()


def test_a_second_click_sends_nothing_twice(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Twice")
    page.locator("#upload-file").set_input_files([file("one.txt")])
    page.get_by_label("Title of one.txt").fill(title)
    page.get_by_role("button", name="Send", exact=True).dblclick()
    expect(page.locator("[data-upload-status]")).to_have_text("1 of 1 received whole")
    send(page)
    assert found(visits, page, title) == 1


def test_a_lost_connection_is_said_and_the_file_sent_again(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Cut off")
    page.locator("#upload-file").set_input_files([file("one.txt")])
    page.get_by_label("Title of one.txt").fill(title)
    page.route("**/api/v1/documents?*", lambda route: route.abort(), times=1)
    send(page)
    expect(rows(page)).to_contain_text("The connection was lost.")
    expect(page.get_by_label("Title of one.txt")).to_have_value(title)
    page.get_by_role("button", name="Try again one.txt").click()
    expect(rows(page)).to_contain_text("Received whole.")
    assert found(visits, page, title) == 1


def test_a_lost_answer_makes_no_second_document(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Answer lost")

    def lose(route: Route) -> None:
        route.fetch()
        route.abort()

    page.locator("#upload-file").set_input_files([file("one.txt")])
    page.get_by_label("Title of one.txt").fill(title)
    page.route("**/api/v1/documents?*", lose, times=1)
    send(page)
    expect(rows(page)).to_contain_text("The connection was lost.")
    page.get_by_role("button", name="Try again one.txt").click()
    expect(rows(page)).to_contain_text("Received whole.")
    assert page.get_by_role("link", name="Receipt of one.txt").is_visible()
    assert found(visits, page, title) == 1


def test_a_session_that_ends_meanwhile_loses_nothing_of_the_form(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Session ended")
    page.locator("#upload-file").set_input_files([file("one.txt")])
    page.get_by_label("Title of one.txt").fill(title)
    cookies = page.context.cookies()
    page.context.clear_cookies()
    send(page)
    expect(rows(page)).to_contain_text("Your session has ended.")
    assert page.get_by_role("link", name="Sign in").get_attribute("target") == "_blank"
    expect(page.get_by_label("Title of one.txt")).to_have_value(title)
    # Signed in again in another tab; the token of this page is of the old session.
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.evaluate("document.querySelector('meta[name=csrf-token]').content = 'of another session'")
    page.get_by_role("button", name="Try again one.txt").click()
    expect(rows(page)).to_contain_text("Received whole.")
    assert found(visits, page, title) == 1


def test_sending_can_be_cancelled_and_taken_up_again(sending: Page) -> None:
    page = sending
    page.locator("#upload-file").set_input_files([file("large.bin", b"x" * 3_000_000)])
    held: list[Route] = []
    page.route("**/api/v1/documents?*", lambda route: held.append(route), times=1)
    send(page)
    page.get_by_role("button", name="Cancel large.bin").click()
    expect(rows(page)).to_contain_text("ready to send")
    send(page)
    expect(rows(page)).to_contain_text("Received whole.")


def test_the_long_list_of_the_picker_is_found_by_typing_and_shows_what_is_chosen(sending: Page) -> None:
    page = sending
    filtering = page.get_by_role("searchbox", name="Find in: Who outside may it go to?")
    filtering.fill("swed")
    filtering.press("Enter")
    chosen = page.locator("[data-choices-chosen]")
    expect(chosen).to_contain_text("Sweden")
    expect(page.locator("output.marking")).to_contain_text("NATO RESTRICTED Releasable to Sweden")
    filtering.fill("nothing of this name")
    expect(page.get_by_text("None has this in its name.")).to_be_visible()
    filtering.fill("")
    page.get_by_role("button", name="Leave out Sweden").click()
    expect(chosen).to_be_hidden()
    expect(page.locator("output.marking")).not_to_contain_text("Sweden")
    assert page.evaluate("document.activeElement.type") == "search"


def test_nothing_is_sent_without_a_file_or_a_label(visits: Visits) -> None:
    with visits.page("partner") as page:
        page.goto(f"{visits.demo.url}/send")
        page.select_option("#programme", visits.demo.programmes[0]["id"])
        send(page)
        expect(page.locator("[data-upload-status]")).to_have_text("Add at least one file.")
        page.locator("#upload-file").set_input_files([file("one.txt"), file("empty.txt", b"")])
        expect(page.get_by_text("Not taken: the file is empty.")).to_be_visible()
        send(page)
        expect(page.locator("[data-upload-status]")).to_have_text("Choose a label first.")
        assert page.evaluate("document.activeElement.name") == "classification"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_filled_upload_page_is_accessible(visits: Visits, theme: str) -> None:
    with visits.page("partner", color_scheme=theme, viewport={"width": 390, "height": 2400}) as page:
        page.goto(f"{visits.demo.url}/send")
        page.check("input[name=classification][value=RESTRICTED]")
        page.locator("#upload-file").set_input_files([file("one.txt"), file("empty.txt", b"")])
        page.get_by_role("searchbox", name="Find in").fill("swed")
        page.get_by_role("searchbox", name="Find in").press("Enter")
        expect(page.locator("[data-choices-chosen]")).to_be_visible()
        assert axe_faults(page) == []
        assert keyboard_faults(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_delivery_shows_on_the_first_page_and_who_opened_it(visits: Visits, sending: Page) -> None:
    page, title = sending, unique("Opened soon")
    page.locator("#upload-file").set_input_files([file("one.txt", b"To be read")])
    page.get_by_label("Title of one.txt").fill(title)
    send(page)
    expect(rows(page)).to_contain_text("Received whole.")
    page.goto(visits.demo.url)
    assert page.url.endswith("/deliveries")
    delivery = page.locator("li", has=page.get_by_role("link", name=title)).first
    expect(delivery).to_contain_text("Not opened yet")
    with visits.page("official", accept_downloads=True) as reader:
        found(visits, reader, title)
        reader.locator("a.doc-title").click()
        with reader.expect_download():
            reader.get_by_role("link", name="Download").first.click()
    page.reload()
    expect(delivery).to_contain_text("Opened by Capability Programme Office")
    delivery.get_by_role("link", name=title).click()
    expect(page.get_by_role("region", name="Who has opened it")).to_contain_text(
        "Capability Programme Office"
    )
    page.get_by_role("link", name="Send a new version").click()
    page.locator("#upload-file").set_input_files([file("two.txt", b"Second")])
    send(page)
    expect(rows(page)).to_contain_text("Received whole.")
