"""The kinds of grants that officers give and end: their words, their forms' choices, the service's use cases behind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

from werkzeug.datastructures import MultiDict

from policies import Clearance, InvalidClearance
from policies.requests import Role
from portal.errors import Invalid, NotFound
from portal.http.content import runtime
from portal.services.actor import Actor
from portal.services.grant_views import (
    BriefingView,
    ClearanceView,
    GrantState,
    GrantView,
    MembershipView,
    PersonGrants,
    RoleView,
)
from portal.web import finders
from portal.web.clearances import covered, groups, levels
from portal.web.forms import ticked, wanted_day
from portal.web.words import ROLE_WORDS, Chip

Values = MultiDict[str, str]


@dataclass(frozen=True, slots=True)
class Contents:
    """What a grant is about: its chip (or None), its name where it has none, and further words."""

    chip: Chip | None
    name: str
    more: str

    @property
    def words(self) -> str:
        """Its name in a sentence."""
        return self.chip.name if self.chip else self.name


class End(Protocol):
    """Ends a grant."""

    def __call__(self, actor: Actor, grant_id: str, at: datetime | None, *, reason: str, dry: bool) -> None:
        """End it, or, when `dry`, only check."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of grant. `grant` gives it (or, when `dry`, only checks), `described` says what a form would grant."""

    thing: str
    offer: str
    done: str
    grant: Callable[[Actor, str, Values, bool], str]
    choices: Callable[[Actor, Values], dict[str, Any]]
    described: Callable[[Actor, Values], Contents]
    of: Callable[[PersonGrants], Sequence[GrantView]]
    end: Callable[[], End]


def kind_named(name: str) -> Kind:
    """Return a kind by the name that addresses carry; raises NotFound."""
    found = KINDS.get(name)
    if found is None:
        raise NotFound("There is no such page, or it is not open to you.")
    return found


def contents(item: GrantView) -> Contents:
    """Return what a grant is about."""
    chip: Chip | None = None
    name = more = ""
    if isinstance(item, RoleView):
        name = ROLE_WORDS[item.role]
    elif isinstance(item, MembershipView):
        name = item.programme.name or item.programme.id
    elif isinstance(item, ClearanceView | BriefingView):
        found = covered(runtime().access.policy, item)
        chip, more = found.chip, found.words
        if chip is None:
            name, more = more, ""
        if isinstance(item, ClearanceView):
            more = " · ".join(filter(None, (more, f"issued by {item.authority}")))
    return Contents(chip, name, more)


def _common(values: Values, *, dry: bool) -> dict[str, Any]:
    return {
        "valid_from": wanted_day(values, "from"),
        "valid_until": wanted_day(values, "until"),
        "reason": values.get("reason", ""),
        "dry": dry,
    }


def _grant_role(actor: Actor, person_id: str, values: Values, dry: bool) -> str:
    return runtime().grants.grant_role(actor, person_id, values.get("role", ""), **_common(values, dry=dry))


def _grant_clearance(actor: Actor, person_id: str, values: Values, dry: bool) -> str:
    return runtime().grants.grant_clearance(
        actor,
        person_id,
        values.get("level", ""),
        ticked(values),
        authority=values.get("authority", ""),
        **_common(values, dry=dry),
    )


def _grant_membership(actor: Actor, person_id: str, values: Values, dry: bool) -> str:
    programme = values.get("programme", "")
    if not programme:
        raise Invalid("No programme is chosen.", mend="Type some of its name, then choose it.")
    return runtime().grants.grant_membership(actor, person_id, programme, **_common(values, dry=dry))


def _record_briefing(actor: Actor, person_id: str, values: Values, dry: bool) -> str:
    return runtime().grants.record_briefing(
        actor, person_id, values.getlist("level"), ticked(values), **_common(values, dry=dry)
    )


def _role_choices(_actor: Actor, _values: Values) -> dict[str, Any]:
    return {"roles": [(role.value, words) for role, words in ROLE_WORDS.items()]}


def _find_programmes(actor: Actor, typed: str) -> Sequence[finders.Option]:
    page = runtime().grants.programmes(actor, None, finders.MOST, typed)
    return [finders.programme_option(item) for item in page.items if item.active]


PROGRAMME_FINDER = finders.Finder("No open programme is called so.", _find_programmes)


def _programme_choices(actor: Actor, values: Values) -> dict[str, Any]:
    field = finders.field({"programme": PROGRAMME_FINDER}, "programme", actor, values)
    return {"programme": field, "none_words": PROGRAMME_FINDER.none_words}


def _clearance_choices(_actor: Actor, values: Values) -> dict[str, Any]:
    policy = runtime().access.policy
    return {"levels": levels(policy, values.getlist("level")), "groups": groups(policy, values)}


def _briefing_choices(_actor: Actor, values: Values) -> dict[str, Any]:
    policy = runtime().access.policy
    below = runtime().settings.clearance_from
    return {"levels": levels(policy, values.getlist("level"), below), "groups": groups(policy, values)}


def _described_role(_actor: Actor, values: Values) -> Contents:
    return Contents(None, ROLE_WORDS[Role(values["role"])], "")


def _described_clearance(_actor: Actor, values: Values) -> Contents:
    policy = runtime().access.policy
    clearance = policy.clearance_up_to(values.get("level", ""), ticked(values))
    view = ClearanceView(*_NOT_YET, *_parts(clearance), values.get("authority", "").strip())
    return contents(view)


def _described_briefing(_actor: Actor, values: Values) -> Contents:
    try:
        covers = runtime().access.policy.clearance(values.getlist("level"), ticked(values))
    except InvalidClearance as fault:
        raise Invalid(f"This is not in the security policy: {fault}") from None
    return contents(BriefingView(*_NOT_YET, *_parts(covers)))


def _described_membership(actor: Actor, values: Values) -> Contents:
    return Contents(None, runtime().grants.programme(actor, values.get("programme", "")).name, "")


_NOT_YET: tuple[str, GrantState, datetime, None, None, int] = (
    "",
    GrantState.FUTURE,
    datetime.fromtimestamp(0, UTC),
    None,
    None,
    0,
)


def _parts(clearance: Clearance) -> tuple[str, tuple[str, ...], Mapping[str, tuple[str, ...]]]:
    categories = {tag: tuple(sorted(values)) for tag, values in clearance.categories.items()}
    return clearance.policy_id, tuple(sorted(clearance.classifications)), categories


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "roles": Kind(
            "role",
            "Give a role",
            "The role is given.",
            _grant_role,
            _role_choices,
            _described_role,
            lambda found: found.roles,
            lambda: runtime().grants.end_role,
        ),
        "clearances": Kind(
            "clearance",
            "Grant a clearance",
            "The clearance is granted.",
            _grant_clearance,
            _clearance_choices,
            _described_clearance,
            lambda found: found.clearances,
            lambda: runtime().grants.end_clearance,
        ),
        "memberships": Kind(
            "membership",
            "Add to a programme",
            "The person is a member of the programme for that time.",
            _grant_membership,
            _programme_choices,
            _described_membership,
            lambda found: found.memberships,
            lambda: runtime().grants.end_membership,
        ),
        "briefings": Kind(
            "briefing",
            "Record a briefing",
            "The briefing is recorded.",
            _record_briefing,
            _briefing_choices,
            _described_briefing,
            lambda found: found.briefings,
            lambda: runtime().grants.end_briefing,
        ),
    }
)
"""By the name that addresses carry."""
