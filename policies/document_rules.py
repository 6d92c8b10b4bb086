"""The rules that look at the document: to whom it goes, whose it is, its state, its level, how it is handed out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from policies.aggregates import dominates
from policies.requests import (
    AccessRequest,
    Act,
    Action,
    Document,
    DocumentState,
    Environment,
    Handling,
    Release,
    ReleasedTo,
    ScanState,
    Subject,
)
from policies.standing import document_of, is_member, standing_of
from policies.verdicts import Verdict, permits, refuses

_OWN = permits("releasable", "own-organisation")
_DELIVERED = permits("releasable", "delivered")
_RELEASED = permits("releasable", "released")
_NOT_RELEASED = refuses("releasable", "not-released")
_NOT_ORIGINATOR = refuses("releasable", "not-the-originator")
_NOT_CONTROLLED = permits("originator-consent", "not-originator-controlled")
_NOT_PASSED_ON = permits("originator-consent", "not-passed-on")
_CONSENTED = permits("originator-consent", "originator-consents")
_NO_CONSENT = refuses("originator-consent", "no-originator-consent")
_AVAILABLE = permits("document-state", "document-available")
_ADMITTED = permits("document-state", "document-admitted")
_SCAN_FOUND = refuses("document-state", "scan-found")
_SCAN_MISSING = refuses("document-state", "scan-missing")
WITHDRAWN = refuses("document-state", "document-withdrawn")
_STATES: Mapping[DocumentState, Verdict] = MappingProxyType(
    {
        DocumentState.QUARANTINED: refuses("document-state", "document-quarantined"),
        DocumentState.WITHDRAWN: WITHDRAWN,
        DocumentState.EXPIRED: refuses("document-state", "document-expired"),
        DocumentState.DESTROYED: refuses("document-state", "document-destroyed"),
    }
)
_WITHIN = permits("system-ceiling", "within-ceiling")
_ABOVE = refuses("system-ceiling", "above-ceiling")
_HANDED_OUT = permits("handling", "handling-open")
_VIEWED = permits("handling", "handling-viewed")
_VIEW_ONLY = refuses("handling", "handling-view-only")


def _names(release: Release, subject: Subject, environment: Environment) -> bool:
    if release.to_kind == ReleasedTo.PERSON:
        return release.to_id == subject.person_id
    if release.to_kind == ReleasedTo.ORGANISATION:
        return release.to_id == subject.organisation_id
    return release.to_kind == ReleasedTo.PROGRAMME and is_member(subject, release.to_id, environment)


def _releases(document: Document, subject: Subject, environment: Environment) -> Iterator[Release]:
    """Yield the releases in force that name the subject."""
    for release in document.releases:
        if release.period.contains(environment.time) and _names(release, subject, environment):
            yield release


def releasable(request: AccessRequest) -> Verdict:
    """The document is of the person's organisation, was delivered to it, or is released to them now.

    A new version comes from the organisation that originated the document and from no other.
    """
    document, subject = document_of(request), request.subject
    if document.originator_id == subject.organisation_id:
        return _OWN
    if request.action is Action.DOCUMENT_VERSION:
        return _NOT_ORIGINATOR
    if document.addressee_id == subject.organisation_id:
        return _DELIVERED
    for _release in _releases(document, subject, request.environment):
        return _RELEASED
    return _NOT_RELEASED


def originator_consent(request: AccessRequest) -> Verdict:
    """A document that its originator controls is not passed on without the originator.

    Whoever reads it by a release needs one that the originating organisation made or agreed to. To release it,
    or to give it a label that asks for less, needs that organisation's consent to this act, in force; its own
    people need none.
    """
    document, subject = document_of(request), request.subject
    if not document.originator_controlled:
        return _NOT_CONTROLLED
    if document.originator_id == subject.organisation_id:
        return _NOT_PASSED_ON
    if request.action is Action.GRANT_DOCUMENT:
        return _consent_to_act(request, document)
    if document.addressee_id == subject.organisation_id:
        return _NOT_PASSED_ON
    verdict = _NOT_PASSED_ON  # without a release there is nothing to consent to: releasable refuses
    for release in _releases(document, subject, request.environment):
        if release.consent_of == document.originator_id:
            return _CONSENTED
        verdict = _NO_CONSENT
    return verdict


def _consent_to_act(request: AccessRequest, document: Document) -> Verdict:
    proposal, environment = request.proposal, request.environment
    if proposal is None:
        return _NO_CONSENT
    if proposal.act in (Act.DESTROY, Act.ADMIT):
        return _NOT_PASSED_ON
    if proposal.label is not None and dominates(environment.rules.policy, proposal.label, document.label):
        return _NOT_PASSED_ON
    for consent in document.consents:
        if (
            consent.organisation_id == document.originator_id
            and consent.act is proposal.act
            and consent.period.contains(environment.time)
        ):
            return _CONSENTED
    return _NO_CONSENT


def document_state(request: AccessRequest) -> Verdict:
    """Received, not found infected, and scanned clean where the setting for its level requires it.

    One that two officers admitted stands as if it were clean.
    """
    document = document_of(request)
    if document.state is not DocumentState.RECEIVED:
        return _STATES[document.state]
    if document.scan is ScanState.CLEAN:
        return _AVAILABLE
    if document.scan is ScanState.EXCEPTED:
        return _ADMITTED
    if document.scan is ScanState.FOUND:
        return _SCAN_FOUND
    required = standing_of(request).label.classification in request.environment.rules.scan_required
    return _SCAN_MISSING if required else _AVAILABLE


def system_ceiling(request: AccessRequest) -> Verdict:
    """Not above what this installation is accredited to hold; a new label is not above it either."""
    rules = request.environment.rules
    label = standing_of(request).label
    if not label.classification or label.rank > rules.ceiling_rank:
        return _ABOVE
    if request.proposal is not None and request.proposal.label is not None:
        proposed = rules.policy.compiled(request.proposal.label)
        if not proposed.classification or proposed.rank > rules.ceiling_rank:
            return _ABOVE
    return _WITHIN


def handling(request: AccessRequest) -> Verdict:
    """A level that is only viewed is not downloaded and not printed: it is shown, and nothing more."""
    settings = request.environment.rules.handling
    if not settings:
        return _HANDED_OUT
    how = settings.get(standing_of(request).label.classification, Handling.OPEN)
    if how is Handling.OPEN:
        return _HANDED_OUT
    return _VIEW_ONLY if request.action is Action.DOCUMENT_READ else _VIEWED
