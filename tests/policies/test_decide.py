"""The decision that the rules add up to: which of them apply, who decides, and the whole truth table."""

from dataclasses import replace
from itertools import product

import pytest

from policies import InvalidRequest
from policies.requests import (
    AccessRequest,
    Action,
    ClearanceGrant,
    DocumentState,
    Environment,
    Handling,
    Membership,
    Period,
    Release,
    Role,
    Ruleset,
)
from policies.rules import RULES, Outcome, decide
from tests.policies.builders import (
    CURRENT,
    ENDED,
    NOW,
    clearance,
    document,
    environment,
    facility,
    instruction,
    label,
    published,
    request,
    rules,
    shipped,
    subject,
)
from tests.policies.test_rules import TABLE

REFUSES, NOT_ASKED = Outcome.REFUSES, Outcome.NOT_ASKED


# -- which rules apply


def test_upload_is_decided_on_the_intended_label() -> None:
    partner = subject(roles=frozenset({Role.PARTNER}), organisation_id="company")
    paper = document(id=None, addressee_id="agency", state=DocumentState.RECEIVED)
    decision = decide(request(partner, paper, Action.DOCUMENT_UPLOAD))
    assert decision.permitted
    silent = [item.rule for item in decision.verdicts if item.outcome is NOT_ASKED]
    assert silent == ["releasable", "originator-consent", "document-state", "handling", "two-person"]


PROPOSED = (Action.GRANT_DOCUMENT, Action.GRANT_POLICY)


@pytest.mark.parametrize(
    "action",
    [action for action in Action if not action.startswith("document.") and action not in PROPOSED],
)
def test_actions_without_a_document_ask_for_account_and_role_only(action: Action) -> None:
    role = next(role for role in Role if action in TABLE[role].split())
    nobody = subject(roles=frozenset({role}), clearances=(), memberships=(), assurance=1)
    asked = AccessRequest(nobody, action, None, environment())
    assert decide(asked).permitted
    assert decide(replace(asked, document=document())).permitted
    refused = decide(replace(asked, subject=replace(nobody, account_active=False)))
    assert (refused.permitted, refused.rule, refused.knowable) == (False, "account-active", False)


def test_list_and_search_may_be_asked_as_a_whole() -> None:
    for action in (Action.DOCUMENT_LIST, Action.DOCUMENT_SEARCH):
        assert decide(AccessRequest(subject(), action, None, environment())).permitted
        assert not decide(AccessRequest(subject(memberships=()), action, document(), environment())).permitted


@pytest.mark.parametrize("action", ["show", "read", "preview", "upload", "version"])
def test_question_about_a_document_without_one_is_a_mistake(action: str) -> None:
    with pytest.raises(InvalidRequest):
        decide(AccessRequest(subject(), Action(f"document.{action}"), None, environment()))


@pytest.mark.parametrize(
    "rule", [name for name in RULES if name not in ("account-active", "role-permits", "two-person")]
)
def test_rule_about_a_document_without_one_is_a_mistake(rule: str) -> None:
    set_up = environment(handling={"SECRET": Handling.VIEW_ONLY}, networks={"SECRET": ()})
    with pytest.raises(InvalidRequest):
        RULES[rule](AccessRequest(subject(), Action.DOCUMENT_READ, None, set_up))


def test_first_refusing_rule_decides_and_all_are_asked() -> None:
    asked = request(subject(account_active=False, memberships=()), document(state=DocumentState.EXPIRED))
    decision = decide(asked)
    refusing = [item.rule for item in decision.verdicts if item.outcome is REFUSES]
    assert refusing == ["account-active", "need-to-know", "document-state"]
    assert decision.rule == "account-active"


def test_verdicts_are_shared_constants() -> None:
    once, again = decide(request()), decide(request())
    assert all(one is other for one, other in zip(once.verdicts, again.verdicts, strict=True))


# -- all together

FAILING = tuple(name for name in RULES if name != "two-person")
# Who has no role is no partner, and what is not released is not passed on.
EXCLUSIVE = ({"role-permits", "facility"}, {"releasable", "originator-consent"})


@pytest.mark.parametrize("upper", list(product((False, True), repeat=5)))
def test_request_is_permitted_only_when_every_rule_permits(upper: tuple[bool, ...]) -> None:
    """The whole truth table: each rule that a reader meets made to permit or to refuse by itself."""
    paper_ = document()
    special = {"Additional Sensitivity": ["ATOMAL"]}
    labels = {name: shipped().compose("SECRET", {**special, "Context": [name]}) for name in ("NATO", "KFOR")}
    held, told = clearance(Additional_Sensitivity={"ATOMAL"}), instruction(Additional_Sensitivity={"ATOMAL"})
    for lower in product((False, True), repeat=9):
        failing = {name for name, fails in zip(FAILING, (*upper, *lower), strict=True) if fails}
        if any(pair <= failing for pair in EXCLUSIVE):
            continue
        context = "KFOR" if "label-dominated" in failing else "NATO"
        person = subject(
            account_active="account-active" not in failing,
            roles=frozenset({Role.AUDITOR if "role-permits" in failing else Role.PARTNER}),
            assurance=1 if "assurance" in failing else 2,
            clearances=(
                ClearanceGrant(
                    held,
                    ENDED if "clearance-in-force" in failing else CURRENT,
                ),
            ),
            memberships=(Membership("programme", ENDED if "need-to-know" in failing else CURRENT),),
            briefings=() if "briefed" in failing else (told,),
            facilities=() if "facility" in failing else (facility("SECRET"),),
        )
        paper = replace(
            paper_,
            label=labels[context],
            addressee_id="ministry",
            releases=()
            if "releasable" in failing
            else (
                Release("person", "person", CURRENT, None if "originator-consent" in failing else "company"),
            ),
            originator_controlled=True,
            state=DocumentState.WITHDRAWN if "document-state" in failing else DocumentState.RECEIVED,
        )
        place = environment(
            ceiling="RESTRICTED" if "system-ceiling" in failing else "SECRET",
            facility_from="SECRET",
            handling={"SECRET": Handling.VIEW_ONLY} if "handling" in failing else {},
            networks={"SECRET": ()} if "place-and-time" in failing else {},
        )
        decision = decide(request(person, paper, environment_=place))
        assert {item.rule for item in decision.verdicts if item.outcome is REFUSES} == failing
        assert decision.permitted is (not failing)
        may_know = {"assurance", "clearance-in-force", "document-state", "handling", "place-and-time"}
        assert decision.knowable is (bool(failing) and failing <= may_know)


# -- values


@pytest.mark.parametrize(
    "settings",
    [
        {"ceiling": "ULTRA"},
        {"clearance_from": "ULTRA"},
        {"assurance": {"ULTRA": 1}},
        {"assurance": {"SECRET": 0}},
        {"assurance": {"SECRET": 4}},
        {"scan_required": frozenset({"ULTRA"})},
        {"facility_from": "ULTRA"},
        {"instruction_required": frozenset({"ULTRA"})},
        {"handling": {"ULTRA": Handling.OPEN}},
        {"networks": {"ULTRA": ()}},
        {"hours": {"ULTRA": ()}},
    ],
)
def test_settings_that_the_policy_does_not_know_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        rules(**settings)


def test_times_without_offset_are_refused() -> None:
    naive = NOW.replace(tzinfo=None)
    for make in (lambda: Period(naive), lambda: Period(NOW, naive), lambda: Environment(naive, rules())):
        with pytest.raises(InvalidRequest):
            make()


def test_rules_work_under_another_policy() -> None:
    policy = published()
    held = policy.clearance_up_to("SECRET", {"Context": ["NATO"]})
    paper = document(label=policy.label("SECRET", {"Context": ["NATO"]}))
    settings = Ruleset(policy, "SECRET", assurance={"SECRET": 2})
    person = subject(clearances=(ClearanceGrant(held, CURRENT),))
    assert decide(request(person, paper, environment_=Environment(NOW, settings))).permitted


def test_equal_subjects_and_documents_hash_alike() -> None:
    told = instruction("RESTRICTED", Context={"NATO"})
    assert len({subject(briefings=(told,)), subject(briefings=(told,))}) == 1
    assert len({document(), document()}) == 1
    assert label() == document().label
