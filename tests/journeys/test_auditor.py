"""The auditor's journeys in a browser: from the timeline to an entry, a person, a document, an export; with and without
script, by mouse and by keyboard.
"""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]
# A browser on a busy machine may take longer than the five seconds that Playwright waits by itself.
expect.set_options(timeout=20_000)
SIZES = ({"width": 1440, "height": 900}, {"width": 390, "height": 844})


def open_filter(page: Page) -> None:
    page.locator(".filter-box > summary").click()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: str(size["width"]))
def test_from_a_refusal_to_the_person_the_document_and_the_export(
    visits: Visits, size: dict[str, int]
) -> None:
    with visits.page("auditor", viewport=size, accept_downloads=True) as page:
        page.goto(f"{visits.demo.url}/audit?last=31d")
        open_filter(page)
        page.locator("#decision").select_option("deny")
        page.locator("#action").select_option(label="Downloads")
        page.get_by_role("button", name="Show entries").click()
        expect(page.locator("h1")).to_have_text("Timeline")
        expect(page.locator("span.chip").filter(has_text="Decision")).to_contain_text("refused")
        refused = page.locator("li.entry.refused").first
        expect(refused).to_contain_text("was refused permission to download document")
        assert page.locator("li.entry:not(.refused)").count() == 0

        number = refused.locator(".entry-no a").inner_text()
        refused.locator(".entry-no a").press("Enter")
        expect(page.locator("h1")).to_have_text(re.compile(f"Entry {re.sub('[^0-9,]', '', number)}"))
        expect(page.locator(".state").filter(has_text="Proof verified")).to_be_visible()
        exact = page.locator("pre.record").first.inner_text()
        assert json.loads(exact)["decision"] == "deny"
        assert page.locator("button.btn-copy").first.get_attribute("data-copy") == exact

        page.locator(".told b a").first.click()
        expect(page.get_by_role("heading", name="Documents that they read")).to_be_visible()
        expect(
            page.locator(".tile").filter(has_text="Refusals of documents").locator("dd").first
        ).not_to_have_text("0")
        page.go_back()
        page.locator(".told a.num").click()
        expect(page.locator("h1")).to_have_text(re.compile("Who has seen [0-9a-f]{8}"))
        expect(page.get_by_role("heading", name="Versions")).to_be_visible()

        page.get_by_role("main").get_by_role("link", name="Export").click()
        expect(page.get_by_text("What it holds")).to_be_visible()
        # Before its script has run the form is sent as without script: then nothing is said of progress.
        page.wait_for_load_state()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        lines = download.value.path().read_bytes().splitlines()
        records = json.loads(lines[-1])["footer"]["records"]
        assert records == len(lines) - 1 > 0
        news = page.get_by_role("status").filter(has_text="is whole")
        expect(news).to_contain_text(f"{records:,} records")
        news.get_by_role("link").click()
        expect(page.locator(".told")).to_contain_text("exported the access log")


def test_a_name_is_enough_to_find_somebody_and_stands_in_no_address(visits: Visits) -> None:
    with visits.page("auditor") as page:
        page.goto(f"{visits.demo.url}/audit?last=all")
        open_filter(page)
        page.fill("#who", "halvorsen")
        page.get_by_role("button", name="Show entries").click()
        expect(page.locator("span.chip")).to_contain_text("Ingrid Halvorsen")
        assert "alvorsen" not in page.url
        page.fill("#q", "Halvorsen")
        page.press("#q", "Enter")
        expect(page.locator("h1")).to_have_text("Ingrid Halvorsen")
        assert "alvorsen" not in page.url


def test_chart_and_table_hold_the_same_without_script(visits: Visits) -> None:
    with visits.page("auditor", java_script_enabled=False) as page:
        page.goto(f"{visits.demo.url}/audit?last=31d")
        expect(page.locator("figure.hours svg")).to_be_visible()
        expect(page.locator(".as-table")).to_be_hidden()
        page.locator("label", has_text="Table").click()
        expect(page.locator("figure.hours")).to_be_hidden()
        rows = page.locator(".as-table tbody tr")
        assert rows.count() == 32
        accesses = [int(text.replace(",", "")) for text in rows.locator("td:nth-child(2)").all_inner_texts()]
        expect(page.locator(".key").first).to_have_text(re.compile(f"{sum(accesses):,} accesses"))
        rows.filter(has=page.locator("td", has_text=re.compile("^[1-9]"))).first.locator("a").click()
        assert {"from", "to"} <= parse_qs(urlsplit(page.url).query).keys()
        expect(page.locator("span.chip")).to_contain_text("Time")


def test_filter_and_export_work_without_script(visits: Visits) -> None:
    with visits.page("auditor", java_script_enabled=False, accept_downloads=True) as page:
        page.goto(f"{visits.demo.url}/audit")
        open_filter(page)
        page.get_by_label("From and until").check()
        page.locator("#from").fill("2026-01-01T00:00")
        page.get_by_role("button", name="Show entries").click()
        expect(page.locator("span.chip")).to_contain_text("from 1 Jan 2026, 00:00 UTC")
        page.get_by_role("main").get_by_role("link", name="Export").click()
        page.get_by_label("CSV").check()
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        assert b'"footer"' in download.value.path().read_bytes().splitlines()[-1]


def test_an_export_that_is_stopped_says_so(visits: Visits) -> None:
    with visits.page("auditor") as page:
        page.goto(f"{visits.demo.url}/audit/export")

        # The answer waits until it is given up: what a slow line looks like.
        page.route("**/audit/export/download?*", lambda route: page.locator("[data-export-stop]").click())
        page.get_by_role("button", name="Export").click()
        expect(page.get_by_role("status").filter(has_text="Stopped")).to_be_visible()
        expect(page.locator("[data-export-progress]")).to_be_hidden()


def test_the_filter_is_reached_and_sent_by_keyboard(visits: Visits) -> None:
    with visits.page("auditor") as page:
        page.goto(f"{visits.demo.url}/audit")
        page.locator(".filter-box > summary").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.name") == "last"
        page.keyboard.press("ArrowRight")
        page.locator("#who").focus()
        page.keyboard.type("Wilk")
        page.keyboard.press("Enter")
        expect(page.locator("span.chip")).to_contain_text("Tomasz Wilk")
        assert parse_qs(urlsplit(page.url).query)["last"] == ["31d"]


def test_the_log_is_signed_and_says_how_far(visits: Visits) -> None:
    with visits.page("auditor") as page:
        page.goto(f"{visits.demo.url}/audit")
        page.get_by_role("main").get_by_role("link", name="Log health").click()
        expect(page.get_by_text("Signed and anchored.")).to_be_visible()
        note = page.locator("pre.record").first.inner_text()
        size = int(note.splitlines()[1])
        expect(page.locator(".facts").first).to_contain_text(f"{size:,} of")
