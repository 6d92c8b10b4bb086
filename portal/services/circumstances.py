"""Facility clearances, instructions with their acknowledgements, and settings of classifications: kept by officers.

Nothing is overwritten: what is changed is ended and put in anew, so that what held at any time stays known.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from policies import InvalidClearance, InvalidRequest
from policies.requests import Action, Period
from portal import models
from portal.audit import AuditLog, Event
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339
from portal.errors import Conflict, Invalid, NotFound, NotPermitted
from portal.models.database import Database
from portal.services import fields
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.changes import concerning, shown, unmoved
from portal.services.circumstance_views import (
    FacilityView,
    InstructionView,
    SettingView,
    facility_view,
    instruction_view,
    setting_view,
)
from portal.services.grants import OWN_GRANTS
from portal.services.kept import end_of, refuse_twice
from portal.services.level_settings import SettingKind, read_value, write_value

_Kept: TypeAlias = models.FacilityClearance | models.Instruction | models.LevelSetting
_Row = TypeVar("_Row", models.FacilityClearance, models.Instruction, models.LevelSetting)

_ACTIONS: MappingProxyType[type[_Kept], Action] = MappingProxyType(
    {
        models.FacilityClearance: Action.GRANT_FACILITY,
        models.Instruction: Action.GRANT_INSTRUCTION,
        models.LevelSetting: Action.GRANT_SETTING,
    }
)
_LONGEST_TEXT = 20_000


class Circumstances:
    """The officer's use cases on what rules ask beside people's own grants, and the reader's on instructions.

    Every one raises NotPermitted, recorded, when the actor's role has not the action; Invalid for wrong input,
    Conflict when the same is in force for part of that time, NotFound for what is not there. An earlier `valid_from`
    than now is taken as now (None: now); `valid_until` None is open. Every change is recorded as intent and outcome.
    """

    def __init__(self, database: Database, log: AuditLog, access: Access, clock: Clock, alarm: Alarm) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._clock = clock
        self._alarm = alarm

    # Facility clearances

    def facilities(self, actor: Actor, organisation_id: str | None = None) -> Sequence[FacilityView]:
        """Return the facility clearances ever granted (to one organisation), the newest first; recorded as shown."""
        kind = models.FacilityClearance
        query = select(kind).order_by(kind.valid_from.desc(), kind.id)
        if organisation_id is not None:
            query = query.where(kind.organisation_id == organisation_id)
        rows = self._shown(actor, Action.GRANT_FACILITY, query)
        return [facility_view(row, self._clock()) for row in rows]

    def grant_facility(
        self,
        actor: Actor,
        organisation_id: str,
        up_to: str,
        *,
        authority: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Clear an organisation's premises for every level up to `up_to`, and return the id."""
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.GRANT_FACILITY)
            if session.get(models.Organisation, organisation_id) is None:
                raise NotFound("There is no such organisation.")
        policy = self._access.policy
        try:
            levels = policy.clearance_up_to(up_to).classifications
        except InvalidClearance as fault:
            raise _not_in_policy(fault) from None
        row = models.FacilityClearance(
            id=models.new_id(),
            organisation_id=organisation_id,
            policy_id=policy.id,
            classifications=json.dumps(sorted(levels)),
            **_held(actor, self._period(valid_from, valid_until)),
        )
        row.authority = fields.name(authority, "issuing authority")
        return self._add(actor, row, f"organisation:{organisation_id}", ("organisation_id", "policy_id"))

    def end_facility(self, actor: Actor, row_id: str, at: datetime | None = None) -> None:
        """End a facility clearance now, or at a later time; raises Conflict when it ends before."""
        self._end(actor, models.FacilityClearance, row_id, at)

    # Instructions

    def instructions(self, actor: Actor) -> Sequence[InstructionView]:
        """Return every instruction ever put into force, the newest first; recorded as shown."""
        kind = models.Instruction
        rows = self._shown(
            actor, Action.GRANT_INSTRUCTION, select(kind).order_by(kind.valid_from.desc(), kind.id)
        )
        return [instruction_view(row, self._clock()) for row in rows]

    def issue_instruction(
        self,
        actor: Actor,
        classifications: Iterable[str],
        title: str,
        text: str,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Put an instruction into force that readers of these classifications must acknowledge; return its id.

        From then on nobody opens such documents who has not acknowledged one that is in force.
        """
        self._require(actor, Action.GRANT_INSTRUCTION)
        policy = self._access.policy
        try:
            levels = policy.clearance(classifications).classifications
        except InvalidClearance as fault:
            raise _not_in_policy(fault) from None
        if not levels:
            raise Invalid("The instruction is for no classification.", mend="Choose at least one.")
        row = models.Instruction(
            id=models.new_id(),
            policy_id=policy.id,
            classifications=json.dumps(sorted(levels)),
            **_held(actor, self._period(valid_from, valid_until)),
        )
        row.title = fields.name(title, "instruction's title")
        row.text = _text(text)
        return self._add(actor, row, f"policy:{policy.id}", None)

    def end_instruction(self, actor: Actor, row_id: str, at: datetime | None = None) -> None:
        """End an instruction now, or at a later time; its acknowledgements then count no longer."""
        self._end(actor, models.Instruction, row_id, at)

    def own_instructions(self, actor: Actor) -> Sequence[InstructionView]:
        """Return the instructions in force, with when the actor acknowledged each; recorded as shown."""
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, Action.INSTRUCTION_ACKNOWLEDGE)
            done = {row.instruction_id: row.valid_from for row in _of_person(session, actor.person_id, now)}
            views = [
                instruction_view(row, now, done.get(row.id))
                for row in session.scalars(select(models.Instruction).order_by(models.Instruction.valid_from))
                if Period(row.valid_from, row.valid_until).contains(now)
            ]
        event = self._access.event(
            actor,
            Action.INSTRUCTION_ACKNOWLEDGE,
            decision="permit",
            details=shown([view.id for view in views]),
        )
        self._log.append(replace(event, action="instruction.show"))
        return views

    def number_to_acknowledge(self, actor: Actor) -> int:
        """Return how many instructions wait for the actor to acknowledge them; only a number, so unrecorded."""
        instruction, done, now = models.Instruction, models.Acknowledgement, self._clock()
        mine = exists().where(
            done.instruction_id == instruction.id, done.person_id == actor.person_id, _holds(done, now)
        )
        query = select(func.count()).select_from(instruction).where(_holds(instruction, now), ~mine)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def acknowledge(self, actor: Actor, instruction_id: str) -> None:
        """Acknowledge an instruction that is in force, as the person who has read it; Conflict when done before."""
        self._require(actor, Action.INSTRUCTION_ACKNOWLEDGE)
        self._acknowledge(actor, actor.person_id, instruction_id, None)

    def record_acknowledgement(self, actor: Actor, person_id: str, instruction_id: str) -> None:
        """Record, as an officer, that somebody else has acknowledged an instruction (on paper, say)."""
        self._require(actor, Action.GRANT_INSTRUCTION)
        if person_id == actor.person_id:
            raise self._refused_own(actor, Action.GRANT_INSTRUCTION)
        self._acknowledge(actor, person_id, instruction_id, actor.person_id)

    def _acknowledge(self, actor: Actor, person_id: str, instruction_id: str, by: str | None) -> None:
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            instruction = session.get(models.Instruction, instruction_id)
            person = session.get(models.Person, person_id)
        if person is None:
            raise NotFound("There is no such person.")
        if instruction is None or not Period(instruction.valid_from, instruction.valid_until).contains(now):
            raise NotFound("There is no such instruction in force.")
        row = models.Acknowledgement(
            id=models.new_id(),
            person_id=person_id,
            instruction_id=instruction_id,
            valid_from=now,
            valid_until=None,
            granted_by=by,
        )
        event = self._access.event(
            actor,
            Action.INSTRUCTION_ACKNOWLEDGE,
            decision="permit",
            target=person_id,
            details=concerning(f"person:{person_id}", row.__tablename__, row.id, 1),
        )
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            change.session.get(models.Person, person_id, with_for_update=True)
            if any(
                item.instruction_id == instruction_id for item in _of_person(change.session, person_id, now)
            ):
                raise Conflict("This instruction is acknowledged already.")
            change.session.add(row)

    # Settings of classifications

    def settings(self, actor: Actor) -> Sequence[SettingView]:
        """Return every setting ever made, the newest first; recorded as shown."""
        kind = models.LevelSetting
        rows = self._shown(
            actor, Action.GRANT_SETTING, select(kind).order_by(kind.valid_from.desc(), kind.id)
        )
        return [setting_view(row, self._clock()) for row in rows]

    def set_level(
        self,
        actor: Actor,
        classification: str,
        kind: SettingKind | str,
        value: Any,
        valid_from: datetime | None = None,
        valid_until: datetime | None = None,
    ) -> str:
        """Set how documents of a classification are handled, or from where or when used; return the setting's id.

        `value` is in the JSON form that `level_settings.read_value` describes.
        """
        self._require(actor, Action.GRANT_SETTING)
        policy = self._access.policy
        if policy.classification(classification) is None:
            raise Invalid(
                f"“{classification}” is no classification of the policy.", mend="Choose one of the list."
            )
        try:
            chosen = SettingKind(kind)
            written = write_value(read_value(chosen, value))
        except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as fault:
            raise Invalid(
                f"This cannot be set: {fault}.", mend="Correct the value; nothing was changed."
            ) from None
        row = models.LevelSetting(
            id=models.new_id(),
            policy_id=policy.id,
            classification=classification,
            kind=chosen.value,
            value=written,
            **_held(actor, self._period(valid_from, valid_until)),
        )
        return self._add(actor, row, f"policy:{policy.id}", ("policy_id", "classification", "kind"))

    def end_setting(self, actor: Actor, row_id: str, at: datetime | None = None) -> None:
        """End a setting now, or at a later time; raises Conflict when it ends before."""
        self._end(actor, models.LevelSetting, row_id, at)

    # What they have in common

    def _period(self, valid_from: datetime | None, valid_until: datetime | None) -> Period:
        return fields.period(self._clock(), valid_from, valid_until)

    def _require(self, actor: Actor, action: Action) -> None:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)

    def _refused_own(self, actor: Actor, action: Action) -> NotPermitted:
        self._log.append(
            self._access.event(actor, action, decision="deny", rule=OWN_GRANTS, target=actor.person_id)
        )
        error = NotPermitted(
            "Officers do not change what they hold themselves.",
            mend="Acknowledge it yourself, or ask another security officer.",
            rules=(OWN_GRANTS,),
        )
        error.recorded = True
        return error

    def _shown(self, actor: Actor, action: Action, query: Any) -> Sequence[Any]:
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, action)
            rows = session.scalars(query).all()
        event = self._access.event(actor, action, decision="permit", details=shown([row.id for row in rows]))
        self._log.append(replace(event, action="grant.show"))
        return rows

    def _add(self, actor: Actor, row: _Row, subject: str, alike: tuple[str, ...] | None) -> str:
        event = self._event(actor, row, subject, 1, row.valid_until)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            if alike is not None:
                refuse_twice(change.session, row, alike)
            change.session.add(row)
        return row.id

    def _end(self, actor: Actor, kind: type[_Row], row_id: str, at: datetime | None) -> None:
        now = self._clock()
        with self._database.read() as session, self._alarm.watching(actor):
            self._access.require(session, actor, _ACTIONS[kind])
            row = session.get(kind, row_id)
        if row is None:
            raise NotFound("There is nothing of this number.")
        end = end_of(row, at, now)
        owner = row.organisation_id if isinstance(row, models.FacilityClearance) else None
        subject = f"policy:{row.policy_id}" if owner is None else f"organisation:{owner}"
        event = self._event(actor, row, subject, row.row_version + 1, end, withdrawn=True)
        with (
            self._alarm.watching(actor),
            recorded_change(self._log, self._database.write, event) as change,
        ):
            unmoved(change.session, row).valid_until = end

    def _event(
        self,
        actor: Actor,
        row: _Kept,
        subject: str,
        version: int,
        until: datetime | None,
        *,
        withdrawn: bool = False,
    ) -> Event:
        details = concerning(subject, row.__tablename__, row.id, version)
        details["from"] = rfc3339(row.valid_from)
        if until is not None:
            details["until"] = rfc3339(until)
        if withdrawn:
            details["withdrawn"] = True
        private: dict[str, str] | None = None
        if isinstance(row, models.LevelSetting):
            details |= {
                "classifications": [row.classification],
                "setting": row.kind,
                "value_digest": hashlib.sha256(row.value.encode()).hexdigest(),
            }
        else:
            details["classifications"] = json.loads(row.classifications)
            if isinstance(row, models.FacilityClearance):
                private = {"name": row.authority}
            else:
                details["value_digest"] = hashlib.sha256(row.text.encode()).hexdigest()
        return self._access.event(
            actor, _ACTIONS[type(row)], decision="permit", details=details, private=private
        )


def _held(actor: Actor, period: Period) -> dict[str, object]:
    return {"valid_from": period.start, "valid_until": period.end, "granted_by": actor.person_id}


def _text(text: str) -> str:
    written = text.replace("\r\n", "\n").strip()
    if not written:
        raise Invalid("The instruction is empty.", mend="Write what people must do.")
    if len(written) > _LONGEST_TEXT:
        raise Invalid(f"The instruction is longer than {_LONGEST_TEXT:,} characters.", mend="Shorten it.")
    if not written.replace("\n", " ").replace("\t", " ").isprintable():
        raise Invalid("The instruction holds characters that cannot be shown.", mend="Remove them.")
    return written


def _holds(kind: type[models.Instruction | models.Acknowledgement], now: datetime) -> ColumnElement[bool]:
    return and_(kind.valid_from <= now, or_(kind.valid_until.is_(None), kind.valid_until > now))


def _of_person(session: Session, person_id: str, now: datetime) -> Sequence[models.Acknowledgement]:
    kind = models.Acknowledgement
    return [
        row
        for row in session.scalars(select(kind).where(kind.person_id == person_id))
        if Period(row.valid_from, row.valid_until).contains(now)
    ]


def _not_in_policy(fault: InvalidClearance) -> Invalid:
    return Invalid(f"This is not in the security policy: {fault}", mend="Choose what the policy holds.")
