"""Every page that somebody reaches from their first one: links of this host are followed, one page of each kind."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

from playwright.sync_api import APIRequestContext

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{64}|\d+")
_MOST = 120
_SAMPLES = "/_style"
"""Shows every part of pages with links that lead nowhere: it is looked at, and not followed."""


class _Links(HTMLParser):
    """Gathers where a page's links lead, but for downloads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href") and "download" not in values:
            self.found.append(values["href"] or "")


def kind_of(url: str) -> str:
    """Return what pages of one kind share: the path without ids and numbers, and the names in the query.

    Lists that are narrowed by more than two names at once are of one kind: there is no end to their combinations.
    """
    parts = urlsplit(url)
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    if len(names) > 2:
        names = ["…"]
    return _ID.sub("*", parts.path) + ("?" + "&".join(names) if names else "")


def pages_from(request: APIRequestContext, home: str, starts: Sequence[str] = ("/",)) -> list[str]:
    """Return the address of one page of each kind that can be reached from `starts`, in the order they are found.

    Raises AssertionError for a link that leads to no page (an answer of 400 and more).
    """
    waiting = deque((urljoin(home, start), "") for start in starts)
    seen: set[str] = set()
    found: list[str] = []
    broken: list[str] = []
    while waiting:
        url, origin = waiting.popleft()
        kind = kind_of(url)
        if kind in seen:
            continue
        seen.add(kind)
        answer = request.get(url)
        if answer.status >= 400:
            broken.append(f"{url} on {origin} answers {answer.status}")
            continue
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        # A page that leads on elsewhere is the one that it leads to.
        if (final := kind_of(answer.url)) != kind and final in seen:
            continue
        seen.add(final)
        found.append(answer.url)
        assert len(found) <= _MOST, f"more than {_MOST} kinds of pages: {found}"
        if urlsplit(answer.url).path == _SAMPLES:
            continue
        links = _Links()
        links.feed(answer.text())
        for href in links.found:
            following = urljoin(answer.url, href).partition("#")[0]
            if following.startswith(f"{home}/"):
                waiting.append((following, answer.url))
    assert broken == [], broken
    return found
