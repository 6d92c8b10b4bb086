"""Who is asking: tokens and sessions that do not hold, requests that another site made, limits before the log."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest

from portal import models
from portal.http.identify import SESSION_KEY
from portal.http.routing import door_of
from tests.portal.attack import Browser, clock_of, open_copy, recorded, sql, stored
from tests.portal.worlds import World, build_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("credentials") / "data")
    copy.deposited(b"Deliverable", label="NATO RESTRICTED")
    yield copy
    copy.runtime.close()


def ask(world: World, authorization: str, path: str = "/api/v1/documents") -> Any:
    return world.app.test_client().get(path, headers={"Authorization": authorization})


def unauthenticated(answer: Any) -> None:
    """Look that this is 401 with a challenge, never a redirect, and sets nothing."""
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="strongroom"'
    assert answer.mimetype == "application/problem+json"
    assert "Location" not in answer.headers
    assert "Set-Cookie" not in answer.headers


def tokens(world: World) -> dict[str, str]:
    """Return tokens that do not hold, by what is wrong with them."""
    good = world.tokens["official"]
    create = world.runtime.account._tokens.create
    revoked, info = create(world.people["official"], "revoked", 1, 2, 2)
    world.runtime.account._tokens.revoke(info.id, None)
    return {
        "forged": "srt_" + "A" * 43,
        "one letter off": good[:-1] + ("A" if good[-1] != "A" else "B"),
        "cut": good[:-1],
        "longer": good + "A",
        "empty": "",
        "blank": "   ",
        "letters": "ü" * 20,
        "long": "A" * 10_000,
        "revoked": revoked,
    }


def test_a_token_that_does_not_hold_is_refused_alike_and_recorded(world: World) -> None:
    answers = set()
    for what, token in tokens(world).items():
        with recorded(world) as records:
            answer = ask(world, f"Bearer {token}".encode().decode("latin-1"))
        unauthenticated(answer)
        answers.add((answer.data, tuple(answer.headers)))
        assert [(r["action"], r["decision"]) for r in records] == [("token.refused", "deny")], what
        assert not token.strip() or token not in str(records)
    assert len(answers) == 1


def test_an_expired_token_is_refused_and_recorded(world: World) -> None:
    token, _ = world.runtime.account._tokens.create(world.people["official"], "short", 1, 2, 2)
    assert ask(world, f"Bearer {token}").status_code == 200
    before = clock_of(world).now
    clock_of(world).move(days=1)
    with recorded(world) as records:
        unauthenticated(ask(world, f"Bearer {token}"))
    assert [record["action"] for record in records] == ["token.refused"]
    clock_of(world).now = before


@pytest.mark.parametrize("scheme", ["Basic b2ZmaWNpYWw6eA==", "Bearer", "bearer:x", "Digest x", "x"])
def test_other_ways_to_authenticate_are_refused(world: World, scheme: str) -> None:
    unauthenticated(ask(world, scheme))


def test_a_bad_token_is_not_helped_by_a_good_cookie(world: World) -> None:
    browser = Browser.of(world, "official")
    answer = browser.get("/api/v1/documents", headers={"Authorization": "Bearer srt_forged"})
    assert answer.status_code == 401


def test_every_door_of_the_api_refuses_a_forged_token(world: World) -> None:
    for rule in world.app.url_map.iter_rules():
        door = door_of(world.app.view_functions[rule.endpoint])
        if not rule.rule.startswith("/api/") or (door is not None and door.anyone):
            continue
        path = rule.rule.replace("<document_id>", "x").replace("<int:number>", "1").replace("<int:seq>", "1")
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            answer = world.app.test_client().open(
                path, method=method, headers={"Authorization": "Bearer srt_forged"}, data=b"x"
            )
            unauthenticated(answer)


def test_forged_tokens_beyond_the_limit_leave_no_record(world: World) -> None:
    limited = open_copy(world.runtime.settings.data.parent / "limited", requests_per_minute=5)
    with recorded(limited) as records:
        statuses = [ask(limited, f"Bearer srt_forged{number}").status_code for number in range(12)]
    assert statuses == [401] * 5 + [429] * 7
    assert len(records) == 5
    assert ask(limited, f"Bearer {limited.tokens['official']}").status_code == 200
    limited.runtime.close()


def test_an_invented_token_does_not_lift_the_limit_of_pages(world: World) -> None:
    limited = open_copy(world.runtime.settings.data.parent / "pages", requests_per_minute=5)
    statuses = [ask(limited, f"Bearer {number}", "/sign-in").status_code for number in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    limited.runtime.close()


def test_requests_beyond_the_limit_are_told_when_to_come_back_and_leave_no_record(world: World) -> None:
    limited = open_copy(world.runtime.settings.data.parent / "few", token_requests_per_minute=3)
    answers = [limited.get("/documents", "official") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    with recorded(limited) as records:
        answer = limited.get("/documents", "official")
    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    assert int(answer.headers["Retry-After"]) > 0
    assert records == []
    assert limited.get("/documents", "partner").status_code == 200
    limited.runtime.close()


# Sessions


def test_a_session_opens_the_api_for_reading(world: World) -> None:
    assert Browser.of(world, "official").get("/api/v1/documents").status_code == 200


@pytest.mark.parametrize("what", ["deleted", "ended", "idle", "old", "locked"])
def test_a_session_that_does_not_hold_leads_to_sign_in_and_is_recorded_once(world: World, what: str) -> None:
    browser = Browser.of(world, "auditor")
    before = clock_of(world).now
    person = world.people["auditor"]
    if what == "deleted":
        sql(world, "DELETE FROM sessions WHERE person_id = ?", person)
    elif what == "ended":
        world.runtime.account._sessions.end_all(person, None)
    elif what == "idle":
        clock_of(world).move(minutes=31)
    elif what == "old":
        for _ in range(31):
            clock_of(world).move(minutes=20)
            browser.get("/account")
    else:
        _set_active(world, person, False)
    with recorded(world) as records:
        api = browser.get("/api/v1/audit/records")
        page = browser.get("/audit")
    unauthenticated_or_popped = api.status_code == 401 and page.status_code == 302
    assert unauthenticated_or_popped
    assert page.headers["Location"] == "/sign-in?next=/audit"
    assert [record["action"] for record in records] == (["session.refused"] if what != "old" else [])
    clock_of(world).now = before
    _set_active(world, person, True)


def _set_active(world: World, person: str, active: bool) -> None:
    with world.runtime.database.write(log_entry=0) as session:
        session.get_one(models.Person, person).active = active


@pytest.mark.parametrize("cookie", ["", "x", "eyJzaWQiOiJ4In0.aaaa.bbbb", "." * 3000])
def test_a_forged_cookie_is_nobody(world: World, cookie: str) -> None:
    client = world.app.test_client()
    client.set_cookie("strongroom", cookie)
    assert client.get("/documents").headers["Location"] == "/sign-in?next=/documents"


def test_a_cookie_of_another_installation_is_nobody(world: World, tmp_path: Any) -> None:
    other = build_world(tmp_path / "other")
    browser = Browser.of(other, "official")
    cookie = browser.client.get_cookie("strongroom")
    assert cookie is not None
    client = world.app.test_client()
    client.set_cookie("strongroom", cookie.value)
    assert client.get("/documents").status_code == 302
    other.runtime.close()


def test_the_secret_of_a_session_is_not_stored(world: World) -> None:
    browser = Browser.of(world, "official")
    with browser.client.session_transaction() as kept:
        secret = kept[SESSION_KEY]
    for path in world.runtime.settings.data.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes()
            assert world.tokens["official"].encode() not in path.read_bytes()


# Requests that another site made


def refused(world: World, send: Any) -> None:
    before = stored(world)
    with recorded(world) as records:
        answer = send()
    assert answer.status_code == 400
    assert [(r["action"], r["decision"]) for r in records] == [("request.refused", "deny")]
    assert stored(world) == before


WRONG = ["", "x", "IjE1NmQyZjU1MTQ2ZjZlOTk2YmE0ZmJmNzRmNjQ3OTQwYTEi.aSQ.x"]


@pytest.mark.parametrize("token", [None, *WRONG])
def test_no_form_is_taken_without_the_token_of_its_session(world: World, token: str | None) -> None:
    browser = Browser.of(world, "partner")
    form = {} if token is None else {"csrf_token": token}
    for path in ("/documents/search", "/documents/download", "/send/marking", "/sign-out", "/account/tokens"):
        refused(world, lambda path=path: browser.client.post(path, data=form))
        refused(world, lambda path=path: browser.client.post(path, data=form, headers={"X-CSRFToken": "x"}))
    assert browser.get("/account").status_code == 200


@pytest.mark.parametrize(
    "path", ["/send", "/api/v1/documents", "/documents/x/send", "/api/v1/documents/x/versions"]
)
@pytest.mark.parametrize("token", [None, "x"])
def test_no_upload_is_taken_without_the_token_of_its_session(
    world: World, path: str, token: str | None
) -> None:
    browser = Browser.of(world, "partner")
    facts = {
        "programme": world.programme,
        "title": "T",
        "label": "NATO RESTRICTED",
        "classification": "RESTRICTED",
    }

    def send() -> Any:
        form = {**facts, **({} if token is None else {"csrf_token": token})}
        return browser.client.post(path, data={**form, "file": (io.BytesIO(b"x"), "x.txt")})

    refused(world, send)


def test_a_token_after_the_file_comes_too_late(world: World) -> None:
    browser = Browser.of(world, "partner")
    token = browser.token()
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.txt"\r\n\r\ncontent\r\n'
        b'--b\r\nContent-Disposition: form-data; name="csrf_token"\r\n\r\n'
        + token.encode()
        + b"\r\n--b--\r\n"
    )
    refused(
        world,
        lambda: browser.client.post("/send", data=body, content_type="multipart/form-data; boundary=b"),
    )


@pytest.mark.parametrize(
    ("method", "path", "content_type"),
    [
        ("POST", "/api/v1/documents?programme=x&label=NATO+SECRET", "application/octet-stream"),
        ("POST", "/api/v1/documents/search", "application/json"),
        ("POST", "/api/v1/documents/search", "text/plain"),
        ("PUT", "/api/v1/documents/x/content", "application/octet-stream"),
        ("POST", "/api/v1/documents/x/versions", "text/plain"),
    ],
)
def test_the_api_takes_nothing_on_a_cookie_alone(
    world: World, method: str, path: str, content_type: str
) -> None:
    browser = Browser.of(world, "partner")
    refused(
        world,
        lambda: browser.client.open(path, method=method, data=b'{"q": "a"}', content_type=content_type),
    )


def test_the_api_takes_a_cookie_with_the_token_in_the_header(world: World) -> None:
    browser = Browser.of(world, "official")
    headers = {"X-CSRFToken": browser.token()}
    answer = browser.client.post("/api/v1/documents/search", json={"q": "deliverable"}, headers=headers)
    assert answer.status_code == 200


def test_the_token_of_another_session_is_refused(world: World) -> None:
    token = Browser.of(world, "official").token()
    browser = Browser.of(world, "official")
    refused(world, lambda: browser.client.post("/documents/search", data={"q": "a", "csrf_token": token}))


# Tokens and people


def test_a_token_opens_no_page_and_makes_and_ends_no_other(world: World) -> None:
    headers = world.headers("official")
    for path in ("/account/tokens", "/account/tokens/x/revoke", "/account/sessions/x/end"):
        form = {"name": "another", "days": "366"}
        assert world.client.post(path, data=form, headers=headers).status_code == 401
    assert world.client.get("/documents", headers=headers).headers["Location"] == "/sign-in?next=/documents"


def test_a_token_is_made_shown_once_used_and_revoked(world: World) -> None:
    browser = Browser.of(world, "official")
    page = browser.post("/account/tokens", {"name": "Nightly script", "days": "1"}).get_data(as_text=True)
    token = next(
        word for word in page.replace("<", " ").replace(">", " ").replace('"', " ").split() if "srt_" in word
    )
    assert ask(world, f"Bearer {token}").status_code == 200
    assert token not in browser.get("/account").get_data(as_text=True)
    revoke = page.rpartition("/account/tokens/")[0] and browser.get("/account").get_data(as_text=True)
    for line in str(revoke).split('action="')[1:]:
        path = line.split('"')[0]
        if path.endswith("/revoke"):
            browser.post(path)
    unauthenticated(ask(world, f"Bearer {token}"))


def test_nobody_ends_the_session_or_the_token_of_somebody_else(world: World) -> None:
    theirs = Browser.of(world, "partner")
    session = sql(
        world, "SELECT id FROM sessions WHERE person_id = ? AND ended IS NULL", world.people["partner"]
    )[-1][0]
    token = sql(world, "SELECT id FROM api_tokens WHERE person_id = ?", world.people["partner"])[0][0]
    browser = Browser.of(world, "administrator")
    assert browser.post(f"/account/sessions/{session}/end").status_code in (303, 404)
    assert browser.post(f"/account/tokens/{token}/revoke").status_code == 404
    assert theirs.get("/documents").status_code == 200
    assert world.get("/documents", "partner").status_code == 200
