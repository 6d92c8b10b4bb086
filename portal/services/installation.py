"""A new installation: keys, databases, policy, and the first people by one-time links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from policies import SHIPPED, parse_policy
from policies.requests import Role
from portal import models
from portal.audit import Event, create_log, open_log_engine
from portal.audit.change import recorded_change
from portal.clock import Clock, rfc3339, system_clock
from portal.errors import Conflict, Invalid
from portal.identity.emails import email_index, normal_email
from portal.models.database import make_engine
from portal.services.root_keys import ROOT_KEY_FILE, create_root
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings

_MIGRATIONS = Path(__file__).parents[1] / "migrations"


@dataclass(frozen=True, slots=True)
class FirstPerson:
    """Somebody whom the installation itself creates: a security officer or the administrator."""

    name: str
    email: str
    role: Role


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link's secret, and for whom it is."""

    person_id: str
    name: str
    email: str
    role: Role
    secret: str


def migrate(settings: Settings) -> None:
    """Bring the business database to the newest schema (Alembic)."""
    # Loaded when it is wanted: a start that finds its installation need not wait for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    engine = make_engine(settings.portal_database)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    engine.dispose()


def create(settings: Settings, clock: Clock = system_clock) -> Runtime:
    """Create keys, databases, the log and the active policy in an empty folder; raises Conflict when one is there."""
    if (settings.data / "portal.db").exists() or (settings.key_folder / ROOT_KEY_FILE).exists():
        raise Conflict(f"{settings.data} holds an installation already.", mend="Name another folder.")
    for folder in (settings.data, settings.key_folder, settings.blob_folder, settings.anchor_file.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    create_root(settings)
    migrate(settings)
    prepare_log(settings)
    runtime = open_portal(settings, clock)
    activate_policy(runtime, SHIPPED.read_bytes())
    return runtime


def prepare_log(settings: Settings) -> None:
    """Create what is missing of the log's tables, and give its roles their rights on a server; safe to call again."""
    engine = open_log_engine(settings.log_owner_url or settings.log_place)
    try:
        appender = make_url(settings.log_url).username if settings.log_owner_url else None
        create_log(engine, appender, settings.log_keeper or None)
    finally:
        engine.dispose()


def activate_policy(runtime: Runtime, spif: bytes) -> None:
    """Make a policy the first active one, as the installation itself; a later one is the officers' to activate."""
    policy = parse_policy(spif)
    event = Event(action="policy.activated", details={"name": policy.name, "digest": policy.digest})
    with recorded_change(runtime.log, runtime.database.write, event) as change:
        change.session.add(
            models.Policy(digest=policy.digest, spif=spif, active=True, activated=runtime.clock())
        )


def create_first_people(
    runtime: Runtime, organisation: str, nation: str, people: Sequence[FirstPerson]
) -> tuple[str, tuple[Invitation, ...]]:
    """Create the installation's own organisation and its first people; returns its id and their one-time links.

    These are the only accounts that no person creates: two security officers and an administrator at least.
    """
    if sum(person.role is Role.OFFICER for person in people) < 2:
        raise Invalid("Two security officers are needed at least.", mend="Name a second one.")
    organisation_id = models.new_id()
    now = runtime.clock()
    event = Event(action="organisation.create", target=organisation_id, private={"name": organisation})
    with recorded_change(runtime.log, runtime.database.write, event) as change:
        change.session.add(
            models.Organisation(
                id=organisation_id, name=organisation, nation=nation, active=True, created=now
            )
        )
    return organisation_id, tuple(
        _create_person(runtime, organisation_id, nation, person) for person in people
    )


def _create_person(runtime: Runtime, organisation_id: str, nation: str, first: FirstPerson) -> Invitation:
    person_id = models.new_id()
    now = runtime.clock()
    email = normal_email(first.email)
    event = Event(
        action="account.create",
        target=person_id,
        organisation=organisation_id,
        private={"name": first.name, "email": email},
    )
    with recorded_change(runtime.log, runtime.database.write, event) as change:
        change.session.add(
            models.Person(
                id=person_id,
                organisation_id=organisation_id,
                name=first.name,
                email=email,
                email_index=email_index(runtime.database.seals.rows, email),
                nation=nation,
                active=True,
                created=now,
            )
        )
    details = {"subject": f"person:{person_id}", "role": first.role.value, "from": rfc3339(now)}
    with recorded_change(
        runtime.log, runtime.database.write, Event(action="grant.role", target=person_id, details=details)
    ) as change:
        change.session.add(
            models.RoleGrant(
                id=models.new_id(),
                person_id=person_id,
                role=first.role.value,
                valid_from=now,
                granted_by=None,
            )
        )
    secret = runtime.links.create(person_id, runtime.settings.link_hours)
    return Invitation(person_id, first.name, email, first.role, secret)
