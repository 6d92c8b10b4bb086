"""`strongroom users`, `organisations`, `programmes`: administration as the person whose token is given."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from policies.requests import Role
from portal.cli.installing import link_of
from portal.cli.options import Moment, acting, acting_options, json_option
from portal.cli.people import account_id, every, most, person_id, show
from portal.services.directory import Wanted

_from = click.option("--from", "since", type=Moment(), help="When it begins; now by default.")
_until = click.option("--until", type=Moment(), help="When it ends; open by default.")


@click.group()
def users() -> None:
    """Accounts (as an administrator), their roles and memberships (as a security officer)."""


@users.command("list")
@acting_options
@click.option("--organisation", metavar="ID")
@click.option("--email", help="Only the account of this address.")
@json_option
def list_users(data: Path, token: str, organisation: str | None, email: str | None, as_json: bool) -> None:
    """List accounts, the newest first."""
    wanted = Wanted(organisation, email)
    with acting(data, token) as (runtime, actor):
        found = list(every(lambda cursor: runtime.people.people(actor, wanted, cursor, most())))
    columns = {
        "Id": lambda view: view.id,
        "Name": lambda view: view.name,
        "E-mail": lambda view: view.email,
        "Organisation": lambda view: view.organisation.name,
        "Roles": lambda view: ", ".join(view.roles),
        "State": lambda view: "locked" if not view.active else "active" if view.joined else "invited",
    }
    show(found, as_json, columns)


@users.command("create")
@acting_options
@click.option("--organisation", required=True, metavar="ID")
@click.option("--name", required=True)
@click.option("--email", required=True)
@click.option("--nation", required=True, help="Three letters as in ISO 3166-1.")
def create_user(data: Path, token: str, organisation: str, name: str, email: str, nation: str) -> None:
    """Create an account and print its id and its one-time link."""
    with acting(data, token) as (runtime, actor):
        created = runtime.people.create_person(actor, organisation, name, email, nation)
        secret = runtime.people.invite(actor, created)
        click.echo(created)
        click.echo(link_of(runtime.settings.public_url, secret))


@users.command()
@acting_options
@click.argument("person")
def invite(data: Path, token: str, person: str) -> None:
    """Print a new one-time link for PERSON (id or e-mail address); earlier ones hold no longer."""
    with acting(data, token) as (runtime, actor):
        secret = runtime.people.invite(actor, account_id(runtime, actor, person))
        click.echo(link_of(runtime.settings.public_url, secret))


@users.command()
@acting_options
@click.argument("person")
def lock(data: Path, token: str, person: str) -> None:
    """Lock the account of PERSON: sessions, links and tokens end at once."""
    with acting(data, token) as (runtime, actor):
        runtime.people.lock(actor, account_id(runtime, actor, person))


@users.command()
@acting_options
@click.argument("person")
def unlock(data: Path, token: str, person: str) -> None:
    """Let PERSON sign in again."""
    with acting(data, token) as (runtime, actor):
        runtime.people.unlock(actor, account_id(runtime, actor, person))


@users.command("grant")
@acting_options
@click.argument("person")
@click.option("--role", type=click.Choice([role.value for role in Role]))
@click.option("--programme", metavar="ID", help="Make them a member of this programme.")
@_from
@_until
def grant_user(
    data: Path,
    token: str,
    person: str,
    role: str | None,
    programme: str | None,
    since: datetime | None,
    until: datetime | None,
) -> None:
    """Give PERSON (id or e-mail address) a role, or the need to know in a programme; print the grant's id."""
    if (role is None) == (programme is None):
        raise click.UsageError("Give --role or --programme, one of them.")
    with acting(data, token) as (runtime, actor):
        who = person_id(runtime, actor, person)
        if role is not None:
            click.echo(runtime.grants.grant_role(actor, who, role, since, until))
        else:
            assert programme is not None
            click.echo(runtime.grants.grant_membership(actor, who, programme, since, until))


@click.group()
def organisations() -> None:
    """Organisations, as an administrator."""


@organisations.command("list")
@acting_options
@json_option
def list_organisations(data: Path, token: str, as_json: bool) -> None:
    """List organisations, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = list(every(lambda cursor: runtime.people.organisations(actor, cursor, most())))
    columns = {
        "Id": lambda view: view.id,
        "Name": lambda view: view.name,
        "Nation": lambda view: view.nation,
        "People": lambda view: view.people,
        "State": lambda view: "active" if view.active else "inactive",
    }
    show(found, as_json, columns)


@organisations.command("create")
@acting_options
@click.option("--name", required=True)
@click.option("--nation", required=True, help="Three letters as in ISO 3166-1.")
def create_organisation(data: Path, token: str, name: str, nation: str) -> None:
    """Create an organisation and print its id."""
    with acting(data, token) as (runtime, actor):
        click.echo(runtime.people.create_organisation(actor, name, nation))


@click.group()
def programmes() -> None:
    """Programmes, as an administrator."""


@programmes.command("list")
@acting_options
@json_option
def list_programmes(data: Path, token: str, as_json: bool) -> None:
    """List programmes, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = list(every(lambda cursor: runtime.people.programmes(actor, cursor, most())))
    columns = {
        "Id": lambda view: view.id,
        "Name": lambda view: view.name,
        "Led by": lambda view: view.lead.name,
        "Members": lambda view: view.members,
        "State": lambda view: "open" if view.active else "closed",
    }
    show(found, as_json, columns)


@programmes.command("create")
@acting_options
@click.option("--name", required=True)
@click.option("--lead", required=True, metavar="ID", help="Id of the organisation that leads it.")
def create_programme(data: Path, token: str, name: str, lead: str) -> None:
    """Create a programme and print its id."""
    with acting(data, token) as (runtime, actor):
        click.echo(runtime.people.create_programme(actor, name, lead))
