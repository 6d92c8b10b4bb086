"""`strongroom destruction`: requesting, approving and carrying out destruction, and checking its certificates."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from crypto.certificates import DestructionCertificate, read_certificate
from crypto.errors import Damaged
from crypto.translog.note import Verifier
from portal.cli.errors import Fails
from portal.cli.options import acting, acting_options, json_option
from portal.cli.people import show
from portal.clock import rfc3339
from portal.errors import Invalid


@click.group()
def destruction() -> None:
    """Destroy documents for good, as two security officers, with signed certificates."""


@destruction.command("list")
@acting_options
@json_option
def list_requests(data: Path, token: str, as_json: bool) -> None:
    """List requests, the newest first."""
    with acting(data, token) as (runtime, actor):
        found = runtime.destruction.requests(actor)
    columns = {
        "Request": lambda view: view.id,
        "Document": lambda view: view.document,
        "Versions": lambda view: view.versions,
        "Requested by": lambda view: view.requested_by.name,
        "Approved by": lambda view: ", ".join(item.approver.name for item in view.approvals),
        "State": lambda view: view.outcome or "open",
        "Digest": lambda view: view.digest,
    }
    show(found, as_json, columns)


@destruction.command("request")
@acting_options
@click.argument("document")
@click.option("--reason", required=True, help="Why; kept sealed, and in the log as a commitment.")
def request_destruction(data: Path, token: str, document: str, reason: str) -> None:
    """Request that DOCUMENT (an id) be destroyed; print the request's id."""
    with acting(data, token) as (runtime, actor):
        click.echo(runtime.destruction.propose(actor, document, reason))


@destruction.command()
@acting_options
@click.argument("request")
def withdraw(data: Path, token: str, request: str) -> None:
    """Withdraw a request that was not carried out."""
    with acting(data, token) as (runtime, actor):
        runtime.destruction.withdraw(actor, request)


@destruction.command()
@acting_options
@click.argument("request")
@click.option("--digest", required=True, help="Digest of what is requested, as `list` shows it.")
def approve(data: Path, token: str, request: str, digest: str) -> None:
    """Approve exactly what has this digest, as the second officer; it counts for seven days."""
    with acting(data, token) as (runtime, actor):
        runtime.destruction.approve(actor, request, digest)


@destruction.command("carry-out")
@acting_options
@click.argument("request")
@click.confirmation_option(prompt="This cannot be undone. Go on?")
def carry_out(data: Path, token: str, request: str) -> None:
    """Carry out an approved request: nothing of the document can be opened afterwards."""
    with acting(data, token) as (runtime, actor):
        runtime.destruction.destroy(actor, request)


@destruction.command()
@acting_options
@click.argument("request")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write; else it is printed."
)
def certificate(data: Path, token: str, request: str, out: Path | None) -> None:
    """Write the signed certificates of REQUEST, with the keys that check them, as JSON."""
    with acting(data, token) as (runtime, actor):
        found = runtime.destruction.certificates(actor, request)
        keys = list(runtime.destruction.erasure.verifier_keys())
    text = json.dumps(
        {"certificates": [item.note for item in found], "keys": keys}, ensure_ascii=False, indent=1
    )
    if out is None:
        click.echo(text)
    else:
        out.write_text(text + "\n", "utf-8")


@destruction.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--key", "keys", multiple=True, required=True, metavar="VKEY", help="Key that you trust; may be repeated."
)
@json_option
def verify(file: Path, keys: tuple[str, ...], as_json: bool) -> None:
    """Verify certificates (FILE: a signed note, or JSON of several) offline, with keys that you trust.

    The exit status is 0 when each of them holds, otherwise 1. Keys that stand in FILE are not believed.
    """
    verifiers = [Verifier.parse(key) for key in keys]
    for note in _notes(file.read_bytes()):
        try:
            says = read_certificate(note, verifiers)
        except Damaged as fault:
            raise Fails(str(fault)) from None
        _tell(says, as_json)


def _notes(content: bytes) -> list[bytes]:
    if not content.lstrip().startswith(b"{"):
        return [content]
    try:
        found: list[Any] = json.loads(content)["certificates"]
        return [note.encode() for note in found]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("This file holds no certificates.", mend="Give what `certificate` wrote.") from None


def _tell(says: DestructionCertificate, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(asdict(says), default=rfc3339, ensure_ascii=False))
        return
    click.echo(f"{says.subject} ({says.label}) of {says.installation}, SHA-256 {says.digest}")
    click.echo(
        f"  destroyed {rfc3339(says.destroyed)}; no backup can open it from {rfc3339(says.backups_end)} on"
    )
    click.echo(f"  ordered by {says.ordered_by}, approved by {says.approved_by}, log entry {says.log_entry}")
