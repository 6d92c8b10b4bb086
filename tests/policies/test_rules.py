"""The portal's rules, one at a time, and the decision that they add up to."""

from dataclasses import replace

import pytest

from policies import Label, parse_policy
from policies.requests import (
    AccessRequest,
    Action,
    ClearanceGrant,
    Document,
    DocumentState,
    Environment,
    Membership,
    Period,
    Release,
    ReleasedTo,
    Role,
    Ruleset,
    ScanState,
)
from policies.rules import RULES, Outcome, decide, visible_labels
from tests.policies.builders import (
    CURRENT,
    DAY,
    ENDED,
    FUTURE,
    NOW,
    RESTRICTIVE,
    classes,
    clearance,
    document,
    environment,
    instruction,
    request,
    shipped,
    spif,
    subject,
    tag_set,
    value,
)


def verdict(rule: str, asked: AccessRequest) -> tuple[Outcome, str]:
    """What one rule says within a decision, which must say the same as the rule alone."""
    (found,) = (item for item in decide(asked).verdicts if item.rule == rule)
    assert found.outcome is Outcome.NOT_ASKED or found == RULES[rule](asked)
    return found.outcome, found.reason.code


def permits(rule: str, asked: AccessRequest) -> bool:
    return verdict(rule, asked)[0] is Outcome.PERMITS


def test_official_reads_what_was_delivered() -> None:
    decision = decide(request())
    assert decision.permitted
    assert (decision.rule, decision.knowable, decision.knowable_rules) == ("", False, ())
    assert [item.rule for item in decision.verdicts] == list(RULES)
    assert {item.rule for item in decision.verdicts if item.outcome is not Outcome.PERMITS} == {"two-person"}


def test_rules_have_the_names_that_the_log_cites() -> None:
    assert list(RULES) == [
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
    ]


# -- account-active


def test_inactive_account_or_organisation_is_refused() -> None:
    assert verdict("account-active", request(subject(account_active=False)))[1] == "account-inactive"
    assert (
        verdict("account-active", request(subject(organisation_active=False)))[1] == "organisation-inactive"
    )
    assert permits("account-active", request())


# -- role-permits

TABLE = {
    Role.PARTNER: "document.upload document.version document.list document.search document.show document.read "
    "document.preview instruction.acknowledge",
    Role.OFFICIAL: "document.list document.search document.show document.read document.preview "
    "instruction.acknowledge",
    Role.AUDITOR: "log.search log.read log.export",
    Role.OFFICER: "grant.clearance grant.membership grant.briefing grant.role grant.document grant.consent "
    "grant.policy grant.facility grant.instruction grant.setting policy.show policy.propose policy.approve "
    "destruction.show destruction.propose destruction.approve spill.show spill.contain quarantine.show access.explain",
    Role.ADMINISTRATOR: "account.manage organisation.manage programme.manage system.status keys.show keys.manage",
}


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("role", list(Role))
def test_roles_have_their_actions_and_no_others(role: Role, action: Action) -> None:
    asked = request(subject(roles=frozenset({role})), action=action)
    assert permits("role-permits", asked) is (action.value in TABLE[role].split())


def test_several_roles_add_up_and_none_has_nothing() -> None:
    both = subject(roles=frozenset({Role.OFFICIAL, Role.AUDITOR}))
    assert permits("role-permits", request(both, action=Action.LOG_READ))
    assert permits("role-permits", request(both, action=Action.DOCUMENT_READ))
    assert not permits("role-permits", request(subject(roles=frozenset())))


def test_auditor_officer_and_administrator_read_no_document() -> None:
    for role in (Role.AUDITOR, Role.OFFICER, Role.ADMINISTRATOR):
        decision = decide(request(subject(roles=frozenset({role}))))
        assert (decision.permitted, decision.rule) == (False, "role-permits")


# -- assurance


@pytest.mark.parametrize(
    ("level", "marking", "enough"),
    [
        (1, "NATO UNCLASSIFIED", True),
        (0, "NATO UNCLASSIFIED", False),
        (1, "NATO SECRET", False),
        (2, "NATO SECRET", True),
    ],
)
def test_assurance_is_compared_with_the_level_of_the_label(level: int, marking: str, enough: bool) -> None:
    assert permits("assurance", request(subject(assurance=level), document(marking))) is enough


def test_classification_without_a_setting_needs_the_strongest_sign_in() -> None:
    bare = environment(assurance={})
    assert not permits("assurance", request(subject(assurance=2), environment_=bare))
    assert permits("assurance", request(subject(assurance=3), environment_=bare))


# -- clearance-in-force and label-dominated


def cleared(*grants: ClearanceGrant, marking: str = "NATO SECRET") -> tuple[tuple[Outcome, str], ...]:
    asked = request(subject(clearances=grants), document(marking))
    return verdict("clearance-in-force", asked), verdict("label-dominated", asked)


REFUSES, PERMITS, NOT_ASKED = Outcome.REFUSES, Outcome.PERMITS, Outcome.NOT_ASKED
LAPSED = ((REFUSES, "clearance-lapsed"), (NOT_ASKED, "clearance-answers"))
SECRET, LOW = clearance("SECRET"), clearance("RESTRICTED")


def test_clearance_in_force_covers_its_levels() -> None:
    in_force = (PERMITS, "clearance-in-force")
    assert cleared(ClearanceGrant(SECRET, CURRENT)) == (in_force, (PERMITS, "label-dominated"))
    assert cleared(ClearanceGrant(LOW, CURRENT)) == (in_force, (REFUSES, "label-beyond-clearance"))


def test_no_clearance_covers_nothing() -> None:
    nothing = ((REFUSES, "no-clearance-in-force"), (REFUSES, "label-beyond-clearance"))
    assert cleared() == nothing
    other = clearance()
    foreign = replace(other, policy_id="2.25.7")
    assert cleared(ClearanceGrant(foreign, CURRENT)) == nothing


@pytest.mark.parametrize("period", [ENDED, FUTURE, Period(NOW - DAY, NOW)])
def test_clearance_that_would_cover_and_is_not_in_force_has_lapsed(period: Period) -> None:
    assert cleared(ClearanceGrant(SECRET, period)) == LAPSED
    assert cleared(ClearanceGrant(SECRET, period), ClearanceGrant(LOW, CURRENT)) == LAPSED
    assert not decide(request(subject(clearances=(ClearanceGrant(SECRET, period),)))).permitted


def test_clearance_starts_on_time() -> None:
    assert cleared(ClearanceGrant(SECRET, Period(NOW)))[1] == (PERMITS, "label-dominated")


def test_two_clearances_are_never_added_together() -> None:
    level = shipped().clearance_up_to("SECRET", {"Context": ["KFOR"]})
    values = shipped().clearance_up_to("RESTRICTED", {"Context": ["NATO"]})
    grants = (ClearanceGrant(level, CURRENT), ClearanceGrant(values, CURRENT))
    assert cleared(*grants)[1] == (REFUSES, "label-beyond-clearance")


def test_invalid_label_is_refused_whatever_the_clearance() -> None:
    invalid = Label.of(shipped().id, "SECRET", {"Administrative": ["STAFF"]})
    asked = request(document_=document(label=invalid))
    assert verdict("label-dominated", asked) == (REFUSES, "label-invalid")
    assert not decide(asked).permitted


def test_label_of_another_policy_is_refused() -> None:
    asked = request(document_=document(label=Label.of("2.25.7", "SECRET", {"Context": ["NATO"]})))
    assert verdict("label-dominated", asked) == (REFUSES, "label-invalid")
    assert decide(asked).permitted is False


@pytest.mark.parametrize(
    ("marking", "levels", "period", "covered"),
    [
        ("NATO RESTRICTED", ("RESTRICTED",), CURRENT, True),
        ("NATO RESTRICTED", ("UNCLASSIFIED",), CURRENT, False),
        ("NATO RESTRICTED", ("RESTRICTED",), ENDED, False),
        ("NATO RESTRICTED", (), CURRENT, False),
        ("NATO CONFIDENTIAL", ("CONFIDENTIAL",), CURRENT, False),
    ],
)
def test_briefing_stands_in_for_a_clearance_below_the_level_set(
    marking: str, levels: tuple[str, ...], period: Period, covered: bool
) -> None:
    told = instruction(*levels, period=period, Context={"NATO"})
    asked = request(subject(clearances=(), briefings=(told,)), document(marking))
    assert permits("label-dominated", asked) is covered
    assert decide(asked).permitted is covered


def test_level_from_which_a_clearance_is_needed_is_a_setting() -> None:
    told = instruction("CONFIDENTIAL", Context={"NATO"})
    asked = request(subject(clearances=(), briefings=(told,)), document("NATO CONFIDENTIAL"))
    raised = replace(asked, environment=environment(clearance_from="SECRET"))
    assert not decide(asked).permitted
    assert decide(raised).permitted


def test_value_limited_in_time_is_judged_at_the_time_of_the_request() -> None:
    window = 'notAfter="2026-11-24T12:00:00Z"'
    policy = parse_policy(spif(classes("A"), tag_set("T", RESTRICTIVE, value("V", 1, attributes=window))))
    held = policy.clearance_up_to("A", {"T": ["V"]})
    settings = Ruleset(policy, "A", "A", {"A": 1})
    paper = document(label=policy.label("A", {"T": ["V"]}))
    person = subject(
        clearances=(ClearanceGrant(held, CURRENT),),
        briefings=(replace(instruction(T={"V"}), policy_id=policy.id),),
    )
    assert decide(request(person, paper, environment_=Environment(NOW, settings))).permitted
    later = decide(request(person, paper, environment_=Environment(NOW + DAY, settings)))
    assert (later.permitted, later.rule) == (False, "label-dominated")
    assert visible_labels(person, [paper.label], Environment(NOW, settings)) == {paper.label}
    assert visible_labels(person, [paper.label], Environment(NOW + DAY, settings)) == frozenset()


# -- need-to-know


@pytest.mark.parametrize(
    ("memberships", "member"),
    [
        ((), False),
        ((Membership("other", CURRENT),), False),
        ((Membership("programme", ENDED),), False),
        ((Membership("programme", FUTURE),), False),
        ((Membership("other", CURRENT), Membership("programme", CURRENT)), True),
    ],
)
def test_need_to_know_is_current_membership(memberships: tuple[Membership, ...], member: bool) -> None:
    own = document(originator_id="agency")
    assert permits("need-to-know", request(subject(memberships=memberships))) is member
    assert permits("need-to-know", request(subject(memberships=memberships), own)) is member


# -- briefed


@pytest.mark.parametrize(
    ("briefings", "expected"),
    [
        ((), "not-briefed"),
        ((instruction("RESTRICTED"),), "not-briefed"),
        ((instruction(Additional_Sensitivity={"ATOMAL"}),), "not-briefed"),
        ((instruction(Additional_Sensitivity={"ATOMAL", "CRYPTO"}),), "briefed"),
        (
            (instruction(Additional_Sensitivity={"ATOMAL"}), instruction(Additional_Sensitivity={"CRYPTO"})),
            "briefed",
        ),
        (
            (
                instruction(Additional_Sensitivity={"ATOMAL"}),
                instruction(Additional_Sensitivity={"CRYPTO"}, period=ENDED),
            ),
            "not-briefed",
        ),
        (
            (replace(instruction(Additional_Sensitivity={"ATOMAL", "CRYPTO"}), policy_id="2.25.7"),),
            "not-briefed",
        ),
    ],
)
def test_every_special_category_needs_a_briefing_in_force(briefings: tuple[()], expected: str) -> None:
    held = ClearanceGrant(clearance(Additional_Sensitivity={"ATOMAL", "CRYPTO"}), CURRENT)
    asked = request(subject(clearances=(held,), briefings=briefings), document("NATO SECRET ATOMAL CRYPTO"))
    assert verdict("briefed", asked)[1] == expected
    assert decide(asked).permitted is (expected == "briefed")


def test_label_without_special_categories_needs_no_briefing() -> None:
    assert verdict("briefed", request()) == (PERMITS, "no-special-category")


# -- releasable


def released(kind: ReleasedTo, to: str, period: Period = CURRENT) -> Document:
    return document(addressee_id="ministry", releases=(Release(kind, to, period),))


@pytest.mark.parametrize(
    ("paper", "expected"),
    [
        (document(originator_id="agency", addressee_id="ministry"), "own-organisation"),
        (document(), "delivered"),
        (document(addressee_id="ministry"), "not-released"),
        (released(ReleasedTo.PERSON, "person"), "released"),
        (released(ReleasedTo.PERSON, "agency"), "not-released"),
        (released(ReleasedTo.ORGANISATION, "agency"), "released"),
        (released(ReleasedTo.ORGANISATION, "person"), "not-released"),
        (released(ReleasedTo.PROGRAMME, "programme"), "released"),
        (released(ReleasedTo.PROGRAMME, "other"), "not-released"),
        (released(ReleasedTo.ORGANISATION, "agency", ENDED), "not-released"),
        (released(ReleasedTo.ORGANISATION, "agency", FUTURE), "not-released"),
        (
            document(addressee_id="ministry", releases=(Release("everybody", "agency", CURRENT),)),
            "not-released",
        ),
        (document(addressee_id="ministry", releases=(Release("person", "person", CURRENT),)), "released"),
    ],
)
def test_document_is_own_delivered_or_released(paper: Document, expected: str) -> None:
    assert verdict("releasable", request(document_=paper))[1] == expected
    assert decide(request(document_=paper)).permitted is (expected != "not-released")


def test_new_versions_come_from_the_originator_only() -> None:
    partner = subject(roles=frozenset({Role.PARTNER}), organisation_id="company")
    assert decide(request(partner, action=Action.DOCUMENT_VERSION)).permitted
    for organisation in ("agency", "rival"):
        other = replace(partner, organisation_id=organisation)
        asked = request(other, released(ReleasedTo.ORGANISATION, organisation), Action.DOCUMENT_VERSION)
        assert verdict("releasable", asked) == (REFUSES, "not-the-originator")
        assert not decide(asked).knowable


# -- document-state


@pytest.mark.parametrize("state", list(DocumentState))
def test_only_a_received_document_is_available(state: DocumentState) -> None:
    assert permits("document-state", request(document_=document(state=state))) is (state == "received")


@pytest.mark.parametrize(
    ("scan", "required", "expected"),
    [
        (ScanState.NOT_SCANNED, False, "document-available"),
        (ScanState.PENDING, False, "document-available"),
        (ScanState.NOT_SCANNABLE, False, "document-available"),
        (ScanState.CLEAN, False, "document-available"),
        (ScanState.FOUND, False, "scan-found"),
        (ScanState.NOT_SCANNED, True, "scan-missing"),
        (ScanState.PENDING, True, "scan-missing"),
        (ScanState.NOT_SCANNABLE, True, "scan-missing"),
        (ScanState.CLEAN, True, "document-available"),
        (ScanState.FOUND, True, "scan-found"),
    ],
)
def test_scan_is_required_where_the_setting_says_so(scan: ScanState, required: bool, expected: str) -> None:
    settings = environment(scan_required=frozenset({"SECRET"} if required else {"RESTRICTED"}))
    asked = request(document_=document(scan=scan), environment_=settings)
    assert verdict("document-state", asked)[1] == expected


# -- system-ceiling


def test_nothing_above_the_ceiling_is_permitted() -> None:
    low = environment(ceiling="RESTRICTED")
    assert permits("system-ceiling", request(document_=document("NATO RESTRICTED"), environment_=low))
    assert not permits("system-ceiling", request(environment_=low))
    unknown = document(label=Label.of(shipped().id, "ULTRA", {"Context": ["NATO"]}))
    assert not permits("system-ceiling", request(document_=unknown))
