"""`strongroom doctor`: is this installation sound? Each check says what it found, and the mend."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

import click
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from rich.console import Console
from rich.table import Table

from portal.cli.errors import Fails, explained
from portal.cli.memory import plain_swaps
from portal.cli.options import data_option, json_option, settings_of
from portal.cli.places import misplaced
from portal.clock import parse_rfc3339, system_clock
from portal.errors import PortalError
from portal.models.database import make_engine
from portal.scanning.scanners import ScannerUnavailable
from portal.services.root_keys import ROOT_KEY_FILE
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings
from portal.storage import open_store
from portal.web.assets import Assets

_LEAST_FREE = 1 << 30
_OLDEST_SIGNATURES = timedelta(days=7)
_ROOTS = {
    "file": "The key file wraps and unwraps.",
    "pkcs11": "The PKCS#11 token wraps and unwraps.",
    "transit": "The key server's Transit engine wraps and unwraps.",
}
_MIGRATIONS = Path(__file__).parents[1] / "migrations"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `state` is ok, warning or fault."""

    check: str
    state: str
    found: str
    mend: str = ""


@click.command()
@data_option
@json_option
def doctor(data: Path, as_json: bool) -> None:
    """Check an installation: places, permissions, keys, database, log, anchor, clock, storage.

    Reads only. The exit status is 1 when there is a fault; warnings do not count.
    """
    findings = list(examine(settings_of(data)))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        table = Table("", "Check", "Found")
        for finding in findings:
            mark = {"ok": "ok", "warning": "warning", "fault": "FAULT"}[finding.state]
            table.add_row(mark, finding.check, f"{finding.found} {finding.mend}".strip())
        Console(highlight=False).print(table, markup=False)
    faults = sum(finding.state == "fault" for finding in findings)
    if faults:
        raise Fails(f"{faults} {'fault' if faults == 1 else 'faults'} found.")


def examine(settings: Settings) -> Iterator[Finding]:
    """Yield a finding for each check; a check that cannot be made because of an earlier fault is left out."""
    yield from _places(settings)
    yield from _permissions(settings)
    yield from _storage(settings)
    yield _swap()
    yield _assets()
    missing = [path for path in _databases(settings) if not path.exists()]
    if missing:
        # Opening them would create them.
        mend = "Run `strongroom init`, or put them back from the backup."
        yield Finding("installation", "fault", f"Missing: {', '.join(map(str, missing))}.", mend)
        return
    try:
        yield _schema(settings)
        runtime = open_portal(settings)
    except Exception as fault:
        message, mend = explained(fault)
        yield Finding("installation", "fault", message, mend)
        return
    try:
        yield Finding("installation", "ok", "Keys, database, log and anchor open and agree.")
        yield Finding("root key", "ok", _ROOTS[settings.key_provider])
        for check, look in (("policy", _policy), ("log", _log), ("clock", _clock), ("scanner", _scanner)):
            yield _guarded(check, look, runtime)
    finally:
        runtime.close()


def _guarded(check: str, look: Callable[[Runtime], Finding], runtime: Runtime) -> Finding:
    try:
        return look(runtime)
    except PortalError as fault:
        message, mend = explained(fault)
        return Finding(check, "fault", message, mend)


def _places(settings: Settings) -> Iterator[Finding]:
    if settings.demonstration:
        yield Finding(
            "places", "warning", "A demonstration: keys and data lie together.", "Put no real documents here."
        )
        return
    for name, path in misplaced(settings).items():
        yield Finding(
            "places", "fault", f"The {name} at {path} lies inside the data folder.", "Move it elsewhere."
        )
    if not misplaced(settings):
        yield Finding("places", "ok", "Keys and anchor lie outside the data folder.")
    if not settings.secure:
        yield Finding(
            "address",
            "warning",
            f"{settings.public_url} is not https.",
            "Put a proxy with TLS before the portal.",
        )


def _permissions(settings: Settings) -> Iterator[Finding]:
    own = [(settings.key_folder / ROOT_KEY_FILE, "root key")] if settings.key_provider == "file" else []
    for path, what in (
        (settings.data, "data folder"),
        (settings.key_folder, "key folder"),
        *own,
        (settings.blob_folder, "blob folder"),
        (settings.anchor_file.parent, "anchor's folder"),
    ):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError as fault:
            yield Finding("permissions", "fault", f"The {what} at {path}: {fault.strerror}.", "Put it back.")
            continue
        if mode & 0o077:
            yield Finding(
                "permissions",
                "fault",
                f"The {what} at {path} is open to others (mode {mode:o}).",
                f"Run: chmod go-rwx {path}",
            )
        else:
            yield Finding("permissions", "ok", f"The {what} is its owner's alone.")


def _storage(settings: Settings) -> Iterator[Finding]:
    if settings.blob_store:
        try:
            next(iter(open_store(settings).list()), None)
        except PortalError as fault:
            yield Finding("storage", "fault", str(fault), "Check blob_store, s3_endpoint and the keys.")
        else:
            yield Finding("storage", "ok", "The object store answers.")
        return
    if not settings.blob_folder.is_dir():
        return
    free = shutil.disk_usage(settings.blob_folder).free
    if not os.access(settings.blob_folder, os.W_OK):
        yield Finding("storage", "fault", f"{settings.blob_folder} cannot be written.", "Check its owner.")
    elif free < _LEAST_FREE:
        yield Finding("storage", "warning", f"{free:,} bytes are free.", "Make room, or move the blobs.")
    else:
        yield Finding("storage", "ok", f"{free / 2**30:,.0f} GiB are free.")


def _swap() -> Finding:
    plain = plain_swaps()
    if plain:
        return Finding(
            "swap",
            "warning",
            f"Memory is written to {', '.join(plain)}, which may be in the clear.",
            "Encrypt swap (dm-crypt with a random key), or turn it off.",
        )
    return Finding("swap", "ok", "No memory is written to a disk in the clear.")


def _assets() -> Finding:
    try:
        Assets.load()
    except Exception as fault:
        message, _ = explained(fault)
        return Finding(
            "front end", "fault", f"Styles and scripts are not built: {message}", "Run: make setup"
        )
    return Finding("front end", "ok", "Styles and scripts are built.")


def _databases(settings: Settings) -> list[Path]:
    own = [] if settings.database_url else [settings.data / "portal.db"]
    return own if settings.log_url else [*own, settings.log_file]


def _schema(settings: Settings) -> Finding:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    newest = ScriptDirectory.from_config(config).get_current_head()
    engine = make_engine(settings.portal_database)
    try:
        with engine.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    finally:
        engine.dispose()
    if current == newest:
        return Finding("schema", "ok", f"The database has the newest schema ({newest}).")
    return Finding(
        "schema",
        "fault",
        f"The database has schema {current or 'none'}, the newest is {newest}.",
        f"Run: strongroom migrate --data {settings.data}",
    )


def _policy(runtime: Runtime) -> Finding:
    policy = runtime.access.policy
    ceiling = runtime.settings.ceiling
    if policy.rank(ceiling) is None:
        return Finding(
            "policy",
            "fault",
            f"The ceiling {ceiling!r} is no classification of {policy.name}.",
            "Correct `ceiling`.",
        )
    return Finding("policy", "ok", f"{policy.name} is active, up to {ceiling}.")


def _log(runtime: Runtime) -> Finding:
    size = runtime.log.size()
    checkpoint = runtime.log.latest_checkpoint()
    if checkpoint is None:
        return Finding("log", "warning", f"{size:,} records, no checkpoint yet.", "Serve, or run the worker.")
    return Finding(
        "log",
        "ok",
        f"{size:,} records, {checkpoint.size:,} of them under a checkpoint; `audit verify` reads all.",
    )


def _scanner(runtime: Runtime) -> Finding:
    settings = runtime.settings
    if not settings.scanner:
        return Finding("scanner", "warning", "None is set: documents are not scanned.", "Set `scanner`.")
    try:
        proof = runtime.inspections.prove()
    except ScannerUnavailable as fault:
        return Finding(
            "scanner", "fault", str(fault), "Correct the scanner's set-up; until then it is not used."
        )
    words = f"{proof.version} refuses what is above {proof.limit:,} bytes."
    if settings.scanner_spool is None:
        mend = "Look there that it is in memory (tmpfs)."
        return Finding("scanner", "warning", f"{words} Where it spools cannot be seen from here.", mend)
    if proof.signatures is None:
        return Finding("scanner", "ok", f"{words} It does not tell the date of its signatures.")
    if system_clock() - proof.signatures > _OLDEST_SIGNATURES:
        mend = "Let freshclam fetch new ones."
        return Finding(
            "scanner", "warning", f"{words} Its signatures are of {proof.signatures:%Y-%m-%d}.", mend
        )
    return Finding("scanner", "ok", f"{words} Its signatures are of {proof.signatures:%Y-%m-%d}.")


def _clock(runtime: Runtime) -> Finding:
    size = runtime.log.size()
    if not size:
        return Finding("clock", "ok", "The log is empty.")
    last = parse_rfc3339(str(runtime.log.record(size - 1).get("time")))
    now = system_clock()
    if last > now:
        return Finding(
            "clock", "fault", f"The last record is of {last}, after now ({now}).", "Set the machine's clock."
        )
    return Finding("clock", "ok", "The clock is after the last record.")
