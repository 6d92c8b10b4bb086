import re

import pytest

from portal.http import security_headers as headers


def directives(policy: str) -> dict[str, str]:
    return dict(part.partition(" ")[::2] for part in policy.split("; "))


def test_every_nonce_is_new_and_carries_128_bits_or_more():
    nonces = {headers.new_nonce() for _ in range(200)}
    assert len(nonces) == 200
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22,}", nonce) for nonce in nonces)


def test_pages_run_only_scripts_with_their_nonce():
    policy = directives(headers.content_security_policy("abc"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'nonce-abc'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert policy["trusted-types"] == "htmx workers"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"


@pytest.mark.parametrize("word", ["unsafe-inline", "unsafe-eval", "strict-dynamic", "*", "http"])
def test_no_policy_of_a_page_is_loose(word):
    assert word not in headers.content_security_policy("abc").replace("require", "")


def test_only_the_viewer_may_compile_wasm():
    assert "'wasm-unsafe-eval'" not in headers.content_security_policy("abc")
    assert directives(headers.content_security_policy("abc", wasm=True))["script-src"] == (
        "'nonce-abc' 'wasm-unsafe-eval'"
    )


def test_pages_are_never_stored_and_bundled_files_for_a_year():
    assert headers.page_headers("abc", https=False)["Cache-Control"] == "no-store"
    assert headers.answer_headers(https=False)["Cache-Control"] == "no-store"
    assert headers.content_headers(https=False)["Cache-Control"].startswith("no-store")
    assert headers.asset_headers(https=False)["Cache-Control"] == "public, max-age=31536000, immutable"


def test_document_content_is_sandboxed():
    policy = directives(headers.content_headers(https=True)["Content-Security-Policy"])
    assert "sandbox" in policy
    assert policy["default-src"] == "'none'"


EVERY_KIND = [
    lambda https: headers.page_headers("abc", https=https),
    lambda https: headers.answer_headers(https=https),
    lambda https: headers.content_headers(https=https),
    lambda https: headers.asset_headers(https=https),
]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_every_answer_carries_the_common_headers(kind):
    sent = kind(True)
    assert sent["X-Content-Type-Options"] == "nosniff"
    assert sent["Cross-Origin-Opener-Policy"] == "same-origin"
    assert sent["Cross-Origin-Resource-Policy"] == "same-origin"
    assert sent["Referrer-Policy"] == "same-origin"
    assert "camera=()" in sent["Permissions-Policy"]


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_strict_transport_security_is_sent_over_https_only(kind):
    assert "Strict-Transport-Security" in kind(True)
    assert "Strict-Transport-Security" not in kind(False)
