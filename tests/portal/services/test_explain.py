from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from policies.verdicts import Outcome
from portal.errors import Invalid, NotFound, NotPermitted, Tampered
from portal.models import Document, LabelRecord, new_id
from portal.models.database import Database
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.directory import Named
from portal.services.explain import EXPLAINED, Explain
from tests.portal.factories import (
    START,
    SettableClock,
    add_clearance,
    add_membership,
    add_person,
    add_programme,
)
from tests.portal.services.conftest import Records, Staff

NATO_CONTEXT = {"Context": ["NATO"]}
TITLE = "Sonar trials off Den Helder"
RULES = (
    "account-active",
    "role-permits",
    "assurance",
    "clearance-in-force",
    "label-dominated",
    "need-to-know",
    "briefed",
    "facility",
    "releasable",
    "originator-consent",
    "document-state",
    "system-ceiling",
    "handling",
    "two-person",
    "place-and-time",
)

AddDocument = Callable[..., str]


@pytest.fixture
def programme(database: Database, staff: Staff) -> str:
    return add_programme(database, staff.organisation)


@pytest.fixture
def add_document(database: Database, access: Access, staff: Staff, programme: str) -> AddDocument:
    """File the head of a document from the partner's company, delivered to the ministry."""

    def file(marking: str = "NATO RESTRICTED", *, state: str = "received") -> str:
        label = access.policy.parse_marking(marking)
        digest = bytes.fromhex(label.digest)
        document = Document(
            id=new_id(),
            programme_id=programme,
            originator_id=staff.partner.organisation_id,
            addressee_id=staff.organisation,
            uploaded_by=staff.partner.person_id,
            label_id=1,
            label_digest=digest,
            label_rank=access.policy.rank(label.classification),
            state=state,
            scan="not-scanned",
            current_version=1,
            size=1,
            created=START,
            changed=START,
        )
        document.title = TITLE
        with database.write(log_entry=0) as session:
            if session.get(LabelRecord, 1) is None:
                session.add(LabelRecord(id=1, digest=digest, canonical=label.canonical()))
                session.flush()
            session.add(document)
        return document.id

    return file


@pytest.fixture
def cleared(database: Database, staff: Staff, programme: str) -> Actor:
    """The official, cleared up to SECRET for a year and member of the programme."""
    person = staff.official.person_id
    levels = ["UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET"]
    add_clearance(database, person, levels, NATO_CONTEXT, end=START.replace(year=2027))
    add_membership(database, person, programme)
    return staff.official


def test_nobody_but_an_officer_asks_about_others(
    explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument, records: Records
) -> None:
    document = add_document()
    outsiders = (staff.administrator, staff.auditor, staff.official, staff.partner)
    for actor in outsiders:
        with pytest.raises(NotPermitted):
            explain.explain(actor, cleared.person_id, document)
    denied = [(item["action"], item["decision"], item["rule"]) for item in records()]
    assert denied == [("access.explain", "deny", "role-permits")] * 4


def test_an_officer_reads_every_verdict_and_never_the_title(
    explain: Explain,
    staff: Staff,
    cleared: Actor,
    programme: str,
    add_document: AddDocument,
    records: Records,
) -> None:
    document = add_document()
    found = explain.explain(staff.officer, cleared.person_id, document)
    assert (found.permitted, found.rule) == (True, "")
    assert tuple(verdict.rule for verdict in found.verdicts) == RULES
    silent = {verdict.rule for verdict in found.verdicts if verdict.outcome is Outcome.NOT_ASKED}
    assert silent == {"two-person"}
    assert not any(verdict.outcome is Outcome.REFUSES for verdict in found.verdicts)
    assert all(verdict.reason for verdict in found.verdicts)
    assert found.person == Named(cleared.person_id, "Fenna Dekker")
    assert found.programme == Named(programme, "Harbour Shield")
    assert found.marking == "NATO RESTRICTED"
    assert TITLE not in repr(found)
    (record,) = records()
    assert (record["action"], record["decision"]) == ("access.explain", "permit")
    assert (record["target"], record["document"]) == (cleared.person_id, document)
    assert record["details"]["filters"] == ["document.read"]


def test_every_missing_thing_is_named(explain: Explain, staff: Staff, add_document: AddDocument) -> None:
    found = explain.explain(staff.officer, staff.auditor.person_id, add_document("NATO SECRET"), assurance=1)
    refusing = {verdict.rule for verdict in found.verdicts if verdict.outcome is Outcome.REFUSES}
    assert refusing == {
        "role-permits",
        "assurance",
        "clearance-in-force",
        "label-dominated",
        "need-to-know",
    }
    assert (found.permitted, found.rule, found.knowable) == (False, "role-permits", False)


def test_an_ended_clearance_is_what_an_officer_is_told_of(
    explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument, clock: SettableClock
) -> None:
    document = add_document("NATO SECRET")
    clock.move(days=800)
    found = explain.explain(staff.officer, cleared.person_id, document)
    refused = {v.rule: v.reason for v in found.verdicts if v.outcome is Outcome.REFUSES}
    assert set(refused) == {"clearance-in-force"}
    assert "2027" in refused["clearance-in-force"]
    assert found.knowable


@pytest.mark.parametrize("action", EXPLAINED)
def test_any_action_on_a_document_is_explained(
    action: str, explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument
) -> None:
    found = explain.explain(staff.officer, cleared.person_id, add_document(), action)
    assert found.action == action
    assert found.permitted == (action != "document.version")


@pytest.mark.parametrize("action", ["document.upload", "grant.role", "log.search", "", "nonsense"])
def test_what_is_not_decided_about_a_document_is_refused(
    action: str, explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument
) -> None:
    document = add_document()
    with pytest.raises(Invalid):
        explain.explain(staff.officer, cleared.person_id, document, action)
    with pytest.raises(Invalid):
        explain.why(cleared, document, action)


def test_an_assurance_that_does_not_exist_is_refused(
    explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument
) -> None:
    for level in (0, 4):
        with pytest.raises(Invalid):
            explain.explain(staff.officer, cleared.person_id, add_document(), assurance=level)


@pytest.mark.parametrize("wrong", ["", "x", "n" * 5000, "00000000-0000-4000-8000-000000000000"])
def test_ids_that_name_nothing_are_not_found(
    wrong: str, explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument, records: Records
) -> None:
    with pytest.raises(NotFound):
        explain.explain(staff.officer, wrong, add_document())
    with pytest.raises(NotFound) as refused:
        explain.explain(staff.officer, cleared.person_id, wrong)
    assert refused.value.recorded
    (record,) = records("access.explain")
    assert (record["decision"], record["rule"]) == ("deny", "no-such-document")
    assert set(record["commitments"]) == {"path"}


def test_people_read_why_a_document_is_open_to_them(
    explain: Explain, cleared: Actor, add_document: AddDocument, records: Records
) -> None:
    document = add_document()
    reading = explain.why(cleared, document)
    assert reading.permitted
    assert "Your clearance covers the label." in reading.sentences
    (record,) = records()
    assert (record["action"], record["decision"], record["document"]) == ("document.show", "permit", document)


def test_people_read_what_they_may_not_do_with_a_document_that_they_see(
    explain: Explain, cleared: Actor, add_document: AddDocument
) -> None:
    reading = explain.why(cleared, add_document(), "document.version")
    assert not reading.permitted
    assert reading.sentences


def test_out_of_reach_and_absent_are_told_in_the_same_words(
    explain: Explain,
    staff: Staff,
    database: Database,
    programme: str,
    add_document: AddDocument,
    records: Records,
) -> None:
    document = add_document("NATO SECRET")
    told = []
    for asked in (document, "00000000-0000-4000-8000-000000000000", "x"):
        with pytest.raises(NotFound) as refused:
            explain.why(staff.official, asked)
        told.append((refused.value.message, refused.value.mend, refused.value.recorded))
    assert len(set(told)) == 1
    assert [item["decision"] for item in records("document.show")] == ["deny"] * 3


def test_a_denial_that_may_be_known_is_told_with_its_reason(
    explain: Explain, cleared: Actor, add_document: AddDocument, clock: SettableClock, records: Records
) -> None:
    document = add_document("NATO SECRET")
    clock.move(days=800)
    with pytest.raises(NotPermitted) as refused:
        explain.why(cleared, document)
    assert refused.value.rules == ("clearance-in-force",)
    assert records()[-1]["decision"] == "deny"


def test_a_label_exchanged_in_the_database_is_refused_and_reported(
    explain: Explain,
    staff: Staff,
    cleared: Actor,
    database: Database,
    add_document: AddDocument,
    records: Records,
) -> None:
    document = add_document("NATO SECRET")
    with database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE documents SET label_rank = 0 WHERE id = :id", {"id": document})
    with pytest.raises(Tampered):
        explain.explain(staff.officer, cleared.person_id, document)
    assert records("tamper.detected")[0]["details"] == {"table": "documents", "row": document}


def test_no_title_reaches_the_log(
    explain: Explain, staff: Staff, cleared: Actor, add_document: AddDocument, records: Records
) -> None:
    document = add_document()
    explain.explain(staff.officer, cleared.person_id, document)
    explain.why(cleared, document)
    assert "Sonar" not in json.dumps(records())


def test_a_locked_person_is_explained_as_such(
    explain: Explain, staff: Staff, database: Database, add_document: AddDocument
) -> None:
    person = add_person(
        database, staff.organisation, email="locked@mod.example", roles=["official"], active=False
    )
    found = explain.explain(staff.officer, person, add_document())
    assert found.rule == "account-active"
