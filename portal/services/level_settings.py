"""The settings of classifications in force, as the rules read them: handling, networks, hours, instructions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from policies import SecurityPolicy
from policies.places import EVERY_DAY, Hours, Network, network
from policies.requests import Handling
from portal import models

_Value = TypeVar("_Value")


class SettingKind(StrEnum):
    """What can be set for a classification."""

    HANDLING = "handling"
    NETWORKS = "networks"
    HOURS = "hours"


@dataclass(frozen=True, slots=True)
class LevelSettings:
    """What is in force at one time, by classification; `until`: when this may be different (None: never by itself)."""

    handling: Mapping[str, Handling] = field(default_factory=dict)
    networks: Mapping[str, tuple[Network, ...]] = field(default_factory=dict)
    hours: Mapping[str, tuple[Hours, ...]] = field(default_factory=dict)
    instructed: frozenset[str] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """Every setting and instruction ever made, in force or not."""

    settings: tuple[tuple[models.LevelSetting, Any], ...]
    instructions: tuple[models.Instruction, ...]

    @classmethod
    def load(cls, session: Session) -> StoredSettings:
        """Read them all; raises TamperedRow for one that fails its seal: then nothing is decided without it."""
        rows = session.scalars(select(models.LevelSetting)).all()
        return cls(
            tuple((row, read_value(SettingKind(row.kind), json.loads(row.value))) for row in rows),
            tuple(session.scalars(select(models.Instruction)).all()),
        )

    def at(self, now: datetime, policy: SecurityPolicy) -> LevelSettings:
        """Return what is in force at `now` for the classifications of a policy."""
        values: dict[str, dict[str, Any]] = {kind: {} for kind in SettingKind}
        instructed: set[str] = set()
        times: list[datetime | None] = []
        for row, value in self.settings:
            times += (row.valid_from, row.valid_until)
            current = row.policy_id == policy.id and _in_force(row, now)
            if current and policy.classification(row.classification) is not None:
                values[row.kind][row.classification] = value
        for instruction in self.instructions:
            times += (instruction.valid_from, instruction.valid_until)
            if instruction.policy_id == policy.id and _in_force(instruction, now):
                instructed.update(json.loads(instruction.classifications))
        return LevelSettings(
            MappingProxyType(values[SettingKind.HANDLING]),
            MappingProxyType(values[SettingKind.NETWORKS]),
            MappingProxyType(values[SettingKind.HOURS]),
            frozenset(name for name in instructed if policy.classification(name) is not None),
            min((moment for moment in times if moment is not None and moment > now), default=None),
        )


def _in_force(row: models.LevelSetting | models.Instruction, now: datetime) -> bool:
    return row.valid_from <= now and (row.valid_until is None or now < row.valid_until)


def read_value(kind: SettingKind, value: Any) -> Handling | tuple[Network, ...] | tuple[Hours, ...]:
    """Return a setting's value from its JSON form.

    Handling: `"view-only"` or `"open"`; networks: a list such as `["192.0.2.0/24"]`; hours: a list of objects with
    `start`, `end`, `zone` (IANA name) and `days` (0 is Monday). Raises ValueError, KeyError, TypeError, InvalidRequest
    for anything else.
    """
    if kind is SettingKind.HANDLING:
        return Handling(value)
    if not isinstance(value, list) or not value:
        raise ValueError("a list with something in it is needed")
    if kind is SettingKind.NETWORKS:
        return tuple(network(str(item)) for item in value)
    return tuple(
        Hours(
            time.fromisoformat(item["start"]),
            time.fromisoformat(item["end"]),
            ZoneInfo(item["zone"]),
            frozenset(map(int, item.get("days", EVERY_DAY))),
        )
        for item in value
    )


def write_value(value: Handling | Iterable[Network] | Iterable[Hours]) -> str:
    """Return the JSON form of a setting's value, always the same for equal values."""
    if isinstance(value, Handling):
        return json.dumps(value.value)
    return json.dumps([_plain(item) for item in value], sort_keys=True)


def _plain(item: Network | Hours) -> Any:
    if not isinstance(item, Hours):
        return str(item)
    return {
        "start": item.start.isoformat("minutes"),
        "end": item.end.isoformat("minutes"),
        "zone": str(item.zone),
        "days": sorted(item.days),
    }
