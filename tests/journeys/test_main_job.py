"""The main job in a browser: the partner sends the real files, the official reads them, the auditor sees it all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.journeys.conftest import Visits
from tests.shared import DOCUMENTS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
FILES = sorted(path for path in DOCUMENTS.iterdir() if path.name != "README.md") if DOCUMENTS.exists() else []


@pytest.fixture(scope="module")
def sent(visits: Visits) -> None:
    """The 29 real files, sent through the upload page in one go."""
    with visits.page("partner") as page:
        page.goto(f"{visits.demo.url}/send")
        page.select_option("#programme", visits.demo.programmes[0]["id"])
        page.set_input_files("#upload-file", [str(path) for path in FILES])
        page.check("input[name=classification][value=RESTRICTED]")
        page.get_by_text("Each page will read").wait_for()
        page.click("main button.btn-primary")
        page.get_by_text(f"{len(FILES)} of {len(FILES)} received whole").wait_for(timeout=120_000)
        assert page.locator("[data-upload-list] a", has_text="Receipt").count() == len(FILES)


@pytest.mark.usefixtures("sent")
def test_every_real_file_comes_down_byte_for_byte(visits: Visits, tmp_path: Path) -> None:
    programme = visits.demo.programmes[0]["id"]
    with visits.page("official", accept_downloads=True) as page:
        page.goto(f"{visits.demo.url}/documents?programme={programme}&sort=-created&limit=200")
        hrefs = [link.get_attribute("href") or "" for link in page.locator("a.doc-title").all()]
        links: dict[str, str] = {}
        for href in hrefs:
            if len(links) == len(FILES):
                break
            page.goto(visits.demo.url + href)
            name = page.locator("[data-file-name]").inner_text()
            if any(path.name == name for path in FILES):
                links.setdefault(name, href)
        for path in FILES:
            page.goto(visits.demo.url + links[path.name])
            with page.expect_download() as download:
                page.get_by_role("link", name="Download").first.click()
            target = tmp_path / path.name
            download.value.save_as(target)
            assert target.read_bytes() == path.read_bytes(), path.name
            assert download.value.suggested_filename == path.name


@pytest.mark.usefixtures("sent")
def test_restricted_official_finds_and_views_a_pdf(visits: Visits) -> None:
    with visits.page("official-restricted") as page:
        page.goto(f"{visits.demo.url}/documents")
        page.fill("#q", "testPDF_bad")
        page.press("#q", "Enter")
        assert "testPDF" not in page.url
        page.locator("a.doc-title", has_text="303226").click()
        page.wait_for_selector("canvas")
        assert page.get_by_text("of 19").is_visible()


def test_other_company_sees_neither_list_nor_document(visits: Visits) -> None:
    with visits.page("official") as page:
        page.goto(f"{visits.demo.url}/documents")
        href = page.locator("a.doc-title").first.get_attribute("href") or ""
    with visits.page(None) as page:
        page.goto(visits.demo.url + href)
        assert "/sign-in" in page.url


@pytest.mark.usefixtures("sent")
def test_auditor_sees_the_reads_and_exports_them(visits: Visits) -> None:
    with visits.page("auditor", accept_downloads=True) as page:
        page.goto(f"{visits.demo.url}/audit?action=document.read")
        assert page.locator("li.entry").count() >= 2
        assert page.get_by_text("downloaded document").first.is_visible()
        page.goto(f"{visits.demo.url}/audit/export")
        with page.expect_download() as download:
            page.get_by_role("button", name="Export").click()
        lines = download.value.path().read_bytes().splitlines()
        assert b'"footer"' in lines[-1]


def test_page_without_script_sends_a_document(visits: Visits) -> None:
    with visits.page("partner", java_script_enabled=False) as page:
        page.goto(f"{visits.demo.url}/send")
        page.select_option("#programme", visits.demo.programmes[0]["id"])
        page.check("input[name=classification][value=RESTRICTED]")
        page.get_by_role("button", name="Show the marking").click()
        assert page.locator("output.marking").inner_text().strip() == "NATO RESTRICTED"
        page.fill("#upload-title", "Sent without script")
        page.set_input_files("#upload-file", str(FILES[0]))
        page.get_by_role("button", name="Send", exact=True).click()
        page.get_by_role("heading", name="Received whole").wait_for()


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("role", ["partner", "official", "officer", "auditor", "administrator"])
def test_first_page_of_each_role_stands_without_errors(
    visits: Visits, role: str, theme: str, width: int
) -> None:
    with visits.page(role, color_scheme=theme, viewport={"width": width, "height": 900}) as page:
        page.goto(visits.demo.url)
        assert page.locator("h1").is_visible()
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0
