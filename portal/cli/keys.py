"""`strongroom keys`: the inventory of keys, their rotation, destruction, backup and restore."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from portal.cli.options import acting, acting_options, data_option, json_option, opened, settings_of
from portal.cli.people import show
from portal.clock import rfc3339
from portal.errors import Conflict, Invalid
from portal.services.rotations import KINDS, RotationView

_LOOK_EVERY = 0.5
_KEY_ID = 16


@click.group()
def keys() -> None:
    """Keys: what there is, their rotation, destruction, backup and restore."""


@keys.command()
@acting_options
@json_option
def status(data: Path, token: str, as_json: bool) -> None:
    """Show every key, its age and its next rotation, and the rotations under way and done."""
    with acting(data, token) as (runtime, actor):
        found = runtime.keys.inventory(actor)
    if as_json:
        facts = {
            "provider": found.provider,
            "root": found.root_id,
            "keys": [asdict(key) for key in found.keys],
            "rotations": [asdict(rotation) for rotation in found.rotations],
        }
        click.echo(json.dumps(facts, indent=2, default=rfc3339))
        return
    click.echo(f"Root key {found.root_id}, provider {found.provider}.")
    columns: dict[str, Callable[[Any], object]] = {
        "Key": lambda key: key.id,
        "Kind": lambda key: key.kind,
        "Domain": lambda key: f"{key.classification} {key.programme}".strip(),
        "Version": lambda key: key.version,
        "State": lambda key: key.state,
        "Made": lambda key: key.created.date(),
        "Documents": lambda key: key.documents if key.kind == "kek" else "",
        "Next rotation": lambda key: key.due.date() if key.due else "",
    }
    show(found.keys, False, columns)
    for rotation in found.rotations:
        click.echo(_progress(rotation))


@keys.command()
@acting_options
@click.argument("kind", type=click.Choice(KINDS))
@click.option("--domain", default="", help="Of a KEK: PROGRAMME-ID/CLASSIFICATION; all of them by default.")
@click.option("--no-wait", is_flag=True, help="Order it only: the server or the worker carries it through.")
def rotate(data: Path, token: str, kind: str, domain: str, no_wait: bool) -> None:
    """Make a new version of a key, and wrap or seal anew what is under the older ones.

    Reads and uploads go on meanwhile. Stopped, it goes on where it was, here or in the server.
    """
    with acting(data, token) as (runtime, actor):
        domains = runtime.keys.domains() if kind == "kek" and not domain else [domain]
        ordered = []
        for one in domains:
            try:
                ordered.append(runtime.keys.rotate(actor, kind, one))
            except Conflict as fault:
                click.echo(f"{one or kind}: {fault.message}", err=True)
        for rotation in ordered:
            view = runtime.rotations.one(rotation)
            while not no_wait and view.state not in ("waiting", "done"):
                runtime.rotations.work(_LOOK_EVERY)
                view = runtime.rotations.one(rotation)
                if view.state not in ("waiting", "done"):
                    time.sleep(0.05)
            click.echo(_progress(view))


@keys.command()
@acting_options
@click.argument("key", metavar="KEY|root")
@click.option("--certificate", type=click.Path(path_type=Path), help="File for the signed certificate.")
@click.confirmation_option(prompt="A destroyed key never opens anything again. Destroy it?")
def destroy(data: Path, token: str, key: str, certificate: Path | None) -> None:
    """Destroy a retired version of a key, with a signed certificate, or every older version of the root key.

    Copies in backups that only this key opens can then be read by nobody.
    """
    with acting(data, token) as (runtime, actor):
        if key == "root":
            click.echo(f"{runtime.keys.retire_root(actor)} older versions of the root key are gone.")
            return
        signed = runtime.keys.destroy(actor, key)
    if certificate is None:
        click.echo(signed.decode(), nl=False)
    else:
        _write(certificate, signed)
        click.echo(f"The key is destroyed; the certificate is in {certificate}.")


@keys.command()
@acting_options
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="File to write; it must not exist."
)
@click.option("--recipient", "recipients", multiple=True, metavar="age1…", help="For whom; may be repeated.")
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path, exists=True), help="File with a passphrase."
)
def backup(
    data: Path, token: str, out: Path, recipients: tuple[str, ...], passphrase_file: Path | None
) -> None:
    """Back the whole key ring up, with the root key or a recovery key, into one file encrypted with age."""
    passphrase = _passphrase(passphrase_file)
    if out.exists():
        raise Invalid(f"{out} exists.", mend="Name another file: a backup is never overwritten.")
    with acting(data, token) as (runtime, actor):
        blob = runtime.keys.backup(actor, recipients=recipients, passphrase=passphrase)
    _write(out, blob)
    click.echo(f"The backup of the keys is in {out}. Keep it apart from every copy of the data.")


@keys.command()
@data_option
@click.option("--file", "source", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--identity", type=click.Path(path_type=Path, exists=True), help="File with an age identity.")
@click.option(
    "--passphrase-file", type=click.Path(path_type=Path, exists=True), help="File with a passphrase."
)
def restore(data: Path, source: Path, identity: Path | None, passphrase_file: Path | None) -> None:
    """Put the root key and the key ring back from a backup, into the provider that the settings name.

    The database must be there (migrated, or restored). Keys that it has and the backup has not are left as they are.
    """
    from portal.services import key_restore

    settings = settings_of(data)
    secret = identity.read_text("utf-8") if identity else ""
    found = key_restore.restore(
        settings, source.read_bytes(), identity=secret, passphrase=_passphrase(passphrase_file)
    )
    click.echo(f"{found.restored} keys are back, {found.kept} were there already.")
    if found.lost:
        click.echo(
            f"{len(found.lost)} keys are newer than the backup and do not open: {', '.join(found.lost)}"
        )


@keys.command()
@acting_options
@click.argument("what", metavar="DOCUMENT/VERSION|KEY")
def reencrypt(data: Path, token: str, what: str) -> None:
    """Encrypt content anew under new keys: of one version, or of all whose keys a KEK wraps.

    For a key that is believed exposed; rotate its KEK first.
    """
    with acting(data, token) as (runtime, actor):
        document, _, number = what.partition("/")
        versions: Sequence[tuple[str, int]] = ((document, int(number)),) if number.isdecimal() else ()
        if len(what) == _KEY_ID:
            versions = runtime.reencryption.under(actor, what)
        elif not versions:
            raise Invalid(f"{what!r} names no version.", mend="Write DOCUMENT/VERSION, or the id of a KEK.")
        for done, (document_id, version) in enumerate(versions, 1):
            runtime.reencryption.version(actor, document_id, version)
            click.echo(f"{done:,} of {len(versions):,}: {document_id}/{version}")


@keys.command()
@acting_options
@click.confirmation_option(prompt="Every node drops its keys and nobody gets in. Seal?")
def seal(data: Path, token: str) -> None:
    """Seal the keys on every node, until they are unsealed here with the provider's secret."""
    with acting(data, token) as (runtime, actor):
        runtime.keys.seal(actor)
    click.echo("The keys are sealed: every node refuses access from its next request on.")


@keys.command()
@data_option
@click.option(
    "--secret-file",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="File with the token's PIN or the AppRole's secret id.",
)
def unseal(data: Path, secret_file: Path) -> None:
    """End the seal with the provider's secret; every node opens its keys again at its next look."""
    with opened(data) as runtime:
        runtime.key_seal.unseal(_passphrase(secret_file))
    click.echo("The keys are unsealed.")


def _passphrase(path: Path | None) -> str:
    return path.read_text("utf-8").strip() if path else ""


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _progress(view: RotationView) -> str:
    name = f"{view.kind} {view.domain}".strip()
    failed = f", {view.failed:,} left as they were (see `tamper.detected` in the log)" if view.failed else ""
    waiting = " until no node can use the older version; the server goes on by itself"
    return f"{name}: {view.state}{waiting if view.state == 'waiting' else ''}, {view.done:,} of {view.total:,}{failed}"
