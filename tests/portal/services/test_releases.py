"""Releases: to whom a document goes beyond its sender and addressee, as far as its originator agrees."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from policies import SHIPPED
from policies.changes import AccessChange
from policies.requests import Act, ReleasedTo
from portal.errors import Conflict, Invalid, NotFound, NotPermitted
from portal.services.actor import Actor
from portal.services.grant_views import GrantState
from portal.services.releases import Releases
from tests.portal import factories
from tests.portal.worlds import ABSENT, BEGINNING, World, build_world

CONTENT = b"A deliverable of the company"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    built = build_world(tmp_path_factory.mktemp("releases") / "data")
    for name in ("officer", "officer-second"):
        levels = ("UNCLASSIFIED", "RESTRICTED", "CONFIDENTIAL", "SECRET")
        factories.add_clearance(
            built.runtime.database, built.people[name], levels, {"Context": ["NATO"]}, start=BEGINNING
        )
    yield built
    built.runtime.close()


@pytest.fixture
def releases(world: World) -> Releases:
    return world.runtime.releases


@pytest.fixture
def officer(world: World) -> Actor:
    return actor(world, "officer")


def actor(world: World, name: str) -> Actor:
    return Actor(world.people[name], world.organisation, 2, f"session-of-{name}", request="request-7")


def reads(world: World, who: str, document: str) -> bool:
    """Tell whether somebody reads it; a page, a list, a search and a ZIP say the same."""
    content = world.get(f"/documents/{document}/content", who)
    seen = content.status_code == 200
    assert seen or content.status_code == 404
    listed = world.get("/documents?sort=label", who).json
    assert (document in {item["id"] for item in listed["items"]}) is seen
    assert (world.get(f"/documents/{document}", who).status_code == 200) is seen
    assert (world.get(f"/documents.zip?id={document}", who).status_code == 200) is seen
    return seen


def to_other(world: World, releases: Releases, officer: Actor, document: str, **more: object) -> str:
    return releases.release(
        officer, document, "organisation", world.other_company, reason="They build the other half.", **more
    )


def test_a_release_opens_a_document_to_an_organisation_until_it_ends(
    world: World, releases: Releases, officer: Actor
) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    assert not reads(world, "other", document)
    made = to_other(world, releases, officer, document)
    assert reads(world, "other", document)
    found = releases.of_document(officer, document)
    [view] = found.releases
    assert (view.id, view.to.name, view.state, view.consented) == (
        made,
        "Other Company",
        GrantState.IN_FORCE,
        False,
    )
    assert (found.originator.name, found.controlled) == ("Sarrazin", False)
    intent, outcome = world.records(action="grant.document", document=document)
    assert intent["details"]["party"] == f"organisation:{world.other_company}"
    assert (intent["label"], outcome["outcome"]) == ("NATO SECRET", "complete")
    assert "other half" not in str(intent)
    releases.end(officer, "releases", made)
    assert not reads(world, "other", document)
    assert releases.of_document(officer, document).releases[0].state is GrantState.ENDED
    with pytest.raises(Conflict):
        releases.end(officer, "releases", made)


@pytest.mark.parametrize("kind", ReleasedTo)
def test_a_release_names_a_person_an_organisation_or_a_programme(
    kind: ReleasedTo, world: World, releases: Releases, officer: Actor
) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    named = {
        "person": world.people["other"],
        "organisation": world.other_company,
        "programme": world.programme,
    }
    releases.release(officer, document, kind, named[kind], reason="Asked for.")
    assert reads(world, "other", document)


def test_a_release_stands_in_for_no_other_rule(world: World, releases: Releases, officer: Actor) -> None:
    secret = world.deposited(CONTENT, label="NATO SECRET")
    database = world.runtime.database
    low = factories.add_person(
        database, world.other_company, name="Low", email="low@org.example", nation="DEU"
    )
    factories.add_role(database, low, "partner", start=BEGINNING)
    factories.add_clearance(database, low, ("UNCLASSIFIED",), {"Context": ["NATO"]}, start=BEGINNING)
    world.people["low"] = low
    world.tokens["low"] = world.runtime.account._tokens.create(low, "low", 30, 2, 2)[0]
    to_other(world, releases, officer, secret)
    assert not reads(world, "low", secret)
    unclassified = world.deposited(CONTENT, label="NATO UNCLASSIFIED")
    to_other(world, releases, officer, unclassified)
    assert not reads(world, "low", unclassified)  # no member of the programme
    factories.add_membership(database, low, world.programme, start=BEGINNING)
    assert reads(world, "low", unclassified)
    assert not reads(world, "low", secret)


def test_what_its_originator_controls_needs_that_consent_and_ends_with_it(
    world: World, releases: Releases, officer: Actor
) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    without = to_other(world, releases, officer, document)
    control = releases.control(officer, document, reason="The contract says so.")
    assert not reads(world, "other", document)  # released before, and without consent
    assert reads(world, "official", document)  # delivered, which is no passing on
    releases.end(officer, "releases", without)
    with pytest.raises(NotPermitted) as refused:
        to_other(world, releases, officer, document)
    assert refused.value.rules == ("originator-consent",)
    assert world.records(action="grant.document", decision="deny")[-1]["rule"] == "originator-consent"
    with pytest.raises(NotPermitted):
        releases.end(officer, "controls", control)
    agreed = releases.consent(officer, document, reference="Letter 17 of 3 November")
    assert not reads(world, "other", document)  # a consent alone releases nothing
    made = to_other(world, releases, officer, document)
    assert reads(world, "other", document)
    view = next(item for item in releases.of_document(officer, document).releases if item.id == made)
    assert view.consented
    releases.end(officer, "consents", agreed)
    assert not reads(world, "other", document)
    [told] = releases.of_document(officer, document).consents
    assert (told.act, told.reference, told.state) == (
        Act.RELEASE,
        "Letter 17 of 3 November",
        GrantState.ENDED,
    )
    again = releases.consent(officer, document, reference="Letter 18")
    releases.end(officer, "controls", control)
    assert reads(world, "other", document)
    releases.end(officer, "consents", again)
    assert not releases.of_document(officer, document).controlled


def test_consent_to_another_act_is_none_to_a_release(
    world: World, releases: Releases, officer: Actor
) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    releases.control(officer, document, reason="Asked for.")
    releases.consent(officer, document, Act.RELABEL, reference="Letter 19")
    with pytest.raises(NotPermitted):
        to_other(world, releases, officer, document)


def test_officers_release_only_what_they_are_cleared_for(world: World, releases: Releases) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    database = world.runtime.database
    person = factories.add_person(
        database, world.organisation, name="New", email="new@org.example", roles=["officer"]
    )
    world.people["new"] = person
    with pytest.raises(NotPermitted) as refused:
        to_other(world, releases, actor(world, "new"), document)
    assert set(refused.value.rules) == {"clearance-in-force", "label-dominated"}
    with pytest.raises(NotPermitted) as own:
        releases.release(
            actor(world, "officer"), document, "person", world.people["officer"], reason="For me."
        )
    assert own.value.rules == ("no-self-grant",)


def test_nobody_else_looks_or_changes_anything(world: World, releases: Releases, officer: Actor) -> None:
    document = world.deposited(CONTENT)
    made = to_other(world, releases, officer, document)
    for name in ("official", "auditor", "administrator", "partner"):
        stranger = actor(world, name)
        for act in (
            lambda one: releases.of_document(one, document),
            lambda one: to_other(world, releases, one, document),
            lambda one: releases.control(one, document, reason="Asked for."),
            lambda one: releases.consent(one, document, reference="Letter"),
            lambda one: releases.end(one, "releases", made),
        ):
            with pytest.raises(NotPermitted):
                act(stranger)


def test_wrong_input_is_refused_with_the_reason(world: World, releases: Releases, officer: Actor) -> None:
    document = world.deposited(CONTENT)
    with pytest.raises(NotFound):
        releases.of_document(officer, ABSENT)
    with pytest.raises(NotFound):
        releases.release(officer, document, "person", ABSENT, reason="Asked for.")
    with pytest.raises(NotFound):
        releases.end(officer, "releases", ABSENT)
    with pytest.raises(NotFound):
        releases.end(officer, "papers", ABSENT)
    with pytest.raises(Invalid):
        releases.release(officer, document, "planet", ABSENT, reason="Asked for.")
    with pytest.raises(Invalid):
        releases.release(officer, document, "organisation", world.other_company, reason=" ")
    with pytest.raises(Invalid):
        releases.consent(officer, document, "burn", reference="Letter")
    later = world.runtime.clock() + timedelta(days=9)
    to_other(world, releases, officer, document, valid_until=later)
    with pytest.raises(Conflict):
        to_other(world, releases, officer, document)
    to_other(world, releases, officer, document, valid_from=later)


@pytest.mark.parametrize("table", ["releases", "originator_controls", "originator_consents"])
def test_an_edited_row_opens_nothing_and_is_reported(
    table: str, world: World, releases: Releases, officer: Actor
) -> None:
    document = world.deposited(CONTENT, label="NATO SECRET")
    releases.consent(officer, document, reference="Letter 20")
    releases.control(officer, document, reason="Asked for.")
    to_other(world, releases, officer, document)
    with world.runtime.database.engine.begin() as connection:
        connection.execute(
            text(f"UPDATE {table} SET valid_from = valid_from - 1 WHERE document_id = '{document}'")
        )
    before = len(world.records(action="tamper.detected"))
    assert world.get(f"/documents/{document}/content", "other").status_code == 503
    found = world.records(action="tamper.detected")[before:]
    assert [record["details"]["table"] for record in found] == [table]
    with world.runtime.database.engine.begin() as connection:
        connection.execute(
            text(f"UPDATE {table} SET valid_from = valid_from + 1 WHERE document_id = '{document}'")
        )
    assert reads(world, "other", document)


def test_counts_hold_what_is_released(world: World, releases: Releases, officer: Actor) -> None:
    before = world.runtime.documents.overview(actor(world, "other"), _everything()).total
    document = world.deposited(CONTENT, label="NATO RESTRICTED")
    to_other(world, releases, officer, document)
    other = Actor(world.people["other"], world.other_company, 2, "session-of-other", request="request-8")
    found = world.runtime.documents.overview(other, _everything())
    assert document in {item.id for item in found.page.items}
    assert (found.total or 0) >= len(found.page.items) > (before or 0) - 1
    narrowed = world.runtime.documents.overview(other, _everything(originator=world.company))
    assert document in {item.id for item in narrowed.page.items}
    assert narrowed.total == len(narrowed.page.items)


def _everything(**more: object) -> object:
    from portal.services.document_views import DocumentFilter

    return DocumentFilter(**more)  # type: ignore[arg-type]


def test_who_would_lose_a_document_counts_what_is_released_to_them(
    world: World, releases: Releases, officer: Actor
) -> None:
    spif = SHIPPED.read_bytes()
    without = spif.replace(b'name="SECRET" lacv="4"', b'name="SECRET" obsolete="true" lacv="4"')

    def lost() -> int:
        found = world.runtime.policy_changes.effect(officer, without)
        changed = [item for item in found if isinstance(item, AccessChange)]
        return sum(item.documents for item in changed if item.person_id == world.people["other"])

    before, document = lost(), world.deposited(CONTENT, label="NATO SECRET")
    assert lost() == before
    to_other(world, releases, officer, document)
    assert lost() == before + 1
