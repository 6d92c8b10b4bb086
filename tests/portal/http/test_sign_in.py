"""Signing in and out in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from portal.http.identify import SESSION_KEY
from portal.identity import totp
from tests.portal import factories
from tests.portal.attack import Browser, clock_of, open_copy, recorded, seen, sql
from tests.portal.worlds import World


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("sign-in") / "data", sign_ins_per_minute=10_000)
    yield copy
    copy.runtime.close()


@pytest.fixture(autouse=True)
def a_new_code(world: World) -> None:
    clock_of(world).move(seconds=31)


def sid(browser: Browser) -> str | None:
    with browser.client.session_transaction() as kept:
        found: str | None = kept.get(SESSION_KEY)
    return found


def test_right_credentials_open_a_session_with_both_factors(world: World) -> None:
    browser = Browser(world)
    with recorded(world) as records:
        answer = browser.sign_in("official")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert [(r["action"], r.get("outcome"), r["actor"]) for r in records] == [
        ("session.open", None, world.people["official"]),
        ("session.open", "complete", world.people["official"]),
    ]
    assert records[0]["assurance"] == 2
    assert browser.get("/documents").status_code == 200


def test_the_address_may_be_written_as_people_write_it_and_the_code_with_a_space(world: World) -> None:
    code = totp.code_at(world.totp["official"], world.runtime.clock())
    browser = Browser(world)
    answer = browser.sign_in("official", email=" Official@ORG.example ", code=f"{code[:3]} {code[3:]}")
    assert answer.status_code == 302
    assert browser.get("/documents").status_code == 200


def without_email(answer: TestResponse, email: str) -> object:
    status, headers, body = seen(answer)
    return (
        status,
        [h for h in headers if h[0] not in ("Content-Length", "Set-Cookie")],
        body.replace(email.encode(), b""),
    )


def test_every_failure_gets_the_same_page(world: World) -> None:
    database = world.runtime.database
    for name, active in (("locked", False), ("factorless", True), ("invited", True)):
        if name not in world.people:
            email = f"{name}@org.example"
            world.people[name] = factories.add_person(
                database, world.organisation, name=name, email=email, active=active
            )
            if name != "invited":
                world.totp[name] = factories.add_credential(
                    database, world.people[name], second_factor=name != "factorless"
                )
    browser = Browser(world)
    used = totp.code_at(world.totp["partner"], world.runtime.clock())
    assert Browser(world).sign_in("partner", code=used).status_code == 302
    attempts = {
        "wrong password": ("official", {"password": "seven herons over Lake Geneva"}),
        "empty password": ("official", {"password": ""}),
        "long password": ("official", {"password": "x" * 5000}),
        "wrong code": ("official", {"code": "000000"}),
        "no code": ("official", {"code": ""}),
        "code of letters": ("official", {"code": "abcdef"}),
        "code in other digits": ("official", {"code": "١٢٣٤٥٦"}),
        "replayed code": ("partner", {"code": used}),
        "unknown account": ("nobody", {}),
        "locked account": ("locked", {}),
        "account without a second factor": ("factorless", {"code": "123456"}),
        "account never activated": ("invited", {}),
        "no address": ("official", {"email": ""}),
        "nul": ("official", {"email": "a\x00@org.example"}),
        "long address": ("official", {"email": "a" * 5000 + "@org.example"}),
    }
    pages = {}
    problems = []
    for what, (who, changed) in attempts.items():
        with recorded(world) as records:
            answer = browser.sign_in(who, **changed)
        assert answer.status_code == 401, what
        assert [(r["action"], r["decision"]) for r in records] == [("session.refused", "deny")], what
        problems.append(records[0]["details"]["problem"])
        pages[what] = without_email(answer, changed.get("email", f"{who}@org.example"))
        assert sid(browser) is None
    first = pages["wrong password"]
    assert [what for what, page in pages.items() if page != first] == []
    assert {
        "wrong-password",
        "wrong-code",
        "used-code",
        "unknown-account",
        "inactive",
        "no-second-factor",
    } <= set(problems)


def test_a_replayed_code_is_refused_in_its_whole_window(world: World) -> None:
    code = totp.code_at(world.totp["official"], world.runtime.clock())
    assert Browser(world).sign_in("official", code=code).status_code == 302
    for _ in range(3):
        assert Browser(world).sign_in("official", code=code).status_code == 401
        clock_of(world).move(seconds=15)


def test_no_failure_repeats_the_password_or_the_code(world: World) -> None:
    answer = Browser(world).sign_in("official", password="a password of mine", code="654321")
    assert b"a password of mine" not in answer.data
    assert b"654321" not in answer.data


def test_what_was_typed_is_in_no_record(world: World) -> None:
    with recorded(world) as records:
        Browser(world).sign_in("nobody-at-all", password="a password of mine", code="654321")
    text = str(records)
    assert not any(word in text for word in ("nobody-at-all", "a password of mine", "654321"))


def test_signing_in_takes_a_new_name_and_forgets_the_old_one(world: World) -> None:
    browser = Browser(world)
    with browser.client.session_transaction() as kept:
        kept[SESSION_KEY] = "a name that somebody else chose"
        kept["planted"] = "by somebody else"
    old_token = browser.token("/sign-in")
    answer = browser.sign_in("official")
    assert answer.status_code == 302
    first = sid(browser)
    assert first not in (None, "a name that somebody else chose")
    with browser.client.session_transaction() as kept:
        assert "planted" not in kept
    assert browser.token() != old_token
    clock_of(world).move(seconds=31)
    other = Browser(world)
    other.sign_in("official")
    assert sid(other) != first
    assert (
        browser.client.post("/documents/search", data={"q": "x", "csrf_token": old_token}).status_code == 400
    )


def test_signing_out_ends_the_session_on_the_server(world: World) -> None:
    browser = Browser(world)
    browser.sign_in("official")
    stolen = browser.client.get_cookie("strongroom")
    assert stolen is not None
    with recorded(world) as records:
        answer = browser.post("/sign-out")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/sign-in")
    assert answer.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert [(r["action"], r.get("outcome")) for r in records] == [
        ("session.close", None),
        ("session.close", "complete"),
    ]
    thief = world.app.test_client()
    thief.set_cookie("strongroom", stolen.value)
    assert thief.get("/documents").status_code == 302
    assert sql(world, "SELECT ended FROM sessions ORDER BY created DESC LIMIT 1")[0][0] is not None


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    answers = [Browser(world).get("/sign-in"), Browser(world).sign_in("official")]
    cookies = [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie")]
    assert cookies
    for cookie in cookies:
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}


def test_over_https_cookies_are_bound_to_the_host_and_never_sent_in_the_clear(tmp_path: Path) -> None:
    secure = open_copy(tmp_path / "data", public_url="https://portal.example")
    answer = secure.app.test_client().get("/sign-in", base_url="https://portal.example")
    (cookie,) = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("__Host-strongroom=")
    assert {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=63072000")
    secure.runtime.close()


ELSEWHERE = (
    "https://evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "\\\\evil.example/",
    "/\t/evil.example",
    "/\n/evil.example",
    "/%09/evil.example\t",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "http:/evil.example",
    "evil.example",
    "/ok\r\nSet-Cookie: a=b",
    "/\x00",
    "//",
)


@pytest.mark.parametrize("target", ELSEWHERE)
def test_signing_in_leads_to_no_other_site(world: World, target: str) -> None:
    answer = Browser(world).sign_in("official", next=target)
    assert answer.status_code == 302
    location = answer.headers["Location"]
    assert location == "/" or (location.startswith("/%09/") and "\t" not in location), location
    page = world.app.test_client().get("/sign-in", query_string={"next": target}).get_data(as_text=True)
    assert f'name="next" value="{target}"' not in page or not target.strip()


@pytest.mark.parametrize("target", ["/documents?sort=size", "/documents/x/versions/1", "/account"])
def test_signing_in_leads_back_to_where_one_wanted_to_go(world: World, target: str) -> None:
    led = world.app.test_client().get(target)
    assert led.status_code == 302
    browser = Browser(world)
    page = browser.get(led.headers["Location"])
    assert page.status_code == 200
    assert browser.sign_in("official", next=target).headers["Location"] == target


def test_attempts_beyond_the_limit_are_refused_before_anything_is_checked_or_recorded(tmp_path: Path) -> None:
    limited = open_copy(tmp_path / "data", sign_ins_per_minute=3)
    browser = Browser(limited)
    with recorded(limited) as records:
        statuses = [browser.sign_in("official", password="wrong").status_code for _ in range(8)]
    assert statuses == [401] * 3 + [429] * 5
    assert [record["action"] for record in records] == ["session.refused"] * 3
    # The limit counts by account too: from another address the right password has to wait as well.
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    form = {"email": "OFFICIAL@org.example ", "password": factories.PASSWORD, "code": "000000"}
    token = browser.token("/sign-in")
    with recorded(limited) as records:
        answer = browser.client.post(
            "/sign-in", data={**form, "csrf_token": token}, environ_overrides=elsewhere, buffered=True
        )
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert records == []
    limited.runtime.close()


def test_a_sign_in_without_the_token_of_its_form_is_refused_without_a_look_at_the_credentials(
    world: World,
) -> None:
    with recorded(world) as records:
        form = {"email": "official@org.example", "password": factories.PASSWORD, "code": "000000"}
        assert world.app.test_client().post("/sign-in", data=form).status_code == 400
    assert records == []


@pytest.mark.parametrize("secret", ["x", "%00", "A" * 43, "a" * 3000, "%FF"])
def test_a_one_time_link_that_does_not_hold_is_not_found(world: World, secret: str) -> None:
    for method in ("GET", "POST"):
        browser = Browser(world)
        data = {"csrf_token": browser.token("/sign-in")} if method == "POST" else None
        answer = browser.client.open(f"/welcome/{secret}", method=method, data=data)
        assert answer.status_code == 404


def test_a_one_time_link_works_once_and_its_answer_tells_no_secret_to_other_sites(world: World) -> None:
    person = factories.add_person(
        world.runtime.database,
        world.organisation,
        name="Guest",
        email="guest@org.example",
        roles=["official"],
    )
    secret = world.runtime.links.create(person, 1)
    browser = Browser(world)
    page = browser.get(f"/welcome/{secret}")
    assert page.status_code == 200
    assert page.headers["Referrer-Policy"] == "same-origin"
    shared = totp.new_secret()
    form = {
        "password": "eleven storks over Lake Geneva",
        "again": "eleven storks over Lake Geneva",
        "shared": shared,
        "code": totp.code_at(shared, world.runtime.clock()),
    }
    assert (
        browser.post(f"/welcome/{secret}", {**form, "again": "different"}, page="/sign-in").status_code == 400
    )
    assert browser.post(f"/welcome/{secret}", form, page="/sign-in").status_code == 302
    assert browser.post(f"/welcome/{secret}", form, page="/sign-in").status_code == 404
    assert browser.get(f"/welcome/{secret}").status_code == 404
    clock_of(world).move(seconds=31)
    code = totp.code_at(shared, world.runtime.clock())
    signed = Browser(world).sign_in("guest", password="eleven storks over Lake Geneva", code=code)
    assert signed.status_code == 302
