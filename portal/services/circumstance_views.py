"""Facility clearances, instructions and settings of classifications as officers and readers see them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal import models
from portal.services.grant_views import GrantState, grant_state
from portal.services.level_settings import SettingKind


@dataclass(frozen=True, slots=True)
class FacilityView:
    """What an organisation's premises are cleared for."""

    id: str
    organisation_id: str
    state: GrantState
    classifications: tuple[str, ...]
    authority: str
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int


@dataclass(frozen=True, slots=True)
class InstructionView:
    """An instruction; `acknowledged`: when the person asking did so (None: not, or nobody asked for them)."""

    id: str
    state: GrantState
    classifications: tuple[str, ...]
    title: str
    text: str
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int
    acknowledged: datetime | None = None


@dataclass(frozen=True, slots=True)
class SettingView:
    """A setting of one classification; `value` in its JSON form."""

    id: str
    state: GrantState
    classification: str
    kind: SettingKind
    value: Any
    valid_from: datetime
    valid_until: datetime | None
    log_entry: int


def facility_view(row: models.FacilityClearance, now: datetime) -> FacilityView:
    """Return the view of a facility clearance."""
    return FacilityView(
        row.id,
        row.organisation_id,
        grant_state(now, row.valid_from, row.valid_until),
        tuple(json.loads(row.classifications)),
        row.authority,
        row.valid_from,
        row.valid_until,
        row.log_entry,
    )


def instruction_view(
    row: models.Instruction, now: datetime, acknowledged: datetime | None = None
) -> InstructionView:
    """Return the view of an instruction."""
    return InstructionView(
        row.id,
        grant_state(now, row.valid_from, row.valid_until),
        tuple(json.loads(row.classifications)),
        row.title,
        row.text,
        row.valid_from,
        row.valid_until,
        row.log_entry,
        acknowledged,
    )


def setting_view(row: models.LevelSetting, now: datetime) -> SettingView:
    """Return the view of a setting."""
    return SettingView(
        row.id,
        grant_state(now, row.valid_from, row.valid_until),
        row.classification,
        SettingKind(row.kind),
        json.loads(row.value),
        row.valid_from,
        row.valid_until,
        row.log_entry,
    )
