"""`strongroom fsck`: does what is stored hold? Everything that does not is named, with the mend."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from portal.cli.errors import Fails
from portal.cli.memory import keep_from_dumps
from portal.cli.options import data_option, json_option, opened
from portal.jobs.checking import Run, check
from portal.services.fsck_findings import MENDS, Result

_SHOWN = 100


@click.command()
@data_option
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
    show_default="one for each processor",
    help="Processes that share the work.",
)
@click.option("--resume", is_flag=True, help="Go on with a check that was stopped.")
@click.option(
    "--repair",
    is_flag=True,
    help="Write anew what follows from other things: manifests, title packs, counters.",
)
@json_option
def fsck(data: Path, jobs: int, resume: bool, repair: bool, as_json: bool) -> None:
    """Compare database, manifests, blobs, keys and log, and verify every segment of every document.

    It only reads, and works beside a running portal. The exit status is 0 when everything holds, 1 when something is
    damaged or could not be looked at; the result is recorded in the log.
    """
    keep_from_dumps()
    # On standard error: what is written to the other can be a file.
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[found]}"),
        console=Console(stderr=True),
        disable=as_json,
    )
    with opened(data) as runtime, progress:
        task = progress.add_task("Checking", total=len(runtime.fsck.plan()), found="")

        def told(run: Run, _result: Result) -> None:
            damaged = sum(found.damage for found in run.findings)
            progress.update(task, completed=len(run.results), found=f"{damaged:,} damaged" if damaged else "")

        run = check(runtime, jobs=jobs, resume=resume, on_unit=told)
        written = runtime.fsck.repair(run.findings) if repair else 0
    damaged = [found for found in run.findings if found.damage]
    if as_json:
        click.echo(json.dumps(_facts(run), indent=2))
    else:
        _show(run)
    if written:
        click.echo(f"{written:,} written anew. Check again to see that they hold.", err=True)
    if damaged:
        number = len(damaged)
        raise Fails(f"{number:,} {'thing does' if number == 1 else 'things do'} not hold.")


def _facts(run: Run) -> dict[str, object]:
    return {
        "ok": not any(found.damage for found in run.findings),
        "seconds": round(run.seconds, 3),
        "counts": run.counts,
        "findings": [
            {
                "kind": found.kind,
                "place": found.place,
                "problem": found.problem,
                "document": found.document or None,
                "version": found.version or None,
                "damage": found.damage,
                "mend": found.mend,
            }
            for found in run.findings
        ],
    }


def _show(run: Run) -> None:
    counts = run.counts
    seconds = max(run.seconds, 0.001)
    click.echo(
        f"{counts.get('documents', 0):,} documents, {counts.get('versions', 0):,} versions, "
        f"{counts.get('parts', 0):,} parts of {counts.get('size', 0):,} bytes, {counts.get('rows', 0):,} rows and "
        f"{counts.get('records', 0):,} log records in {seconds:,.1f} s "
        f"({counts.get('documents', 0) / seconds:,.0f} documents a second)."
    )
    if not run.findings:
        click.echo("Everything holds.")
        return
    for kind in sorted({found.kind for found in run.findings}):
        click.echo(f"\n{kind}: {MENDS[kind]}")
        some = [found for found in run.findings if found.kind == kind]
        for found in some[:_SHOWN]:
            click.echo(f"  {found.place}: {found.problem}")
        if len(some) > _SHOWN:
            click.echo(f"  {len(some) - _SHOWN:,} more: see them with --json.")
