"""A partner's large file goes in pieces: over a broken line and a reload of the page, to one receipt."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.journeys.conftest import Visits

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]
_FIRST = """async ([url, size]) => {
  const headers = {
    "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream",
    "X-CSRFToken": document.querySelector('meta[name="csrf-token"]').content, "X-Test": "first",
  };
  return (await fetch(url, { method: "PATCH", headers, body: new Uint8Array(size) })).status;
}"""


def cut_off(route: Route) -> None:
    if route.request.method == "PATCH" and "x-test" not in route.request.headers:
        route.abort()
    else:
        route.continue_()


def choose(page: Page, url: str, programme: str) -> None:
    page.goto(f"{url}/send")
    page.select_option("#programme", programme)
    page.check("input[name=classification][value=RESTRICTED]")
    expect(page.locator("output.marking")).to_contain_text("NATO RESTRICTED")


def test_a_large_file_goes_on_after_a_broken_line_and_a_reload(visits: Visits, tmp_path: Path) -> None:
    large = tmp_path / f"survey-{uuid.uuid4().hex[:8]}.bin"
    large.write_bytes(bytes(5_000_000) + os.urandom(12_000_000))
    with visits.page("partner", "Failed to load resource") as page:
        choose(page, visits.demo.url, visits.demo.programmes[0]["id"])
        # The line takes 5 MB, and nothing after them.
        page.route("**/api/v1/uploads/*", cut_off)
        page.locator("#upload-file").set_input_files(large)
        with page.expect_response("**/api/v1/uploads") as begun:
            page.get_by_role("button", name="Send", exact=True).click()
        place = begun.value.headers["location"]
        expect(page.locator("[data-upload-row]")).to_contain_text("%")
        page.evaluate(_FIRST, [place, 5_000_000])
        page.unroute("**/api/v1/uploads/*")
        choose(page, visits.demo.url, visits.demo.programmes[0]["id"])
        waiting = page.locator("[data-upload-under-way]")
        expect(waiting).to_contain_text(f"{large.name}: 5.0 MB of 17.0 MB are in store")
        page.locator("#upload-file").set_input_files(large)
        expect(page.locator("[data-upload-row]")).to_contain_text("ready to go on")
        page.get_by_role("button", name="Send", exact=True).click()
        expect(page.locator("[data-upload-status]")).to_have_text("1 of 1 received whole", timeout=60_000)
        with page.expect_navigation():
            page.get_by_role("link", name=f"Receipt of {large.name}").click()
        expect(page.get_by_role("heading", name="Received whole")).to_be_visible()
