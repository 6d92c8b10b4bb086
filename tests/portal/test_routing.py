"""Deny by default: every view says who may call it, and nobody else gets in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from portal.app import create_app
from portal.http.routing import door_of
from tests.portal import factories
from tests.portal.attack import Browser, open_copy, recorded
from tests.portal.worlds import World

OPEN = {
    "api.openapi",
    "api.binding_certificate",
    "api.upload_options",
    "static",
    "policy_css",
    "sign_in.page",
    "sign_in.enter",
    "sign_in.welcome",
    "sign_in.redeem",
    "about.help",
    "about.privacy",
    "about.accessibility",
}
"""What anybody may call who is not signed in; anything more is a decision, to be made here too."""

EVERYBODY = frozenset({"partner", "official", "officer", "auditor", "administrator"})
READERS = frozenset({"partner", "official"})
WHO: dict[str, frozenset[str]] = {
    "home": EVERYBODY,
    "sign_in.sign_out": EVERYBODY,
    "account.": EVERYBODY,
    "appearance.": EVERYBODY,
    "deliveries.": frozenset({"partner"}),
    "style.": EVERYBODY,
    "documents.": READERS,
    "upload.receipt": READERS,
    "upload.": frozenset({"partner"}),
    "audit.": frozenset({"auditor"}),
    "officer.": frozenset({"officer"}),
    "policy.": frozenset({"officer"}),
    "custody.": frozenset({"officer"}),
    "quarantine.": frozenset({"officer"}),
    "releases.": frozenset({"officer"}),
    "rules.own_instructions": READERS,
    "rules.acknowledge": READERS,
    "rules.": frozenset({"officer"}),
    "administration.": frozenset({"administrator"}),
}
"""Endpoint, or the beginning of several, → the roles that get in; the first that fits counts."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("routing") / "data")
    yield copy
    copy.runtime.close()


def rules(world: World) -> list[Rule]:
    return list(world.app.url_map.iter_rules())


def address(world: World, rule: Rule) -> str:
    """Return an address that the rule answers to."""
    values = {name: 7 if "<int:" + name in rule.rule else "x" for name in rule.arguments}
    with world.app.test_request_context("/"):
        return world.app.url_map.bind("localhost").build(
            rule.endpoint, values, method=sorted(rule.methods or {"GET"})[0], force_external=False
        )


def methods(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"OPTIONS"})


def allowed(endpoint: str) -> frozenset[str]:
    return next(who for prefix, who in WHO.items() if endpoint == prefix or endpoint.startswith(prefix))


def test_every_view_has_a_declared_door(world: World) -> None:
    assert all(door_of(world.app.view_functions[rule.endpoint]) is not None for rule in rules(world))


def test_only_what_must_be_is_open_to_anybody(world: World) -> None:
    doors = {rule.endpoint: door_of(world.app.view_functions[rule.endpoint]) for rule in rules(world)}
    assert {endpoint for endpoint, door in doors.items() if door is not None and door.anyone} == OPEN


def test_every_page_is_in_the_table_of_roles_as_its_door_says(world: World) -> None:
    for rule in rules(world):
        if rule.endpoint in OPEN or rule.endpoint.startswith("api."):
            continue
        door = door_of(world.app.view_functions[rule.endpoint])
        assert door is not None
        assert {role.value for role in door.roles} or allowed(rule.endpoint) == EVERYBODY, rule.endpoint
        assert (frozenset(role.value for role in door.roles) or EVERYBODY) == allowed(rule.endpoint), (
            rule.endpoint
        )


def test_only_views_that_stream_a_body_check_the_token_of_the_form_themselves(world: World) -> None:
    own = {
        rule.endpoint
        for rule in rules(world)
        if (door := door_of(world.app.view_functions[rule.endpoint])) is not None and door.own_csrf
    }
    assert own == {
        "api.deposit",
        "api.deposit_version",
        "policy.propose",
        "upload.receive",
        "upload.receive_version",
    }


def is_sign_in(answer: TestResponse) -> bool:
    return answer.status_code == 302 and answer.headers["Location"].startswith("/sign-in?next=")


def test_nobody_gets_in_without_signing_in(world: World) -> None:
    for rule in rules(world):
        if rule.endpoint in OPEN:
            continue
        for method in methods(rule):
            path = address(world, rule)
            with recorded(world) as records:
                answer = world.app.test_client().open(path, method=method)
            if path.startswith("/api/"):
                assert answer.status_code == 401, (method, path)
                assert answer.headers["WWW-Authenticate"] == 'Bearer realm="strongroom"'
                if method != "HEAD":
                    assert answer.mimetype == "application/problem+json"
            elif method == "GET":
                assert is_sign_in(answer), (method, path)
            else:
                assert answer.status_code in (302, 400, 401), (method, path)
                assert answer.status_code != 302 or is_sign_in(answer)
            assert records == []


def test_a_view_without_a_door_does_not_exist(world: World) -> None:
    app = create_app(world.runtime)
    app.add_url_rule("/forgotten", "forgotten", lambda: "open to everybody", methods=["GET"])
    other = World(world.runtime, app, app.test_client(), "", "", "", "", world.people, world.tokens)
    for client in (app.test_client(), Browser.of(other, "administrator").client):
        answer = client.get("/forgotten")
        assert answer.status_code == 404
        assert b"open to everybody" not in answer.data


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_each_role_gets_into_its_own_pages_and_no_others(world: World, who: str) -> None:
    browser = Browser.of(world, who)
    for rule in rules(world):
        if rule.endpoint in OPEN or rule.endpoint.startswith("api.") or "GET" not in methods(rule):
            continue
        with recorded(world) as records:
            answer = browser.get(address(world, rule))
        if who in allowed(rule.endpoint):
            assert answer.status_code in (200, 302, 303, 404), rule.endpoint
            assert not is_sign_in(answer), rule.endpoint
        else:
            assert answer.status_code == 403, rule.endpoint
            assert [(r["action"], r["decision"]) for r in records] == [("request.refused", "deny")], (
                rule.endpoint
            )


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_each_role_changes_only_what_is_its_own(world: World, who: str) -> None:
    browser = Browser.of(world, who)
    token = browser.token()
    for rule in rules(world):
        if rule.endpoint in OPEN or rule.endpoint.startswith("api.") or "POST" not in methods(rule):
            continue
        if who not in allowed(rule.endpoint):
            answer = browser.client.post(address(world, rule), data={"csrf_token": token})
            assert answer.status_code == 403, rule.endpoint


@pytest.mark.parametrize("who", sorted(EVERYBODY))
def test_home_leads_every_role_to_a_page_that_it_may_see(world: World, who: str) -> None:
    browser = Browser.of(world, who)
    led = browser.get("/")
    assert led.status_code == 302
    assert browser.get(led.headers["Location"]).status_code == 200


def test_a_person_without_a_role_gets_no_further_than_their_account(world: World) -> None:
    person = factories.add_person(
        world.runtime.database, world.organisation, name="Newcomer", email="n@org.example"
    )
    world.people["newcomer"] = person
    browser = Browser.of(world, "newcomer")
    assert browser.get("/").headers["Location"] == "/account"
    assert browser.get("/account").status_code == 200
    for path in ("/documents", "/send", "/audit", "/officer/people", "/administration/people"):
        assert browser.get(path).status_code == 403


def test_a_role_that_ended_opens_nothing(world: World) -> None:
    now = world.runtime.clock()
    person = factories.add_person(
        world.runtime.database, world.organisation, name="Former", email="f@org.example"
    )
    factories.add_role(
        world.runtime.database,
        person,
        "auditor",
        start=now - timedelta(days=9),
        end=now - timedelta(seconds=1),
    )
    factories.add_role(world.runtime.database, person, "administrator", start=now + timedelta(days=1))
    world.people["former"] = person
    browser = Browser.of(world, "former")
    for path in ("/audit", "/administration/people"):
        assert browser.get(path).status_code == 403


@pytest.mark.parametrize(
    "path", ["/static/../portal/app.py", "/static/%2e%2e/keys/root.key", "/static//etc/passwd"]
)
def test_nothing_outside_the_bundle_is_served(world: World, path: str) -> None:
    assert world.app.test_client().get(path).status_code in (404, 308)
