"""What a deposit refuses: clearly, on record, and without leaving anything behind."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from werkzeug.test import TestResponse

from tests.portal import factories
from tests.portal.attack import clock_of, end_grant, open_copy, recorded, stored
from tests.portal.worlds import BEGINNING, World
from tests.shared import POLICIES

LIMIT = 200_000
ACME = b"""<originatorConfidentialityLabel xmlns="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">
<ConfidentialityInformation><PolicyIdentifier URI="urn:oid:1.2.840.113549.1.9.16.7.999">ACME</PolicyIdentifier>
<Classification>INTERNAL</Classification></ConfidentialityInformation></originatorConfidentialityLabel>"""
BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><originatorConfidentialityLabel
xmlns="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">&c;</originatorConfidentialityLabel>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><originatorConfidentialityLabel
xmlns="urn:nato:stanag:4774:confidentialitymetadatalabel:1:0">&a;</originatorConfidentialityLabel>"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    copy = open_copy(tmp_path_factory.mktemp("deposits") / "data", size_limit=LIMIT)
    categories = {"Context": ["NATO", "Releasable"], "Releasable To": ["NATO", "JPN"]}
    levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL")
    factories.add_clearance(
        copy.runtime.database, copy.people["restricted"], levels[:2], categories, start=BEGINNING
    )
    factories.add_clearance(
        copy.runtime.database, copy.people["partner"], levels, categories, start=BEGINNING
    )
    yield copy
    copy.runtime.close()


def raw(world: World, content: bytes, who: str = "partner", **changed: Any) -> TestResponse:
    """Post a raw body; `title`, `name`, `label`, `programme`, `headers` as they are given, None: not at all."""
    facts = {"title": "A deliverable", "name": "a.txt", "label": "NATO RESTRICTED", **changed}
    headers = world.headers(who, **{"Content-Type": "application/octet-stream"}, **facts.get("headers", {}))
    if facts["title"] is not None:
        headers["Strongroom-Title"] = quote(facts["title"])
    if facts["name"] is not None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(facts['name'], safe='')}"
    wanted = {"programme": facts.get("programme", world.programme), "label": facts["label"]}
    query = {name: value for name, value in wanted.items() if value is not None}
    return world.client.post(
        "/api/v1/documents", query_string=query, data=content, headers=headers, buffered=True
    )


def form(world: World, content: bytes, **changed: Any) -> TestResponse:
    facts = {"title": "A deliverable", "name": "a.txt", "label": "NATO RESTRICTED", **changed}
    return world.deposit(content, **facts)


def refused(world: World, send: Any, status: int) -> dict[str, Any]:
    """Send something bad; return the one record of it after looking that nothing else is there."""
    before = stored(world)
    with recorded(world) as records:
        answer = send()
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    assert answer.json["detail"]
    assert stored(world) == before
    assert len(records) == 1, records
    record = records[0]
    assert record.get("decision") == "deny" or record.get("outcome") == "aborted"
    assert record["actor"] in world.people.values()
    return record


BOTH = pytest.mark.parametrize("way", [raw, form])


@BOTH
def test_an_empty_file_is_refused(world: World, way: Any) -> None:
    refused(world, lambda: way(world, b""), 400)


def test_a_body_announced_over_the_limit_is_refused_before_it_is_read(world: World) -> None:
    body = io.BytesIO(bytes(LIMIT + 1))

    def send() -> TestResponse:
        return world.client.post(
            "/api/v1/documents",
            query_string={"programme": world.programme, "label": "NATO RESTRICTED"},
            input_stream=body,
            headers=world.headers(
                "partner",
                **{
                    "Content-Length": str(LIMIT + 1),
                    "Content-Type": "application/octet-stream",
                    "Strongroom-Title": "Large",
                    "Content-Disposition": "attachment; filename=large.bin",
                },
            ),
        )

    assert refused(world, send, 413)["action"] == "request.refused"
    assert body.tell() == 0


def test_a_chunked_body_over_the_limit_is_refused_on_its_way(world: World) -> None:
    body = io.BytesIO(bytes(20 * LIMIT))

    def send() -> TestResponse:
        return world.client.post(
            "/api/v1/documents",
            query_string={"programme": world.programme, "label": "NATO RESTRICTED"},
            input_stream=body,
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
            headers=world.headers(
                "partner",
                **{
                    "Content-Type": "application/octet-stream",
                    "Strongroom-Title": "Large",
                    "Content-Disposition": "attachment; filename=large.bin",
                },
            ),
        )

    assert refused(world, send, 413)["outcome"] == "aborted"
    assert body.tell() == LIMIT + 1


def test_a_form_over_the_limit_is_refused(world: World) -> None:
    refused(world, lambda: form(world, bytes(LIMIT + 1)), 413)


@BOTH
def test_a_document_of_just_the_limit_is_taken(world: World, way: Any) -> None:
    assert way(world, bytes(LIMIT)).status_code == 201


def digest_of(content: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def test_content_of_another_digest_is_refused(world: World) -> None:
    headers = {"Repr-Digest": digest_of(b"other")}
    assert refused(world, lambda: raw(world, b"content", headers=headers), 400)["outcome"] == "aborted"


def test_content_of_the_digest_sent_is_taken(world: World) -> None:
    headers = {"Repr-Digest": "sha-512=:AAAA:, " + digest_of(b"content")}
    assert raw(world, b"content", headers=headers).status_code == 201


@pytest.mark.parametrize(
    "digest", ["", "sha-256", "sha-256=::", "sha-256=:AAAA:", "sha-256=" + "0" * 64, "md5=:AAAA:", "x" * 5000]
)
def test_a_digest_that_cannot_be_read_is_refused(world: World, digest: str) -> None:
    refused(world, lambda: raw(world, b"content", headers={"Repr-Digest": digest}), 400)


BAD_NAMES = {
    "path": "../../etc/passwd",
    "windows-path": "C:\\docs\\plan.txt",
    "folder": "folder/plan.txt",
    "dots": "..",
    "right-to-left": "plan\u202etxt.exe",
    "isolate": "plan\u2066.txt",
    "line": "plan\n.txt",
    "header": "plan\r\nX-Injected: 1",
    "nul": "plan\x00.txt",
    "escape": "plan\x1b[2J.txt",
    "long": "n" * 4096,
    "long-in-utf8": "é" * 128 + ".txt",
    "device": "CON.txt",
    "trailing-dot": "plan.txt.",
    "blank": "   ",
}


@pytest.mark.parametrize("name", BAD_NAMES.values(), ids=BAD_NAMES)
def test_a_bad_file_name_is_refused(world: World, name: str) -> None:
    assert refused(world, lambda: raw(world, b"content", name=name), 400)["action"] == "request.refused"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "plan\u202etxt.exe", "n" * 4096, "CON.txt", "a\x01.txt"]
)
def test_a_bad_file_name_in_a_form_is_refused(world: World, name: str) -> None:
    refused(world, lambda: form(world, b"content", name=name), 400)


@pytest.mark.parametrize(
    "header", ["", "attachment", "attachment; filename=", "attachment; filename*=UTF-8''%FF%FE"]
)
def test_a_missing_or_broken_file_name_is_refused(world: World, header: str) -> None:
    refused(world, lambda: raw(world, b"content", name=None, headers={"Content-Disposition": header}), 400)


BAD_TITLES = {
    "empty": "",
    "blank": " \t ",
    "long": "t" * 201,
    "bidi": "a\u202eb",
    "line": "a\nb",
    "nul": "a\x00b",
    "invisible": "a\u200bb",
}


@BOTH
@pytest.mark.parametrize("title", BAD_TITLES.values(), ids=BAD_TITLES)
def test_a_bad_title_is_refused(world: World, way: Any, title: str) -> None:
    refused(world, lambda: way(world, b"content", title=title), 400)


def test_a_title_that_is_not_utf8_is_refused(world: World) -> None:
    refused(world, lambda: raw(world, b"x", title=None, headers={"Strongroom-Title": "%FF%FE"}), 400)


BAD_LABELS: dict[str, tuple[str, int]] = {
    "empty": ("", 400),
    "blank": ("  ", 400),
    "unknown": ("NATO MOSTLY HARMLESS", 400),
    "no-policy": ("SECRET", 400),
    "of-another-policy": (ACME.decode(), 400),
    "invalid": ("<originatorConfidentialityLabel/>", 400),
    "not-xml": ("<", 400),
    "bomb": (BOMB.decode(), 400),
    "outside-entity": (OUTSIDE.decode(), 400),
    "nul": ("NATO RESTRICTED\x00", 400),
    "long": ("NATO RESTRICTED " * 6000, 400),
    "above-clearance": ("NATO SECRET ATOMAL", 403),
    "above-ceiling": ("COSMIC TOP SECRET", 403),
}


@BOTH
@pytest.mark.parametrize(("label", "status"), BAD_LABELS.values(), ids=BAD_LABELS)
def test_a_bad_label_is_refused(world: World, way: Any, label: str, status: int) -> None:
    record = refused(world, lambda: way(world, b"content", label=label), status)
    assert record["action"] == ("document.upload" if status == 403 else "request.refused")


@pytest.mark.parametrize("name", ["label-acme-wrong-namespace.4774.xml", "label-nato-5.4774.xml"])
def test_a_published_label_that_does_not_hold_is_refused(world: World, name: str) -> None:
    label = (POLICIES / name).read_text()
    refused(world, lambda: form(world, b"content", label=label), 400)


def test_a_published_label_within_clearance_is_taken(world: World) -> None:
    label = (POLICIES / "example-label.4774.xml").read_text()
    answer = form(world, b"content", label=label)
    assert answer.status_code == 201, answer.json
    shown = world.get(f"/documents/{answer.json['id']}", "partner").json["label"]
    assert shown["classification"] == "RESTRICTED"
    assert shown["marking"] == "NATO RESTRICTED Releasable to Japan, Switzerland, Ukraine"


def test_a_published_label_beyond_clearance_is_refused_by_name_of_the_rule(world: World) -> None:
    label = (POLICIES / "example-label-succession.4774.xml").read_text()
    before = stored(world)
    answer = form(world, b"content", label=label)
    assert answer.status_code == 403
    assert {"label-dominated", "briefed"} & set(answer.json["rules"])
    assert stored(world) == before


@pytest.mark.parametrize(
    "programme", [None, "", " ", "not-an-id", "\x00", "00000000-0000-4000-8000-000000000000"]
)
def test_a_missing_or_unknown_programme_is_refused(world: World, programme: str | None) -> None:
    status = 400 if not (programme or "").strip() else 404
    refused(world, lambda: raw(world, b"content", programme=programme), status)


def test_a_form_without_a_file_or_with_two_is_refused(world: World) -> None:
    fields = {"programme": world.programme, "title": "T", "label": "NATO RESTRICTED"}
    files = [(io.BytesIO(b"one"), "1.txt"), (io.BytesIO(b"two"), "2.txt")]

    def send(**more: Any) -> TestResponse:
        return world.client.post(
            "/api/v1/documents",
            data={**fields, **more},
            headers=world.headers("partner"),
            content_type="multipart/form-data",
        )

    refused(world, send, 400)
    assert refused(world, lambda: send(file=files), 400)["outcome"] == "aborted"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x--"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="title"\r\n\r\n\xff\xfe',
        ),
        ("multipart/form-data; boundary=" + "x" * 500, b"--x--"),
        ("multipart/mixed; boundary=x", b"--x--"),
        ("application/x-www-form-urlencoded", b"programme=1"),
    ],
)
def test_a_broken_form_is_refused(world: World, content_type: str, body: bytes) -> None:
    def send() -> TestResponse:
        return world.client.post(
            "/api/v1/documents", data=body, content_type=content_type, headers=world.headers("partner")
        )

    refused(world, send, 400)


@pytest.mark.parametrize("who", ["official", "auditor", "officer", "administrator"])
def test_only_partners_deposit(world: World, who: str) -> None:
    assert refused(world, lambda: raw(world, b"content", who=who), 404)["rule"] == "role-permits"


def test_a_version_by_the_addressee_is_refused(world: World) -> None:
    document = form(world, b"first").json["id"]

    def send() -> TestResponse:
        return world.client.put(
            f"/api/v1/documents/{document}/content", data=b"second", headers=world.headers("official")
        )

    assert refused(world, send, 404)["action"] == "document.version"


@pytest.mark.parametrize(("content", "name"), [(b"", None), (b"x", "../x"), (bytes(LIMIT + 1), None)])
def test_a_bad_version_leaves_the_document_as_it_was(world: World, content: bytes, name: str | None) -> None:
    document = form(world, b"first").json["id"]
    headers = {"Content-Disposition": f"attachment; filename={name}"} if name else {}

    def send() -> TestResponse:
        return world.client.put(
            f"/api/v1/documents/{document}/content",
            data=content,
            headers=world.headers("partner", **headers),
            content_type="application/octet-stream",
        )

    refused(world, send, 413 if len(content) > LIMIT else 400)
    assert world.get(f"/documents/{document}", "partner").json["version"] == 1


def test_a_member_whose_membership_ended_deposits_nothing(world: World) -> None:
    end_grant(world, "memberships", "other")
    clock_of(world).move(hours=2)
    assert refused(world, lambda: raw(world, b"content", who="other"), 404)["rule"] == "need-to-know"
