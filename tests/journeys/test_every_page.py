"""Every page that each role reaches, in every setting that people use: nothing broken, nothing out of reach.

`make pages`, a part of CI, looks at them once; `make journeys` at both themes and widths, at 320 px, at 200 % and
without script.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.journeys.checking import axe_faults, keyboard_faults, standing_faults
from tests.journeys.conftest import Visits
from tests.journeys.crawling import pages_from

pytestmark = [pytest.mark.browser, pytest.mark.thorough, pytest.mark.timeout(600)]

ROLES = (None, "partner", "official", "official-restricted", "officer", "auditor", "administrator")
_BESIDE = ("/", "/account", "/_style")
"""Where pages are found: the first one, and what no navigation need lead to."""


@dataclass(frozen=True)
class Setting:
    """How somebody looks: the browser's options, and which checks hold."""

    name: str
    width: int
    theme: str = "light"
    scale: int = 1
    script: bool = True
    keyboard: bool = False

    def __str__(self) -> str:
        return self.name


USUAL = Setting("1440-light", 1440, keyboard=True)
OTHERS = (
    Setting("1440-dark", 1440, "dark"),
    Setting("390-light", 390, keyboard=True),
    Setting("390-dark", 390, "dark"),
    Setting("320-light", 320),
    # A window of 1440 px at 200 % has room for 720 px of the page.
    Setting("200-percent", 720, scale=2, keyboard=True),
    Setting("no-script", 1440, script=False),
)


def look_at_everything(visits: Visits, role: str | None, setting: Setting) -> dict[str, list[str]]:
    """Return the faults of each page that `role` reaches."""
    faults: dict[str, list[str]] = {}
    with visits.page(
        role,
        color_scheme=setting.theme,
        viewport={"width": setting.width, "height": 900 // setting.scale},
        device_scale_factor=setting.scale,
        java_script_enabled=setting.script,
        reduced_motion="reduce",
    ) as page:
        starts = _BESIDE if role else ("/sign-in",)
        for url in pages_from(page.context.request, visits.demo.url, starts):
            page.goto(url)
            found = standing_faults(page) + axe_faults(page)
            if setting.keyboard:
                found += keyboard_faults(page)
            if found:
                faults[url] = found
    return faults


@pytest.mark.parametrize("role", [role for role in ROLES if role != "official-restricted"])
def test_every_page_of_a_role_stands(visits: Visits, role: str | None) -> None:
    assert look_at_everything(visits, role, USUAL) == {}


@pytest.mark.parametrize("setting", OTHERS, ids=str)
@pytest.mark.parametrize("role", ROLES)
def test_every_page_of_a_role_stands_in_every_setting(
    visits: Visits, role: str | None, setting: Setting
) -> None:
    assert look_at_everything(visits, role, setting) == {}
