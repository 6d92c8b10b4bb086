"""Explain a decision in sentences, for two readers.

The person who asks learns what they may know: for a permitted request why, for a knowable denial what is
missing, and otherwise nothing. An officer or auditor reads the verdict of every rule with its particulars.
Sentences come from reasons, so that a caller can translate them by code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Literal

from policies.reasons import Reason
from policies.requests import AccessRequest, Document
from policies.standing import credentials, not_briefed_on
from policies.verdicts import Decision, Outcome, Verdict

Reader = Literal["person", "officer"]

OUT_OF_REACH = Reason("out-of-reach")
NOT_FOR_YOU = Reason("not-for-you")

# The person's sentences name no category, programme or person: only dates, levels of sign-in, the ceiling.
PERSON_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "out-of-reach": "There is no such document, or it is not open to you.",
        "not-for-you": "This is not part of what your account is for.",
        "account-active": "Your account is active.",
        "role-permits": "Your role includes this.",
        "assurance-enough": "You signed in strongly enough for this classification.",
        "assurance-too-low": "This classification asks for a stronger sign-in: {needed}.",
        "clearance-in-force": "Your clearance is in force.",
        "no-clearance-in-force": "You have no clearance in force.",
        "clearance-lapsed": "Your clearance is not in force.",
        "clearance-ended": "Your clearance ended on {date}.",
        "clearance-begins": "Your clearance begins on {date}.",
        "label-dominated": "Your clearance covers the label.",
        "label-invalid": "This label is not valid under the policy.",
        "label-beyond-clearance": "Your clearance does not cover this label.",
        "member": "You are a member of the programme.",
        "briefed": "You have been briefed on what the label asks for.",
        "not-briefed": "The label asks for a briefing that you have not had.",
        "instruction-not-acknowledged": "Acknowledge the instruction for this classification first.",
        "facility-cleared": "Your organisation is cleared to hold it.",
        "facility-not-cleared": "Your organisation is not cleared to hold this classification.",
        "originator-consents": "Its originator agrees that you have it.",
        "handling-viewed": "It is viewed here only.",
        "handling-view-only": "Documents of this classification are viewed here and not downloaded or printed.",
        "approved": "A second person has approved it.",
        "not-approved": "A second person must approve exactly this first.",
        "nothing-proposed": "Nothing was proposed that could be approved.",
        "place-and-time": "You are at a place, and it is a time, at which it may be used.",
        "outside-networks": "This classification is not open from where you are.",
        "outside-hours": "This classification is not open at this time.",
        "own-organisation": "The document comes from your organisation.",
        "delivered": "The document was delivered to your organisation.",
        "released": "The document was released to you.",
        "document-available": "The document is available.",
        "document-withdrawn": "The document was withdrawn.",
        "within-ceiling": "This installation may hold it.",
        "above-ceiling": "This installation holds documents up to {ceiling} only.",
    }
)

OFFICER_TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "not-asked": "Does not apply to {action}.",
        "account-active": "The account and its organisation are active.",
        "account-inactive": "The account is not active.",
        "organisation-inactive": "The organisation {organisation} is not active.",
        "role-permits": "A role of the person ({roles}) includes {action}.",
        "no-role-permits": "No role of the person ({roles}) includes {action}.",
        "assurance-enough": "Signed in with {had}; {classification} asks for {needed}.",
        "assurance-too-low": "Signed in with {had}; {classification} asks for {needed}.",
        "clearance-in-force": "A clearance, or a briefing that stands in for one, is in force.",
        "no-clearance-in-force": "No clearance under this policy is in force.",
        "clearance-lapsed": "A clearance that covers the label was granted and is not in force.",
        "clearance-ended": "The clearance that covers the label ended on {date}.",
        "clearance-begins": "The clearance that covers the label begins on {date}.",
        "label-dominated": "A clearance in force covers the label.",
        "label-invalid": "The label is not valid: {details}",
        "label-beyond-clearance": "No clearance that was granted covers the label: {details}",
        "clearance-answers": "A clearance that was granted covers the label; it is not in force.",
        "member": "The person is a member of the programme {programme}.",
        "not-a-member": "The person is not a current member of the programme {programme}.",
        "no-special-category": "The label has no special category.",
        "briefed": "Briefings in force list every special category of the label: {details}.",
        "not-briefed": "No briefing in force lists {details}.",
        "instruction-not-acknowledged": "The instruction for {classification} is not acknowledged, or no longer.",
        "facility-not-needed": "{classification} asks for no facility clearance, or the person is no partner.",
        "facility-cleared": "The organisation {organisation} has a facility clearance for {classification}.",
        "facility-not-cleared": "The organisation {organisation} has no facility clearance in force for "
        "{classification}.",
        "not-originator-controlled": "The originator does not control to whom the document is passed on.",
        "not-passed-on": "The document is not passed on: {originator} originated it, {addressee} received it.",
        "originator-consents": "The organisation {originator}, which controls the document, agrees.",
        "no-originator-consent": "The organisation {originator} controls the document and has not agreed.",
        "handling-open": "{classification} is handed out.",
        "handling-viewed": "{classification} is only viewed, and {action} does not hand it out.",
        "handling-view-only": "{classification} is only viewed: no download, no print.",
        "second-person-not-needed": "{act} needs no second person.",
        "approved": "A second, entitled officer approved exactly what is proposed ({act}).",
        "not-approved": "No approval counts: of this ({act}, {digest}), in force and expiring, by a security "
        "officer cleared for it who neither asks nor wrote it.",
        "nothing-proposed": "{action} came without a proposal that it could carry out.",
        "place-not-limited": "Neither networks nor hours are set for {classification}.",
        "place-and-time": "From {address} and at this time {classification} may be used.",
        "outside-networks": "{classification} is not used from {address}.",
        "outside-hours": "{classification} is not used at this time.",
        "own-organisation": "The organisation {organisation} originated the document.",
        "delivered": "The document was delivered to the organisation {organisation}.",
        "released": "A release in force names the person, their organisation or a programme of theirs.",
        "not-released": "Originated by {originator}, delivered to {addressee}; no release in force names them.",
        "not-the-originator": "New versions come from the organisation {originator} only.",
        "document-available": "The document is received, and scanned as its level requires.",
        "document-admitted": "Two security officers admitted the document from quarantine.",
        "document-quarantined": "The document is in quarantine.",
        "document-withdrawn": "The document was withdrawn.",
        "document-expired": "The document has expired.",
        "document-destroyed": "The document was destroyed.",
        "scan-found": "The scanner found something in the document.",
        "scan-missing": "{classification} must be scanned and clean; the scan says “{scan}”.",
        "within-ceiling": "{classification} is not above {ceiling}.",
        "above-ceiling": "{classification} is above {ceiling}, the highest that this installation may hold.",
    }
)

SIGN_IN = ("nothing", "a password", "a second factor", "a passkey or certificate")


def _date(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc.day} {utc:%B %Y}"


def _sign_in(level: int) -> str:
    return SIGN_IN[level] if 0 <= level < len(SIGN_IN) else str(level)


def _lapsed(request: AccessRequest, document: Document) -> Reason:
    """Return when the clearance that covers the label ended, or begins."""
    environment = request.environment
    policy = environment.rules.policy
    compiled = policy.compiled(document.label)
    periods = [
        period
        for clearance, period in credentials(request.subject, compiled.rank, environment)
        if compiled.held_by(policy.mask(clearance))
    ]
    ended = [period.end for period in periods if period.end is not None and period.end <= environment.time]
    if ended:
        return Reason.of("clearance-ended", date=_date(max(ended)))
    return Reason.of("clearance-begins", date=_date(min(period.start for period in periods)))


def _special(request: AccessRequest, document: Document, *, missing: bool) -> str:
    """Return the special categories of the label: all of them, or those without a briefing in force."""
    policy = request.environment.rules.policy
    wanted = policy.compiled(document.label).special
    if missing:
        wanted = not_briefed_on(request.subject, wanted, request.environment)
    return ", ".join(
        f"{category.tag_set} {category.name}"
        for tag in policy.tags
        for category in tag.categories
        if category.bit & wanted
    )


def _beyond(request: AccessRequest, document: Document) -> str:
    environment = request.environment
    policy = environment.rules.policy
    rank = policy.compiled(document.label).rank
    found = [
        " ".join(reason.text for reason in policy.decide(document.label, clearance, environment.time).reasons)
        for clearance, _ in credentials(request.subject, rank, environment)
    ]
    return " ".join(dict.fromkeys(found)) or "none was granted."


def particulars(request: AccessRequest, verdict: Verdict) -> Reason:
    """Return the reason of a verdict with everything that an officer may read about it."""
    subject, document, environment = request.subject, request.document, request.environment
    code = verdict.reason.code
    known: dict[str, str] = {
        "action": request.action,
        "organisation": subject.organisation_id,
        "roles": ", ".join(sorted(subject.roles)) or "none",
        "ceiling": environment.rules.ceiling,
        "address": environment.address or "an unknown address",
    }
    if request.proposal is not None:
        known |= {"act": request.proposal.act, "digest": request.proposal.digest}
    if document is not None:
        own = document.label.under(environment.rules.policy.id) or document.label
        classification = own.classification
        known |= {
            "classification": classification,
            "programme": document.programme_id,
            "originator": document.originator_id,
            "addressee": document.addressee_id,
            "scan": document.scan,
            "had": _sign_in(subject.assurance),
            "needed": _sign_in(environment.rules.assurance_for(classification)),
        }
        if code == "clearance-lapsed":
            return _lapsed(request, document)
        if code == "label-invalid":
            problems = environment.rules.policy.problems(document.label, environment.time)
            known["details"] = " ".join(problem.text for problem in problems)
        elif code == "label-beyond-clearance":
            known["details"] = _beyond(request, document)
        elif code in ("briefed", "not-briefed"):
            known["details"] = _special(request, document, missing=code == "not-briefed")
    return Reason.of(code, **known)


def reasons(request: AccessRequest, decision: Decision, reader: Reader) -> tuple[Reason, ...]:
    """Return the reasons that a reader may have, with the parameters that they may see."""
    if reader == "officer":
        return tuple(particulars(request, verdict) for verdict in decision.verdicts)
    if not decision.permitted and not decision.knowable:
        return (NOT_FOR_YOU if request.document is None else OUT_OF_REACH,)
    wanted = Outcome.PERMITS if decision.permitted else Outcome.REFUSES
    told = (
        particulars(request, verdict)
        for verdict in decision.verdicts
        if verdict.outcome is wanted and verdict.reason.code in PERSON_TEXTS
    )
    return tuple(
        Reason(
            reason.code,
            tuple(pair for pair in reason.parameters if f"{{{pair[0]}}}" in PERSON_TEXTS[reason.code]),
        )
        for reason in told
    )


def explain(request: AccessRequest, decision: Decision, reader: Reader = "person") -> tuple[str, ...]:
    """Return a decision in English sentences.

    `person`: why it is permitted, or what is missing as far as they may know it. `officer`: one sentence
    for each verdict, in order.
    """
    texts = OFFICER_TEXTS if reader == "officer" else PERSON_TEXTS
    return tuple(reason.render(texts) for reason in reasons(request, decision, reader))
