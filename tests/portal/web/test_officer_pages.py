"""The security officer's pages over HTTP, on a whole installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from werkzeug.test import TestResponse

from portal import models
from tests.portal import factories
from tests.portal.attack import queries
from tests.portal.web.visitors import Visitor, doors_of, links_of, sign_in, text_of
from tests.portal.worlds import ABSENT, BEGINNING, World, build_world

KINDS = ("roles", "clearances", "memberships", "briefings")
NATO_CONTEXT = {"tag:Context": "NATO"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("officer") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def officer(world: World) -> Visitor:
    return sign_in(world, "officer")


@pytest.fixture(scope="module")
def second(world: World) -> Visitor:
    """Another officer, signed in once: a code is good for one sign-in."""
    return sign_in(world, "officer-second")


@pytest.fixture
def newcomer(world: World) -> str:
    """Somebody without any grant; the address is different each time."""
    database = world.runtime.database
    number = world.runtime.log.size()
    return factories.add_person(
        database, world.company, name="Zoé <b>Noël</b>", email=f"zoe{number}@sarrazin.example", nation="FRA"
    )


def day(world: World, days: int) -> str:
    return (world.runtime.clock() + timedelta(days=days)).date().isoformat()


def fields(world: World, kind: str) -> dict[str, object]:
    """Return a form of each kind, filled in."""
    filled: dict[str, dict[str, object]] = {
        "roles": {"role": "official"},
        "clearances": {"level": "CONFIDENTIAL", **NATO_CONTEXT, "authority": "NSA of France"},
        "memberships": {"programme": world.programme},
        "briefings": {"level": "RESTRICTED", "tag:Additional Sensitivity": "ATOMAL"},
    }
    return {**filled[kind], "reason": "Certificate 4711"}


SHOWN = {
    "roles": "Official",
    "clearances": "NATO CONFIDENTIAL Context: NATO · issued by NSA of France",
    "memberships": "Harbour Shield",
    "briefings": "NATO RESTRICTED Additional Sensitivity: ATOMAL",
}


# Finding people


def test_home_leads_officers_to_the_list_of_people(world: World, officer: Visitor) -> None:
    assert officer.get("/").location == "/officer/people"
    page = officer.get("/officer/people")
    assert page.status_code == 200
    assert f"/officer/people/{world.people['official']}" in page.text
    assert "Security officer" in text_of(page)


def test_a_person_is_found_by_e_mail_and_no_address_of_a_page_tells_it(
    world: World, officer: Visitor
) -> None:
    answer = officer.post("/officer/people/find", q="Official@ORG.example")
    assert "example" not in answer.location
    page = officer.get(answer.location)
    assert f"/officer/people/{world.people['official']}" in page.text
    assert f"/officer/people/{world.people['partner']}" not in page.text
    assert links_of(page, "Clear") == ["/officer/people"]


def test_people_are_found_by_the_beginnings_of_their_names(
    world: World, officer: Visitor, newcomer: str
) -> None:
    answer = officer.post("/officer/people/find", q=" zoe  noe ")
    assert "zoe" not in answer.location.lower()
    page = officer.get(answer.location)
    assert f"/officer/people/{newcomer}" in page.text
    assert f"/officer/people/{world.people['official']}" not in page.text
    record = world.records(action="grant.show")[-1]
    assert record["details"]["filters"] == ["name"]
    assert "zoe" not in str(record).lower()


def test_what_nobody_is_called_finds_nobody_and_nothing_typed_shows_everybody(officer: Visitor) -> None:
    for words in ("nobody@org.example", "Xaver", "@", "%", "a" * 300):
        assert "Nobody matches" in text_of(officer.post_and_follow("/officer/people/find", q=words))
    assert officer.post("/officer/people/find", q=" ").location == "/officer/people"


def test_a_changed_name_is_found_and_the_old_one_is_not(
    world: World, officer: Visitor, newcomer: str
) -> None:
    assert newcomer in officer.post_and_follow("/officer/people/find", q="Noël").text
    with world.runtime.database.write() as session:
        row = session.get(models.Person, newcomer)
        assert row is not None
        row.name = "Yvonne Marais"
    assert newcomer in officer.post_and_follow("/officer/people/find", q="yvonne mar").text
    assert newcomer not in officer.post_and_follow("/officer/people/find", q="Noël").text


def test_the_list_shows_what_people_hold_and_what_ends_soon(
    world: World, officer: Visitor, newcomer: str
) -> None:
    database, now = world.runtime.database, world.runtime.clock()
    levels = ("UNCLASSIFIED", "RESTRICTED")
    factories.add_clearance(
        database, newcomer, levels, {"Context": ["NATO"]}, start=BEGINNING, end=now + timedelta(days=9)
    )
    factories.add_membership(database, newcomer, world.programme, start=BEGINNING)
    page = officer.get("/officer/people?ending=soon")
    row = page.text[page.text.index(newcomer) :].partition("</tr>")[0]
    assert "NATO RESTRICTED" in row
    assert "in 9 days" in row
    assert world.people["official"] not in page.text
    assert re.search(r'People <span class="n">\d+ end soon</span>', page.text)


def test_the_list_says_whose_clearance_has_ended(world: World, officer: Visitor, newcomer: str) -> None:
    database, now = world.runtime.database, world.runtime.clock()
    levels, day = ("UNCLASSIFIED", "RESTRICTED"), timedelta(days=1)
    factories.add_clearance(database, newcomer, levels, {}, start=BEGINNING, end=now - day)
    row = officer.get("/officer/people").text.partition(newcomer)[2].partition("</tr>")[0]
    assert f"Ended {(now - day).day} " in row
    factories.add_clearance(database, newcomer, levels, {}, start=now - day)
    assert "Ended" not in officer.get("/officer/people").text.partition(newcomer)[2].partition("</tr>")[0]


def test_what_goes_on_by_another_grant_does_not_end_soon(
    world: World, officer: Visitor, newcomer: str
) -> None:
    database, now = world.runtime.database, world.runtime.clock()
    levels, end = ("UNCLASSIFIED", "RESTRICTED"), now + timedelta(days=9)
    factories.add_clearance(database, newcomer, levels, {}, start=BEGINNING, end=end)
    assert newcomer in officer.get("/officer/people?ending=soon").text
    factories.add_clearance(database, newcomer, ("UNCLASSIFIED",), {}, start=end)
    assert newcomer in officer.get("/officer/people?ending=soon").text
    factories.add_clearance(database, newcomer, levels, {}, start=end, end=now + timedelta(days=400))
    assert newcomer not in officer.get("/officer/people?ending=soon").text
    everybody = officer.get("/officer/people").text
    assert "in 9 days" not in everybody[everybody.index(newcomer) :].partition("</tr>")[0]
    assert "Ends soon" not in text_of(officer.get(f"/officer/people/{newcomer}"))


def test_the_list_can_be_of_one_organisation_which_is_found_by_typing(
    world: World, officer: Visitor, newcomer: str
) -> None:
    found = officer.post("/officer/people/organisation", organisation_q="sarra", find="organisation")
    assert f'value="{world.company}" checked' in found.text
    page = officer.post_and_follow("/officer/people/organisation", organisation=world.company)
    assert newcomer in page.text
    assert world.people["official"] not in page.text


def test_the_list_goes_on_by_key(world: World, officer: Visitor) -> None:
    seen: list[str] = []
    url = "/officer/people?limit=3"
    while url:
        page = officer.get(url)
        found = re.findall(r'class="doc-title" href="/officer/people/([0-9a-f-]+)"', page.text)
        assert 0 < len(found) <= 3
        seen += found
        older = links_of(page, "Older")
        url = f"{older[0]}&limit=3" if older else ""
        if older:
            assert links_of(officer.get(url), "Back to newest") == ["/officer/people"]
    assert len(seen) == len(set(seen))
    assert set(world.people.values()) <= set(seen)


def test_a_page_reference_of_somebody_else_does_not_hold(officer: Visitor, second: Visitor) -> None:
    page = second.get("/officer/people?limit=3")
    assert officer.get(links_of(page, "Older")[0]).status_code == 400


# Granting and ending


@pytest.mark.parametrize("kind", KINDS)
def test_a_grant_is_given_from_its_form_and_ended(
    kind: str, world: World, officer: Visitor, newcomer: str
) -> None:
    page = officer.get(f"/officer/people/{newcomer}")
    form_url = next(url for url in links_of(page, "") if f"/{kind}/new" in url)
    form = officer.get(form_url)
    assert form.status_code == 200
    assert "<bdi>Zoé &lt;b&gt;Noël&lt;/b&gt;</bdi>" in form.text
    until = day(world, 100)
    assert "Nothing changes yet" in text_of(form)
    page = officer.confirm(form_url, **fields(world, kind), until=until)
    assert SHOWN[kind] in text_of(page)
    assert "In force" in text_of(page)
    [end_url] = links_of(page, "End")
    assert "Nothing changes yet" in text_of(officer.get(end_url))
    ended = officer.confirm(end_url, reason="Left the programme")
    assert "It has ended." in text_of(ended)
    assert "Left the programme" in text_of(ended)
    assert SHOWN[kind] in text_of(ended)
    assert links_of(ended, "End") == []
    again = officer.post(end_url)
    assert again.status_code == 409
    assert "This has ended already." in text_of(again)
    given = [
        record for record in world.records(target=newcomer, actor=officer.person) if record.get("details")
    ]
    assert any(record["details"].get("withdrawn") for record in given)


def test_states_say_what_holds_now_later_and_no_more(world: World, officer: Visitor, newcomer: str) -> None:
    now = world.runtime.clock()
    database = world.runtime.database
    factories.add_role(database, newcomer, "partner", start=BEGINNING, end=now - timedelta(days=1))
    factories.add_role(database, newcomer, "official", start=BEGINNING, end=now + timedelta(days=3))
    sent = {"role": "partner", "reason": "Order 12", "from": day(world, 5)}
    officer.confirm(f"/officer/people/{newcomer}/roles/new", **sent)
    said = text_of(officer.get(f"/officer/people/{newcomer}"))
    assert "Partner Ended" in said
    assert "Partner Not yet in force" in said
    assert "Official Ends soon" in said
    assert "Officer One entry" in said


def test_an_end_may_be_set_for_later_and_today_means_now(
    world: World, officer: Visitor, newcomer: str
) -> None:
    page = officer.confirm(f"/officer/people/{newcomer}/roles/new", role="partner", reason="Order 12")
    [end_url] = links_of(page, "End")
    assert "It ends on that day." in text_of(officer.confirm(end_url, at=day(world, 2), reason="Leaves"))
    assert officer.post(end_url, at=day(world, 3)).status_code == 409
    assert officer.post(end_url, at=day(world, -1)).status_code == 400
    assert "It has ended." in text_of(officer.confirm(end_url, at=day(world, 0), reason="Left"))


def test_nothing_changes_before_the_question_is_answered(
    world: World, officer: Visitor, newcomer: str
) -> None:
    url = f"/officer/people/{newcomer}/clearances/new"
    sent = {**fields(world, "clearances"), "until": day(world, 30)}
    asked = officer.post_and_follow(url, **sent)
    said = text_of(asked)
    for words in (
        "Zoé <b>Noël</b>",
        "NATO CONFIDENTIAL",
        "issued by NSA of France",
        "From now",
        "Certificate 4711",
    ):
        assert words in said
    assert links_of(officer.get(f"/officer/people/{newcomer}"), "End") == []
    assert "Certificate" not in officer.post(url, **sent).location
    again = officer.get(links_of(asked, "Change something")[0])
    assert 'value="CONFIDENTIAL" required checked' in again.text
    assert f'value="{day(world, 30)}"' in again.text


def test_a_question_answered_twice_gives_once(world: World, officer: Visitor, newcomer: str) -> None:
    url = f"/officer/people/{newcomer}/memberships/new"
    draft = draft_of(officer.post(url, **fields(world, "memberships")))
    assert [officer.post(url, draft=draft).status_code for _ in range(2)] == [303, 409]
    assert officer.get(f"{url}?draft={draft}").status_code == 409
    [end_url] = links_of(officer.get(f"/officer/people/{newcomer}"), "End")
    ending = draft_of(officer.post(end_url, reason="Left"))
    assert [officer.post(end_url, draft=ending).status_code for _ in range(2)] == [303, 409]


def draft_of(answer: TestResponse) -> str:
    return answer.location.partition("draft=")[2]


def test_a_draft_holds_for_its_officer_and_its_person_alone(
    world: World, officer: Visitor, second: Visitor, newcomer: str
) -> None:
    url = f"/officer/people/{newcomer}/roles/new"
    draft = draft_of(officer.post(url, **fields(world, "roles")))
    assert second.post(url, draft=draft).status_code == 400
    other = f"/officer/people/{world.people['partner']}/roles/new"
    assert officer.post(other, draft=draft).status_code == 400
    assert links_of(officer.get(f"/officer/people/{newcomer}"), "End") == []


def test_nothing_is_given_or_ended_without_a_reason(world: World, officer: Visitor, newcomer: str) -> None:
    url = f"/officer/people/{newcomer}/roles/new"
    for reason in ("", "  ", "x" * 501):
        answer = officer.post(url, role="official", reason=reason)
        assert (answer.status_code, "reason" in text_of(answer)) == (400, True)
    assert links_of(officer.get(f"/officer/people/{newcomer}"), "End") == []


def test_a_reason_is_sealed_in_the_log_and_shown_to_officers(
    world: World, officer: Visitor, newcomer: str
) -> None:
    page = officer.confirm(f"/officer/people/{newcomer}/roles/new", role="official", reason="Order of 3 May")
    assert "Order of 3 May" in text_of(page)
    given = world.records(action="grant.role", target=newcomer)[0]
    assert "Order of 3 May" not in str(given)
    assert world.runtime.log.disclose(given["seq"])["reason"] == "Order of 3 May"


def test_the_form_of_a_clearance_offers_the_levels_and_values_of_the_policy(
    world: World, officer: Visitor, newcomer: str
) -> None:
    page = officer.get(f"/officer/people/{newcomer}/clearances/new")
    levels = re.findall(r'type="radio" name="level" value="([^"]+)"', page.text)
    assert levels == [item.name for item in world.runtime.access.policy.classifications]
    for field, value in (("Context", "NATO"), ("Context", "Releasable"), ("Releasable To", "JPN")):
        assert f'name="tag:{field}" value="{value}"' in page.text
    assert "Japan" in text_of(page)
    assert "Administrative" not in page.text


def test_the_form_of_a_briefing_offers_only_levels_that_a_briefing_opens(
    officer: Visitor, newcomer: str
) -> None:
    page = officer.get(f"/officer/people/{newcomer}/briefings/new")
    levels = re.findall(r'type="checkbox" name="level" value="([^"]+)"', page.text)
    assert levels == ["UNCLASSIFIED", "RESTRICTED"]


@pytest.mark.parametrize(
    ("kind", "wrong", "sentence"),
    [
        ("roles", {"role": "king"}, "There is no such role."),
        ("roles", {"until": "soon"}, "This is not a day of the calendar."),
        ("roles", {"until": "2020-01-01"}, "The grant would be over already."),
        ("clearances", {"level": "ULTRA"}, "This is not in the security policy"),
        ("clearances", {"tag:Context": "MARS"}, "This is not in the security policy"),
        ("clearances", {"authority": " "}, "The issuing authority is missing."),
        ("briefings", {"level": "SECRET"}, "A briefing does not open SECRET"),
        ("briefings", {"level": [], "tag:Additional Sensitivity": []}, "The briefing covers nothing."),
    ],
)
def test_a_form_with_a_mistake_comes_back_with_what_was_typed(
    kind: str, wrong: dict[str, object], sentence: str, world: World, officer: Visitor, newcomer: str
) -> None:
    sent = {**fields(world, kind), "from": day(world, 7), **wrong}
    before = len(world.records(action="request.refused"))
    answer = officer.post(f"/officer/people/{newcomer}/{kind}/new", **sent)
    assert answer.status_code == 400
    assert sentence in text_of(answer)
    assert f'value="{day(world, 7)}"' in answer.text
    refused = world.records(action="request.refused")
    assert len(refused) == before + 1
    assert refused[-1]["details"]["problem"] == "invalid"
    assert links_of(officer.get(f"/officer/people/{newcomer}"), "End") == []


def test_the_same_is_not_granted_twice(world: World, officer: Visitor, newcomer: str) -> None:
    sent = fields(world, "clearances")
    officer.confirm(f"/officer/people/{newcomer}/clearances/new", **sent)
    answer = officer.post(f"/officer/people/{newcomer}/clearances/new", **sent)
    assert answer.status_code == 409
    assert "This person holds the same for part of that time." in text_of(answer)
    assert 'value="CONFIDENTIAL" required checked' in answer.text
    assert 'name="tag:Context" value="NATO" checked' in answer.text
    assert 'value="NSA of France"' in answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_officers_grant_themselves_nothing(kind: str, world: World, officer: Visitor) -> None:
    answer = officer.post(f"/officer/people/{officer.person}/{kind}/new", **fields(world, kind))
    assert answer.status_code == 403
    assert "Officers do not change what they hold themselves." in text_of(answer)
    last = world.records()[-1]
    assert (last["actor"], last["target"], last["decision"], last["rule"]) == (
        officer.person,
        officer.person,
        "deny",
        "no-self-grant",
    )


def test_officers_end_nothing_of_their_own_and_their_page_offers_it_not(
    officer: Visitor, second: Visitor
) -> None:
    page = officer.get(f"/officer/people/{officer.person}")
    assert links_of(page, "End") == links_of(page, "Give a role") == []
    assert "This is you." in text_of(page)
    granted = second.get(f"/officer/people/{officer.person}")
    [end_url] = links_of(granted, "End")
    assert officer.post(end_url).status_code == 403
    assert officer.get("/officer/people").status_code == 200


def test_what_is_absent_is_not_found(officer: Visitor, newcomer: str) -> None:
    for path in (
        f"/officer/people/{ABSENT}",
        f"/officer/people/{ABSENT}/roles/new",
        f"/officer/people/{newcomer}/crowns/new",
        f"/officer/people/{newcomer}/roles/{ABSENT}/end",
    ):
        assert officer.get(path).status_code == 404
    assert officer.post(f"/officer/people/{newcomer}/roles/{ABSENT}/end").status_code == 404
    assert officer.post(f"/officer/people/{newcomer}/crowns/new").status_code == 404


def test_a_form_without_its_token_changes_nothing(world: World, officer: Visitor, newcomer: str) -> None:
    path = f"/officer/people/{newcomer}/roles/new"
    assert officer.client.post(path, data={"role": "official"}).status_code == 400
    assert links_of(officer.get(f"/officer/people/{newcomer}"), "End") == []


def test_the_name_of_a_form_is_bound_to_its_person(world: World, officer: Visitor, newcomer: str) -> None:
    page = officer.get(f"/officer/people/{newcomer}")
    url = next(url for url in links_of(page, "") if "/roles/new" in url)
    other = officer.get(url.replace(newcomer, world.people["partner"]))
    assert "Zoé" not in other.text
    assert ">Partner</bdi>" in other.text


def test_a_programme_is_chosen_by_typing_with_script_and_without(
    world: World, officer: Visitor, newcomer: str
) -> None:
    url = f"/officer/people/{newcomer}/memberships/new"
    part = officer.post("/officer/find/programme", programme_q="harb")
    assert "<html" not in part.text
    assert f'value="{world.programme}" checked' in part.text
    assert "led by Programme Office" in text_of(part)
    page = officer.post(url, programme_q="harb shi", find="programme", reason="kept")
    assert f'value="{world.programme}" checked' in page.text
    assert 'value="kept"' in page.text
    assert "No open programme is called so." in text_of(officer.post(url, programme_q="x", find="programme"))
    assert "No programme is chosen." in text_of(officer.post(url, reason="Order 12"))
    assert officer.post("/officer/find/crown", crown_q="x").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/officer/people",
        "/officer/people?ending=soon",
        "/officer/people/{}",
        "/officer/people/{}/memberships/new",
    ],
)
def test_a_page_takes_at_most_twelve_queries(
    world: World, officer: Visitor, newcomer: str, path: str
) -> None:
    with queries(world) as asked:
        assert officer.get(path.format(newcomer)).status_code == 200
    assert len([statement for statement in asked if statement.startswith("SELECT")]) <= 12, asked


# Who else


@pytest.mark.parametrize("who", ["partner", "official", "auditor", "administrator"])
def test_officer_pages_are_closed_to_every_other_role(who: str, world: World) -> None:
    doors = doors_of(world, "officer")
    assert len(doors) == 12
    visitor = sign_in(world, who)
    for method, path in doors:
        answer = visitor.client.open(path, method=method)
        assert answer.status_code == 403, (method, path)
    last = world.records()[-1]
    assert (last["action"], last["actor"]) == ("request.refused", world.people[who])
    assert last["details"]["problem"] == "role-permits"
