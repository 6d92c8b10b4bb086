from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from portal.audit import AuditLog, Event
from portal.audit.catalogue import CATALOGUE, COMMON, describe
from portal.audit.kinds import Kind
from portal.audit.record import FIELDS, canonical
from portal.clock import rfc3339
from portal.errors import Invalid
from tests.portal.audit.support import Place, outcome, read

ASCII_KEYS = st.text(st.characters(max_codepoint=126), max_size=8)
VALUES = st.recursive(
    st.text(st.characters(exclude_categories=["Cs"])) | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ASCII_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(ASCII_KEYS, VALUES, max_size=6))
def test_leaves_are_canonical_json_as_another_library_writes_it(value: dict[str, Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_a_stored_leaf_is_canonical_and_has_the_fields_of_the_design(log: AuditLog) -> None:
    intent = log.append(
        read(
            session="s1",
            assurance=2,
            target="t1",
            rule="need-to-know",
            request="r-1",
            details={"size": 5, "ranges": ("0-4",), "door": "api"},
            private={"title": 'Ünïcode\u2028\U0001d518 "quoted"'},
        )
    )
    done = log.append(outcome(intent.seq))
    leaf = log.record(intent.seq).leaf
    fields = json.loads(leaf)
    assert leaf == intent.leaf == rfc8785.dumps(fields)
    assert set(fields) | set(json.loads(done.leaf)) == set(FIELDS)
    assert fields["details"] == {"size": 5, "ranges": ["0-4"], "door": "api"}
    assert fields["time"] == rfc3339(intent.time)
    assert intent.leaf_hash == hashlib.sha256(b"\x00" + leaf).digest()


def test_subjects_are_counted_and_linked(log: AuditLog) -> None:
    log.append_all(
        [read("p1", "d1"), read("p2", "d1"), Event("portal.start"), read("p1", "d2"), read("p1", "d1")]
    )
    subjects = [log.record(seq).get("subjects") for seq in range(5)]
    assert subjects == [
        {"person:p1": [1, -1], "document:d1": [1, -1]},
        {"person:p2": [1, -1], "document:d1": [2, 0]},
        None,
        {"person:p1": [2, 0], "document:d2": [1, -1]},
        {"person:p1": [3, 3], "document:d1": [3, 1]},
    ]


def test_private_values_stand_in_the_log_as_salted_commitments_alone(log: AuditLog, where: Place) -> None:
    secret = "Frigate propulsion study"
    first = log.append(read(private={"title": secret, "address": "192.0.2.7"}))
    second = log.append(read(private={"title": secret}))
    assert log.disclose(first.seq) == {"title": secret, "address": "192.0.2.7"}
    commitments = [log.record(receipt.seq).get("commitments") for receipt in (first, second)]
    assert commitments[0]["title"] != commitments[1]["title"]
    with where.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT salt, value FROM disclosures ORDER BY seq, name").all()
    assert len(rows) == 3
    log.close()
    where.engine.dispose()
    for file in where.folder.glob("log.db*"):
        assert secret.encode() not in file.read_bytes()
    plain = hmac.digest(b"", secret.encode(), "sha256").hex()
    assert plain != commitments[0]["title"]


def test_a_commitment_opens_with_its_salt(log: AuditLog, where: Place) -> None:
    receipt = log.append(read(private={"title": "Ω"}))
    commitment = log.record(receipt.seq).get("commitments")["title"]
    with where.engine.connect() as connection:
        sealed = connection.exec_driver_sql("SELECT salt FROM disclosures").scalar_one()
    salt = where.sealer.open(("disclosure", "title", commitment, "salt"), sealed)
    assert len(salt) == 32
    assert hmac.digest(salt, "Ω".encode(), "sha256").hex() == commitment


def test_a_private_value_that_is_damaged_text_does_not_stop_its_record(log: AuditLog) -> None:
    receipt = log.append(read(private={"file_name": "a\ud800b"}))
    assert log.disclose(receipt.seq) == {"file_name": "a\\ud800b"}


@pytest.mark.parametrize(
    "event",
    [
        Event("document.invent"),
        Event(""),
        read("a person"),
        read("x@example.org"),
        read("p\n"),
        read(document="d" * 129),
        read(version=-1),
        read(version=True),
        read(version=2**53),
        read(version=1.0),
        read(assurance="2"),
        read(decision="maybe"),
        read(outcome="done"),
        read(completes=0),
        read(policy="abc"),
        read(label="NATO\nSECRET"),
        read(label="NATO \u202eSECRET"),
        read(label=""),
        read(label="N\ud800"),
        read(rule="Need To Know"),
        read(details={"title": "Words"}),
        read(details={"size": "5"}),
        read(details={"size": True}),
        read(details={"size": 1.5}),
        read(details={"ranges": "0-4"}),
        read(details={"ranges": [1]}),
        read(details={"door": "Front door"}),
        read(details={"size": {"a": 1}}),
        read(private={"nickname": "x"}),
    ],
    ids=lambda event: "",
)
def test_what_is_not_in_the_catalogue_is_refused(log: AuditLog, event: Event) -> None:
    with pytest.raises(Invalid):
        log.append(event)
    assert log.size() == 0


def test_a_record_over_the_limit_is_refused_and_the_next_one_stands(log: AuditLog) -> None:
    words = ["x" * 128] * 600
    with pytest.raises(Invalid, match="65,535"):
        log.append(read(details={"ranges": words}))
    assert log.append(read(details={"ranges": words[:400]})).seq == 0


@pytest.mark.parametrize("kind", Kind)
def test_no_kind_of_detail_takes_free_text_or_fractions(kind: Kind) -> None:
    for value in (1.5, None, {}, {"a": 1}, -1, "", "two\nlines", ["two\nlines"], "\u202eevil", 2**53, b"x"):
        assert not kind.holds(value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.IDENTIFIER, "person:01HX"),
        (Kind.IDENTIFIERS, ["a", "b"]),
        (Kind.CODE, "not-scanned"),
        (Kind.CODES, ()),
        (Kind.DIGEST, "0" * 64),
        (Kind.COUNT, 0),
        (Kind.FLAG, False),
        (Kind.TIME, "2026-03-01T12:00:00Z"),
        (Kind.MARKING, "OTAN DIFFUSION RESTREINTE"),
        (Kind.MARKINGS, ["NATO SECRET"]),
        (Kind.MEDIA_TYPE, "application/vnd.oasis.opendocument.text"),
    ],
)
def test_every_kind_of_detail_takes_what_it_is_for(kind: Kind, value: object) -> None:
    assert kind.holds(value)


def test_every_action_is_described_with_its_details() -> None:
    text = describe()
    for action, found in CATALOGUE.items():
        assert f"| `{action}` | {found.meaning} |" in text
        assert set(COMMON) <= set(found.details)
        assert found.meaning.endswith(".")


def test_every_action_that_the_rules_decide_can_be_recorded() -> None:
    from policies.requests import Action

    assert {action.value for action in Action} <= set(CATALOGUE)
