"""Access requests: who asks for what, about which document, under which circumstances.

Values only. A subject carries everything that was ever granted, in force or not: the rules look at the
time themselves, so that a denial can say what has ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from policies.errors import InvalidRequest
from policies.labels import Clearance, Label
from policies.places import Hours, Network
from policies.policy import SecurityPolicy

_DIGEST = re.compile("[0-9a-f]{64}")

STRONGEST = 3
"""Assurance of sign-in: 1 password, 2 password and second factor, 3 phishing-resistant."""


class Role(StrEnum):
    """What a person does at the portal."""

    PARTNER = "partner"
    OFFICIAL = "official"
    OFFICER = "officer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Action(StrEnum):
    """What may be asked for; the value is the action's name in the log as well."""

    DOCUMENT_UPLOAD = "document.upload"
    DOCUMENT_VERSION = "document.version"
    DOCUMENT_LIST = "document.list"
    DOCUMENT_SEARCH = "document.search"
    DOCUMENT_SHOW = "document.show"
    DOCUMENT_READ = "document.read"
    DOCUMENT_PREVIEW = "document.preview"
    LOG_SEARCH = "log.search"
    LOG_READ = "log.read"
    LOG_EXPORT = "log.export"
    GRANT_CLEARANCE = "grant.clearance"
    GRANT_MEMBERSHIP = "grant.membership"
    GRANT_BRIEFING = "grant.briefing"
    GRANT_ROLE = "grant.role"
    GRANT_DOCUMENT = "grant.document"
    GRANT_CONSENT = "grant.consent"
    GRANT_POLICY = "grant.policy"
    GRANT_FACILITY = "grant.facility"
    GRANT_INSTRUCTION = "grant.instruction"
    GRANT_SETTING = "grant.setting"
    QUARANTINE_SHOW = "quarantine.show"
    INSTRUCTION_ACKNOWLEDGE = "instruction.acknowledge"
    POLICY_SHOW = "policy.show"
    POLICY_PROPOSE = "policy.propose"
    POLICY_APPROVE = "policy.approve"
    DESTRUCTION_SHOW = "destruction.show"
    DESTRUCTION_PROPOSE = "destruction.propose"
    DESTRUCTION_APPROVE = "destruction.approve"
    SPILL_SHOW = "spill.show"
    SPILL_CONTAIN = "spill.contain"
    ACCESS_EXPLAIN = "access.explain"
    ACCOUNT_MANAGE = "account.manage"
    ORGANISATION_MANAGE = "organisation.manage"
    PROGRAMME_MANAGE = "programme.manage"
    SYSTEM_STATUS = "system.status"
    KEYS_SHOW = "keys.show"
    KEYS_MANAGE = "keys.manage"


class Act(StrEnum):
    """What is proposed to be done for good, to a document or to the policy."""

    RELABEL = "relabel"
    RELEASE = "release"
    DESTROY = "destroy"
    EXPORT = "export"
    ACTIVATE = "activate"
    CONTAIN = "contain"
    ADMIT = "admit"


class Handling(StrEnum):
    """How documents of a level may be handed out."""

    OPEN = "open"
    VIEW_ONLY = "view-only"


class DocumentState(StrEnum):
    """Where a document stands in its life."""

    RECEIVED = "received"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DESTROYED = "destroyed"


class ScanState(StrEnum):
    """What the malware scanner says of a document; EXCEPTED: two officers admitted it in spite of that."""

    NOT_SCANNED = "not-scanned"
    PENDING = "pending"
    CLEAN = "clean"
    FOUND = "found"
    NOT_SCANNABLE = "not-scannable"
    EXCEPTED = "excepted"


class ReleasedTo(StrEnum):
    """Whom a release names."""

    PERSON = "person"
    ORGANISATION = "organisation"
    PROGRAMME = "programme"


@dataclass(frozen=True, slots=True)
class Period:
    """A span of time, start inclusive, end exclusive (None: open). Raises InvalidRequest for naive times."""

    start: datetime
    end: datetime | None = None

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or (self.end is not None and self.end.tzinfo is None):
            raise InvalidRequest("a period needs times with an offset from UTC")

    def contains(self, time: datetime) -> bool:
        """Whether `time` lies in this period."""
        return self.start <= time and (self.end is None or time < self.end)


@dataclass(frozen=True, slots=True)
class ClearanceGrant:
    """A clearance granted for a period."""

    clearance: Clearance
    period: Period


@dataclass(frozen=True, slots=True)
class Membership:
    """Membership of a programme for a period: the need to know."""

    programme_id: str
    period: Period


@dataclass(frozen=True, slots=True)
class Briefing:
    """A recorded briefing: the lower levels and the category values that it covers, for a period.

    `clearance` is the same as a clearance, so that below a level it can stand in for one.
    """

    policy_id: str
    classifications: frozenset[str]
    categories: Mapping[str, frozenset[str]]
    period: Period
    clearance: Clearance = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        clearance = Clearance(self.policy_id, self.classifications, self.categories)
        object.__setattr__(self, "classifications", clearance.classifications)
        object.__setattr__(self, "categories", clearance.categories)
        object.__setattr__(self, "clearance", clearance)

    def __hash__(self) -> int:
        return hash((self.clearance, self.period))


@dataclass(frozen=True, slots=True)
class FacilityClearance:
    """What an organisation's premises are cleared for, for a period: a list of classifications."""

    policy_id: str
    classifications: frozenset[str]
    period: Period


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An instruction for these classifications that the person has read and acknowledged, for a period."""

    policy_id: str
    classifications: frozenset[str]
    period: Period


@dataclass(frozen=True, slots=True)
class Subject:
    """The person who asks, with every grant ever made to them, in force or not.

    `facilities` are the facility clearances of the person's organisation.
    """

    person_id: str
    organisation_id: str
    nation: str
    account_active: bool
    organisation_active: bool
    roles: frozenset[Role]
    assurance: int
    clearances: tuple[ClearanceGrant, ...] = ()
    memberships: tuple[Membership, ...] = ()
    briefings: tuple[Briefing, ...] = ()
    facilities: tuple[FacilityClearance, ...] = ()
    acknowledgements: tuple[Acknowledgement, ...] = ()


@dataclass(frozen=True, slots=True)
class Release:
    """A release of a document to a person, an organisation or a programme, for a period.

    `consent_of`: the organisation that made the release or agreed to it (None: not known).
    """

    to_kind: ReleasedTo | str
    to_id: str
    period: Period
    consent_of: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """An organisation's consent to one act upon a document, for a period."""

    organisation_id: str
    act: Act
    period: Period


@dataclass(frozen=True, slots=True)
class Document:
    """What the rules need to know of a document; `id` is None for one that is about to be uploaded.

    `originator_controlled`: it is not passed on without the organisation that originated it, whose consents
    are `consents`; `author_id`: the person who brought it in (None: not known).
    """

    id: str | None
    programme_id: str
    label: Label
    originator_id: str
    addressee_id: str
    state: DocumentState = DocumentState.RECEIVED
    scan: ScanState = ScanState.NOT_SCANNED
    releases: tuple[Release, ...] = ()
    originator_controlled: bool = False
    consents: tuple[Consent, ...] = ()
    author_id: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's approval of exactly what has this digest, for a period, as they stand now."""

    approver: Subject
    act: Act
    digest: str
    period: Period


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed to be done for good, with the approvals given to it.

    `digest`: SHA-256 (hexadecimal) of everything that an approver was shown; `label`: the new label when the
    act is to relabel; `author_id`: who drew up what is proposed, where that is not the person who asks.
    """

    act: Act
    digest: str
    label: Label | None = None
    author_id: str | None = None
    approvals: tuple[Approval, ...] = ()

    def __post_init__(self) -> None:
        if _DIGEST.fullmatch(self.digest) is None:
            raise InvalidRequest("a proposal needs the SHA-256 of what is proposed, 64 hexadecimal digits")
        if (self.label is not None) is not (self.act is Act.RELABEL):
            raise InvalidRequest("a new label belongs to the act that gives it, and to no other")


@dataclass(frozen=True, slots=True, eq=False)
class Ruleset:
    """The policy and the settings of the rules.

    `ceiling`: the highest classification that this installation may hold; `clearance_from`: below it a
    briefing stands in for a clearance; `assurance`: the least level of sign-in for each classification
    (one that is not named needs the strongest); `scan_required`: classifications whose documents are
    handed out only when scanned and clean, or admitted by two officers. Raises InvalidRequest for names that
    the policy does not hold.

    These ask for nothing until they are set: `facility_from`, the level from which a partner's organisation
    needs a facility clearance; `instruction_required`, classifications whose instruction must have been
    acknowledged; `handling`, classifications that are only viewed; `networks` and `hours`, by
    classification, the places and times at which it may be used.
    """

    policy: SecurityPolicy
    ceiling: str
    clearance_from: str = "CONFIDENTIAL"
    assurance: Mapping[str, int] = field(default_factory=dict)
    scan_required: frozenset[str] = frozenset()
    facility_from: str | None = None
    instruction_required: frozenset[str] = frozenset()
    handling: Mapping[str, Handling] = field(default_factory=dict)
    networks: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    hours: Mapping[str, tuple[Hours, ...]] = field(default_factory=dict)
    ceiling_rank: int = field(init=False, repr=False)
    clearance_rank: int = field(init=False, repr=False)
    facility_rank: int | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ceiling_rank", self._rank(self.ceiling))
        object.__setattr__(self, "clearance_rank", self._rank(self.clearance_from))
        facility = None if self.facility_from is None else self._rank(self.facility_from)
        object.__setattr__(self, "facility_rank", facility)
        for name in (
            *(*self.assurance, *self.scan_required, *self.instruction_required),
            *(*self.handling, *self.networks, *self.hours),
        ):
            self._rank(name)
        for level in self.assurance.values():
            if not 1 <= level <= STRONGEST:
                raise InvalidRequest(f"{level} is no level of assurance: 1 to {STRONGEST}")
        for setting in ("assurance", "handling", "networks", "hours"):
            object.__setattr__(self, setting, MappingProxyType(dict(getattr(self, setting))))

    def _rank(self, name: str) -> int:
        rank = self.policy.rank(name)
        if rank is None:
            raise InvalidRequest(f"“{name}” is no classification of {self.policy.name}")
        return rank

    def assurance_for(self, classification: str) -> int:
        """Return the least level of sign-in for a classification."""
        return self.assurance.get(classification, STRONGEST)


@dataclass(frozen=True, slots=True)
class Environment:
    """The circumstances: the time (aware), the rules in force, the network address when it is known."""

    time: datetime
    rules: Ruleset
    address: str | None = None

    def __post_init__(self) -> None:
        if self.time.tzinfo is None:
            raise InvalidRequest("a decision needs a time with an offset from UTC")


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One question: may this subject do this, with this document (None: no document), now?

    `proposal`: what exactly is to be done, where the action does something for good.
    """

    subject: Subject
    action: Action
    document: Document | None
    environment: Environment
    proposal: Proposal | None = None
    # What the label says to the subject is asked by many rules: `policies.standing` finds it once.
    _standing: Any = field(default=None, init=False, repr=False, compare=False)
