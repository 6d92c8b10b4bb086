"""Security policies and proposals of new ones, as officers see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from policies.differences import Difference
from portal.services.directory import Named


@dataclass(frozen=True, slots=True)
class PolicyView:
    """A policy that is or was active."""

    digest: str
    name: str
    version: int
    active: bool
    activated: datetime
    log_entry: int


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """Who approved a proposal, and how long that counts."""

    approver: Named
    given: datetime
    until: datetime
    in_force: bool


@dataclass(frozen=True, slots=True)
class ProposalView:
    """A proposal: the digest of what is proposed, who proposed it and why; `outcome` "" while it is open."""

    id: str
    digest: str
    name: str
    version: int
    policy_digest: str
    proposed_by: Named
    reason: str
    created: datetime
    until: datetime
    outcome: str
    approvals: tuple[ApprovalView, ...]
    log_entry: int


@dataclass(frozen=True, slots=True)
class ProposalPage:
    """A proposal with what differs from the policy that is active now."""

    proposal: ProposalView
    differences: Sequence[Difference]
