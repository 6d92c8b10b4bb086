"""Releases, originators' control and consents as officers see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from policies.requests import Act, ReleasedTo
from portal.services.directory import Named
from portal.services.grant_views import GrantState


@dataclass(frozen=True, slots=True)
class ReleaseView:
    """A release; `to` is whom it names, `consented` whether it rests on its originator's consent or is their own."""

    id: str
    state: GrantState
    to_kind: ReleasedTo
    to: Named
    reason: str
    consented: bool
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int


@dataclass(frozen=True, slots=True)
class ControlView:
    """That a document is not passed on without its originator."""

    id: str
    state: GrantState
    reason: str
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int


@dataclass(frozen=True, slots=True)
class ConsentView:
    """The originator's consent to one act; `reference` says where it stands, such as a letter's number."""

    id: str
    state: GrantState
    act: Act
    reference: str
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int


@dataclass(frozen=True, slots=True)
class DocumentReleases:
    """Everything about one document's release, each kind with the newest first. The title is not shown.

    `controlled`: its originator controls now to whom it is passed on.
    """

    document: str
    marking: str
    programme: Named
    originator: Named
    addressee: Named
    controlled: bool
    releases: tuple[ReleaseView, ...]
    controls: tuple[ControlView, ...]
    consents: tuple[ConsentView, ...]
