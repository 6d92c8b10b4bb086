"""`strongroom init` and `strongroom migrate`: an installation is created, and kept at the newest schema."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path

import click

from policies.requests import Role
from portal.cli.options import data_option, settings_of
from portal.cli.places import check_places, check_there
from portal.errors import Conflict, Invalid
from portal.services import fields, installation
from portal.services.installation import FirstPerson
from portal.services.runtime import Runtime
from portal.settings import FILE_NAME, Settings, load_settings


@click.command()
@data_option
@click.option("--keys", type=click.Path(path_type=Path), help="Folder of the root key, outside DATA.")
@click.option("--anchor", type=click.Path(path_type=Path), help="File of the log's anchor, outside DATA.")
@click.option(
    "--name", help="Name of the installation, such as portal.mod.example: the log's origin, for ever."
)
@click.option("--public-url", help="Address that people use.")
@click.option("--organisation", required=True, help="Name of the organisation that runs the portal.")
@click.option("--nation", required=True, help="Its nation: three letters as in ISO 3166-1.")
@click.option(
    "--officer",
    "officers",
    multiple=True,
    required=True,
    metavar="'NAME <E-MAIL>'",
    help="A first security officer; give two at least.",
)
@click.option(
    "--administrator",
    "administrators",
    multiple=True,
    required=True,
    metavar="'NAME <E-MAIL>'",
    help="A first administrator.",
)
@click.option("--demonstration", is_flag=True, help="Mark it a demonstration: keys may lie inside DATA.")
@click.option(
    "--setting",
    "more",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other setting, such as key_provider=transit; may be repeated.",
)
def init(
    data: Path,
    keys: Path | None,
    anchor: Path | None,
    name: str | None,
    public_url: str | None,
    organisation: str,
    nation: str,
    officers: tuple[str, ...],
    administrators: tuple[str, ...],
    demonstration: bool,
    more: tuple[str, ...],
) -> None:
    """Create an installation: keys, databases, log, policy, and the first people, who get one-time links.

    Where DATA/settings.toml exists, it is used as it stands; otherwise it is written from the options.
    """
    organisation, nation = fields.name(organisation, "organisation's name"), fields.nation(nation)
    people = [_first(text, Role.OFFICER) for text in officers]
    people += [_first(text, Role.ADMINISTRATOR) for text in administrators]
    _check_people(people)
    wanted = {
        "keys": None if keys is None else str(keys.absolute()),
        "anchor": None if anchor is None else str(anchor.absolute()),
        "name": name,
        "public_url": public_url,
        "demonstration": demonstration or None,
        **dict(_pair(text) for text in more),
    }
    given = {key: value for key, value in wanted.items() if value is not None}
    path = data / FILE_NAME
    if path.exists() and given:
        raise Conflict(
            f"{path} exists, so these cannot be set: {', '.join(given)}.", mend="Edit the file instead."
        )
    environment = {f"STRONGROOM_{key.upper()}": _in_environment(value) for key, value in given.items()}
    settings = load_settings({**os.environ, **environment}, data)
    check_places(settings)
    runtime = _create(settings, path, given)
    try:
        _, invitations = installation.create_first_people(runtime, organisation, nation, people)
        runtime.log.checkpoint()
    finally:
        runtime.close()
    place = {"file": str(settings.key_folder), "pkcs11": "the token", "transit": "the key server"}
    click.echo(
        f"The installation is ready in {settings.data}; its root key is in {place[settings.key_provider]}."
    )
    click.echo(
        f"Back up the keys apart from the data. One-time links, each for {settings.link_hours} hours:\n"
    )
    for invitation in invitations:
        click.echo(f"  {invitation.role.value:13} {invitation.name} <{invitation.email}>")
        click.echo(f"  {'':13} {link_of(settings.public_url, invitation.secret)}\n")
    click.echo(f"Then: strongroom serve --data {data}")


@click.command()
@data_option
def migrate(data: Path) -> None:
    """Bring the database to the newest schema; does nothing where it is there already."""
    settings = settings_of(data)
    check_there(settings)
    installation.migrate(settings)
    click.echo("The database has the newest schema.")


def link_of(public_url: str, secret: str) -> str:
    """Return the address of a one-time link."""
    return f"{public_url.rstrip('/')}/welcome/{secret}"


def _create(settings: Settings, path: Path, given: Mapping[str, object]) -> Runtime:
    """Write the settings, then create the rest; what cannot be created leaves no settings behind."""
    if not given:
        return installation.create(settings)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(path, given)
    try:
        return installation.create(settings)
    except BaseException:
        path.unlink()
        raise


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Invalid(f"{text!r} is no setting.", mend="Write it as NAME=VALUE.")
    return name.strip(), value.strip()


def _first(text: str, role: Role) -> FirstPerson:
    name, address = parseaddr(text)
    if not name or not address:
        raise Invalid(f"{text!r} is no person.", mend="Write it as 'Anna de Vries <anna@mod.example>'.")
    return FirstPerson(fields.name(name, "person's name"), fields.email(address), role)


def _check_people(people: list[FirstPerson]) -> None:
    """Refuse, before anything is created, what would leave an installation half made."""
    if sum(person.role is Role.OFFICER for person in people) < 2:
        raise Invalid("Two security officers are needed at least.", mend="Name a second one with --officer.")
    addresses = {person.email.casefold() for person in people}
    if len(addresses) < len(people):
        raise Invalid(
            "Two of these people have one e-mail address.", mend="Give each their own; one person, one role."
        )


def _in_environment(value: object) -> str:
    return "true" if value is True else str(value)


def _write(path: Path, given: Mapping[str, object]) -> None:
    # A JSON string or boolean is one of TOML, too.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in given.items()]
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
