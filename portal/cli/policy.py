"""`strongroom policy`: looking at security policies, comparing them, and putting one into force, as two officers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from policies import SecurityPolicy, load_policy
from policies.changes import AccessChange, LabelChange, Progress
from policies.differences import differences
from policies.requests import Action
from portal.cli.options import acting, acting_options, data_option, json_option, opened
from portal.cli.people import day, person_id, show, told

_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def policy() -> None:
    """Check and compare security policies (SPIF), explain decisions, and put a policy into force."""


@policy.command()
@click.argument("file", type=_file)
@json_option
def check(file: Path, as_json: bool) -> None:
    """Read FILE as strictly as the portal does; a wrong one is refused with the reason and the line."""
    _show(load_policy(file), as_json)


@policy.command("show")
@data_option
@json_option
def show_policy(data: Path, as_json: bool) -> None:
    """Show the installation's active policy."""
    with opened(data) as runtime:
        _show(runtime.access.policy, as_json)


@policy.command()
@click.argument("old", type=_file)
@click.argument("new", type=_file)
@click.option(
    "--data",
    envvar="STRONGROOM_DATA",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of an installation (or STRONGROOM_DATA): also say who would gain or lose which documents.",
)
@click.option(
    "--token",
    envvar="STRONGROOM_TOKEN",
    metavar="TOKEN",
    help="API token of a security officer, with --data. Better in STRONGROOM_TOKEN.",
)
@json_option
def diff(old: Path, new: Path, data: Path | None, token: str | None, as_json: bool) -> None:
    """Say what differs between the policies OLD and NEW, item by item.

    With an installation, everybody with an account is compared under both as well; progress goes to standard error.
    """
    found = differences(load_policy(old), load_policy(new))
    for item in found:
        if as_json:
            _line(kind=item.kind, what=item.what, fact=item.fact, before=item.before, after=item.after)
        else:
            click.echo(item.text)
    if not found and not as_json:
        click.echo("Nothing that decides or shows differs.")
    if data is not None and token:
        _effect(data, token, old, new, as_json)


def _effect(data: Path, token: str, old: Path, new: Path, as_json: bool) -> None:
    with acting(data, token) as (runtime, actor):
        marking = runtime.access.marking
        labels: list[LabelChange] = []
        changed: list[AccessChange] = []
        for change in runtime.policy_changes.effect(actor, new.read_bytes(), old.read_bytes()):
            if isinstance(change, Progress):
                click.echo(f"{change.done:,} of {change.total or 0:,} people compared", err=True)
            elif isinstance(change, LabelChange):
                labels.append(change)
            else:
                changed.append(change)
        ids = {item.person_id for item in changed} | {item.programme_id for item in changed}
        names = runtime.policy_changes.names(actor, sorted(ids)) if ids else {}
    if as_json:
        for item in labels:
            reasons = [reason.text for reason in item.reasons]
            _line(label=marking(item.label), documents=item.documents, valid=not reasons, reasons=reasons)
        for one in changed:
            _line(
                person=one.person_id,
                programme=one.programme_id,
                label=marking(one.label),
                documents=one.documents,
                gained=one.gained,
            )
        return
    for item in labels:
        words = " ".join(reason.text for reason in item.reasons)
        click.echo(f"{marking(item.label)} ({item.documents:,} documents): {words or 'valid from then on'}")
    _effect_table(changed, names, marking)


def _line(**facts: Any) -> None:
    click.echo(json.dumps(facts, ensure_ascii=False))


def _effect_table(changed: Iterable[AccessChange], names: Any, marking: Any) -> None:
    people: Counter[tuple[bool, str, str]] = Counter()
    who: dict[tuple[bool, str, str], list[str]] = {}
    for item in changed:
        place = item.gained, names.get(item.programme_id, item.programme_id), marking(item.label)
        people[place] += 1
        who.setdefault(place, []).append(f"{names.get(item.person_id, item.person_id)} ({item.documents:,})")
    if not people:
        click.echo("Nobody gains or loses a document.")
    for (gained, programme, label), number in sorted(people.items()):
        click.echo(
            f"{'Gain' if gained else 'Lose'}: {programme}, {label}: {number:,} "
            f"{'person' if number == 1 else 'people'}"
        )
        for name in sorted(who[gained, programme, label]):
            click.echo(f"  {name}")


@policy.command()
@acting_options
@click.argument("person")
@click.argument("document")
@click.option(
    "--action",
    default=Action.DOCUMENT_READ.value,
    show_default=True,
    help="What they would do, such as document.read or document.show.",
)
@click.option("--assurance", default=2, show_default=True, help="How strongly they signed in, 1 to 3.")
@json_option
def explain(
    data: Path, token: str, person: str, document: str, action: str, assurance: int, as_json: bool
) -> None:
    """Say why PERSON (id or e-mail address) may or may not open DOCUMENT (id), as a security officer."""
    with acting(data, token) as (runtime, actor):
        found = runtime.explain.explain(actor, person_id(runtime, actor, person), document, action, assurance)
    if as_json:
        facts = {
            "person": found.person.id,
            "document": found.document,
            "action": found.action,
            "permitted": found.permitted,
            "knowable": found.knowable,
            "verdicts": [
                {"rule": item.rule, "outcome": item.outcome, "reason": item.reason} for item in found.verdicts
            ],
            "mends": [
                {"rules": item.rules, "change": item.text, "possible": item.possible} for item in found.mends
            ],
        }
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    click.echo(f"{'Permitted' if found.permitted else 'Refused'}: {found.action} of {found.marking}\n")
    for verdict in found.verdicts:
        click.echo(f"{verdict.outcome:<10} {verdict.rule:<20} {verdict.reason}")
    if found.mends:
        click.echo("\nThe least that would have to change:")
        for mend in found.mends:
            click.echo(f"  {mend.text} ({', '.join(mend.rules)})")


# Putting a policy into force


@policy.command()
@acting_options
@json_option
def proposals(data: Path, token: str, as_json: bool) -> None:
    """List the policies that were proposed, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.policy_changes.proposals(actor)
    columns = {
        "Id": lambda view: view.id,
        "Policy": lambda view: f"{view.name} {view.version}",
        "State": lambda view: view.outcome or "open",
        "Approved by": lambda view: ", ".join(item.approver.name for item in view.approvals if item.in_force),
        "Proposed by": lambda view: view.proposed_by.name,
        "Digest": lambda view: view.digest,
        "Until (UTC)": lambda view: day(view.until),
    }
    show(found, as_json, columns)


@policy.command()
@acting_options
@click.argument("file", type=_file)
@click.option("--reason", required=True, help="What it changes and who asked for it.")
@json_option
def propose(data: Path, token: str, file: Path, reason: str, as_json: bool) -> None:
    """Propose the policy FILE, and print the proposal's id; another officer must approve it."""
    with acting(data, token) as (runtime, actor):
        made = runtime.policy_changes.propose(actor, file.read_bytes(), reason)
    told(as_json, made, proposal=made)


@policy.command()
@acting_options
@click.argument("proposal")
@click.option(
    "--digest", required=True, help="Digest of what was looked at, from `strongroom policy proposals`."
)
@json_option
def approve(data: Path, token: str, proposal: str, digest: str, as_json: bool) -> None:
    """Approve the PROPOSAL (id) of another officer, exactly as it has this digest."""
    with acting(data, token) as (runtime, actor):
        runtime.policy_changes.approve(actor, proposal, digest)
    told(as_json, proposal=proposal, digest=digest, outcome="approved")


@policy.command()
@acting_options
@click.argument("proposal")
@json_option
def activate(data: Path, token: str, proposal: str, as_json: bool) -> None:
    """Put an approved PROPOSAL (id) into force in place of the active policy."""
    with acting(data, token) as (runtime, actor):
        runtime.policy_changes.activate(actor, proposal)
    told(as_json, proposal=proposal, outcome="done")


@policy.command()
@acting_options
@click.argument("proposal")
@json_option
def withdraw(data: Path, token: str, proposal: str, as_json: bool) -> None:
    """Withdraw the PROPOSAL (id)."""
    with acting(data, token) as (runtime, actor):
        runtime.policy_changes.withdraw(actor, proposal)
    told(as_json, proposal=proposal, outcome="withdrawn")


def _show(found: SecurityPolicy, as_json: bool) -> None:
    if as_json:
        facts = {
            "name": found.name,
            "id": found.id,
            "version": found.version,
            "digest": found.digest,
            "classifications": [
                {"name": item.name, "hierarchy": item.hierarchy, "obsolete": item.obsolete}
                for item in found.classifications
            ],
            "tag_sets": {
                tag_set.name: sum(len(tag.categories) for tag in tag_set.tags) for tag_set in found.tag_sets
            },
            "equivalent_policies": [other.name for other in found.equivalent_policies],
        }
        click.echo(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    console = Console(highlight=False)
    console.print(
        f"{found.name} ({found.id}), version {found.version}\nSHA-256 {found.digest}",
        markup=False,
        soft_wrap=True,
    )
    levels = Table("Level", "Classification", "Obsolete")
    for item in found.classifications:
        levels.add_row(str(item.hierarchy), item.name, "yes" if item.obsolete else "")
    console.print(levels)
    sets = Table("Tag set", "Kinds", "Values")
    for tag_set in found.tag_sets:
        kinds = ", ".join(sorted({tag.kind.value.lower() for tag in tag_set.tags}))
        sets.add_row(tag_set.name, kinds, str(sum(len(tag.categories) for tag in tag_set.tags)))
    console.print(sets)
