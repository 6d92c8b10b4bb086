"""What the tests of this room build: small policies, subjects, documents and requests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

from policies import SHIPPED, Clearance, Label, SecurityPolicy, load_policy, parse_policy
from policies.requests import (
    AccessRequest,
    Action,
    Briefing,
    ClearanceGrant,
    Document,
    Environment,
    FacilityClearance,
    Membership,
    Period,
    Role,
    Ruleset,
    Subject,
)
from tests.shared import POLICIES

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
CURRENT = Period(NOW - 30 * DAY)
ENDED = Period(NOW - 30 * DAY, NOW - 4 * DAY)
FUTURE = Period(NOW + DAY)


def spif(classes: str, tag_sets: str = "", after: str = "", attributes: str = "") -> bytes:
    """A policy file: classifications and tag sets as XML (prefix s), `after` between them and the end."""
    sets = f"<s:securityCategoryTagSets>{tag_sets}</s:securityCategoryTagSets>" if tag_sets else ""
    return (
        '<s:SPIF xmlns:s="http://www.xmlspif.org/spif" schemaVersion="2.1" creationDate="20261124" '
        f'originatorDN="CN=Test" keyIdentifier="00" privilegeId="1.3" rbacId="1.3" {attributes}>'
        '<s:securityPolicyId name="TEST" id="2.25.7"/>'
        f"<s:securityClassifications>{classes}</s:securityClassifications>{sets}{after}</s:SPIF>"
    ).encode()


def classes(*names: str) -> str:
    """Classifications of these names, lowest first."""
    return "".join(
        f'<s:securityClassification name="{name}" lacv="{rank}" hierarchy="{rank}"/>'
        for rank, name in enumerate(names, 1)
    )


def tag_set(name: str, kind: str, content: str, number: int = 1, attributes: str = "") -> str:
    """A tag set of one tag; `kind` is the tag's type attributes."""
    return (
        f'<s:securityCategoryTagSet name="{name}" id="2.25.7.{number}">'
        f'<s:securityCategoryTag name="{name}" {kind} {attributes}>{content}</s:securityCategoryTag>'
        "</s:securityCategoryTagSet>"
    )


def value(name: str, lacv: int, content: str = "", attributes: str = "") -> str:
    """A category value."""
    return f'<s:tagCategory name="{name}" lacv="{lacv}" {attributes}>{content}</s:tagCategory>'


RESTRICTIVE = 'tagType="restrictive"'
PERMISSIVE = 'tagType="permissive"'
ENUMERATED_RESTRICTIVE = 'tagType="enumerated" enumType="restrictive"'
ENUMERATED_PERMISSIVE = 'tagType="enumerated" enumType="permissive"'
INFORMATIVE = 'tagType="tagType7" tag7Encoding="bitSetAttributes"'

SMALL = spif(
    classes("LOW", "MID", "HIGH"),
    tag_set(
        "Caveat",
        RESTRICTIVE,
        value("A", 1, "<s:excludedClass>LOW</s:excludedClass>") + value("B", 2),
    )
    + tag_set("Nation", ENUMERATED_PERMISSIVE, value("X", 1) + value("Y", 2), 2)
    + tag_set("Note", INFORMATIVE, value("N", 1), 3)
    + tag_set("Codeword", ENUMERATED_RESTRICTIVE, value("K", 1), 4)
    + tag_set("Group", PERMISSIVE, value("G", 1) + value("H", 2), 5),
)


@cache
def shipped() -> SecurityPolicy:
    """The policy that the portal ships."""
    return load_policy(SHIPPED)


@cache
def published() -> SecurityPolicy:
    """The published NATO policy, version 79."""
    return load_policy(POLICIES / "nato-spif-v79.xml")


@cache
def small() -> SecurityPolicy:
    """The small policy of every tag type."""
    return parse_policy(SMALL)


ASSURANCE = {"UNCLASSIFIED": 1, "RESTRICTED": 2, "CONFIDENTIAL": 2, "SECRET": 2, "TOP SECRET": 3}
NATO_VALUES = {"Context": {"NATO"}, "Releasable To": {"NATO", "NOR"}, "Only": {"NATO"}}


def clearance(level: str = "SECRET", **more: set[str]) -> Clearance:
    """A clearance under the shipped policy; keyword arguments add values (underscore for space)."""
    added = {name.replace("_", " "): values for name, values in more.items()}
    return shipped().clearance_up_to(level, {**NATO_VALUES, **added})


def rules(**changes: object) -> Ruleset:
    """The rules under the shipped policy."""
    settings: dict[str, object] = {"policy": shipped(), "ceiling": "SECRET", "assurance": ASSURANCE}
    return Ruleset(**{**settings, **changes})  # type: ignore[arg-type]


def environment(**changes: object) -> Environment:
    """The circumstances, now."""
    return Environment(NOW, rules(**changes))


def instruction(*levels: str, period: Period = CURRENT, **values: set[str]) -> Briefing:
    """A briefing on levels and values."""
    held = {name.replace("_", " "): frozenset(held) for name, held in values.items()}
    return Briefing(shipped().id, frozenset(levels), held, period)


def facility(*levels: str, period: Period = CURRENT) -> FacilityClearance:
    """A facility clearance of the person's organisation under the shipped policy."""
    return FacilityClearance(shipped().id, frozenset(levels), period)


def subject(**changes: object) -> Subject:
    """An official cleared to NATO SECRET, a member of the programme, of the organisation that leads it."""
    official = Subject(
        person_id="person",
        organisation_id="agency",
        nation="NOR",
        account_active=True,
        organisation_active=True,
        roles=frozenset({Role.OFFICIAL}),
        assurance=2,
        clearances=(ClearanceGrant(clearance(), CURRENT),),
        memberships=(Membership("programme", CURRENT),),
    )
    return replace(official, **changes)  # type: ignore[arg-type]


def label(marking: str = "NATO SECRET") -> Label:
    """A label of the shipped policy."""
    return shipped().parse_marking(marking)


def document(marking: str = "NATO SECRET", **changes: object) -> Document:
    """A document of the company, delivered to the agency."""
    return replace(Document("document", "programme", label(marking), "company", "agency"), **changes)  # type: ignore[arg-type]


def request(
    subject_: Subject | None = None,
    document_: Document | None = None,
    action: Action = Action.DOCUMENT_READ,
    environment_: Environment | None = None,
) -> AccessRequest:
    """A request of the official for the company's document, unless told otherwise."""
    return AccessRequest(
        subject_ or subject(), action, document_ or document(), environment_ or environment()
    )
