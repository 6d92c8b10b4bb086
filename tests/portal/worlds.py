"""A whole installation in a folder, with people of every role and an API client, all of it real."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.test import TestResponse, stream_encode_multipart

from policies.requests import Role
from portal.app import create_app
from portal.services import installation
from portal.services.installation import FirstPerson
from portal.services.runtime import Runtime
from portal.settings import Settings
from tests.portal import factories

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
ABSENT = "00000000-0000-4000-8000-000000000000"


@dataclass
class World:
    """An open installation; `people` and `tokens` by role name (`partner`, `other`, `official`, `restricted`, …)."""

    runtime: Runtime
    app: Flask
    client: FlaskClient
    organisation: str
    company: str
    other_company: str
    programme: str
    people: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    totp: dict[str, str] = field(default_factory=dict)

    def headers(self, who: str, **more: str) -> dict[str, str]:
        """Return the headers of a request by `who`."""
        return {"Authorization": f"Bearer {self.tokens[who]}", **more}

    def deposit(
        self,
        content: bytes = b"Deliverable",
        *,
        title: str = "A deliverable",
        label: str = "NATO SECRET",
        name: str = "deliverable.txt",
        who: str = "partner",
        **more: Any,
    ) -> TestResponse:
        """Post a document as a form."""
        form = {"programme": self.programme, "title": title, "label": label, **more}
        # The client would write a large body to a temporary file, and leave it open.
        body, length, boundary = stream_encode_multipart(
            MultiDict({**form, "file": FileStorage(io.BytesIO(content), name)}), use_tempfile=False
        )
        return self.client.post(
            "/api/v1/documents",
            input_stream=body,
            content_length=length,
            content_type=f"multipart/form-data; boundary={boundary}",
            headers=self.headers(who),
        )

    def deposited(self, content: bytes = b"Deliverable", **more: Any) -> str:
        """Post a document and return its id."""
        answer = self.deposit(content, **more)
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def get(self, path: str, who: str, **more: Any) -> TestResponse:
        """Get an address of the API as `who`; the answer's body is read and its stream closed, as a server does."""
        headers = self.headers(who, **more.pop("headers", {}))
        return self.client.get(f"/api/v1{path}", headers=headers, buffered=True, **more)

    def records(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return the log's records whose fields are as `wanted`, oldest first."""
        log = self.runtime.log
        found = (log.record(seq).fields for seq in range(log.size()))
        return [
            record for record in found if all(record.get(name) == value for name, value in wanted.items())
        ]


def build_world(folder: Path, **settings: Any) -> World:
    """Create an installation in `folder` with people of every role; clearances as in the demonstration."""
    chosen: Mapping[str, Any] = {
        "data": folder,
        "demonstration": True,
        "argon2_memory": 64,
        "argon2_rounds": 1,
        "requests_per_minute": 100_000,
        "token_requests_per_minute": 100_000,
        **settings,
    }
    runtime = installation.create(Settings(**chosen))
    first = [
        FirstPerson("Officer One", "officer@org.example", Role.OFFICER),
        FirstPerson("Officer Two", "officer-second@org.example", Role.OFFICER),
        FirstPerson("Administrator", "administrator@org.example", Role.ADMINISTRATOR),
    ]
    organisation, invitations = installation.create_first_people(runtime, "Programme Office", "BEL", first)
    database = runtime.database
    company = factories.add_organisation(database, "Sarrazin", nation="FRA")
    other = factories.add_organisation(database, "Other Company", nation="DEU")
    programme = factories.add_programme(database, organisation)
    app = create_app(runtime)
    world = World(runtime, app, app.test_client(), organisation, company, other, programme)
    for name, invitation in zip(("officer", "officer-second", "administrator"), invitations, strict=True):
        world.people[name] = invitation.person_id
    for name, home, role in (
        ("partner", company, "partner"),
        ("other", other, "partner"),
        ("official", organisation, "official"),
        ("restricted", organisation, "official"),
        ("auditor", organisation, "auditor"),
    ):
        person = factories.add_person(
            database, home, name=name.title(), email=f"{name}@org.example", nation="FRA"
        )
        factories.add_role(database, person, role, start=BEGINNING)
        world.people[name] = person
        if role in ("partner", "official"):
            factories.add_membership(database, person, programme, start=BEGINNING)
            levels = ("UNCLASSIFIED", "RESTRICTED")
            if name != "restricted":
                levels += ("CONFIDENTIAL", "SECRET")
            factories.add_clearance(database, person, levels, {"Context": ["NATO"]}, start=BEGINNING)
    for name, person in world.people.items():
        world.tokens[name] = runtime.account._tokens.create(person, name, 30, 2, 2)[0]
        world.totp[name] = factories.add_credential(database, person)
    return world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A whole installation, opened for one test."""
    built = build_world(tmp_path / "data")
    yield built
    built.runtime.close()
