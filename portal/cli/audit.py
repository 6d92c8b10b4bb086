"""`strongroom audit`: exporting the access log as an auditor, and verifying a log or an export."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import click

from crypto.translog.note import Verifier
from crypto.translog.verify import Report, verify_jsonl
from portal.audit import RecordFilter, open_log_engine
from portal.audit.catalogue import CATALOGUE
from portal.audit.verify import verify_log
from portal.cli.errors import Fails
from portal.cli.options import Moment, acting, acting_options, data_option, json_option, settings_of
from portal.clock import system_clock
from portal.models.database import make_engine
from portal.services.auditing import FORMATS
from portal.services.installation import prepare_log
from portal.services.root_keys import open_ring
from portal.settings import Settings


@click.group()
def audit() -> None:
    """Export the access log, and verify it."""


@audit.command()
@acting_options
@click.option("--format", "form", type=click.Choice(FORMATS), default="jsonl", show_default=True)
@click.option(
    "--out",
    default="-",
    show_default=True,
    metavar="FILE",
    help="File to write; - is standard output.",
)
@click.option("--from", "since", type=Moment(), help="From this time on (inclusive).")
@click.option("--to", "until", type=Moment(), help="Before this time (exclusive).")
@click.option("--person", help="Id of who acted.")
@click.option("--document", help="Id of the document.")
@click.option("--programme", help="Id of the programme.")
@click.option(
    "--action", type=click.Choice(sorted(CATALOGUE)), metavar="ACTION", help="Action of the catalogue."
)
@click.option("--decision", type=click.Choice(["permit", "deny"]))
def export(
    data: Path,
    token: str,
    form: str,
    out: str,
    since: datetime | None,
    until: datetime | None,
    person: str | None,
    document: str | None,
    programme: str | None,
    action: str | None,
    decision: str | None,
) -> None:
    """Export the log, or the records that match, as the auditor whose token this is. The export is itself recorded."""
    wanted = RecordFilter(
        time_from=since,
        time_to=until,
        person=person,
        document=document,
        programme=programme,
        action=action,
        decision=decision,
    )
    with acting(data, token) as (runtime, actor):
        receipt, stream = runtime.auditing.export(actor, wanted, form)
        size = _write(stream, out)
    if out != "-":
        click.echo(f"{out}: {size:,} bytes. Log entry {receipt.seq}.", err=True)


def _write(stream: Iterator[bytes], out: str) -> int:
    """Write an export; a file appears under its name only when it is whole."""
    size = 0
    if out == "-":
        for piece in stream:
            size += sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()
        return size
    path = Path(out)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            for piece in stream:
                size += file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return size


@audit.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--data",
    envvar="STRONGROOM_DATA",
    type=click.Path(path_type=Path, file_okay=False),
    help="Verify the log of this installation; with FILE, take the checkpoint's key from there.",
)
@click.option(
    "--checkpoint",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Signed checkpoint to compare FILE with.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="VKEY",
    help="Verifier key of the log, where --data is not at hand.",
)
@click.option("--whole", is_flag=True, help="FILE must be an export of everything, from record 0.")
@json_option
def verify(
    file: Path | None,
    data: Path | None,
    checkpoint: Path | None,
    keys: tuple[str, ...],
    whole: bool,
    as_json: bool,
) -> None:
    """Verify an export (FILE, JSON Lines) or the log of an installation (--data), offline.

    The exit status is 0 when everything holds; otherwise 1, and the first fault is named with its place.
    """
    if file is None and data is None:
        raise click.UsageError("Name an export, or an installation with --data.")
    verifiers = [Verifier.parse(key) for key in keys]
    settings = settings_of(data) if data is not None else None
    if file is not None:
        if checkpoint is not None and settings is not None:
            verifiers += _verifiers(settings)
        note = checkpoint.read_bytes() if checkpoint is not None else None
        if note is not None and not verifiers:
            raise click.UsageError("A checkpoint is checked with a key: give --key, or --data.")
        with file.open("rb") as export_file:
            report = verify_jsonl(export_file, checkpoint=note, verifiers=verifiers, whole=whole)
    else:
        assert settings is not None
        report = _verify_installation(settings, verifiers)
    _tell(report, as_json)


@audit.command()
@data_option
def prepare(data: Path) -> None:
    """Create what is missing of the log's tables, and on PostgreSQL give its two roles their rights."""
    prepare_log(settings_of(data))
    click.echo("The log's tables are those of this release.")


@audit.command()
@data_option
def key(data: Path) -> None:
    """Print the verifier key lines of the log, the newest last: what an auditor keeps to check its checkpoints."""
    for verifier in _verifiers(settings_of(data)):
        click.echo(verifier.vkey)


def _verify_installation(settings: Settings, verifiers: list[Verifier]) -> Report:
    if not settings.log_url and not settings.log_file.exists():
        raise Fails(
            f"There is no log at {settings.log_file}.", mend="Name the installation's folder with --data."
        )
    engine = open_log_engine(settings.log_place)
    try:
        return verify_log(engine, verifiers or _verifiers(settings), anchor=settings.anchor_file)
    finally:
        engine.dispose()


def _verifiers(settings: Settings) -> list[Verifier]:
    """Return what checks the log's signatures, from the installation's own keys."""
    engine = make_engine(settings.portal_database)
    try:
        ring = open_ring(settings, engine, system_clock)
        return [Verifier(settings.name, key.public_key) for key in ring.signers("log-signing")]
    finally:
        engine.dispose()


def _tell(report: Report, as_json: bool) -> None:
    if as_json:
        facts = {
            "ok": report.ok,
            "records": report.records,
            "first": report.first,
            "last": report.last,
            "root": report.root.hex(),
            "findings": [{"place": found.place, "problem": found.problem} for found in report.findings],
            "shown": list(report.shown),
        }
        click.echo(json.dumps(facts, indent=2))
    for line in () if as_json else report.shown:
        click.echo(f"{line[0].upper()}{line[1:]}.")
    if report.ok:
        return
    more = len(report.findings) - 1
    raise Fails(
        f"{report.findings[0]}",
        mend=f"{more} more: see them with --json." if more and not as_json else "",
    )
