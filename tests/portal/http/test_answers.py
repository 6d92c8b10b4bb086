"""What every answer carries: the exact policy of its kind, no store, no cookie that a script can read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from werkzeug.test import TestResponse

from portal.http.security_headers import content_security_policy
from tests.portal.attack import Browser, open_copy
from tests.portal.worlds import World

PAGE = (
    "default-src 'none'; script-src 'nonce-{nonce}'{wasm}; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; require-trusted-types-for 'script'; trusted-types htmx workers"
)
COMMON = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
}
PAGES = {
    "partner": (
        "/documents",
        "/documents/{d}",
        "/send",
        "/documents/{d}/send",
        "/documents/{d}/versions/1/receipt",
    ),
    "official": ("/documents", "/documents/{d}", "/documents/{p}", "/account", "/documents/absent"),
    "auditor": ("/audit", "/audit/entries/0", "/audit/export", "/audit?limit=0", "/documents"),
    "officer": ("/officer/people", "/officer/why", "/nowhere"),
    "administrator": ("/administration/people", "/administration/programmes", "/administration/status"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("answers") / "data")
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def documents(world: World) -> dict[str, str]:
    return {
        "d": world.deposited(b"Deliverable", label="NATO RESTRICTED"),
        "p": world.deposited(b"%PDF-1.7\n%%EOF\n", label="NATO RESTRICTED", name="plan.pdf"),
    }


class Markup(HTMLParser):
    """Collects scripts without a nonce, inline styles and handlers."""

    def __init__(self, nonce: str) -> None:
        super().__init__()
        self.nonce = nonce
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "script" and known.get("nonce") != self.nonce and known.get("type") != "application/json":
            self.faults.append(f"script {known}")
        if tag == "style" or "style" in known or any(name.startswith("on") for name in known):
            self.faults.append(f"{tag} {known}")
        for name in ("href", "src", "action"):
            value = known.get(name) or ""
            if re.match(r"(?i)\s*(https?:|//|javascript:)", value):
                self.faults.append(f"{tag} {name}={value}")


def check_common(answer: TestResponse) -> None:
    for name, value in COMMON.items():
        assert answer.headers.getlist(name) == [value], name
    assert "camera=()" in answer.headers["Permissions-Policy"]
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
    assert "Server" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie


def check_page(answer: TestResponse, *, wasm: bool = False) -> str:
    check_common(answer)
    assert answer.mimetype == "text/html"
    assert answer.headers["Cache-Control"] == "no-store"
    policy = answer.headers["Content-Security-Policy"]
    found = re.search(r"'nonce-([A-Za-z0-9_-]{24})'", policy)
    assert found is not None
    assert policy == PAGE.format(nonce=found[1], wasm=" 'wasm-unsafe-eval'" if wasm else "")
    assert policy == content_security_policy(found[1], wasm=wasm)
    markup = Markup(found[1])
    markup.feed(answer.get_data(as_text=True))
    assert markup.faults == []
    return found[1]


@pytest.mark.parametrize("who", PAGES)
def test_every_page_has_the_exact_policy_and_a_nonce_of_its_own(
    world: World, documents: dict[str, str], who: str
) -> None:
    browser = Browser.of(world, who)
    nonces = []
    for path in PAGES[who]:
        answer = browser.get(path.format(**documents))
        nonces.append(check_page(answer, wasm=path == "/documents/{p}"))
    assert len(set(nonces)) == len(nonces)


@pytest.mark.parametrize("path", ["/sign-in", "/welcome/x", "/nowhere"])
def test_pages_before_sign_in_have_the_same_policy(world: World, path: str) -> None:
    check_page(world.app.test_client().get(path))


def test_errors_are_pages_with_the_same_policy(world: World, documents: dict[str, str]) -> None:
    browser = Browser.of(world, "partner")
    for answer, status in (
        (browser.get("/documents/absent"), 404),
        (browser.get("/audit"), 403),
        (browser.client.post("/documents/search"), 400),
        (browser.client.delete("/documents"), 405),
        (browser.get("/documents?limit=x"), 400),
        (
            browser.get(f"/documents/{documents['d']}/versions/1/content", headers={"Range": "bytes=9999-"}),
            416,
        ),
    ):
        assert answer.status_code == status
        check_page(answer)


@pytest.mark.parametrize(
    "path", ["/documents", "/documents/absent", "/programmes", "/openapi.json", "/nowhere"]
)
def test_every_answer_to_a_program_may_run_nothing(world: World, path: str) -> None:
    answer = world.get(path, "official")
    check_common(answer)
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_answer_to_a_program_names_the_portal_and_not_the_host_that_was_asked_for(world: World) -> None:
    answer = world.get("/documents/absent", "official", headers={"Host": "elsewhere.example"})
    assert answer.json["type"] == f"{world.runtime.settings.public_url}/problems/not-found"
    assert "elsewhere" not in str(answer.headers)


@pytest.mark.parametrize("path", ["/documents", "/openapi.json", "/documents/absent/content"])
def test_what_methods_an_address_takes_is_no_page(world: World, path: str) -> None:
    answer = world.client.options(f"/api/v1{path}", headers=world.headers("official"))
    assert answer.status_code == 200
    assert answer.data == b""
    assert "nonce" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "name", ["page.html", "drawing.svg", "script.js", "plan.pdf", "note.txt", "data.xml"]
)
def test_content_is_sandboxed_and_only_what_is_harmless_is_shown_in_place(world: World, name: str) -> None:
    contents = {
        "page.html": b"<!doctype html><html><body><script>alert(1)</script></body></html>",
        "drawing.svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "script.js": b"alert(document.cookie)",
        "plan.pdf": b"%PDF-1.7\n%%EOF\n",
        "note.txt": b"Only words.",
        "data.xml": b'<?xml version="1.0"?><x xmlns:h="http://www.w3.org/1999/xhtml"><h:script>alert(1)</h:script></x>',
    }
    document = world.deposited(contents[name], label="NATO RESTRICTED", name=name)
    browser = Browser.of(world, "official")
    for kind in ("content", "view"):
        answer = browser.get(f"/documents/{document}/versions/1/{kind}")
        assert answer.status_code == 200
        check_common(answer)
        assert (
            answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'; frame-ancestors 'none'"
        )
        assert answer.headers["Cache-Control"] == "no-store, no-transform"
        assert answer.data == contents[name]
        if answer.headers["Content-Disposition"].startswith("inline"):
            assert answer.mimetype in ("application/pdf", "text/plain"), (name, answer.mimetype)
        assert kind == "view" or answer.headers["Content-Disposition"].startswith("attachment")


def test_a_file_name_cannot_break_out_of_its_header(world: World) -> None:
    name = "a\";filename=x;\u00e9%22;b'.txt"
    document = world.deposited(b"x", label="NATO RESTRICTED", name="plain.txt")
    answer = world.client.put(
        f"/api/v1/documents/{document}/content",
        data=b"y",
        headers=world.headers(
            "partner",
            **{
                "Content-Disposition": "attachment; filename*=UTF-8''a%22%3Bfilename%3Dx%3B%C3%A9%2522%3Bb%27.txt"
            },
        ),
    )
    assert answer.status_code == 201
    header = world.get(f"/documents/{document}/content", "official").headers["Content-Disposition"]
    assert header.isascii()
    assert header.count('"') == 2
    assert header.endswith("filename*=UTF-8''a%22%3Bfilename%3Dx%3B%C3%A9%2522%3Bb%27.txt"), name


def test_markup_in_a_title_or_a_file_name_is_text(world: World) -> None:
    title = "<img src=x onerror=alert(1)>\"'&"
    document = world.deposited(b"x", label="NATO RESTRICTED", title=title, name="<b>x<b>.txt")
    browser = Browser.of(world, "official")
    for path in ("/documents", f"/documents/{document}"):
        page = browser.get(path)
        check_page(page)
        text = page.get_data(as_text=True)
        assert "<img src=x" not in text
        assert "<b>x" not in text


def test_files_of_the_bundle_are_kept_and_pages_are_not(world: World) -> None:
    page = world.app.test_client().get("/sign-in").get_data(as_text=True)
    addresses = re.findall(r'(?:src|href)="(/static/[^"]+|/policy\.css[^"]*)"', page)
    assert addresses
    for address in addresses:
        answer = world.app.test_client().get(address, buffered=True)
        assert answer.status_code == 200, address
        check_common(answer)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Set-Cookie" not in answer.headers
