"""People whom an administrator adds, for journeys that change what somebody holds or signs in with."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page

from portal.identity import totp
from tests.journeys.conftest import Visits

PASSWORD = "lantern harbour whistle"


@dataclass
class Newcomer:
    """Somebody new: the number and name of the account, and what they sign in with once they have joined."""

    id: str
    name: str
    email: str
    secret: str = ""


def add_newcomer(page: Page, url: str, name: str = "") -> Newcomer:
    """Add a person through the administrator's pages, whose session `page` has; leaves the account's page open."""
    number = uuid.uuid4().hex[:8]
    name = name or f"Nora {number}"
    page.goto(f"{url}/administration/people/new")
    page.fill("#organisation_q", "capab")
    page.locator("#organisation-found input[type=radio]").first.wait_for()
    page.fill("#name", name)
    page.fill("#email", f"nora.{number}@cpo.example")
    page.fill("#nation", "BEL")
    page.get_by_role("button", name="Add the person").click()
    page.wait_for_url(lambda to: not to.endswith("/new"))
    return Newcomer(page.url.rpartition("/")[2], name, f"nora.{number}@cpo.example")


def make_newcomer(visits: Visits, name: str = "") -> Newcomer:
    """Add a person, in a visit of the administrator."""
    with visits.page("administrator") as page:
        return add_newcomer(page, visits.demo.url, name)


def join(page: Page, newcomer: Newcomer, link: str) -> None:
    """Set up the sign-in with a one-time link."""
    page.goto(link)
    newcomer.secret = page.input_value("input[name=shared]")
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.fill("#code", totp.code_at(newcomer.secret, datetime.now(UTC)))
    page.get_by_role("button", name="Set up").click()
    page.get_by_text("Your account is ready.").wait_for()


def enter(page: Page, url: str, newcomer: Newcomer, password: str = PASSWORD) -> None:
    """Sign in once more after joining: the code of the moment is used up, the next one is taken early."""
    page.goto(f"{url}/sign-in")
    page.fill("#email", newcomer.email)
    page.fill("#password", password)
    page.fill("#code", totp.code_at(newcomer.secret, datetime.now(UTC) + timedelta(seconds=totp.STEP)))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda to: "/sign-in" not in to)
