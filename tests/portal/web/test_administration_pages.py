"""The administrator's pages over HTTP, on a whole installation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from portal.services.fsck import LastCheck
from portal.services.status import SystemStatus
from portal.web import health
from tests.portal import factories
from tests.portal.attack import Browser
from tests.portal.web.visitors import Visitor, doors_of, links_of, sign_in, text_of, token_of
from tests.portal.worlds import ABSENT, World, build_world

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PEOPLE = "/administration/people"
ORGANISATIONS = "/administration/organisations"
PROGRAMMES = "/administration/programmes"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(
        tmp_path_factory.mktemp("administration") / "data", public_url="http://portal.example:8000"
    )
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def administrator(world: World) -> Visitor:
    return sign_in(world, "administrator")


@pytest.fixture
def unique(world: World) -> str:
    """A name that no other test uses."""
    return f"Nr {world.runtime.log.size()}"


@pytest.fixture
def organisation(world: World, unique: str) -> str:
    return factories.add_organisation(world.runtime.database, f"<i>Deltawerk</i> {unique}")


@pytest.fixture
def newcomer(world: World, organisation: str, unique: str) -> str:
    """Somebody with an account who has not joined yet."""
    email = f"{unique.replace(' ', '')}@deltawerk.example"
    return factories.add_person(world.runtime.database, organisation, name=f"Piet {unique}", email=email)


# People


def test_home_leads_administrators_to_the_accounts(world: World, administrator: Visitor) -> None:
    assert administrator.get("/").location == PEOPLE
    said = text_of(administrator.get(PEOPLE))
    assert "official@org.example" in said
    assert "Programme Office Official Active" in said


def test_a_person_is_added_and_then_found(
    world: World, administrator: Visitor, organisation: str, unique: str
) -> None:
    offered = administrator.post(f"{PEOPLE}/new", organisation_q=f"delta {unique}", find="organisation")
    assert f'value="{organisation}" checked' in offered.text
    assert f"<bdi>&lt;i&gt;Deltawerk&lt;/i&gt; {unique}</bdi>" in offered.text
    part = administrator.post("/administration/find/organisation", organisation_q=f"delta {unique}")
    assert f'value="{organisation}" checked' in part.text
    email = f"zoe.{unique.split()[1]}@deltawerk.example"
    page = administrator.post_and_follow(
        f"{PEOPLE}/new", organisation=organisation, name="Zoé <b>Noël</b>", email=email, nation="fra"
    )
    assert "without any role" in text_of(page)
    assert "<h1><bdi>Zoé &lt;b&gt;Noël&lt;/b&gt;</bdi></h1>" in page.text
    assert "Has not joined yet" in text_of(page)
    answer = administrator.post(f"{PEOPLE}/find", q=email)
    assert "deltawerk" not in answer.location
    assert "Zoé" in administrator.get(answer.location).text
    [created] = [record for record in world.records(action="account.create") if "outcome" not in record][-1:]
    assert created["actor"] == administrator.person


@pytest.mark.parametrize(
    ("wrong", "status", "sentence"),
    [
        ({"name": " "}, 400, "The person's name is missing."),
        ({"email": "zoe"}, 400, "This is not an e-mail address."),
        ({"nation": "ZZ"}, 400, "This is not the code of a nation."),
        ({"email": "OFFICIAL@org.example"}, 409, "This e-mail address has an account already."),
    ],
)
def test_a_person_who_cannot_be_added_comes_back_as_typed(
    wrong: dict[str, str],
    status: int,
    sentence: str,
    world: World,
    administrator: Visitor,
    organisation: str,
) -> None:
    typed = {"organisation": organisation, "name": "Zoé", "email": "zoe@deltawerk.example", "nation": "NLD"}
    before = len(world.records(action="request.refused"))
    answer = administrator.post(f"{PEOPLE}/new", **{**typed, **wrong})
    assert (answer.status_code, sentence in text_of(answer)) == (status, True)
    assert f'value="{organisation}" checked' in answer.text
    for value in {**typed, **wrong}.values():
        assert f'value="{value}"' in answer.text
    assert len(world.records(action="request.refused")) == before + 1


def test_an_invitation_shows_its_link_once(world: World, administrator: Visitor, newcomer: str) -> None:
    page = administrator.post(f"{PEOPLE}/{newcomer}/invite")
    assert page.status_code == 200
    assert page.headers["Cache-Control"] == "no-store"
    [link] = re.findall(r'id="link">([^<]+)<', page.text)
    # The address is the installation's own, whatever host the request named.
    base, _, secret = link.rpartition("/")
    assert base == "http://portal.example:8000/welcome"
    assert secret not in administrator.get(f"{PEOPLE}/{newcomer}").text
    welcome = world.app.test_client().get(f"/welcome/{secret}")
    assert welcome.status_code == 200
    assert "Piet Nr" in text_of(welcome)
    administrator.post(f"{PEOPLE}/{newcomer}/invite")
    assert world.app.test_client().get(f"/welcome/{secret}").status_code == 404
    assert all(secret not in str(record) for record in world.records())


def test_an_account_is_locked_after_a_question_and_unlocked(
    world: World, administrator: Visitor, newcomer: str
) -> None:
    question = administrator.get(f"{PEOPLE}/{newcomer}/lock")
    assert "Lock it now?" in text_of(question)
    locked = text_of(administrator.post_and_follow(f"{PEOPLE}/{newcomer}/lock"))
    assert "Locked" in locked
    assert "Nobody signs in to this account while it is locked." in locked
    again = administrator.post(f"{PEOPLE}/{newcomer}/lock")
    assert (again.status_code, "locked already" in text_of(again)) == (409, True)
    refused = administrator.post(f"{PEOPLE}/{newcomer}/invite")
    assert (refused.status_code, "welcome/" in refused.text) == (409, False)
    assert "Has not joined yet" in text_of(administrator.post_and_follow(f"{PEOPLE}/{newcomer}/unlock"))
    assert administrator.post(f"{PEOPLE}/{newcomer}/unlock").status_code == 409


def test_nobody_locks_their_own_account(administrator: Visitor) -> None:
    page = administrator.get(f"{PEOPLE}/{administrator.person}")
    assert links_of(page, "Lock the account") == []
    answer = administrator.post(f"{PEOPLE}/{administrator.person}/lock")
    assert (answer.status_code, "This is your own account." in text_of(answer)) == (409, True)


def test_the_accounts_of_an_organisation_are_listed(
    world: World, administrator: Visitor, newcomer: str, organisation: str
) -> None:
    page = administrator.get(f"{PEOPLE}?organisation={organisation}")
    assert re.findall(r'doc-title" href="[^"]+/([0-9a-f-]+)"', page.text) == [newcomer]
    assert "Organisation <i>Deltawerk</i>" in text_of(page)
    assert PEOPLE in links_of(page, "Clear")


# Organisations


def test_an_organisation_is_added_renamed_closed_and_opened(administrator: Visitor, unique: str) -> None:
    page = administrator.post_and_follow(f"{ORGANISATIONS}/new", name=f"Atlas {unique}", nation="dnk")
    assert f"Atlas {unique} DNK Active" in text_of(page)
    found = re.search(rf"Atlas {unique}<.*?/organisations/([0-9a-f-]+)/rename", page.text, re.DOTALL)
    assert found
    mine = f"{ORGANISATIONS}/{found[1]}"
    page = administrator.post_and_follow(f"{mine}/rename", name=f"Boreas {unique}")
    assert f"Boreas {unique} DNK Active" in text_of(page)
    page = administrator.post_and_follow(f"{mine}/deactivate")
    assert f"Boreas {unique} DNK Inactive" in text_of(page)
    assert administrator.post(f"{mine}/deactivate").status_code == 409
    assert f"Boreas {unique}" not in administrator.get(f"{PEOPLE}/new").text
    page = administrator.post_and_follow(f"{mine}/reactivate")
    assert f"Boreas {unique} DNK Active" in text_of(page)


def test_a_closed_organisation_shows_on_the_accounts_of_its_people(
    administrator: Visitor, newcomer: str, organisation: str
) -> None:
    administrator.post_and_follow(f"{ORGANISATIONS}/{organisation}/deactivate")
    said = text_of(administrator.get(f"{PEOPLE}/{newcomer}"))
    assert "Organisation inactive" in said
    assert "while the organisation is inactive" in said


def test_a_name_that_is_taken_or_empty_comes_back_in_its_form(
    world: World, administrator: Visitor, organisation: str, unique: str
) -> None:
    answer = administrator.post(f"{ORGANISATIONS}/new", name=f"<I>deltawerk</I> {unique}", nation="NLD")
    assert answer.status_code == 409
    assert f'value="&lt;I&gt;deltawerk&lt;/I&gt; {unique}"' in answer.text
    assert administrator.post(f"{ORGANISATIONS}/new", name="", nation="NLD").status_code == 400
    other = factories.add_organisation(world.runtime.database, f"Other {unique}")
    answer = administrator.post(f"{ORGANISATIONS}/{other}/rename", name=f"<i>Deltawerk</i> {unique}")
    assert answer.status_code == 409
    assert "There is an organisation of this name in this nation already." in text_of(answer)
    assert answer.text.count('class="menu" open') == 1
    assert administrator.post(f"{ORGANISATIONS}/{other}/rename", name=" ").status_code == 400


def test_nobody_closes_their_own_organisation(world: World, administrator: Visitor) -> None:
    page = administrator.get(ORGANISATIONS)
    assert f"{ORGANISATIONS}/{world.organisation}/deactivate" not in page.text
    answer = administrator.post(f"{ORGANISATIONS}/{world.organisation}/deactivate")
    assert (answer.status_code, "you would lock yourself out" in text_of(answer)) == (409, True)


@pytest.mark.parametrize("path", [PEOPLE, ORGANISATIONS, PROGRAMMES])
def test_lists_go_on_by_key(path: str, world: World, administrator: Visitor) -> None:
    for number in range(3):
        factories.add_programme(world.runtime.database, world.organisation, f"Programme {number} of {path}")
    first = administrator.get(f"{path}?limit=2")
    [older] = links_of(first, "Older")
    second = administrator.get(f"{older}&limit=2")
    assert second.status_code == 200
    assert path in links_of(second, "Back to newest")
    titles = re.compile(r'class="doc-title"[^>]*><bdi>([^<]+)<')
    assert not set(titles.findall(first.text)) & set(titles.findall(second.text))
    assert administrator.get(f"{path}?cursor=forged").status_code == 400
    assert administrator.get(f"{path}?limit=1000").status_code == 400


def test_a_change_on_a_later_page_leads_back_to_it(
    world: World, administrator: Visitor, organisation: str
) -> None:
    [older] = links_of(administrator.get(f"{ORGANISATIONS}?limit=1"), "Older")
    cursor = re.search(r"cursor=([^&]+)", older)
    assert cursor
    answer = administrator.post(f"{ORGANISATIONS}/{organisation}/deactivate", cursor=cursor[1])
    assert answer.location == f"{ORGANISATIONS}?cursor={cursor[1]}"
    assert f'name="cursor" value="{cursor[1]}"' in administrator.get(answer.location).text


# Programmes


def test_a_programme_is_added_once(
    world: World, administrator: Visitor, organisation: str, unique: str
) -> None:
    typed = {"name": f"Harbour {unique}", "organisation": organisation}
    page = administrator.post_and_follow(f"{PROGRAMMES}/new", **typed)
    assert f"Harbour {unique} <i>Deltawerk</i> {unique} Open 0" in text_of(page)
    answer = administrator.post(f"{PROGRAMMES}/new", **typed)
    assert (answer.status_code, "leads a programme of this name" in text_of(answer)) == (409, True)
    assert f'value="Harbour {unique}"' in answer.text
    assert f'value="{organisation}" checked' in answer.text
    assert administrator.post(f"{PROGRAMMES}/new", **{**typed, "name": ""}).status_code == 400
    assert "No organisation is chosen." in text_of(administrator.post(f"{PROGRAMMES}/new", name="Lone"))
    found = administrator.post_and_follow(f"{PROGRAMMES}/find", q=f"harb {unique}")
    assert f"Harbour {unique}" in text_of(found)
    assert "Harbour Shield" not in text_of(found)
    assert "Nothing matches" in text_of(administrator.post_and_follow(f"{PROGRAMMES}/find", q="zzz"))


@pytest.mark.parametrize("room", [PEOPLE, ORGANISATIONS, PROGRAMMES])
def test_what_is_searched_for_stands_in_no_address_and_no_record(
    room: str, world: World, administrator: Visitor
) -> None:
    answer = administrator.post(f"{room}/find", q="Sarrazin")
    assert "arrazin" not in answer.location
    assert administrator.get(answer.location).status_code == 200
    assert all("arrazin" not in str(record) for record in world.records())
    assert administrator.post(f"{room}/find", q="").location == room


# Sessions


def test_everybodys_sessions_are_listed_and_ended(world: World, administrator: Visitor) -> None:
    official = Browser.of(world, "official")
    assert official.get("/account").status_code == 200
    person = world.people["official"]
    page = administrator.get(f"/administration/sessions?person={person}")
    assert "Official Programme Office all roles held with a second factor" in text_of(page)
    assert "yours" in text_of(administrator.get("/administration/sessions"))
    for path in re.findall(r'action="(/administration/sessions/[^"]+/end)"', page.text):
        assert administrator.post(path, person=person).location.endswith(f"?person={person}")
    assert official.get("/account").status_code == 302
    assert "Nobody is signed in" in text_of(administrator.get(f"/administration/sessions?person={person}"))
    closed = world.records(action="session.close", actor=administrator.person)[-2]
    assert (closed["target"], closed["details"]["cause"]) == (person, "revoked")


def test_nobody_ends_the_session_they_work_in(world: World, administrator: Visitor) -> None:
    [own] = world.runtime.account._sessions.list(administrator.person)
    assert administrator.post(f"/administration/sessions/{own.id}/end").status_code == 409
    assert administrator.post(f"/administration/sessions/{ABSENT}/end").status_code == 404
    assert administrator.get("/administration/sessions").status_code == 200


# Status


def test_status_tells_storage_keys_log_and_policy(world: World, administrator: Visitor) -> None:
    page = administrator.get("/administration/status")
    said = text_of(page)
    for words in ("Storage free", "0 documents", "Keys", "Log records", "Queue 0", "Security policy NATO"):
        assert words in said
    assert page.text.count('class="tile"') == 5
    assert world.runtime.access.policy.digest in page.text
    world.runtime.log.checkpoint()
    said = text_of(administrator.get("/administration/status"))
    assert "signed up to" in said
    assert "Nothing to do. Auditors can check it." in said


def test_what_presses_comes_first_with_what_to_do() -> None:
    in_order = SystemStatus(
        disk_total=100, disk_free=50, documents=1, keys=9, log_size=20_000, checkpoint=19_990,
        policy_name="NATO", policy_digest="ab" * 32, uploads=2, unsettled=0,
        last_check=LastCheck(NOW, 1, 0, 0, 7),
    )  # fmt: skip
    assert {item.tone for item in health.advice(in_order)} == {"good"}
    pressing = replace(
        in_order, disk_free=5, checkpoint=1, unsettled=3, last_check=LastCheck(NOW, 1, 2, 0, 7)
    )
    first = health.advice(pressing)[:4]
    assert [item.name for item in first] == ["Storage", "Log", "Queue", "Check of storage"]
    assert "2 things do not hold" in first[3].so
    assert "not been checked yet" in health.advice(replace(in_order, last_check=None))[0].so
    assert "Make room soon" in first[0].do
    assert "strongroom worker" in first[1].do
    assert [tile.tone for tile in health.tiles(pressing)] == ["warn", "", "warn", "warn", ""]


# Everywhere


def test_what_is_absent_is_not_found(administrator: Visitor) -> None:
    for path in (f"{PEOPLE}/{ABSENT}", f"{PEOPLE}/{ABSENT}/lock"):
        assert administrator.get(path).status_code == 404
    for path in (
        f"{PEOPLE}/{ABSENT}/invite",
        f"{PEOPLE}/{ABSENT}/lock",
        f"{PEOPLE}/{ABSENT}/unlock",
        f"{ORGANISATIONS}/{ABSENT}/rename",
        f"{ORGANISATIONS}/{ABSENT}/deactivate",
        f"{ORGANISATIONS}/{ABSENT}/reactivate",
    ):
        assert administrator.post(path, name="Somebody").status_code == 404


def test_every_form_carries_a_token_and_none_is_taken_without(world: World, administrator: Visitor) -> None:
    before = len(world.records())
    for method, path in doors_of(world, "administration"):
        if method == "POST":
            assert administrator.client.post(path, data={"name": "Forged"}).status_code == 400, path
            continue
        page = administrator.get(path)
        forms = page.text.count("<form ")
        assert page.text.count('name="csrf_token"') == forms > 0
        assert token_of(page)
    actions = {record["action"] for record in world.records()[before:]}
    assert not {"account.lock", "organisation.change", "organisation.create", "link.create"} & actions


def test_the_banner_is_the_lowest_on_every_page(world: World, administrator: Visitor) -> None:
    for method, path in doors_of(world, "administration"):
        if method == "GET":
            page = administrator.get(path)
            assert re.findall(r'class="banner [^>]*data-cls="(\d)"', page.text) == ["1", "1"], path


@pytest.mark.parametrize("who", ["partner", "official", "auditor", "officer"])
def test_administration_pages_are_closed_to_every_other_role(who: str, world: World) -> None:
    doors = doors_of(world, "administration")
    assert len(doors) == 31
    visitor = sign_in(world, who)
    for method, path in doors:
        answer = visitor.client.open(path, method=method)
        assert answer.status_code == 403, (method, path)
    last = world.records()[-1]
    assert (last["action"], last["actor"]) == ("request.refused", world.people[who])
    assert last["details"]["problem"] == "role-permits"


def test_nobody_reaches_them_without_signing_in(world: World) -> None:
    client = world.app.test_client()
    for room in ("administration", "officer"):
        for method, path in doors_of(world, room):
            answer = client.open(path, method=method)
            assert answer.status_code in (302, 401), (method, path)
            assert method == "POST" or answer.location.startswith("/sign-in?next=")
