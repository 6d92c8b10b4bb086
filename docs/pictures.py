"""The documentation's pictures, taken from the running demonstration so that they stay true.

`python -m docs.pictures` (`make pictures`) builds a demonstration, walks its pages in Chromium and writes
`docs/pictures/NAME.webp`. `python -m docs.pictures NAME …` takes some of them only.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import CHROMIUM_ARGUMENTS
from tests.demonstration import Demo, start_demo
from tests.journeys.conftest import Visits
from tests.services import require_program

FOLDER = Path(__file__).parent / "pictures"
LARGEST, LARGEST_OF_ALL = 150_000, 2_000_000
"""Bytes of one picture, and of all together."""

_WIDTH, _HEIGHT, _SCALE = 1280, 800, 1.5
_QUALITY = 0.82
_CONTENT = {
    "Coastal radar node, interface control document.pdf": 2_400_000,
    "Mast loads under ice.xlsx": 310_000,
    "Site photographs, northern pier.zip": 18_600_000,
}
_LAPSED = "Radar recordings, night run"
_ENCODE = """async ([png, quality]) => {
    const image = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext("2d").drawImage(image, 0, 0);
    const bytes = new Uint8Array(await (await canvas.convertToBlob({type: "image/webp", quality})).arrayBuffer());
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
}"""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture: who looks, where, what they do there before it is taken."""

    name: str
    role: str | None
    path: str
    act: Callable[[Page, Demo], None] | None = None
    theme: str = "light"
    height: int = _HEIGHT
    errors: str = "$^"
    """What the browser may report meanwhile."""


def _view(page: Page, demo: Demo) -> None:
    """Open a document in the viewer."""
    page.goto(f"{demo.url}/documents/{demo.document('official', media_type='application/pdf')['id']}")
    page.locator(".viewer-page canvas").first.wait_for()


def _prepare_sending(page: Page, demo: Demo) -> None:
    """Choose a programme, files and a label, without sending."""
    page.select_option("#programme", demo.programmes[0]["id"])
    page.set_input_files(
        "#upload-file",
        [
            {"name": name, "mimeType": "application/octet-stream", "buffer": bytes(size)}
            for name, size in _CONTENT.items()
        ],
    )
    page.check("input[name=classification][value=RESTRICTED]")
    page.get_by_text("Each page will read").wait_for()
    page.evaluate("window.scrollTo(0, 0)")


def _first_person(page: Page, _demo: Demo) -> None:
    page.locator("main a[href*='/people/']", has_text="Delacroix").first.click()


def _ask_why(page: Page, demo: Demo) -> None:
    """Ask why the official with the lower clearance cannot open the newest document of the first programme."""
    document = demo.document("official", programme=demo.programmes[0]["id"])
    page.goto(
        f"{demo.url}/officer/why?person={demo.people['official-restricted']['id']}&document={document['id']}"
    )


def _refused(page: Page, demo: Demo) -> None:
    """Open a document for which the clearance has ended."""
    page.goto(f"{demo.url}/documents/{demo.document('official', title=_LAPSED)['id']}")


def _first_entry(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.url}{page.locator('main li.entry .entry-no a').first.get_attribute('href')}")


PICTURES = (
    Picture("sign-in", None, "/sign-in"),
    Picture("partner-home", "partner", "/"),
    Picture("upload", "partner", "/send", _prepare_sending, height=1200),
    Picture("official-documents", "official", "/documents"),
    Picture("document", "official", "/documents", _view),
    Picture("denied", "official-lapsed", "/documents", _refused, errors="status of 403"),
    Picture("officer-person", "officer", "/officer/people", _first_person),
    Picture("why", "officer", "/officer/why", _ask_why, height=1000),
    Picture("timeline", "auditor", "/audit", theme="dark"),
    Picture("entry", "auditor", "/audit?decision=deny", _first_entry),
    Picture("administrator", "administrator", "/administration/status"),
)


def take(browser: Browser, demo: Demo, pictures: Sequence[Picture]) -> dict[str, bytes]:
    """Return the pictures, by name, as WebP."""
    visits = Visits(browser, demo)
    blank = browser.new_page()
    taken = {}
    for picture in pictures:
        with visits.page(
            picture.role,
            picture.errors,
            color_scheme=picture.theme,
            viewport={"width": _WIDTH, "height": picture.height},
            device_scale_factor=_SCALE,
            reduced_motion="reduce",
            locale="en-GB",
            timezone_id="UTC",
        ) as page:
            page.goto(demo.url + picture.path)
            if picture.act is not None:
                picture.act(page, demo)
            page.wait_for_load_state("networkidle")
            shot = base64.b64encode(page.screenshot(animations="disabled", caret="hide")).decode()
        taken[picture.name] = base64.b64decode(blank.evaluate(_ENCODE, [shot, _QUALITY]))
    return taken


def main() -> None:
    """Take the pictures that the command line names, or all."""
    wanted = [picture for picture in PICTURES if picture.name in sys.argv[1:] or len(sys.argv) == 1]
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="strongroom-pictures-") as folder,
        sync_playwright() as playwright,
    ):
        demo = start_demo(Path(folder))
        browser = playwright.chromium.launch(
            executable_path=require_program("chromium"), args=CHROMIUM_ARGUMENTS
        )
        try:
            for name, content in take(browser, demo, wanted).items():
                (FOLDER / f"{name}.webp").write_bytes(content)
                print(f"{name:22} {len(content):>8,}")
        finally:
            browser.close()
            demo.stop()


if __name__ == "__main__":
    main()
