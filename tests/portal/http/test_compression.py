"""Pages are compressed where nobody learns anything by their length, and the token in them is never the same text."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator

import pytest

from portal.http.compression import squeezed
from tests.portal.attack import open_copy
from tests.portal.web.visitors import Visitor, sign_in, token_of
from tests.portal.worlds import World

HERE = {"Accept-Encoding": "gzip", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An installation for all these tests, which change nothing in it that another looks at."""
    copy = open_copy(tmp_path_factory.mktemp("compression") / "data")
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def visitor(world: World) -> Visitor:
    """An official, signed in once, since a code is accepted once."""
    return sign_in(world, "official")


def test_a_page_that_somebody_asked_for_here_is_compressed(world: World) -> None:
    plain = world.client.get("/sign-in")
    packed = world.client.get("/sign-in", headers=HERE)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert {"Accept-Encoding", "Sec-Fetch-Site"} <= set(packed.vary)
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    assert "<h1" in gzip.decompress(packed.data).decode()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Accept-Encoding": "gzip"},
        {**HERE, "Accept-Encoding": "gzip;q=0, br"},
        {**HERE, "Sec-Fetch-Site": "cross-site"},
        {**HERE, "Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_that_another_site_may_have_asked_for_is_not(world: World, headers: dict[str, str]) -> None:
    answer = world.client.get("/sign-in", headers=headers)
    assert "Content-Encoding" not in answer.headers
    assert "<h1" in answer.text


def test_neither_documents_nor_the_api_are_compressed(world: World) -> None:
    text = b"<!doctype html><title>Deliverable</title>" + b"word " * 1000
    document = world.deposited(text, name="page.html", label="NATO RESTRICTED")
    for path in ("/documents", f"/documents/{document}", f"/documents/{document}/content"):
        assert "Content-Encoding" not in world.get(path, "official", headers=HERE).headers


def test_the_length_of_a_compressed_page_is_rounded() -> None:
    content = b"<p>Quarterly report</p>" * 200
    sizes = {len(squeezed(content)) for _ in range(200)}
    assert {size % 512 for size in sizes} == {0}
    assert len(sizes) <= 2
    assert gzip.decompress(squeezed(content)) == content


def test_the_token_of_forms_differs_in_every_answer_and_holds(visitor: Visitor) -> None:
    tokens = [token_of(visitor.get("/account")) for _ in range(3)]
    assert len(set(tokens)) == 3
    for token in tokens:
        answer = visitor.client.post("/documents/search", data={"csrf_token": token, "q": "word"})
        assert answer.status_code in (302, 303)


def test_all_forms_of_one_answer_carry_one_token(visitor: Visitor) -> None:
    page = visitor.get("/account").text
    assert len(set(re.findall(r'name="csrf_token" value="([^"]+)"', page))) == 1


@pytest.mark.parametrize("token", ["", "a", "AAAA", "=" * 8, "ä", "A" * 4000])
def test_what_is_no_token_is_refused(visitor: Visitor, token: str) -> None:
    answer = visitor.client.post("/documents/search", data={"csrf_token": token, "q": "word"})
    assert answer.status_code == 400
