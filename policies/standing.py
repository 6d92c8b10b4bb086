"""How a subject's clearances stand to a label: covered now, covered only by what is not in force, or not.

What depends on the label and the subject alone is found once for each request, and the rules share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from policies.errors import InvalidRequest
from policies.labels import Clearance, Label
from policies.requests import AccessRequest, Document, Environment, Period, Subject
from policies.validity import CompiledLabel, out_of_time


class Cover(Enum):
    """What the clearances of a subject say to a label."""

    INVALID = auto()  # the label is not valid: nothing is compared
    COVERED = auto()  # one clearance in force permits
    LAPSED = auto()  # one that was granted permits, but it is not in force
    BEYOND = auto()  # none that was ever granted permits


@dataclass(frozen=True, slots=True)
class Standing:
    """The cover, and whether any clearance (or a briefing that stands in for one) is in force at all.

    `label` is the label as masks.
    """

    cover: Cover
    in_force: bool
    label: CompiledLabel


def credentials(subject: Subject, rank: int, environment: Environment) -> Iterator[tuple[Clearance, Period]]:
    """Yield what counts as a clearance for a label of this rank: clearances, and below a level briefings.

    Each stands alone. A union of two could be wider than either: one's classification, the other's values.
    """
    for grant in subject.clearances:
        yield grant.clearance, grant.period
    if rank < environment.rules.clearance_rank:
        for briefing in subject.briefings:
            if briefing.classifications:
                yield briefing.clearance, briefing.period


def standing(subject: Subject, label: Label, environment: Environment) -> Standing:
    """Compare everything that was ever granted to the subject with a label, at the time of the request."""
    policy, time = environment.rules.policy, environment.time
    compiled = policy.compiled(label)
    in_force = False
    cover = Cover.BEYOND
    for clearance, period in credentials(subject, compiled.rank, environment):
        mask = policy.mask(clearance)
        if not mask:
            continue
        current = period.contains(time)
        in_force = in_force or current
        if compiled.held_by(mask):
            if current:
                cover = Cover.COVERED
                break
            cover = Cover.LAPSED
    if compiled.problems or (compiled.windows and out_of_time(compiled, time)):
        cover = Cover.INVALID
    return Standing(cover, in_force, compiled)


def document_of(request: AccessRequest) -> Document:
    """Return the document of a request. Raises InvalidRequest when there is none."""
    if request.document is None:
        raise InvalidRequest(f"{request.action} is decided about a document")
    return request.document


def standing_of(request: AccessRequest) -> Standing:
    """Return how the subject of a request stands to the label of its document, found once and kept with it."""
    found: Standing | None = request._standing
    if found is None:
        found = standing(request.subject, document_of(request).label, request.environment)
        object.__setattr__(request, "_standing", found)
    return found


def is_member(subject: Subject, programme_id: str, environment: Environment) -> bool:
    """Whether the subject is a member of a programme now."""
    for membership in subject.memberships:
        if membership.programme_id == programme_id and membership.period.contains(environment.time):
            return True
    return False


def not_briefed_on(subject: Subject, special: int, environment: Environment) -> int:
    """Return those restrictive values (a mask) on which no briefing of the subject is in force."""
    policy = environment.rules.policy
    for briefing in subject.briefings:
        if briefing.period.contains(environment.time):
            special &= ~policy.mask(briefing.clearance)
    return special
