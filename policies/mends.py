"""The least that would have to change for a refused request to be permitted: one change for each thing that is missing.

It says what would do, never that it should be done: whether somebody is granted more is for people to decide.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from policies.labels import Clearance, Label
from policies.model import TagKind
from policies.person_rules import ROLE_ACTIONS
from policies.policy import SecurityPolicy
from policies.reasons import Reason
from policies.requests import AccessRequest, Document, ReleasedTo
from policies.standing import Cover, credentials, not_briefed_on, standing_of
from policies.verdicts import Decision, Outcome

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "account-inactive": "Activate the account.",
        "organisation-inactive": "Activate the organisation {organisation}.",
        "no-role-permits": "Give one role: {roles}.",
        "assurance-too-low": "Sign in with {needed}.",
        "clearance-grant": "Grant a clearance for {what}.",
        "clearance-widened": "Grant a clearance that adds {missing} to one that is held: {what}.",
        "clearance-renewed": "Renew the clearance that covers the label, which is not in force.",
        "label-invalid": "No grant helps: the label itself does not hold and must be corrected.",
        "not-a-member": "Make the person a member of the programme {programme}.",
        "not-briefed": "Brief the person on {what}, and record it.",
        "instruction-not-acknowledged": "Let the person acknowledge the instruction for {classification}.",
        "facility-not-cleared": "Clear the premises of the organisation {organisation} for {classification}.",
        "not-released": "Release the document to the person, their organisation or a programme of theirs.",
        "not-the-originator": "No grant helps: let the organisation {originator} send the new version.",
        "no-originator-consent": "Get the consent of the organisation {originator}.",
        "document-quarantined": "Release the document from quarantine.",
        "document-withdrawn": "No grant helps: the document was withdrawn.",
        "document-expired": "No grant helps: the document has expired.",
        "document-destroyed": "No grant helps: the document was destroyed.",
        "scan-found": "No grant helps: the scanner found something in the document.",
        "scan-missing": "Let the document be scanned.",
        "above-ceiling": "No grant helps: this installation holds nothing above {ceiling}.",
        "handling-view-only": "No grant helps: let the person view it here.",
        "not-approved": "Let another security officer, who is cleared for it, approve exactly this.",
        "nothing-proposed": "Propose what is to be done.",
        "outside-networks": "Let the person come from a network that is permitted for {classification}.",
        "outside-hours": "Wait for the hours that are permitted for {classification}.",
    }
)
_MEMBERSHIP = ("need-to-know", "releasable")
_HELPLESS = frozenset(
    {
        "label-invalid",
        "not-the-originator",
        "document-withdrawn",
        "document-expired",
        "document-destroyed",
        "scan-found",
        "above-ceiling",
        "handling-view-only",
    }
)


@dataclass(frozen=True, slots=True)
class Mend:
    """One change, and the rules that it would satisfy.

    `possible` is False where nothing that can be granted would do. `clearance` is the smallest clearance that would,
    where one is missing; `briefing` the restrictive values (by tag set) on which a briefing is.
    """

    rules: tuple[str, ...]
    reason: Reason
    possible: bool = True
    clearance: Clearance | None = None
    briefing: Mapping[str, frozenset[str]] | None = None

    @property
    def text(self) -> str:
        """The change as an English sentence."""
        return self.reason.render(TEXTS)


def least_changes(request: AccessRequest, decision: Decision) -> tuple[Mend, ...]:
    """Return what would have to change, one entry for each thing; empty for a permitted request."""
    return tuple(_mends(request, decision))


def _mends(request: AccessRequest, decision: Decision) -> Iterator[Mend]:
    refusing = {v.rule: v.reason.code for v in decision.verdicts if v.outcome is Outcome.REFUSES}
    cleared = tuple(rule for rule in ("clearance-in-force", "label-dominated") if rule in refusing)
    # Who becomes a member is among those whom a release to the programme names.
    joined: tuple[str, ...] = (
        _MEMBERSHIP if refusing.keys() >= set(_MEMBERSHIP) and _released_to_members(request) else ()
    )
    for rule, code in refusing.items():
        if rule in cleared:
            if rule == cleared[0]:
                yield _clearance(request, cleared)
        elif rule in joined:
            if code == "not-a-member":
                yield Mend(joined, Reason.of(code, **_known(request)))
        elif code == "not-briefed":
            yield _briefing(request)
        else:
            yield Mend((rule,), Reason.of(code, **_known(request)), code not in _HELPLESS)


def _released_to_members(request: AccessRequest) -> bool:
    """Whether a release in force names the document's own programme, with its originator's consent where it counts."""
    document = _document(request)
    return any(
        release.to_kind == ReleasedTo.PROGRAMME
        and release.to_id == document.programme_id
        and release.period.contains(request.environment.time)
        and (not document.originator_controlled or release.consent_of == document.originator_id)
        for release in document.releases
    )


def _known(request: AccessRequest) -> dict[str, str]:
    subject, document, rules = request.subject, request.document, request.environment.rules
    known = {
        "organisation": subject.organisation_id,
        "roles": " or ".join(role for role, actions in ROLE_ACTIONS.items() if request.action in actions),
        "ceiling": rules.ceiling,
    }
    if document is not None:
        own = document.label.under(rules.policy.id) or document.label
        known |= {
            "classification": own.classification,
            "programme": document.programme_id,
            "originator": document.originator_id,
            "needed": _SIGN_INS[rules.assurance_for(own.classification)],
        }
    return known


_SIGN_INS = ("", "a password", "a second factor", "a passkey or certificate")


def _document(request: AccessRequest) -> Document:
    # The rules that refuse here look at a document.
    assert request.document is not None
    return request.document


def _clearance(request: AccessRequest, rules: tuple[str, ...]) -> Mend:
    environment = request.environment
    policy, stands = environment.rules.policy, standing_of(request)
    if stands.cover is Cover.INVALID:
        return Mend(rules, Reason("label-invalid"), possible=False)
    own = _document(request).label.under(policy.id)
    assert own is not None  # the label is valid
    if stands.cover is Cover.LAPSED:
        held = next(
            clearance
            for clearance, _ in credentials(request.subject, stands.label.rank, environment)
            if stands.label.held_by(policy.mask(clearance))
        )
        return Mend(rules, Reason("clearance-renewed"), clearance=held)
    nearest, lacking = _nearest(request, policy, own)
    least = _smallest(policy, own, 0)
    if nearest is None:
        return Mend(rules, Reason.of("clearance-grant", what=_words(policy, least)), clearance=least)
    widened = _smallest(policy, own, policy.mask(nearest))
    return Mend(
        rules,
        Reason.of("clearance-widened", missing=_names(policy, lacking), what=_words(policy, widened)),
        clearance=widened,
    )


def _nearest(request: AccessRequest, policy: SecurityPolicy, label: Label) -> tuple[Clearance | None, int]:
    """Return the clearance in force that lacks the least, and what it lacks (a mask)."""
    best: tuple[Clearance | None, int] = None, 0
    for grant in request.subject.clearances:
        held = policy.mask(grant.clearance)
        if not held or not grant.period.contains(request.environment.time):
            continue
        lacking = policy.mask(_smallest(policy, label, held)) & ~held
        if best[0] is None or lacking.bit_count() < best[1].bit_count():
            best = grant.clearance, lacking
    return best


def _smallest(policy: SecurityPolicy, label: Label, held: int) -> Clearance:
    """Return the least clearance that opens a label: its level, all it restricts to, one value of each choice.

    Of a permissive tag the value is one that is held already (`held`, a mask), or the first in the policy's order.
    """
    values: dict[str, set[str]] = {}
    for tag in policy.tags:
        chosen = [category for category, _ in policy.chosen(label, tag)]
        if tag.kind is TagKind.PERMISSIVE and chosen:
            chosen = [next((one for one in chosen if one.bit & held), chosen[0])]
        if tag.kind is not TagKind.INFORMATIVE:
            for category in chosen:
                values.setdefault(tag.tag_set, set()).add(category.name)
    return Clearance(
        policy.id, frozenset({label.classification}), {name: frozenset(held) for name, held in values.items()}
    )


def _briefing(request: AccessRequest) -> Mend:
    policy = request.environment.rules.policy
    special = standing_of(request).label.special
    missing = not_briefed_on(request.subject, special, request.environment)
    values: dict[str, set[str]] = {}
    for tag in policy.tags:
        for category in tag.categories:
            if category.bit & missing:
                values.setdefault(category.tag_set, set()).add(category.name)
    held = MappingProxyType({name: frozenset(chosen) for name, chosen in values.items()})
    return Mend(("briefed",), Reason.of("not-briefed", what=_names(policy, missing)), briefing=held)


def _names(policy: SecurityPolicy, mask: int) -> str:
    """Return the classifications and values of a mask in words."""
    levels = [item.name for item in policy.classifications if item.bit & mask]
    values = [f"{c.tag_set} {c.name}" for tag in policy.tags for c in tag.categories if c.bit & mask]
    return ", ".join((*levels, *values))


def _words(policy: SecurityPolicy, clearance: Clearance) -> str:
    return _names(policy, policy.mask(clearance))
