"""The main work of each role by keyboard alone, from sign-in to sign-out, at a desk and on a phone's width."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys.conftest import Visits, fresh_code
from tests.journeys.newcomers import make_newcomer

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]
_MOST = 250


def widths(desk: str, phone: str) -> Any:
    """Return the parameters: who works at a desk, who at a phone's width (in `make journeys` alone)."""
    return pytest.mark.parametrize(
        ("role", "width"),
        [
            pytest.param(desk, 1440, id="1440-light"),
            pytest.param(phone, 390, id="390-dark", marks=pytest.mark.thorough),
        ],
    )


def reach(page: Page, target: Locator) -> None:
    """Press Tab until the focus is on `target`; fails when it never comes there."""
    target.wait_for(state="attached")
    for _ in range(_MOST):
        if target.evaluate("node => node === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {target}")


def press(page: Page, target: Locator, key: str = "Enter") -> None:
    """Go to `target` with Tab, and press a key there."""
    reach(page, target)
    page.keyboard.press(key)


def write(page: Page, target: Locator, words: str) -> None:
    """Go to a field with Tab, and type."""
    reach(page, target)
    page.keyboard.type(words)


def place(page: Page, name: str) -> Locator:
    """Return a place of the navigation."""
    return page.locator(".side").get_by_role("link", name=name)


@contextmanager
def signed_in_and_out(visits: Visits, role: str, width: int) -> Iterator[Page]:
    """Sign in as a role by keyboard, and out again at the end."""
    person = visits.demo.people[role]
    window, theme = {"width": width, "height": 900}, "light" if width > 1000 else "dark"
    with visits.page(
        None, viewport=window, color_scheme=theme, reduced_motion="reduce", accept_downloads=True
    ) as page:
        page.goto(f"{visits.demo.url}/sign-in")
        write(page, page.locator("#email"), person["email"])
        write(page, page.locator("#password"), person["password"])
        write(page, page.locator("#code"), fresh_code(person))
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        yield page
        press(page, page.locator("summary.who"))
        press(page, page.get_by_role("button", name="Sign out"))
        page.wait_for_url("**/sign-in")


@widths("partner", "partner-other")
def test_a_partner_sends_a_document(visits: Visits, role: str, width: int) -> None:
    with signed_in_and_out(visits, role, width) as page:
        # Playwright hears of file choosers from the first listener on: a first press may come before it listens.
        page.on("filechooser", lambda _: None)
        press(page, place(page, "Send documents"))
        page.wait_for_url("**/send")
        write(page, page.locator("#programme"), visits.demo.programmes[0]["name"])
        press(page, page.locator("input[name=classification]").first, "Space")
        page.keyboard.press("ArrowDown")
        expect(page.locator("output.marking")).to_contain_text("NATO RESTRICTED")
        reach(page, page.locator("#upload-file"))
        with page.expect_file_chooser() as chooser:
            page.keyboard.press("Enter")
        content = {"name": "plan.txt", "mimeType": "text/plain", "buffer": b"By keyboard"}
        chooser.value.set_files([content])  # type: ignore[list-item]
        title = page.get_by_label("Title of plan.txt")
        reach(page, title)
        page.keyboard.press("Control+A")
        page.keyboard.type(f"Plan {uuid.uuid4().hex[:8]}")
        press(page, page.get_by_role("button", name="Send", exact=True))
        expect(page.locator("[data-upload-row]")).to_contain_text("Received whole.")
        press(page, page.get_by_role("link", name="Receipt of plan.txt"))
        expect(page.get_by_role("heading", name="Received whole")).to_be_visible()


@widths("official", "official-restricted")
def test_an_official_finds_reads_and_takes_along(visits: Visits, role: str, width: int) -> None:
    with signed_in_and_out(visits, role, width) as page:
        write(page, page.locator("#q"), "logistic support")
        expect(page.get_by_role("group", name="Filters")).to_contain_text("logistic support")
        press(page, page.locator("tbody input[type=checkbox]").first, "Space")
        with page.expect_download():
            press(page, page.get_by_role("button", name="Download as ZIP"))
        reach(page, page.get_by_role("button", name="Choose none"))
        page.keyboard.press("Enter")
        page.locator("body").evaluate("node => document.activeElement.blur()")
        press(page, page.locator("a.doc-title").first)
        page.wait_for_url("**/documents/*-*")
        press(page, page.get_by_text("Why can I open this?"))
        expect(page.get_by_text("every rule that applies permits it")).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("body").evaluate("node => document.activeElement.blur()")
        with page.expect_download():
            press(page, page.get_by_role("link", name="Download").first)


@widths("officer", "officer-second")
def test_an_officer_adds_somebody_to_a_programme(visits: Visits, role: str, width: int) -> None:
    newcomer = make_newcomer(visits)
    with signed_in_and_out(visits, role, width) as page:
        write(page, page.locator("#people-q"), newcomer.name)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=*")
        press(page, page.get_by_role("link", name=newcomer.name))
        press(page, page.get_by_role("link", name="Add to a programme"))
        write(page, page.locator("#programme_q"), "harbour")
        found = page.locator("#programme-found input[type=radio]").first
        found.wait_for()
        press(page, found, "Space")
        write(page, page.locator("#reason"), "Order 12")
        press(page, page.get_by_role("button", name="Go on"))
        press(page, page.get_by_role("button", name="Add to a programme"))
        expect(page.get_by_text("It is recorded with your name.")).to_be_visible()


@widths("auditor", "auditor-second")
def test_an_auditor_goes_from_a_refusal_to_its_entry_and_exports(
    visits: Visits, role: str, width: int
) -> None:
    with signed_in_and_out(visits, role, width) as page:
        press(page, page.locator(".filter-box > summary"))
        write(page, page.locator("#decision"), "refused")
        press(page, page.get_by_role("button", name="Show entries"))
        page.wait_for_url("**decision=deny*")
        press(page, page.locator("li.entry.refused .entry-no a").first)
        expect(page.locator("pre.record").first).to_contain_text('"decision":"deny"')
        press(page, place(page, "Export"))
        page.wait_for_url("**/audit/export")
        with page.expect_download():
            press(page, page.get_by_role("button", name="Export"))


@widths("administrator", "administrator")
def test_an_administrator_adds_and_invites_somebody(visits: Visits, role: str, width: int) -> None:
    number = uuid.uuid4().hex[:8]
    with signed_in_and_out(visits, role, width) as page:
        press(page, page.get_by_role("link", name="Add a person"))
        write(page, page.locator("#organisation_q"), "capab")
        found = page.locator("#organisation-found input[type=radio]").first
        found.wait_for()
        write(page, page.locator("#name"), f"Key {number}")
        write(page, page.locator("#email"), f"key.{number}@cpo.example")
        write(page, page.locator("#nation"), "BEL")
        press(page, page.get_by_role("button", name="Add the person"))
        press(page, page.get_by_role("button", name="Invite: make the link"))
        expect(page.locator("#link")).to_contain_text("/welcome/")
        press(page, place(page, "Status"))
        expect(page.locator(".tile")).to_have_count(5)
