"""`strongroom push`, `list` and `pull`: a partner's or an official's scripts against a portal elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from portal.cli import pieces, transfers
from portal.cli.errors import Fails, explained
from portal.cli.options import json_option, token_option
from portal.cli.remote import Remote
from portal.errors import Conflict, PortalError

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _remote_options(command: _Command) -> _Command:
    url = click.option(
        "--url", envvar="STRONGROOM_URL", required=True, help="Address of the portal (or STRONGROOM_URL)."
    )
    return url(token_option(command))


@contextmanager
def _progress() -> Iterator[Progress]:
    """Show bars on standard error when it is a terminal; a script sees none."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        yield progress


@click.command()
@_remote_options
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--programme", help="Programme, by name or id.")
@click.option("--title", help="Title of the document; the file's name without its ending by default.")
@click.option("--label", help="Marking, such as 'NATO RESTRICTED'.")
@click.option("--version-of", metavar="ID", help="Send the file as a new version of this document instead.")
@json_option
def push(
    url: str,
    token: str,
    files: tuple[Path, ...],
    programme: str | None,
    title: str | None,
    label: str | None,
    version_of: str | None,
    as_json: bool,
) -> None:
    """Send FILES as new documents, or one file as a new version; prints a receipt for each.

    Each file's digest is sent with it and checked by the portal, which stores it whole or not at all. Large files go in
    pieces: what broke off goes on where it ended, also when the same command is given again.
    """
    if len(files) > 1 and (title or version_of):
        raise click.UsageError("--title and --version-of are for one file.")
    if version_of and (programme or title or label):
        raise click.UsageError("A new version keeps programme, title and label.")
    if not version_of and not (programme and label):
        raise click.UsageError("A new document needs --programme and --label.")
    with Remote(url, token) as remote, _progress() as progress:
        programme_id = remote.programme(programme) if programme else ""

        def send(path: Path) -> None:
            file = transfers.outgoing(path)
            task = progress.add_task(path.name, total=file.size)

            def advance(count: int) -> None:
                progress.update(task, advance=count)

            if file.size >= pieces.WORTH_IT:
                facts = (
                    {"document": version_of}
                    if version_of
                    else {"programme": programme_id, "title": title or path.stem, "label": label or ""}
                )
                receipt = pieces.push(remote, file, advance, facts)
            elif version_of:
                receipt = transfers.push_version(remote, file, advance, version_of)
            else:
                receipt = transfers.push(
                    remote, file, advance, programme=programme_id, title=title or path.stem, label=label or ""
                )
            _show_receipt(path, receipt, as_json)

        _each(files, send)


def _show_receipt(path: Path, receipt: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"file": str(path), **receipt}, ensure_ascii=False))
        return
    click.echo(
        f"{path.name}: document {receipt['id']}, version {receipt['version']}, {receipt['digest']}, "
        f"log entry {receipt['log_entry']}"
    )


def _each(items: tuple[Any, ...], do: Callable[[Any], None]) -> None:
    """Do something for each item; one that fails is told at once and does not keep the others from it."""
    failed = 0
    for item in items:
        try:
            do(item)
        except (PortalError, OSError) as fault:
            if len(items) == 1:
                raise
            failed += 1
            message, mend = explained(fault)
            click.echo(f"{item}: {message} {mend}".rstrip(), err=True)
    if failed:
        raise Fails(f"{failed} of {len(items)} failed.")


@click.command("list")
@_remote_options
@click.option("--programme", help="Programme, by name or id.")
@click.option("--label", help="Only documents with this marking.")
@click.option("--search", "words", help="Words of the title.")
@click.option(
    "--sort",
    type=click.Choice(["created", "-created", "due", "size", "label", "programme"]),
    default="-created",
    show_default=True,
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@json_option
def list_documents(
    url: str,
    token: str,
    programme: str | None,
    label: str | None,
    words: str | None,
    sort: str,
    limit: int,
    as_json: bool,
) -> None:
    """List the documents that you may see."""
    wanted = {"sort": sort, "limit": str(min(limit, 200))}
    if label:
        wanted["label"] = label
    with Remote(url, token) as remote:
        if programme:
            wanted["programme"] = remote.programme(programme)
        found = list(islice(_search(remote, wanted, words), limit))
    if as_json:
        for item in found:
            click.echo(json.dumps(item, ensure_ascii=False))
        return
    console = Console(highlight=False)
    table = Table("Id", "Title", "Label", "Programme", "Version", "Bytes")
    for item in found:
        table.add_row(
            item["id"],
            item["title"],
            item["label"]["marking"],
            item["programme_name"],
            str(item["version"]),
            f"{item['size']:,}",
        )
    wide = console if console.is_terminal else Console(highlight=False, width=400)
    wide.print(table, markup=False)


def _search(remote: Remote, wanted: dict[str, str], words: str | None) -> Iterator[dict[str, Any]]:
    if not words:
        yield from remote.items("/documents", wanted)
        return
    # Words go in the body, so that no log of addresses has them.
    body = {**wanted, "q": words}
    while True:
        page = remote.json("POST", "/documents/search", json=body)
        yield from page["items"]
        if page["next"] is None:
            return
        body["cursor"] = page["next"]


@click.command()
@_remote_options
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder to put them in; the present one by default.",
)
@click.option("--overwrite", is_flag=True, help="Replace files of the same name that differ.")
def pull(url: str, token: str, ids: tuple[str, ...], out: Path, overwrite: bool) -> None:
    """Fetch documents by ID, checking digests; what broke off is resumed where it ended."""
    out.mkdir(parents=True, exist_ok=True)
    taken: set[Path] = set()
    with Remote(url, token) as remote, _progress() as progress:

        def fetch(document_id: str) -> None:
            wanted = transfers.Wanted.look_up(remote, document_id)
            target = _target(out, wanted, taken)
            if target.exists() and _sha256(target) == wanted.sha256:
                click.echo(f"{target}: there already")
                return
            if target.exists() and not overwrite:
                raise Conflict(
                    f"{target} exists and differs.", mend="Give --overwrite, or another folder with --out."
                )
            task = progress.add_task(target.name, total=wanted.size)
            transfers.pull(remote, wanted, target, lambda count: progress.update(task, advance=count))
            click.echo(f"{target}: {wanted.size:,} bytes, sha-256:{wanted.sha256}")

        _each(tuple(dict.fromkeys(ids)), fetch)


def _target(out: Path, wanted: transfers.Wanted, taken: set[Path]) -> Path:
    """Return where a document goes; of two with one name in this call, the second carries its id."""
    target = out / wanted.file_name
    if target in taken:
        target = out / f"{wanted.id} {wanted.file_name}"
    taken.add(target)
    return target


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
