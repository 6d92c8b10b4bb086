"""People in a browser without script: signed in with password and code, a session cookie and the form's token."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from portal.identity import totp
from tests.portal.factories import PASSWORD
from tests.portal.worlds import ABSENT, World


@dataclass
class Visitor:
    """A signed-in person; `post` sends a form as the page would, with its token."""

    person: str
    client: FlaskClient
    token: str

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def post(self, path: str, **fields: object) -> TestResponse:
        return self.client.post(path, data={"csrf_token": self.token, **fields})

    def confirm(self, path: str, **fields: object) -> TestResponse:
        """Send a form, answer yes to the question that follows, and return the page that it leads to."""
        asked = self.post_and_follow(path, **fields)
        assert "is that right?" in text_of(asked), text_of(asked)
        draft = re.findall(r'type="hidden" name="draft" value="([^"]*)"', asked.text)[0]
        done = self.post(path, draft=html.unescape(draft))
        assert done.status_code == 303, text_of(done)
        return self.client.get(done.location)

    def post_and_follow(self, path: str, **fields: object) -> TestResponse:
        answer = self.post(path, **fields)
        assert answer.status_code in (302, 303), text_of(answer)
        return self.client.get(answer.location)


def sign_in(world: World, who: str) -> Visitor:
    """Sign in through the form, as one of the people of the world; once for each code."""
    client = world.app.test_client()
    form = client.get("/sign-in")
    fields = {
        "email": f"{who}@org.example",
        "password": PASSWORD,
        "code": totp.code_at(world.totp[who], world.runtime.clock()),
    }
    entered = client.post("/sign-in", data={"csrf_token": token_of(form), **fields})
    assert entered.status_code == 302, text_of(entered)
    return Visitor(world.people[who], client, token_of(client.get("/account")))


def token_of(page: TestResponse) -> str:
    """Return the token that a page's forms carry."""
    found = re.search(r'name="csrf-token" content="([^"]+)"', page.text)
    assert found, page.text[:500]
    return found[1]


def text_of(page: TestResponse) -> str:
    """Return what a page says: its main part without markup, in single spaces."""
    main = re.search(r"<main.*</main>", page.text, re.DOTALL)
    bare = re.sub(r"<(?!/?bdi)[^>]*>", " ", main[0] if main else page.text)
    return " ".join(html.unescape(re.sub(r"</?bdi>", "", bare)).split())


def links_of(page: TestResponse, words: str) -> list[str]:
    """Return where the links lead whose words contain `words`."""
    found = re.findall(r'<a\b[^>]*\bhref="([^"]+)"[^>]*>(.*?)</a>', page.text, re.DOTALL)
    return [html.unescape(url) for url, inner in found if words in re.sub(r"<[^>]*>", "", inner)]


def doors_of(world: World, room: str) -> list[tuple[str, str]]:
    """Return method and path of every view of a blueprint, with ids of things that are there where it can."""
    known = {
        "person_id": world.people["restricted"],
        "organisation_id": world.company,
        "document_id": ABSENT,
        "kind": "roles",
        "grant_id": ABSENT,
        "session_id": ABSENT,
        "field": "organisation",
        "digest": ABSENT,
        "proposal_id": ABSENT,
        "section": "levels",
        "row_id": ABSENT,
        "instruction_id": ABSENT,
        "key_id": ABSENT,
    }
    return [
        (method, re.sub(r"<(\w+)>", lambda part: known[part[1]], rule.rule))
        for rule in world.app.url_map.iter_rules()
        if rule.endpoint.startswith(f"{room}.")
        for method in sorted((rule.methods or set()) & {"GET", "POST"})
    ]
