"""What goes wrong around a page: the portal restarts under it, answers are lost, sessions end, titles are monstrous."""

from __future__ import annotations

import uuid
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.demonstration import start_demo
from tests.journeys.checking import axe_faults, keyboard_faults, standing_faults
from tests.journeys.conftest import Visits
from tests.journeys.newcomers import add_newcomer, enter, join

pytestmark = [pytest.mark.browser, pytest.mark.journey, pytest.mark.timeout(240)]

UNBROKEN = "W" * 200
ARABIC = "خطة المراقبة الساحلية ٢٠٢٦"
UNREACHABLE = "Failed to load resource|Failed to fetch|net::ERR"


def restart(visits: Visits) -> None:
    """Stop the demonstration and start it again at its address; what was open in browsers stays open."""
    demo = visits.demo
    demo.stop()
    port = int(demo.url.rpartition(":")[2])
    demo.process = start_demo(demo.data.parent, port).process


def test_a_restart_of_the_portal_under_open_pages_loses_neither_work_nor_session(visits: Visits) -> None:
    url, title = visits.demo.url, f"Through a restart {uuid.uuid4().hex[:8]}"
    with visits.page("partner", UNREACHABLE) as sending, visits.page("official") as reading:
        sending.goto(f"{url}/send")
        sending.select_option("#programme", visits.demo.programmes[0]["id"])
        sending.check("input[name=classification][value=RESTRICTED]")
        content = {"name": "one.txt", "mimeType": "text/plain", "buffer": b"content"}
        sending.set_input_files("#upload-file", [content])  # type: ignore[list-item]
        sending.get_by_label("Title of one.txt").fill(title)
        reading.goto(f"{url}/documents?label=NATO+RESTRICTED")
        restart(visits)
        sending.get_by_role("button", name="Send", exact=True).click()
        expect(sending.locator("[data-upload-row]")).to_contain_text("Received whole.")
        reading.locator("#q").press_sequentially("through a restart")
        expect(reading.get_by_role("group", name="Filters")).to_contain_text("through a restart")
        expect(reading.locator("a.doc-title", has_text=title)).to_be_visible()


def test_a_search_that_is_not_answered_says_so_and_goes_on(visits: Visits) -> None:
    with visits.page("official", UNREACHABLE, reduced_motion="reduce") as page:
        page.goto(f"{visits.demo.url}/documents")
        rows = page.locator("tbody tr").count()
        page.route("**/documents/search", lambda route: route.abort(), times=1)
        page.locator("#q").press_sequentially("coastal")
        expect(page.get_by_role("alert")).to_contain_text("The connection was lost.")
        expect(page.locator("tbody tr")).to_have_count(rows)
        assert standing_faults(page) + axe_faults(page) == []
        page.fill("#q", "coast")
        expect(page.get_by_role("group", name="Filters")).to_contain_text("coast")
        expect(page.get_by_role("alert")).to_have_count(0)


def test_a_form_is_sent_only_while_its_session_is_in_force_and_keeps_what_was_typed(visits: Visits) -> None:
    name = f"Late {uuid.uuid4().hex[:8]}"
    with visits.page("administrator", UNREACHABLE, reduced_motion="reduce") as page:
        page.goto(f"{visits.demo.url}/administration/programmes/new")
        page.fill("#name", name)
        page.fill("#organisation_q", "capab")
        page.locator("#organisation-found input[type=radio]").first.wait_for()
        add = page.get_by_role("button", name="Add the programme")
        page.context.set_offline(True)
        add.click()
        expect(page.get_by_role("alert")).to_contain_text("The connection was lost.")
        page.context.set_offline(False)
        cookies = page.context.cookies()
        page.context.clear_cookies()
        add.click()
        expect(page.get_by_role("alert")).to_contain_text("Your session has ended.")
        assert page.get_by_role("link", name="Sign in").get_attribute("target") == "_blank"
        assert standing_faults(page) + axe_faults(page) == []
        # Signed in again in another tab; the token of this page is of the old session.
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
        page.evaluate("document.querySelector('main input[name=csrf_token]').value = 'of another session'")
        add.dblclick()
        expect(page.get_by_text("The programme is there.")).to_be_visible()
        page.fill("#name-q", name)
        page.press("#name-q", "Enter")
        page.wait_for_url("**q=*")
        expect(page.locator("tbody tr")).to_have_count(1)


def test_without_script_a_form_that_comes_late_says_what_became_of_it(visits: Visits) -> None:
    with visits.page("administrator", java_script_enabled=False) as page, visits.failing(page, 401):
        page.goto(f"{visits.demo.url}/administration/organisations/new")
        page.fill("#name", "Late")
        page.fill("#nation", "BEL")
        page.context.clear_cookies()
        page.get_by_role("button", name="Add the organisation").click()
        expect(page.get_by_text("Nothing of what you sent was taken.")).to_be_visible()
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()


def test_signing_out_in_one_tab_ends_the_other_and_a_second_click_does_no_harm(visits: Visits) -> None:
    url = visits.demo.url
    with visits.page("administrator") as page:
        newcomer = add_newcomer(page, url)
        page.get_by_role("button", name="Invite: make the link").click()
        link = page.locator("#link").inner_text()
    with visits.page(None) as page:
        join(page, newcomer, link)
        enter(page, url, newcomer)
        other = page.context.new_page()
        other.goto(f"{url}/account")
        page.locator("summary.who").click()
        page.get_by_role("button", name="Sign out").dblclick()
        page.wait_for_url("**/sign-in")
        other.fill("#name", "too late")
        other.get_by_role("button", name="Make a token").click()
        expect(other.get_by_role("alert")).to_contain_text("Your session has ended.")
        expect(other.locator("#name")).to_have_value("too late")


@pytest.mark.parametrize("title", [UNBROKEN, ARABIC, f"{ARABIC} (issue 2) <b>"], ids=["long", "rtl", "mixed"])
def test_any_title_fits_every_page_that_shows_it(visits: Visits, title: str) -> None:
    shown = f"{title[:190]} {uuid.uuid4().hex[:4]}"
    answer = visits.demo.ask(
        "partner",
        "POST",
        "/documents",
        params={"programme": visits.demo.programmes[0]["id"], "label": "NATO RESTRICTED"},
        data=b"content",
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Disposition": "attachment; filename=any.txt",
            "Strongroom-Title": quote(shown),
        },
    )
    assert answer.status_code == 201, answer.text
    document = answer.json()["id"]
    for role, width in (("partner", 320), ("official", 390), ("official", 1440)):
        with visits.page(role, viewport={"width": width, "height": 900}, reduced_motion="reduce") as page:
            for path in _paths(role, document):
                page.goto(f"{visits.demo.url}{path}")
                expect(page.get_by_text(shown).first).to_be_visible()
                assert standing_faults(page) + axe_faults(page) == [], path


def _paths(role: str, document: str) -> list[str]:
    paths = ["/documents", f"/documents/{document}", f"/documents/{document}/versions/1/receipt"]
    return [*paths, "/deliveries", f"/documents/{document}/send"] if role == "partner" else paths


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_a_lapsed_clearance_is_said_on_the_list_and_at_the_document(
    visits: Visits, width: int, theme: str
) -> None:
    document = visits.demo.document("official", title="Radar recordings, night run")
    window = {"width": width, "height": 900}
    with visits.page("official-lapsed", viewport=window, color_scheme=theme, reduced_motion="reduce") as page:
        expect(_opened(page, f"{visits.demo.url}/documents")).to_have_text("Documents")
        expect(page.get_by_text("Your clearance ended on")).to_be_visible()
        assert standing_faults(page) + axe_faults(page) == []
        with visits.failing(page, 403):
            heading = _opened(page, f"{visits.demo.url}/documents/{document['id']}")
            expect(heading).to_have_text("You cannot open this document today")
        expect(page.get_by_role("region", name="What you can do")).to_contain_text(document["id"])
        assert "Radar" not in page.content()
        assert standing_faults(page) + axe_faults(page) + keyboard_faults(page) == []
        page.get_by_role("link", name="Back to documents").click()
        expect(page.locator("h1")).to_have_text("Documents")


def _opened(page: Page, url: str) -> Locator:
    page.goto(url)
    return page.locator("h1")
