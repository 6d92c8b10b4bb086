"""What a browser fetches: the first visit, the page on which documents are sent, the viewer, and each again.

`python -m bench.visits` starts the demonstration and looks at it with Chromium; sizes are those on the line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Page, sync_playwright

from bench.figures import Figure, machine, show
from portal.web.assets import Assets
from tests.conftest import CHROMIUM_ARGUMENTS
from tests.demonstration import Demo, start_demo
from tests.journeys.conftest import sign_in
from tests.services import require_program

FIRST_KB, SENDING_KB, VIEWER_KB, PAGE_KB, AGAIN_KB = 200.0, 320.0, 750.0, 30.0, 0.0


@dataclass
class Fetched:
    """Bytes on the line: pages, documents' content and answers to scripts apart from the bundle's files."""

    pages: float = 0.0
    bundle: float = 0.0
    content: float = 0.0
    largest: float = 0.0
    kinds: dict[str, str] = field(default_factory=dict)

    def response(self, event: dict[str, Any]) -> None:
        url = event["response"]["url"]
        kind = "pages" if event["type"] == "Document" else "content"
        self.kinds[event["requestId"]] = "bundle" if "/static/" in url else kind

    def finished(self, event: dict[str, Any]) -> None:
        kind = self.kinds.get(event["requestId"], "content")
        size = event["encodedDataLength"] / 1000
        setattr(self, kind, getattr(self, kind) + size)
        if kind == "pages":
            self.largest = max(self.largest, size)


@contextmanager
def watched(context: BrowserContext, page: Page) -> Iterator[Fetched]:
    """Add up what the page fetches from the network; what comes from the browser's cache counts nothing."""
    fetched = Fetched()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.responseReceived", fetched.response)
    session.on("Network.loadingFinished", fetched.finished)
    yield fetched
    page.wait_for_load_state("networkidle")
    session.detach()


def measure(context: BrowserContext, demo: Demo) -> list[Figure]:
    """Visit as an official and as a partner, each with an empty cache, then go everywhere again."""
    page = context.new_page()
    shown = f"{demo.url}/documents/{demo.document('official', media_type='application/pdf')['id']}"
    with watched(context, page) as first:
        sign_in(page, demo, "official")
    with watched(context, page) as viewer:
        page.goto(shown)
        page.locator(".viewer-page canvas").first.wait_for()
    with watched(context, page) as again:
        for path in ("/documents", "/account", "/"):
            page.goto(demo.url + path)
        page.goto(shown)
        page.locator(".viewer-page canvas").first.wait_for()
    whole = first.bundle + first.pages
    # The worker fetches its own script, of which the page's session is told nothing.
    opened = viewer.bundle + viewer.largest + _worker()
    return [
        Figure("first visit: sign-in, first page and the bundle", whole, "kB", FIRST_KB),
        Figure("largest page of it", max(first.largest, viewer.largest), "kB", PAGE_KB),
        Figure(
            "the viewer, after it", opened, "kB", VIEWER_KB, note=f"and {viewer.content:.0f} kB of content"
        ),
        Figure("bundle fetched again on five pages", again.bundle, "kB", AGAIN_KB),
    ]


def _worker() -> float:
    assets = Assets.load()
    return (assets.static_dir / f"{assets.files['pdf.worker.js']}.br").stat().st_size / 1000


def sending(context: BrowserContext, demo: Demo) -> Figure:
    """The page on which documents are sent, by itself with an empty cache."""
    page = context.new_page()
    sign_in(page, demo, "partner")
    context.new_cdp_session(page).send("Network.clearBrowserCache")
    with watched(context, page) as fetched:
        page.goto(f"{demo.url}/send")
        page.wait_for_load_state("networkidle")
    total = fetched.bundle + fetched.pages + fetched.content
    return Figure("sending documents, with an empty cache", total, "kB", SENDING_KB)


def main() -> None:
    print(machine())
    with tempfile.TemporaryDirectory(prefix="strongroom-visits-") as folder, sync_playwright() as playwright:
        demo = start_demo(Path(folder))
        chromium = require_program("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_ARGUMENTS)
        try:
            figures = measure(browser.new_context(), demo)
            show([*figures, sending(browser.new_context(), demo)])
        finally:
            browser.close()
            demo.stop()


if __name__ == "__main__":
    main()
