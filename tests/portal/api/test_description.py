"""The description in OpenAPI: valid, of every route and no other, and what answers are really like."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator
from werkzeug.test import TestResponse

from tests.portal.attack import open_copy
from tests.portal.worlds import ABSENT, World

RAW = {
    "Content-Type": "application/octet-stream",
    "Content-Disposition": "attachment; filename=plan.txt",
    "Strongroom-Title": "Plan",
}
DOCUMENT, VERSION = "/documents/{id}", "/documents/{id}/versions/{number}/content"
BOUND = f"{DOCUMENT}/versions/{{number}}/binding"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("description") / "data")
    yield copy
    copy.runtime.close()


@pytest.fixture(scope="module")
def described(world: World) -> dict[str, Any]:
    answer = world.app.test_client().get("/api/v1/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found: dict[str, Any] = answer.json
    return found


def test_it_is_valid_openapi_3_1(described: dict[str, Any]) -> None:
    assert described["openapi"] == "3.1.0"
    assert [fault.message for fault in OpenAPIV31SpecValidator(described).iter_errors()] == []


def test_it_names_every_route_with_its_methods_and_no_other(world: World, described: dict[str, Any]) -> None:
    routes: dict[str, set[str]] = {}
    for rule in world.app.url_map.iter_rules():
        if rule.rule.startswith("/api/v1/"):
            path = rule.rule.removeprefix("/api/v1")
            for there, here in (("<int:", "<"), ("<document_id>", "<id>"), ("<", "{"), (">", "}")):
                path = path.replace(there, here)
            routes.setdefault(path, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    told = {
        path: {method.upper() for method in item if method != "parameters"}
        for path, item in described["paths"].items()
    }
    assert told == routes


Ask = Callable[[World, str], TestResponse]


def ask(method: str, path: str, who: str, **more: Any) -> Ask:
    def send(world: World, document: str) -> TestResponse:
        values = {name: value(world) if callable(value) else value for name, value in more.items()}
        headers = world.headers(who, **values.pop("headers", {})) if who else {}
        address = f"/api/v1{path.format(id=document, number=1)}"
        return world.client.open(address, method=method, headers=headers, buffered=True, **values)

    return send


def form(world: World) -> dict[str, Any]:
    return {
        "programme": world.programme,
        "title": "Plan",
        "label": "NATO RESTRICTED",
        "file": (io.BytesIO(b"Plan"), "plan.txt"),
    }


def place(world: World) -> dict[str, str]:
    return {"programme": world.programme, "label": "NATO RESTRICTED"}


UPLOAD = "/uploads/{upload_id}"
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}


def announced(world: World) -> str:
    facts = {**place(world), "title": "Plan", "filename": "plan.txt"}
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in facts.items())


def of_upload(method: str, who: str = "partner", **headers: str) -> Ask:
    """Begin an upload, then ask about it."""

    def send(world: World, _document: str) -> TestResponse:
        more = world.headers("partner", **TUS, **{"Upload-Metadata": announced(world)})
        place = world.client.post("/api/v1/uploads", headers=more).headers["Location"]
        data = b"Plan" if method in ("PATCH", "POST") else None
        kind = "application/offset+octet-stream" if data else None
        asked = world.headers(who, **{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", **headers})
        return world.client.open(place, method=method, headers=asked, data=data, content_type=kind)

    return send


def begin_upload(world: World, _document: str) -> TestResponse:
    headers = world.headers("partner", **TUS, **{"Upload-Metadata": announced(world)})
    return world.client.post("/api/v1/uploads", headers=headers)


ASKED: list[tuple[str, str, int, Ask]] = [
    ("get", "/documents", 200, ask("GET", "/documents?limit=1", "official")),
    ("get", "/documents", 400, ask("GET", "/documents?limit=0", "official")),
    ("get", "/documents", 401, ask("GET", "/documents", "")),
    ("get", "/documents", 403, ask("GET", "/documents", "auditor")),
    ("get", "/documents", 404, ask("GET", f"/documents?programme={ABSENT}", "official")),
    ("post", "/documents", 201, ask("POST", "/documents", "partner", data=form)),
    ("post", "/documents", 201, ask("POST", "/documents", "partner", data=b"Plan", query_string=place, headers=RAW)),
    ("post", "/documents", 400, ask("POST", "/documents", "partner", data=b"Plan", headers=RAW)),
    (
        "post",
        "/documents",
        413,
        ask(
            "POST",
            "/documents",
            "partner",
            data=b"x",
            query_string=place,
            headers=RAW,
            environ_overrides={"CONTENT_LENGTH": str(1 << 50)},
        ),
    ),
    ("post", "/documents/search", 200, ask("POST", "/documents/search", "official", json={"q": "plan"})),
    ("post", "/documents/search", 400, ask("POST", "/documents/search", "official", json={})),
    ("get", DOCUMENT, 200, ask("GET", DOCUMENT, "official")),
    ("get", DOCUMENT, 404, ask("GET", DOCUMENT, "other")),
    ("post", f"{DOCUMENT}/versions", 201, ask("POST", f"{DOCUMENT}/versions", "partner", data=form)),
    ("put", f"{DOCUMENT}/content", 201, ask("PUT", f"{DOCUMENT}/content", "partner", data=b"Plan 2")),
    ("put", f"{DOCUMENT}/content", 404, ask("PUT", f"{DOCUMENT}/content", "other", data=b"Plan 2")),
    ("get", f"{DOCUMENT}/content", 200, ask("GET", f"{DOCUMENT}/content", "official")),
    ("get", f"{DOCUMENT}/content", 206, ask("GET", f"{DOCUMENT}/content", "official", headers={"Range": "bytes=0-1"})),
    ("get", f"{DOCUMENT}/content", 304, ask("GET", f"{DOCUMENT}/content", "official", headers={"If-None-Match": "*"})),
    ("get", f"{DOCUMENT}/content", 416, ask("GET", f"{DOCUMENT}/content", "official", headers={"Range": "bytes=99-"})),
    ("get", VERSION, 200, ask("GET", VERSION, "official")),
    ("get", f"{DOCUMENT}/binding", 200, ask("GET", f"{DOCUMENT}/binding", "official")),
    ("get", f"{DOCUMENT}/binding", 404, ask("GET", f"{DOCUMENT}/binding", "other")),
    ("get", BOUND, 200, ask("GET", BOUND, "official")),
    ("get", "/binding-certificate", 200, ask("GET", "/binding-certificate", "")),
    ("get", "/documents.zip", 200, ask("GET", "/documents.zip?id={id}", "official")),
    ("get", "/documents.zip", 400, ask("GET", "/documents.zip", "official")),
    ("get", "/programmes", 200, ask("GET", "/programmes", "official")),
    ("get", "/audit/records", 200, ask("GET", "/audit/records?limit=200", "auditor")),
    ("get", "/audit/records", 403, ask("GET", "/audit/records", "official")),
    ("get", "/audit/records/{seq}", 200, ask("GET", "/audit/records/3", "auditor")),
    ("get", "/audit/export", 200, ask("GET", "/audit/export", "auditor")),
    ("get", "/audit/export", 200, ask("GET", "/audit/export?format=csv", "auditor")),
    ("get", "/uploads", 200, ask("GET", "/uploads", "partner")),
    ("post", "/uploads", 201, begin_upload),
    ("post", "/uploads", 412, ask("POST", "/uploads", "partner")),
    ("get", UPLOAD, 200, of_upload("GET")),
    ("get", UPLOAD, 404, of_upload("GET", "other")),
    ("patch", UPLOAD, 204, of_upload("PATCH")),
    ("patch", UPLOAD, 409, of_upload("PATCH", **{"Upload-Offset": "3"})),
    ("patch", UPLOAD, 460, of_upload("PATCH", **{"Upload-Checksum": "sha1 AAAA"})),
    ("post", UPLOAD, 204, of_upload("POST", **{"X-HTTP-Method-Override": "PATCH"})),
    ("delete", UPLOAD, 204, of_upload("DELETE")),
    ("get", "/openapi.json", 200, ask("GET", "/openapi.json", "")),
]  # fmt: skip


def resolved(described: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in item:
        return item
    found: Any = described
    for part in item["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(described, found)


def strict(described: dict[str, Any], schema: Any) -> Any:
    """Return a schema without references, whose objects hold nothing that it does not name."""
    if isinstance(schema, list):
        return [strict(described, item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(described, item) for name, item in resolved(described, schema).items()}
    if "properties" in found:
        found["additionalProperties"] = False
    return found


@pytest.mark.parametrize(
    ("method", "path", "status", "send"), ASKED, ids=[f"{m} {p} {s} {n}" for n, (m, p, s, _) in enumerate(ASKED)]
)  # fmt: skip
def test_answers_are_as_described(
    world: World, described: dict[str, Any], method: str, path: str, status: int, send: Ask
) -> None:
    answer = send(world, world.deposited(label="NATO RESTRICTED"))
    assert answer.status_code == status, answer.data[:300]
    told = resolved(described, described["paths"][path][method]["responses"][str(status)])
    for name, header in told.get("headers", {}).items():
        assert name in answer.headers, name
        assert header["schema"]["type"] != "integer" or answer.headers[name].isdecimal(), name
    contents = told.get("content")
    if contents is None:
        assert answer.data == b""
        return
    media_type = answer.mimetype if answer.mimetype in contents else "*/*"
    assert media_type in contents, answer.mimetype
    if answer.is_json:
        schema = strict(described, contents[media_type]["schema"])
        validator = Draft202012Validator(schema, format_checker=FormatChecker())
        assert [fault.message for fault in validator.iter_errors(answer.json)] == []


def test_every_operation_is_asked_here(described: dict[str, Any]) -> None:
    told = {
        (method, path) for path, item in described["paths"].items() for method in item if method != "parameters"
    }  # fmt: skip
    assert told == {(method, path) for method, path, _, _ in ASKED}
