"""What everybody meets in a browser: signing in and out, appearance, one's own account, errors, the style page."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import expect

from portal.identity import totp
from tests.journeys.checking import axe_faults, keyboard_faults, standing_faults
from tests.journeys.conftest import LOOKS, Visits
from tests.journeys.newcomers import PASSWORD, add_newcomer, enter, join

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]


@pytest.mark.parametrize("script", [True, False])
def test_an_appearance_is_chosen_in_the_menu_and_holds_from_the_first_byte(
    visits: Visits, script: bool
) -> None:
    with visits.page("auditor", java_script_enabled=script, color_scheme="light") as page:
        page.goto(f"{visits.demo.url}/help")
        page.locator("summary.who").click()
        page.get_by_role("button", name="Dark").click()
        page.wait_for_url("**/help")
        assert 'data-bs-theme="dark"' in page.request.get(f"{visits.demo.url}/help").text()
        background = "getComputedStyle(document.body).backgroundColor"
        if script:
            assert page.evaluate(background) == "rgb(18, 24, 31)"
        page.locator("summary.who").click()
        expect(page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
        page.get_by_role("button", name="As the system").click()
        page.wait_for_url("**/help")
        assert 'data-bs-theme="dark"' not in page.content()


@pytest.mark.parametrize(("width", "theme"), LOOKS)
def test_somebody_new_signs_in_by_keyboard_changes_the_password_and_signs_out(
    visits: Visits, width: int, theme: str
) -> None:
    url, look = visits.demo.url, {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    with visits.page("administrator") as page:
        newcomer = add_newcomer(page, url)
        page.get_by_role("button", name="Invite: make the link").click()
        link = page.locator("#link").inner_text()
    with visits.page(None, **look, reduced_motion="reduce") as page:
        join(page, newcomer, link)
        page.goto(f"{url}/sign-in")
        assert standing_faults(page) + axe_faults(page) + keyboard_faults(page) == []
        page.reload()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.focus("#email")
        page.keyboard.type(newcomer.email)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Tab")
        page.keyboard.type(totp.code_at(newcomer.secret, datetime.fromtimestamp(_soon(), UTC)))
        page.keyboard.press("Enter")
        page.wait_for_url("**/account")
        assert standing_faults(page) + axe_faults(page) == []
        page.fill("#current", PASSWORD)
        page.fill("#new", "whistle lantern harbour")
        page.fill("#again", "whistle lantern harbour")
        page.get_by_role("button", name="Set the new password").dblclick()
        expect(page.get_by_text("Your password is the new one.")).to_be_visible()
        page.locator("summary.who").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        page.go_back()
        assert "/sign-in" in page.url


def _soon() -> float:
    return datetime.now(UTC).timestamp() + totp.STEP


def test_one_ends_the_session_of_another_browser(visits: Visits) -> None:
    url = visits.demo.url
    with visits.page("administrator") as page:
        newcomer = add_newcomer(page, url)
        page.get_by_role("button", name="Invite: make the link").click()
        link = page.locator("#link").inner_text()
    with visits.page(None) as first:
        join(first, newcomer, link)
        enter(first, url, newcomer)
        expect(first.get_by_text("This session, with a second factor")).to_be_visible()
        expect(first.get_by_role("button", name="End all others")).to_have_count(0)
        first.fill("#name", "nightly pull")
        first.get_by_role("button", name="Make a token").dblclick()
        expect(first.get_by_text("Your token, shown this once.")).to_be_visible()
        assert standing_faults(first) + axe_faults(first) == []
        first.goto(f"{url}/account")
        first.get_by_role("button", name="Revoke nightly pull").click()
        expect(first.get_by_text("The token no longer holds.")).to_be_visible()


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/audit", 403), ("/appearance", 405)])
@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (320, "dark")])
def test_errors_have_the_same_look_and_say_what_happens_next(
    visits: Visits, path: str, status: int, width: int, theme: str
) -> None:
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": theme}
    with visits.page("officer", **look, reduced_motion="reduce") as page, visits.failing(page, status):
        page.goto(f"{visits.demo.url}{path}")
        expect(page.get_by_text("Number of this request")).to_be_visible()
        expect(page.get_by_role("link", name="Back to the first page")).to_be_visible()
        assert standing_faults(page) + axe_faults(page) == []


def test_the_style_page_stands_in_both_themes_at_once(visits: Visits) -> None:
    with visits.page("officer", reduced_motion="reduce") as page:
        page.goto(f"{visits.demo.url}/_style?sheets=both")
        expect(page.locator(".style-sheet")).to_have_count(2)
        assert standing_faults(page) + axe_faults(page) == []
