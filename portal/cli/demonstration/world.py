"""Building the demonstration's world: every step is a use case of the portal, done by whoever would do it."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.cli.demonstration.cast import (
    AUTHORITY,
    CAST,
    CATEGORIES,
    CLEARED_UNTIL,
    COMPANIES,
    FACILITY,
    FIRST,
    MEMBER_UNTIL,
    NATIONS,
    OFFICE,
    PEOPLE,
    PROGRAMMES,
    Part,
)
from portal.cli.demonstration.clock import HistoryClock
from portal.cli.demonstration.deeds import Doing
from portal.cli.demonstration.files import MAKERS
from portal.cli.demonstration.habits import Act, Deed, Sitting, at_work, month
from portal.cli.demonstration.library import DELIVERABLES, LATEST, READINGS, Deliverable
from portal.errors import Unauthenticated
from portal.identity import totp
from portal.services.actor import Actor
from portal.services.deposit import Declared
from portal.services.installation import FirstPerson, Invitation, create_first_people
from portal.services.runtime import Runtime

BEGINS = timedelta(days=45)
"""How long before its first start the demonstration's history begins."""

TOKEN_DAYS = 90
_BEFORE_NOW = timedelta(minutes=10)
_DEEDS_APART = timedelta(minutes=3)
_LATEST = timedelta(minutes=40)
"""So long before the first start everybody has gone home."""
_ADDRESS = "127.0.0.1"
_CONSONANTS, _VOWELS = "bdfghjklmnprstvz", "aeiou"


@dataclass(slots=True)
class Member:
    """A part of the cast, with what they sign in with."""

    part: Part
    id: str
    password: str
    totp_secret: str
    token: str = ""


@dataclass(frozen=True, slots=True)
class Built:
    """The finished world: programmes by name with their ids, and the people in the cast's order."""

    programmes: dict[str, str]
    people: tuple[Member, ...]


def build(runtime: Runtime, clock: HistoryClock, now: datetime) -> Built:
    """Fill a new installation whose clock is `clock`; `now` is the time of the first start."""
    return _Builder(runtime, clock, now).build()


def enter(runtime: Runtime, member: Member, moment: datetime) -> tuple[str, Actor]:
    """Sign in with both factors, with the code of `moment`; returns the session's secret and who acts in it."""
    request = str(uuid.uuid4())
    code = totp.code_at(member.totp_secret, moment)
    secret = runtime.account.sign_in(member.part.email, member.password, code, _ADDRESS, request)
    found = runtime.account.by_session(secret)
    if found is None:
        raise Unauthenticated("The session that was just opened does not hold.")
    actor = Actor(
        found.person_id,
        found.organisation_id,
        found.assurance,
        found.session,
        found.role,
        request,
        _ADDRESS,
    )
    return secret, actor


def new_token(runtime: Runtime, actor: Actor) -> str:
    """Make an API token worth this session and return its secret."""
    return runtime.account.create_token(actor, "Demonstration", TOKEN_DAYS)


def _new_password() -> str:
    """Return 60 random bits that can be typed: five groups of two syllables."""

    def syllable() -> str:
        return secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS)

    return "-".join(syllable() + syllable() for _ in range(5))


class _Builder:
    def __init__(self, runtime: Runtime, clock: HistoryClock, now: datetime) -> None:
        self._runtime = runtime
        self._clock = clock
        self._now = now
        self._members: dict[str, Member] = {}
        self._organisations: dict[str, str] = {}
        self._programmes: dict[str, str] = {}
        self._documents: dict[str, str] = {}
        self._entered: dict[str, datetime] = {}

    def build(self) -> Built:
        self._begin()
        self._administrate()
        self._grant()
        self._live()
        self._tokens()
        return Built(self._programmes, tuple(self._members[part.key] for part in CAST))

    @contextmanager
    def _sitting(self, key: str, days: float) -> Iterator[Actor]:
        """Let somebody sign in, `days` before now, and out again."""
        self._forward(self._now - timedelta(days=days))
        # A code is accepted once: whoever was here a moment ago waits for the next.
        self._forward(self._entered.get(key, self._clock()) + 2 * timedelta(seconds=totp.STEP))
        self._entered[key] = self._clock()
        _, actor = enter(self._runtime, self._members[key], self._clock())
        yield actor
        self._runtime.account.sign_out(actor)

    def _forward(self, moment: datetime) -> None:
        """Go on to `moment`, or stay where the last sitting ended when that is later."""
        self._clock.move_to(max(moment, self._clock()))

    def _begin(self) -> None:
        first = [FirstPerson(part.name, part.email, part.role) for part in CAST if part.key in FIRST]
        self._organisations[OFFICE], invitations = create_first_people(
            self._runtime, OFFICE, NATIONS[OFFICE], first
        )
        for part, invitation in zip((part for part in CAST if part.key in FIRST), invitations, strict=True):
            self._join(part, invitation)

    def _join(self, part: Part, invitation: Invitation) -> None:
        """Let somebody use their one-time link."""
        member = Member(part, invitation.person_id, _new_password(), totp.new_secret())
        code = totp.code_at(member.totp_secret, self._clock())
        self._runtime.account.redeem_link(
            invitation.secret, member.password, member.totp_secret, code, _ADDRESS, str(uuid.uuid4())
        )
        self._members[part.key] = member

    def _administrate(self) -> None:
        people = self._runtime.people
        invitations = {}
        with self._sitting("administrator", 44.3) as actor:
            for company in COMPANIES:
                self._organisations[company] = people.create_organisation(actor, company, NATIONS[company])
            for name in PROGRAMMES:
                self._programmes[name] = people.create_programme(actor, name, self._organisations[OFFICE])
            for part in PEOPLE.values():
                if part.key in FIRST:
                    continue
                organisation = self._organisations[part.organisation]
                nation = NATIONS[part.organisation]
                person_id = people.create_person(actor, organisation, part.name, part.email, nation)
                secret = people.invite(actor, person_id)
                invitations[part.key] = Invitation(person_id, part.name, part.email, part.role, secret)
        self._clock.move_to(self._now - timedelta(days=44))
        for part in PEOPLE.values():
            if part.key in invitations:
                self._join(part, invitations[part.key])

    def _grant(self) -> None:
        grants = self._runtime.grants
        with self._sitting("officer", 43.2) as actor:
            for part in PEOPLE.values():
                person_id = self._members[part.key].id
                if part.key not in FIRST:
                    grants.grant_role(actor, person_id, part.role)
                if part.cleared:
                    grants.grant_clearance(
                        actor,
                        person_id,
                        part.cleared,
                        CATEGORIES,
                        authority=AUTHORITY,
                        valid_until=self._until(CLEARED_UNTIL.get(part.key)),
                    )
            for company in COMPANIES:
                self._runtime.circumstances.grant_facility(
                    actor, self._organisations[company], FACILITY, authority=AUTHORITY
                )
            for name, members in PROGRAMMES.items():
                for key in members:
                    grants.grant_membership(
                        actor,
                        self._members[key].id,
                        self._programmes[name],
                        valid_until=self._until(MEMBER_UNTIL.get((name, key))),
                    )

    def _until(self, days: float | None) -> datetime | None:
        return None if days is None else self._now + timedelta(days=days)

    def _live(self) -> None:
        """Play deliveries and sittings in the order of their times."""
        steps: list[tuple[float, Deliverable | Sitting, int]] = [
            (item.days, item, 0) for item in month(self._now)
        ]
        for reading in READINGS:
            days = at_work(self._now, reading.days)
            deeds = (Deed(Act.SHOW, (reading.title,)), Deed(Act.READ, (reading.title,)))
            steps.append((days, Sitting(reading.person, days, deeds), 0))
        for item in DELIVERABLES:
            steps += [(at_work(self._now, days), item, number) for number, days in enumerate(item.days, 1)]
        people = {key: member.id for key, member in self._members.items()}
        doing = Doing(self._runtime, self._clock, self._documents, people)
        for days, step, number in sorted(steps, key=lambda found: -found[0]):
            if isinstance(step, Deliverable):
                with self._sitting(step.sender, days) as actor:
                    self._deliver(actor, step, number)
            elif timedelta(days=days) > _LATEST:
                self._sit(step, doing)

    def _sit(self, sitting: Sitting, doing: Doing) -> None:
        deeds = list(sitting.deeds)
        if deeds[0].act is Act.MISTYPE:
            self._mistype(sitting)
            deeds = deeds[1:]
        with self._sitting(sitting.person, sitting.days) as actor:
            for place, deed in enumerate(deeds):
                # Later deeds of a sitting wait a little, as far as there is time before the present.
                later = self._clock() + (_DEEDS_APART if place else timedelta(0))
                self._forward(min(later, self._now - _LATEST))
                doing.do(actor, deed)

    def _mistype(self, sitting: Sitting) -> None:
        """Try to sign in with a wrong password; the refusal is recorded."""
        self._forward(self._now - timedelta(days=sitting.days))
        email = self._members[sitting.person].part.email
        code = totp.code_at(self._members[sitting.person].totp_secret, self._clock())
        with suppress(Unauthenticated):
            self._runtime.account.sign_in(email, "mistyped", code, _ADDRESS, str(uuid.uuid4()))

    def _deliver(self, actor: Actor, item: Deliverable, number: int) -> None:
        content = MAKERS[item.kind](item.title, item.marking, number, item.scale)
        name = f"{item.title.replace(', ', ' - ')}.{item.kind}"
        if number == 1:
            declared = Declared(
                self._programmes[item.programme], item.title, item.marking, name, len(content)
            )
            intake = self._runtime.deposit.begin(actor, declared)
        else:
            intake = self._runtime.deposit.begin_version(
                actor, self._documents[item.title], name, len(content)
            )
        with intake:
            intake.write(content)
            self._documents[item.title] = intake.complete().document_id

    def _tokens(self) -> None:
        """Let everybody make a token now, signed in some minutes before, so that no code of the present is used up."""
        self._forward(self._now - _BEFORE_NOW)
        actors = {part.key: enter(self._runtime, self._members[part.key], self._clock())[1] for part in CAST}
        self._entered.update(dict.fromkeys(actors, self._clock()))
        for item in LATEST:
            with self._sitting(item.sender, item.days[0]) as actor:
                self._deliver(actor, item, 1)
        self._clock.present()
        for key, actor in actors.items():
            self._members[key].token = new_token(self._runtime, actor)
            self._runtime.account.sign_out(actor)
