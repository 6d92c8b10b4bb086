"""Decisions a second on one core: labels in bulk, whole rule decisions, and other engines where they are installed.

The same labels and clearances for all. `python -m bench.policies [LABELS]`.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

from policies import SHIPPED, Clearance, InvalidLabel, Label, SecurityPolicy, load_policy, parse_policy
from policies import requests as rq
from policies.places import Hours
from policies.rules import LabelTable, decide, visible_labels

ROUNDS = 5
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CURRENT = rq.Period(NOW - timedelta(days=30))
NATIONS = ("NOR", "DNK", "DEU", "FRA", "ITA", "POL", "JPN", "CHE", "SWE", "FIN", "UKR", "AUS")


def best(work: Callable[[], object]) -> float:
    """Return the least processor time, in seconds, that one run of `work` took: whatever else the machine does."""
    times = []
    gc.disable()
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    gc.enable()
    return min(times)


def show(what: str, number: int, seconds: float, goal: int = 0, beside: float = 0) -> float:
    """Print a rate, how it stands to its goal, and how many times slower it is than `beside`; return the rate."""
    rate = number / seconds
    told = f"  {rate / goal:5.1f} x goal {goal:,}" if goal else ""
    told += f"  bulk is {beside / rate:,.0f} x" if beside else ""
    print(f"{what:<58} {rate:>12,.0f} /s{told}")
    return rate


def show_time(what: str, seconds: float, goal: float = 0) -> None:
    """Print a time, and how it stands to its goal."""
    told = f"  {seconds / goal:5.2f} of the limit, {goal * 1e3:,.0f} ms" if goal else ""
    print(f"{what:<58} {seconds * 1e3:>12,.2f} ms{told}")


def large_policy(categories: int) -> bytes:
    """Return a policy file of so many category values in one tag set."""
    values = "".join(
        f'<s:tagCategory name="V{number}" lacv="{number}"/>' for number in range(1, categories + 1)
    )
    return (
        '<s:SPIF xmlns:s="http://www.xmlspif.org/spif" schemaVersion="2.1" creationDate="20261124" '
        'originatorDN="CN=Test" keyIdentifier="00" privilegeId="1.3" rbacId="1.3">'
        '<s:securityPolicyId name="LARGE" id="2.25.7"/><s:securityClassifications>'
        '<s:securityClassification name="LOW" lacv="1" hierarchy="1"/></s:securityClassifications>'
        '<s:securityCategoryTagSets><s:securityCategoryTagSet name="Many" id="2.25.7.1">'
        f'<s:securityCategoryTag name="Many" tagType="restrictive">{values}</s:securityCategoryTag>'
        "</s:securityCategoryTagSet></s:securityCategoryTagSets></s:SPIF>"
    ).encode()


def make_labels(policy: SecurityPolicy, wanted: int) -> list[Label]:
    """Return valid labels of every kind: contexts, releases, caveats, special categories."""
    found: dict[Label, None] = {}
    special = [c.name for c in policy.tag_sets[0].categories if not c.obsolete][:3]
    levels = [item.name for item in policy.classifications]
    for size in range(1, len(NATIONS)):
        for nations in itertools.combinations(NATIONS, size):
            for level in levels:
                for more in (None, *special):
                    values = {"Additional Sensitivity": [more]} if more else {}
                    if size > 1:
                        values["Releasable To"] = list(nations)
                    else:
                        values["Context"] = ["KFOR" if nations[0] < "H" else "NATO"]
                    try:
                        found[policy.compose(level, values)] = None
                    except InvalidLabel:
                        continue  # not every choice is valid, and only valid ones count
                    if len(found) == wanted:
                        return list(found)
    return list(found)


def make_clearances(policy: SecurityPolicy) -> list[Clearance]:
    """Return clearances of all levels, nations and special categories."""
    special = [c.name for c in policy.tag_sets[0].categories][:3]
    return [
        policy.clearance_up_to(
            level,
            {
                "Context": ["NATO", *(["KFOR"] if number % 3 else [])],
                "Releasable To": [nation, *(["NATO"] if number % 2 else [])],
                "Additional Sensitivity": special[: number % 4],
                "Only": [nation],
            },
        )
        for number, (level, nation) in enumerate(
            itertools.product(("RESTRICTED", "CONFIDENTIAL", "SECRET", "TOP SECRET"), NATIONS)
        )
    ]


def bench_bulk(policy: SecurityPolicy, labels: list[Label], clearances: list[Clearance]) -> float:
    """Label and clearance decisions, one by one and over a table."""
    table = LabelTable(policy, labels)
    masks = [policy.mask(clearance) for clearance in clearances]
    number = len(labels) * len(clearances)
    held = sum(len(table.held(mask)) for mask in masks)
    single = sum(policy.permits(label, clearance) for label in labels for clearance in clearances)
    assert held == single, (held, single)
    print(f"{len(labels):,} labels x {len(clearances)} clearances, {held / number:.0%} permitted\n")
    bulk = show(
        "bulk: LabelTable.held", number, best(lambda: [table.held(mask) for mask in masks]), goal=3_000_000
    )
    few = clearances[:6]
    show(
        "one by one: SecurityPolicy.permits",
        len(labels) * len(few),
        best(lambda: [policy.permits(label, clearance) for clearance in few for label in labels]),
    )
    return bulk


def official(policy: SecurityPolicy) -> rq.Subject:
    """Return a partner who holds something of every kind."""
    held = policy.clearance_up_to(
        "SECRET",
        {"Context": ["NATO"], "Releasable To": ["NATO", "NOR"], "Additional Sensitivity": ["ATOMAL"]},
    )
    return rq.Subject(
        person_id="person",
        organisation_id="agency",
        nation="NOR",
        account_active=True,
        organisation_active=True,
        roles=frozenset({rq.Role.PARTNER}),
        assurance=3,
        clearances=(rq.ClearanceGrant(held, CURRENT),),
        memberships=(rq.Membership("coast", CURRENT), rq.Membership("harbour", CURRENT)),
        briefings=(
            rq.Briefing(policy.id, frozenset(), {"Additional Sensitivity": frozenset({"ATOMAL"})}, CURRENT),
        ),
        facilities=(rq.FacilityClearance(policy.id, held.classifications, CURRENT),),
        acknowledgements=(rq.Acknowledgement(policy.id, held.classifications, CURRENT),),
    )


def bench_rules(policy: SecurityPolicy, labels: list[Label]) -> None:
    """Whole decisions on fresh requests: with everything set, as now set, and refused."""
    levels = [item.name for item in policy.classifications]
    plain = rq.Ruleset(policy, "TOP SECRET", assurance=dict.fromkeys(levels, 2))
    whole = rq.Ruleset(
        policy,
        "TOP SECRET",
        assurance=dict.fromkeys(levels, 2),
        scan_required=frozenset(levels),
        facility_from="CONFIDENTIAL",
        instruction_required=frozenset(levels),
        handling=dict.fromkeys(levels, rq.Handling.OPEN),
        networks=dict.fromkeys(levels, (ip_network("192.0.2.0/24"),)),
        hours=dict.fromkeys(levels, (Hours(NOW.time(), NOW.time(), UTC),)),
    )
    person = official(policy)
    papers = [
        rq.Document(
            "id", "harbour", label, "company", "agency", scan=rq.ScanState.CLEAN, originator_controlled=True
        )
        for label in labels
    ]
    opened = visible_labels(person, labels, rq.Environment(NOW, plain, "192.0.2.7"))
    for name, rules in (("no optional setting", plain), ("every setting on", whole)):
        place = rq.Environment(NOW, rules, "192.0.2.7")
        for kind, chosen in (
            ("permitted", [paper for paper in papers if paper.label in opened]),
            ("refused", [paper for paper in papers if paper.label not in opened]),
        ):

            def work(chosen: list[rq.Document] = chosen, place: rq.Environment = place) -> None:
                for paper in chosen:
                    decide(rq.AccessRequest(person, rq.Action.DOCUMENT_READ, paper, place))

            show(f"fifteen rules, {kind}, {name}", len(chosen), best(work), goal=50_000)
    table, place = LabelTable(policy, labels), rq.Environment(NOW, plain, "192.0.2.7")
    seconds = best(lambda: visible_labels(person, table, place))
    show_time(f"visible_labels of {len(labels):,} labels", seconds)
    show_time(
        f"loading the shipped policy, {SHIPPED.stat().st_size:,} bytes", best(lambda: load_policy(SHIPPED))
    )
    large = large_policy(1_000)
    show_time("loading a policy of 1,000 categories", best(lambda: parse_policy(large)), goal=0.1)


def bench_cedar(
    policy: SecurityPolicy, labels: list[Label], clearances: list[Clearance], bulk: float
) -> None:
    """The same comparison as Cedar policies: one set of attributes for each side."""
    import cedarpy

    text = """permit(principal, action, resource) when {
        principal.levels.contains(resource.level) && principal.special.containsAll(resource.special) &&
        (resource.context.isEmpty() || principal.context.containsAny(resource.context)) &&
        (resource.released.isEmpty() || principal.released.containsAny(resource.released)) };"""
    chosen, few = labels[:500], clearances[:4]
    entities = [
        {
            "uid": {"type": "Person", "id": str(number)},
            "attrs": {
                "levels": sorted(clearance.classifications),
                "special": sorted(clearance.categories.get("Additional Sensitivity", ())),
                "context": sorted(clearance.categories.get("Context", ())),
                "released": sorted(clearance.categories.get("Releasable To", ())),
            },
            "parents": [],
        }
        for number, clearance in enumerate(few)
    ] + [
        {
            "uid": {"type": "Label", "id": str(number)},
            "attrs": {
                "level": label.classification,
                "special": list(label.values("Additional Sensitivity")),
                "context": list(label.values("Context")),
                "released": list(label.values("Releasable To")),
            },
            "parents": [],
        }
        for number, label in enumerate(chosen)
    ]
    asked = [
        {
            "principal": f'Person::"{p}"',
            "action": 'Action::"read"',
            "resource": f'Label::"{r}"',
            "context": {},
        }
        for p in range(len(few))
        for r in range(len(chosen))
    ]
    world = json.dumps(entities)
    answers = cedarpy.is_authorized_batch(asked, text, world)
    mine = [policy.permits(label, clearance) for clearance in few for label in chosen]
    assert [answer.allowed for answer in answers] == mine
    show(
        "cedarpy, batch",
        len(asked),
        best(lambda: cedarpy.is_authorized_batch(asked, text, world)),
        beside=bulk,
    )


CASBIN_MODEL = """
[request_definition]
r = sub, obj
[policy_definition]
p = name
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = opens(r.sub, r.obj)
"""


def bench_casbin(
    policy: SecurityPolicy, labels: list[Label], clearances: list[Clearance], bulk: float
) -> None:
    """The same comparison as a Casbin matcher that calls a function on sets."""
    import casbin

    def opens(clearance: Clearance, label: Label) -> bool:
        held = clearance.categories
        if label.classification not in clearance.classifications:
            return False
        if not set(label.values("Additional Sensitivity")) <= held.get("Additional Sensitivity", frozenset()):
            return False
        return all(
            not label.values(name) or not held.get(name, frozenset()).isdisjoint(label.values(name))
            for name in ("Context", "Releasable To")
        )

    model = casbin.Enforcer.new_model(text=CASBIN_MODEL)
    enforcer = casbin.Enforcer(model)
    enforcer.add_policy("rule")
    enforcer.add_function("opens", opens)
    chosen, few = labels[:500], clearances[:4]
    mine = [policy.permits(label, clearance) for clearance in few for label in chosen]
    assert [enforcer.enforce(clearance, label) for clearance in few for label in chosen] == mine
    seconds = best(lambda: [enforcer.enforce(clearance, label) for clearance in few for label in chosen])
    show("casbin, one by one", len(mine), seconds, beside=bulk)


def main() -> None:
    """Run everything and print it."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    policy = load_policy(SHIPPED)
    labels, clearances = make_labels(policy, wanted), make_clearances(policy)
    bulk = bench_bulk(policy, labels, clearances)
    for name, run in (("cedarpy", bench_cedar), ("casbin", bench_casbin)):
        if importlib.util.find_spec(name) is None:
            print(f"{name}: not installed here, so not measured")
        else:
            run(policy, labels, clearances, bulk)
    bench_rules(policy, labels)


if __name__ == "__main__":
    main()
