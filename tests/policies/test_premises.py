"""The rules about premises and hand-outs: facility, acknowledged instruction, handling, place and time."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import InvalidRequest, Label
from policies.places import EVERY_DAY, Hours, network, within
from policies.requests import (
    Acknowledgement,
    Action,
    Environment,
    FacilityClearance,
    Handling,
    Period,
    Role,
    Subject,
)
from policies.rules import RULES, decide, explain, visible_labels
from tests.policies.builders import (
    CURRENT,
    ENDED,
    FUTURE,
    NOW,
    document,
    environment,
    facility,
    label,
    request,
    rules,
    shipped,
    subject,
)

PARTNER = subject(roles=frozenset({Role.PARTNER}), organisation_id="company")
NATO = shipped().id


def code(
    rule: str,
    person: Subject,
    place: Environment,
    marking: str = "NATO SECRET",
    action: Action = Action.DOCUMENT_READ,
) -> str:
    return RULES[rule](request(person, document(marking), action, place)).reason.code


# -- facility

NEEDED = environment(facility_from="CONFIDENTIAL")


@pytest.mark.parametrize(
    ("facilities", "expected"),
    [
        ((), "facility-not-cleared"),
        ((facility("SECRET"),), "facility-cleared"),
        ((facility("CONFIDENTIAL"), facility("SECRET", "CONFIDENTIAL")), "facility-cleared"),
        ((facility("CONFIDENTIAL"),), "facility-not-cleared"),
        ((facility("SECRET", period=ENDED),), "facility-not-cleared"),
        ((facility("SECRET", period=FUTURE),), "facility-not-cleared"),
        ((FacilityClearance("1.2.3", frozenset({"SECRET"}), CURRENT),), "facility-not-cleared"),
    ],
)
def test_partner_needs_premises_cleared_for_the_classification(
    facilities: tuple[FacilityClearance, ...], expected: str
) -> None:
    assert code("facility", replace(PARTNER, facilities=facilities), NEEDED) == expected


def test_premises_matter_from_the_level_that_is_set_and_for_partners_only() -> None:
    assert code("facility", PARTNER, NEEDED, "NATO CONFIDENTIAL") == "facility-not-cleared"
    assert code("facility", PARTNER, NEEDED, "NATO RESTRICTED") == "facility-not-needed"
    assert code("facility", subject(), NEEDED) == "facility-not-needed"
    assert code("facility", PARTNER, environment()) == "facility-not-needed"
    both = replace(PARTNER, roles=frozenset({Role.PARTNER, Role.OFFICIAL}))
    assert code("facility", both, NEEDED) == "facility-not-cleared"


def test_lack_of_a_facility_clearance_is_not_told_but_on_upload() -> None:
    own = document(originator_id="company")
    decision = decide(request(PARTNER, own, environment_=NEEDED))
    assert (decision.rule, decision.permitted, decision.knowable) == ("facility", False, False)
    asked = request(PARTNER, document(id=None), Action.DOCUMENT_UPLOAD, NEEDED)
    decision = decide(asked)
    assert decision.knowable_rules == ("facility",)
    assert explain(asked, decision) == ("Your organisation is not cleared to hold this classification.",)
    asked = request(replace(PARTNER, facilities=(facility("SECRET"),)), own, environment_=NEEDED)
    assert "Your organisation is cleared to hold it." in explain(asked, decide(asked))


# -- acknowledged instruction

INSTRUCTED = environment(instruction_required=frozenset({"SECRET"}))


def acknowledged(*levels: str, policy: str = NATO, period: Period = CURRENT) -> Subject:
    return subject(acknowledgements=(Acknowledgement(policy, frozenset(levels), period),))


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        (subject(), "instruction-not-acknowledged"),
        (acknowledged("SECRET"), "briefed"),
        (acknowledged("RESTRICTED"), "instruction-not-acknowledged"),
        (acknowledged("SECRET", policy="1.2.3"), "instruction-not-acknowledged"),
        (acknowledged("SECRET", period=ENDED), "instruction-not-acknowledged"),
        (acknowledged("SECRET", period=FUTURE), "instruction-not-acknowledged"),
    ],
)
def test_instruction_is_acknowledged_before_first_access(person: Subject, expected: str) -> None:
    assert code("briefed", person, INSTRUCTED) == expected
    assert code("briefed", person, INSTRUCTED, "NATO CONFIDENTIAL") == "no-special-category"
    assert code("briefed", person, environment()) == "no-special-category"


def test_instruction_does_not_stand_in_for_a_briefing() -> None:
    assert code("briefed", acknowledged("SECRET"), INSTRUCTED, "NATO SECRET ATOMAL") == "not-briefed"


# -- handling

VIEWED = environment(handling={"SECRET": Handling.VIEW_ONLY, "RESTRICTED": Handling.OPEN})


def test_level_that_is_only_viewed_is_not_handed_out() -> None:
    assert code("handling", subject(), VIEWED) == "handling-view-only"
    for action in (Action.DOCUMENT_PREVIEW, Action.DOCUMENT_SHOW, Action.DOCUMENT_LIST):
        assert code("handling", subject(), VIEWED, action=action) == "handling-viewed"
    for marking in ("NATO RESTRICTED", "NATO CONFIDENTIAL"):
        assert code("handling", subject(), VIEWED, marking) == "handling-open"
    assert code("handling", subject(), environment()) == "handling-open"


def test_handling_may_be_known() -> None:
    asked = request(environment_=VIEWED)
    decision = decide(asked)
    assert decision.knowable_rules == ("handling",)
    assert explain(asked, decision) == (
        "Documents of this classification are viewed here and not downloaded or printed.",
    )
    viewed = request(action=Action.DOCUMENT_PREVIEW, environment_=VIEWED)
    assert "It is viewed here only." in explain(viewed, decide(viewed))


# -- place and time

OFFICE = network("192.0.2.0/24")
WIDE = network("2001:db8::/32")
ALL_DAY = Hours(time(0), time(0), UTC)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.2.1", True),
        ("192.0.2.255", True),
        ("192.0.3.1", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::ffff:192.0.2.1", True),
        ("::ffff:192.0.3.1", False),
        ("2001:db8::1%eth0", True),
        ("192.0.2", False),
        ("192.0.2.1:80", False),
        ("192.0.2.01", False),
        ("localhost", False),
        ("", False),
        (None, False),
    ],
)
def test_address_is_in_a_permitted_network_or_refused(address: str | None, inside: bool) -> None:
    assert within(address, [OFFICE, WIDE]) is inside
    place = Environment(NOW, rules(networks={"SECRET": (OFFICE, WIDE)}), address)
    assert code("place-and-time", subject(), place) == ("place-and-time" if inside else "outside-networks")
    assert code("place-and-time", subject(), place, "NATO RESTRICTED") == "place-not-limited"


def test_no_network_permits_nothing() -> None:
    assert not within("192.0.2.1", [])


@pytest.mark.parametrize("text", ["192.0.2.1/24", "office", "", "192.0.2.0/33"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        network(text)


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("hours", "moment", "inside"),
    [
        (Hours(time(7), time(19), UTC), "2026-11-24T07:00:00+00:00", True),
        (Hours(time(7), time(19), UTC), "2026-11-24T18:59:59+00:00", True),
        (Hours(time(7), time(19), UTC), "2026-11-24T19:00:00+00:00", False),
        (Hours(time(7), time(19), UTC), "2026-11-24T06:59:59+00:00", False),
        (Hours(time(7), time(19), UTC), "2026-11-24T08:00:00+02:00", False),
        (Hours(time(7), time(19), UTC, frozenset({0})), "2026-11-24T12:00:00+00:00", False),
        (Hours(time(7), time(19), UTC, frozenset({1})), "2026-11-24T12:00:00+00:00", True),
        (Hours(time(7), time(19), BERLIN), "2026-07-01T05:00:00+00:00", True),
        (Hours(time(7), time(19), BERLIN), "2026-12-01T05:59:59+00:00", False),
        (Hours(time(22), time(6), UTC, frozenset({4})), "2026-11-27T23:00:00+00:00", True),
        (Hours(time(22), time(6), UTC, frozenset({4})), "2026-11-28T05:59:59+00:00", True),
        (Hours(time(22), time(6), UTC, frozenset({4})), "2026-11-28T06:00:00+00:00", False),
        (Hours(time(22), time(6), UTC, frozenset({4})), "2026-11-28T23:00:00+00:00", False),
        (Hours(time(22), time(6), UTC, frozenset({4})), "2026-11-27T05:00:00+00:00", False),
        (Hours(time(22), time(6), UTC, frozenset({6})), "2026-11-30T05:00:00+00:00", True),
        (Hours(time(8), time(8), UTC, frozenset({1})), "2026-11-25T07:59:59+00:00", True),
        (Hours(time(8), time(8), UTC, frozenset({1})), "2026-11-25T08:00:00+00:00", False),
        (Hours(time(8), time(8), UTC, frozenset({1})), "2026-11-24T08:00:00+00:00", True),
    ],
)
def test_hours_are_of_their_days_in_their_zone(hours: Hours, moment: str, inside: bool) -> None:
    at = datetime.fromisoformat(moment)
    assert hours.contains(at) is inside
    place = Environment(at, rules(hours={"SECRET": (hours,)}))
    assert code("place-and-time", subject(), place) == ("place-and-time" if inside else "outside-hours")


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-12, 12))
def test_a_whole_day_of_every_day_is_always(moment: datetime, offset: int) -> None:
    zone = timezone(timedelta(hours=offset))
    if datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC):
        assert Hours(time(0), time(0), zone).contains(moment)
        half = Hours(time(0), time(12), zone), Hours(time(12), time(0), zone)
        assert [span.contains(moment) for span in half].count(True) == 1


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (time(7, tzinfo=UTC), time(8), EVERY_DAY),
        (time(7), time(8, tzinfo=UTC), EVERY_DAY),
        (time(7), time(8), frozenset()),
        (time(7), time(8), frozenset({7})),
    ],
)
def test_hours_that_are_none_are_refused(start: time, end: time, days: frozenset[int]) -> None:
    with pytest.raises(InvalidRequest):
        Hours(start, end, UTC, days)


def test_place_is_asked_before_time_and_both_where_both_are_set() -> None:
    late = Hours(time(20), time(21), UTC)
    both = rules(networks={"SECRET": (OFFICE,)}, hours={"SECRET": (late, ALL_DAY)})
    assert code("place-and-time", subject(), Environment(NOW, both, "192.0.2.7")) == "place-and-time"
    assert code("place-and-time", subject(), Environment(NOW, both, "192.0.3.7")) == "outside-networks"
    closed = rules(networks={"SECRET": (OFFICE,)}, hours={"SECRET": (late,)})
    assert code("place-and-time", subject(), Environment(NOW, closed, "192.0.2.7")) == "outside-hours"
    never = rules(hours={"SECRET": ()})
    assert code("place-and-time", subject(), Environment(NOW, never)) == "outside-hours"


def test_place_and_time_may_be_known() -> None:
    place = environment(networks={"SECRET": (OFFICE,)})
    asked = request(environment_=place)
    decision = decide(asked)
    assert decision.knowable_rules == ("place-and-time",)
    assert explain(asked, decision) == ("This classification is not open from where you are.",)
    assert explain(asked, decision, "officer")[-1] == "SECRET is not used from an unknown address."


# -- in bulk


def test_bulk_follows_every_rule_that_looks_at_the_classification() -> None:
    labels = [label("NATO SECRET"), label("NATO RESTRICTED")]
    low = frozenset(labels[1:])
    partner = replace(PARTNER, facilities=(facility("SECRET", period=ENDED),))
    assert visible_labels(PARTNER, labels, environment()) == frozenset(labels)
    assert visible_labels(partner, labels, NEEDED) == low
    assert visible_labels(subject(), labels, INSTRUCTED) == low
    assert visible_labels(subject(), labels, VIEWED) == low
    assert visible_labels(subject(), labels, VIEWED, Action.DOCUMENT_PREVIEW) == frozenset(labels)
    assert visible_labels(subject(), labels, environment(networks={"SECRET": (OFFICE,)})) == low
    assert visible_labels(subject(), labels, environment(hours={"SECRET": ()})) == low


def test_national_label_is_ruled_by_its_alternative() -> None:
    national = Label.of("1.2.3", "GEHEIM").beside(label("NATO SECRET"))
    paper = document(label=national)
    assert decide(request(document_=paper)).permitted
    for place in (VIEWED, environment(ceiling="RESTRICTED"), INSTRUCTED, environment(hours={"SECRET": ()})):
        assert not decide(request(document_=paper, environment_=place)).permitted
        assert visible_labels(subject(), [national], place) == frozenset()
    assert visible_labels(subject(), [national], environment()) == {national}
    alone = document(label=Label.of("1.2.3", "GEHEIM"))
    refused = decide(request(document_=alone))
    assert {item.rule for item in refused.verdicts if item.outcome == "refuses"} == {
        "assurance",
        "label-dominated",
        "system-ceiling",
    }
    unscanned = environment(scan_required=frozenset({"SECRET"}))
    assert decide(request(document_=paper, environment_=unscanned)).rule == "document-state"
