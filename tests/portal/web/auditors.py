"""What tests of the auditor's pages share: an installation with some reads and refusals, and what its pages say."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

import pytest

from tests.portal.web.visitors import Visitor, sign_in
from tests.portal.worlds import World, build_world

TITLE = "Interface control document of the coastal radar node"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("audit") / "data")
    yield built
    built.runtime.close()


@pytest.fixture(scope="module")
def auditor(world: World) -> Visitor:
    return sign_in(world, "auditor")


@pytest.fixture(scope="module")
def document(world: World) -> str:
    """A document that an official downloaded twice, and another company was refused."""
    made = world.deposited(title=TITLE, label="NATO RESTRICTED")
    for who in ("official", "official", "other", "restricted"):
        world.get(f"/documents/{made}/content", who)
    return made


def entries(page: str) -> list[str]:
    """Return what each entry of a page says."""
    found = re.findall(r'<li class="entry.*?</li>', page, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", one)).split()) for one in found]


def fields_of(page: str) -> dict[str, str]:
    """Return the filter form's fields as a browser would send them."""
    form = re.search(r"<form[^>]*filter-form.*?</form>", page, re.DOTALL)
    assert form, page[:300]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input[^>]*>", form[0]):
        name, kind = re.search(r'name="([^"]*)"', tag), re.search(r'type="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and kind and (kind[1] not in ("radio", "checkbox") or "checked" in tag):
            found[name[1]] = html.unescape(value[1]) if value else ""
    for name, options in re.findall(r'<select[^>]*name="([^"]*)".*?>(.*?)</select>', form[0], re.DOTALL):
        chosen = re.search(r'value="([^"]*)"[^>]*selected', options)
        found[name] = html.unescape(chosen[1]) if chosen else ""
    return found
