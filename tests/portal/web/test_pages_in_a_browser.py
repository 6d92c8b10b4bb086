"""Every macro in a real browser, under the portal's own headers: no report, no console error, no finding of axe."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from tests.portal.web.sample_app import make_app, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]

AXE = Path(__file__).parents[3] / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["/", "/?sheets=both", "/page/documents", "/page/upload", "/page/viewer", "/page/sign_in"]
WIDTHS = [1440, 390, 320]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
LISTEN = """
    window.reports = [];
    document.addEventListener("securitypolicyviolation",
        (event) => window.reports.push(event.violatedDirective + " " + event.blockedURI));
"""


@pytest.fixture(scope="module")
def app() -> Flask:
    return make_app()


@pytest.fixture(scope="module")
def address(app: Flask) -> Iterator[str]:
    with serving(app) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page at 1440 px that fails its test on any console error, uncaught error or policy report."""
    window = {"width": 1440, "height": 900}
    context = browser.new_context(base_url=address, viewport=window, reduced_motion="reduce")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    said: list[str] = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.add_init_script(LISTEN)
    yield page
    allowed = getattr(page, "allowed", "$^")
    assert [text for text in said if not re.search(allowed, text)] == []
    assert page.evaluate("window.reports") == []
    context.close()


def keep_screenshot(page: Page, path: str, width: int, theme: str) -> None:
    """Save a picture of the whole page where STRONGROOM_SCREENSHOTS says; the banner stands at its foot."""
    if folder := os.environ.get("STRONGROOM_SCREENSHOTS"):
        name = path.strip("/").replace("page/", "") or "macros"
        height = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
        page.screenshot(path=f"{folder}/{name}-{width}-{theme}.png", full_page=True)
        page.set_viewport_size({"width": width, "height": 900})


def settled(page: Page) -> None:
    page.wait_for_load_state("networkidle")
    if page.url.split("?")[0].endswith("/viewer"):
        expect(page.locator(".viewer-page canvas").first).to_be_visible()


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_is_accessible_and_fits(page, path, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(path)
    settled(page)
    # As high as the page: what the banner at the foot covers is scrolled to, and is not too small.
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate(AXE.read_text())
    for theme in ("light", "dark"):
        page.evaluate("(theme) => document.documentElement.dataset.bsTheme = theme", theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # On the style page each part stands more than once, by its nature.
        off = {"landmark-unique": {"enabled": not path.startswith("/?") and path != "/"}}
        found = page.evaluate("([tags, rules]) => axe.run(document, {runOnly: tags, rules})", [RULES, off])
        assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
        keep_screenshot(page, path, width, theme)


@pytest.mark.parametrize("path", PAGES)
def test_no_markup_carries_style_or_script_of_its_own(page, path):
    page.goto(path)
    html = page.request.get(path).text()
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style", html)
    assert not re.search(r"<script(?![^>]*\bnonce=)", html)


@pytest.mark.parametrize("path", PAGES)
def test_every_icon_of_a_page_is_in_the_sprite(page, path):
    page.goto(path)
    html = page.request.get(path).text()
    uses = set(re.findall(r'<use href="([^"#]+)#([^"]+)"', html))
    sprite = page.request.get(re.findall(r'name="icon-sprite" content="([^"]+)"', html)[0]).text()
    assert {name for _, name in uses} <= set(re.findall(r'<symbol id="([^"]+)"', sprite))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_reads_without_script(browser, address, path):
    context = browser.new_context(base_url=address, java_script_enabled=False)
    page = context.new_page()
    page.goto(path)
    expect(page.locator("main h1")).to_be_visible()
    if path == "/":
        page.locator("summary.who").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    context.close()


def test_htmx_swaps_what_carries_the_nonce(page):
    page.goto("/")
    page.locator("#swap").click()
    expect(page.locator("#swapped")).to_have_text("Swapped by htmx.")


def test_htmx_ignores_injected_markup(page):
    page.allowed = "no hx-nonce attribute"
    page.goto("/")
    page.evaluate(
        """() => {
            const injected = document.createElement("button");
            injected.id = "injected";
            injected.setAttribute("hx-post", "/fragment");
            document.querySelector("#target").append(injected);
            htmx.process(document.querySelector("#target"));
        }"""
    )
    assert page.locator("#injected").get_attribute("hx-post") is None


def test_a_script_from_a_string_is_stopped(page):
    page.allowed = "TrustedHTML|Trusted Type"
    page.goto("/")
    stopped = page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } }"
    )
    assert stopped
    page.evaluate("window.reports = []")


def test_escape_closes_a_menu_and_gives_the_focus_back(page):
    page.goto("/")
    page.locator("summary.who").click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.locator("details.menu[open]")).to_have_count(0)
    assert page.evaluate("document.activeElement.className") == "who"


def test_a_click_elsewhere_closes_a_menu(page):
    page.goto("/")
    page.locator("summary.who").click()
    page.locator("h1").click()
    expect(page.locator("details.menu[open]")).to_have_count(0)


def test_a_digest_is_copied_whole(page):
    page.goto("/")
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").startswith("7b0f4c19e2a8d3f506b1")


def test_the_marking_follows_the_choice(page):
    page.goto("/page/upload")
    marking = page.locator("output.marking")
    expect(marking).to_contain_text("NATO RESTRICTED")
    page.get_by_label("Australia").check()
    expect(marking).to_contain_text("RELEASABLE TO AUS")
    page.get_by_label("NATO UNCLASSIFIED").check()
    expect(page.get_by_text("Nothing unclassified is releasable.")).to_be_visible()
    page.get_by_label("Australia").uncheck()
    expect(marking).to_have_attribute("data-cls", "1")


def test_files_are_sent_each_as_a_raw_body_with_label_and_title(page, app):
    app.config["TAKEN"].clear()
    page.goto("/page/upload")
    page.locator("#upload-file").set_input_files(
        [
            {"name": "Grüße 1.txt", "mimeType": "text/plain", "buffer": b"one"},
            {"name": "b'(2).pdf", "mimeType": "application/pdf", "buffer": b"two" * 1000},
        ]
    )
    page.get_by_label("Title of Grüße 1.txt").fill("Greetings, Grüße")
    page.get_by_label("Australia").check()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("link", name="Receipt")).to_have_count(2)
    expect(page.locator("[data-upload-status]")).to_have_text("2 of 2 received whole")
    assert page.get_by_role("link", name="Receipt").first.get_attribute("href").startswith("/documents/d")
    taken = {len(each.content): each for each in app.config["TAKEN"]}
    one = taken[3]
    assert one.query == {"programme": "p1", "label": "NATO RESTRICTED RELEASABLE TO AUS"}
    assert one.headers["Content-Type"] == "application/octet-stream"
    assert one.headers["X-Csrftoken"]
    assert unquote(one.headers["Strongroom-Title"]) == "Greetings, Grüße"
    assert one.headers["Content-Disposition"] == "attachment; filename*=UTF-8''Gr%C3%BC%C3%9Fe%201.txt"
    assert taken[3000].headers["Content-Disposition"] == "attachment; filename*=UTF-8''b%27%282%29.pdf"
    assert taken[3000].content == b"two" * 1000


def test_what_cannot_be_taken_says_why_and_can_be_tried_again(page, app):
    page.allowed = "422"
    app.config["TAKEN"].clear()
    page.goto("/page/upload")
    page.locator("#upload-file").set_input_files(
        [
            {"name": "empty.txt", "mimeType": "text/plain", "buffer": b""},
            {"name": "large.bin", "mimeType": "text/plain", "buffer": b"0" * 5_000_001},
            {"name": "list.docm", "mimeType": "text/plain", "buffer": b"macro"},
        ]
    )
    expect(page.get_by_text("Not taken: the file is empty.")).to_be_visible()
    expect(page.get_by_text("Not taken: 5.0 MB is more than the limit.")).to_be_visible()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".file").get_by_text("Not taken: it contains macros.")).to_be_visible()
    expect(page.get_by_text("Save it as .docx and add it again.")).to_be_visible()
    assert app.config["TAKEN"] == []
    expect(page.get_by_role("button", name="Try again list.docm")).to_be_visible()


def test_a_lost_connection_is_told_and_retried(page, app):
    page.allowed = "ERR_"
    app.config["TAKEN"].clear()
    page.goto("/page/upload")
    page.locator("#upload-file").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"again"}
    )
    page.route("**/api/v1/documents*", lambda route: route.abort())
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator(".file").get_by_text("Not taken: The connection was lost.")).to_be_visible()
    page.unroute("**/api/v1/documents*")
    page.get_by_role("button", name="Try again a.txt").click()
    expect(page.locator(".file").get_by_text("Received whole.")).to_be_visible()
    assert [each.content for each in app.config["TAKEN"]] == [b"again"]


def test_a_sending_file_can_be_cancelled(page):
    page.goto("/page/upload")
    page.locator("#upload-file").set_input_files(
        {"name": "a.txt", "mimeType": "text/plain", "buffer": b"again"}
    )
    page.route("**/api/v1/documents*", lambda route: None)
    page.get_by_role("button", name="Send", exact=True).click()
    page.get_by_role("button", name="Cancel a.txt").click()
    expect(page.get_by_text("ready to send")).to_be_visible()


def test_a_pdf_is_drawn_page_by_page_as_it_comes_near(page):
    asked: list[str] = []
    page.on(
        "request",
        lambda request: (
            asked.append(request.headers.get("range", "")) if "/content/" in request.url else None
        ),
    )
    page.goto("/page/viewer?kind=long")
    expect(page.locator(".viewer-page")).to_have_count(3)
    expect(page.locator(".viewer-page canvas").first).to_be_visible()
    expect(page.locator(".text-layer").first).to_contain_text("Page 1 of the sample")
    assert asked
    assert all(each.startswith("bytes=") for each in asked)
    page.locator("#viewer-page").fill("3")
    page.keyboard.press("Enter")
    expect(page.locator(".viewer-page").nth(2).locator("canvas")).to_be_visible()
    expect(page.locator("[data-page-count]")).to_have_text("of 3")


def test_a_page_is_drawn_with_ink_on_it(page):
    page.goto("/page/viewer?kind=long")
    expect(page.locator(".viewer-page canvas").first).to_be_visible()
    dark = page.locator(".viewer-page canvas").first.evaluate(
        """(canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
            .filter((value, index) => index % 4 === 0 && value < 64).length"""
    )
    assert dark > 1000


def test_zooming_makes_pages_larger(page):
    page.goto("/page/viewer?kind=long")
    expect(page.locator(".viewer-page canvas").first).to_be_visible()
    before = page.locator(".viewer-page").first.bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator("[data-zoom]")).to_have_text("110%")
    assert page.locator(".viewer-page").first.bounding_box()["width"] > before


def test_text_is_shown_as_it_reads(page):
    page.goto("/page/viewer?kind=text")
    expect(page.locator(".viewer-text")).to_contain_text("Grüße aus Brüssel")


def test_a_refusal_in_the_viewer_says_what_the_portal_said(page):
    page.allowed = "403"
    page.goto("/page/viewer?kind=refused")
    expect(page.get_by_role("alert")).to_contain_text("You cannot open this document today.")
