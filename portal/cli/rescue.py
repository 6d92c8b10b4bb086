"""`strongroom rescue`: documents, names and labels from blobs and a key backup alone, when the database is lost."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from crypto.backup import read_backup
from policies import SHIPPED, load_policy
from portal.cli.errors import Fails
from portal.cli.memory import keep_from_dumps
from portal.cli.options import json_option
from portal.errors import Invalid
from portal.services.rescue import INDEX, Outcome, Rescue
from portal.settings import Settings, load_settings
from portal.storage import open_store

_OF_AN_INSTALLATION = (
    "portal.db",
    "log.db",
    "settings.toml",
    ".unfinished",
    "keys/root.key",
    "anchor/checkpoint",
)
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.option("--blobs", required=True, metavar="DIR", help="Folder of the blobs, or s3://BUCKET/PREFIX.")
@click.option("--keys", required=True, type=_FILE, help="Key backup (`strongroom keys backup`).")
@click.option("--identity", type=_FILE, help="File with the age identity that opens the backup.")
@click.option(
    "--passphrase-file", type=_FILE, help="File with the backup's passphrase; asked for without either."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="New folder to write to."
)
@click.option(
    "--to-age",
    "recipients",
    multiple=True,
    metavar="RECIPIENT",
    help="Encrypt each file to this age recipient (age1…); may be repeated. Nothing is written in the clear then.",
)
@click.option(
    "--policy",
    "policies",
    multiple=True,
    type=_FILE,
    help="Policy (SPIF) of labels, besides the shipped one.",
)
@click.option("--yes", is_flag=True, help="Do not ask before writing in the clear.")
@json_option
def rescue(
    blobs: str,
    keys: Path,
    identity: Path | None,
    passphrase_file: Path | None,
    out: Path,
    recipients: tuple[str, ...],
    policies: tuple[Path, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Recover every document from a blob store and a key backup; the database is not needed.

    OUT gets each document under its own name with its STANAG 4774 label beside it, and index.json with titles, ids,
    digests and what could not be recovered. It needs no portal and records nothing: whoever runs it holds the keys. The
    exit status is 0 when every version came back, otherwise 1.
    """
    keep_from_dumps()
    _refuse_inside(out, blobs)
    secret = identity.read_text("utf-8") if identity else ""
    passphrase = passphrase_file.read_text("utf-8").strip() if passphrase_file else ""
    if not secret and not passphrase:
        passphrase = click.prompt("Passphrase of the key backup", hide_input=True)
    backup = read_backup(keys.read_bytes(), identity=secret, passphrase=passphrase)
    if not recipients and not yes:
        click.confirm(
            f"This writes every document of {backup.installation} IN THE CLEAR to {out}, outside the portal's rules "
            "and log. Go on?",
            abort=True,
            err=True,
        )
    store = open_store(_store_settings(blobs))
    known = [load_policy(path) for path in (SHIPPED, *policies)]
    work = Rescue(backup.ring(), store, out, known, recipients)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=as_json,
    )
    with progress:
        task = progress.add_task("Recovering", total=len(work.folders()))
        outcome = work.run(lambda _outcome: progress.advance(task))
    index = out / f"{INDEX}{'.age' if recipients else ''}"
    if as_json:
        click.echo(index.read_text("utf-8") if not recipients else "", nl=False)
    else:
        _show(outcome, index)
    if outcome.lost:
        number = len(outcome.lost)
        raise Fails(f"{number:,} {'version was' if number == 1 else 'versions were'} not recovered.")


def _show(outcome: Outcome, index: Path) -> None:
    click.echo(f"{len(outcome.rescued):,} versions recovered; {index} lists them.")
    for found in outcome.lost:
        which = f"document {found.document}, version {found.version}" if found.document else "a version"
        click.echo(f"  not recovered: {which} in {found.blobs}: {found.problem}")
    for item in outcome.rescued:
        for note in item.notes:
            click.echo(f"  {item.document}, version {item.version}: {note}")


def _store_settings(blobs: str) -> Settings:
    """Return settings of which the blob store alone counts; an S3 store's keys come from the environment."""
    if blobs.startswith("s3://"):
        chosen = {**os.environ, "STRONGROOM_BLOB_STORE": blobs, "STRONGROOM_SETTINGS": os.devnull}
        return load_settings(chosen, Path())
    folder = Path(blobs)
    if not folder.is_dir():
        raise Invalid(f"{folder} is no folder.", mend="Name the folder of the blobs.")
    return Settings(data=folder, blobs=folder)


def _refuse_inside(out: Path, blobs: str) -> None:
    """Refuse to write plaintext into an installation, or among the blobs."""
    wanted = out.absolute()
    for folder in (wanted, *wanted.parents):
        inside = any((folder / name).exists() for name in _OF_AN_INSTALLATION)
        if inside or (not blobs.startswith("s3://") and folder == Path(blobs).absolute()):
            raise Invalid(
                f"{out} lies inside an installation's data ({folder}).",
                mend="Name a folder elsewhere: plaintext never lies where the portal keeps its data.",
            )
