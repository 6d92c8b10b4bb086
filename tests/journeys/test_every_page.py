"""Every page that each role reaches, in every setting that people use: nothing broken, nothing out of reach.

`make pages`, a part of CI, looks at them once; `make journeys` at both themes and widths, at 320 px, at 200 % and
without script.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from playwright.sync_api import Page

from tests.journeys.checking import axe_faults, keyboard_faults, standing_faults
from tests.journeys.conftest import Visits
from tests.journeys.crawling import pages_from

pytestmark = [pytest.mark.browser, pytest.mark.thorough, pytest.mark.timeout(900)]

ROLES = (None, "partner", "official", "officer", "auditor", "administrator")
_BESIDE = ("/", "/account", "/_style")
"""Where pages are found: the first one, and what no navigation need lead to."""


@dataclass(frozen=True)
class Setting:
    """How somebody looks at a page, and which checks hold beside those of its frame."""

    name: str
    width: int
    theme: str = "light"
    axe: bool = True
    keyboard: bool = False

    def __str__(self) -> str:
        return self.name


USUAL = (Setting("1440-light", 1440, keyboard=True),)
OTHERS = (
    Setting("1440-dark", 1440, "dark"),
    Setting("390-light", 390, keyboard=True),
    Setting("390-dark", 390, "dark"),
    Setting("320-light", 320, axe=False),
    # A window of 1440 px at 200 % has room for 720 px of the page.
    Setting("200-percent", 720, axe=False),
)
# Without script axe-core does not run either; what it would see is the same markup.
WITHOUT_SCRIPT = (Setting("no-script", 1440, axe=False), Setting("no-script-390", 390, axe=False))


def look_at_everything(
    visits: Visits, role: str | None, settings: tuple[Setting, ...], *, script: bool = True
) -> dict[str, list[str]]:
    """Return the faults of each page that `role` reaches; a page is loaded once and turned to each setting."""
    faults: dict[str, list[str]] = {}
    with visits.page(role, java_script_enabled=script, reduced_motion="reduce") as page:
        starts = _BESIDE if role else ("/sign-in",)
        for url in pages_from(page.context.request, visits.demo.url, starts):
            page.goto(url)
            for setting in settings:
                if found := look_at(page, setting):
                    faults[f"{url} {setting}"] = found
    return faults


def look_at(page: Page, setting: Setting) -> list[str]:
    """Return the faults of the page that is open, in one setting."""
    page.set_viewport_size({"width": setting.width, "height": 900})
    page.emulate_media(color_scheme="dark" if setting.theme == "dark" else "light")
    # Where an earlier setting left the page, something may lie half behind the banner, which no target's size is.
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    found = standing_faults(page)
    if setting.axe:
        found += axe_faults(page)
    if setting.keyboard:
        found += keyboard_faults(page)
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_stands(visits: Visits, role: str | None) -> None:
    assert look_at_everything(visits, role, USUAL) == {}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_stands_in_every_setting(visits: Visits, role: str | None) -> None:
    assert look_at_everything(visits, role, OTHERS) == {}


@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_stands_in_the_setting_without_script(visits: Visits, role: str | None) -> None:
    assert look_at_everything(visits, role, WITHOUT_SCRIPT, script=False) == {}
