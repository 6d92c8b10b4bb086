"""The administrator in a browser: adds people and programmes, invites, locks, ends sessions, sees health."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import expect

from tests.journeys.checking import axe_faults, standing_faults
from tests.journeys.conftest import LOOKS, Visits
from tests.journeys.newcomers import add_newcomer, enter, join

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_a_person_is_invited_joins_is_signed_out_and_locked(visits: Visits, width: int, theme: str) -> None:
    url, window = visits.demo.url, {"width": width, "height": 900}
    look = {"viewport": window, "color_scheme": theme, "reduced_motion": "reduce"}
    with visits.page("administrator", **look) as page, visits.page(None, **look) as theirs:
        newcomer = add_newcomer(page, url)
        page.get_by_role("button", name="Invite: make the link").click()
        link = page.locator("#link").inner_text()
        expect(page.get_by_role("button", name="Copy")).to_be_visible()
        assert standing_faults(page) + axe_faults(page) == []
        page.goto(f"{url}/administration/people/{newcomer.id}")
        assert link not in page.content()

        theirs.goto(link)
        expect(theirs.get_by_role("img", name="QR code")).to_be_visible()
        assert standing_faults(theirs) + axe_faults(theirs) == []
        join(theirs, newcomer, link)
        enter(theirs, url, newcomer)
        expect(theirs.get_by_role("heading", name="Sign-in and sessions")).to_be_visible()

        page.reload()
        page.get_by_role("link", name="their sessions").click()
        page.get_by_role("button", name=f"End the session of {newcomer.name}").dblclick()
        expect(page.get_by_text("Nobody is signed in")).to_be_visible()
        theirs.reload()
        assert "/sign-in" in theirs.url

        page.goto(f"{url}/administration/people/{newcomer.id}")
        page.get_by_role("link", name="Lock the account").click()
        page.wait_for_url("**/lock")
        assert standing_faults(page) + axe_faults(page) == []
        page.get_by_role("button", name="Lock").click()
        expect(page.get_by_text("Nobody signs in to this account while it is locked.")).to_be_visible()
        page.get_by_role("button", name="Unlock the account").click()
        expect(page.get_by_text("they sign in as before")).to_be_visible()


def test_an_organisation_and_its_programme_are_added_and_found_by_name(visits: Visits) -> None:
    number = uuid.uuid4().hex[:8]
    with visits.page("administrator") as page:
        page.goto(f"{visits.demo.url}/administration/organisations/new")
        page.fill("#name", f"Atlas {number}")
        page.fill("#nation", "DNK")
        page.get_by_role("button", name="Add the organisation").dblclick()
        expect(page.get_by_text("The organisation is there.")).to_be_visible()
        page.goto(f"{visits.demo.url}/administration/programmes/new")
        page.fill("#name", f"Clear Span {number}")
        page.fill("#organisation_q", number)
        expect(page.locator("#organisation-found input[type=radio]")).to_be_checked()
        page.get_by_role("button", name="Add the programme").click()
        page.get_by_text("The programme is there.").wait_for()
        page.fill("#name-q", number)
        page.press("#name-q", "Enter")
        page.wait_for_url("**q=*")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody")).to_contain_text(f"Atlas {number}")
        page.goto(f"{visits.demo.url}/administration/organisations")
        page.fill("#name-q", f"atlas {number}")
        page.press("#name-q", "Enter")
        page.wait_for_url("**q=*")
        page.locator("summary", has_text="Change").click()
        page.get_by_role("button", name="Deactivate").click()
        expect(page.get_by_text("nobody of it gets in any more")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_status_says_what_to_do(visits: Visits, theme: str) -> None:
    with visits.page("administrator", color_scheme=theme, reduced_motion="reduce") as page:
        page.goto(f"{visits.demo.url}/administration/status")
        expect(page.locator(".tile")).to_have_count(5)
        for part in ("Storage", "Keys", "Log", "Queue", "Security policy"):
            expect(page.get_by_role("rowheader", name=part, exact=True)).to_be_visible()
        assert standing_faults(page) + axe_faults(page) == []
