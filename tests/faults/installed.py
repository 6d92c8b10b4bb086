"""A prepared installation on disk: built once, copied for each test, opened by servers and by the tests themselves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from crypto.translog.note import Verifier
from crypto.translog.verify import Report
from portal import models
from portal.audit.verify import verify_log
from portal.services.runtime import Runtime, open_portal
from portal.settings import Settings
from tests.portal.worlds import build_world


@dataclass(frozen=True)
class Installed:
    """An installation in `folder` that nothing has open; tokens, people and TOTP secrets by role name."""

    folder: Path
    programme: str
    tokens: dict[str, str]
    people: dict[str, str]
    totp: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        """The settings that it was built with."""
        chosen = {
            name: Path(value) if name in ("log", "blobs", "anchor", "keys") else value
            for name, value in self.options.items()
        }
        return Settings(data=self.folder, **chosen)

    def copy(self, folder: Path, **options: Any) -> Installed:
        """Copy it to `folder`, which must not exist; a copy is a whole installation of its own."""
        shutil.copytree(self.folder, folder)
        return Installed(
            folder, self.programme, self.tokens, self.people, self.totp, {**self.options, **options}
        )

    def headers(self, who: str, **more: str) -> dict[str, str]:
        """Return the headers of a request by `who`."""
        return {"Authorization": f"Bearer {self.tokens[who]}", **more}

    def write(self, path: Path) -> Path:
        """Describe the installation in a file, for a program that opens it (`read`)."""
        path.write_text(json.dumps({**asdict(self), "folder": str(self.folder)}), "utf-8")
        return path

    @staticmethod
    def read(path: Path) -> Installed:
        """Return what `write` described."""
        found = json.loads(path.read_text("utf-8"))
        return Installed(**{**found, "folder": Path(found["folder"])})

    @contextmanager
    def opened(self, *, start: bool = False) -> Iterator[Runtime]:
        """Open it in this process, as a node that starts when `start`."""
        runtime = open_portal(self.settings)
        try:
            if start:
                runtime.housekeeping.at_start()
            yield runtime
        finally:
            runtime.close()


def build(folder: Path, **options: Any) -> Installed:
    """Create an installation in `folder` and close it."""
    chosen = {
        "demonstration": True,
        "argon2_memory": 64,
        "argon2_rounds": 1,
        "requests_per_minute": 100_000,
        "token_requests_per_minute": 100_000,
        "name": "strongroom.test",
        **options,
    }
    paths = {
        name: Path(value) for name, value in chosen.items() if name in ("log", "blobs", "anchor", "keys")
    }
    world = build_world(folder, **{**chosen, **paths})
    world.runtime.close()
    return Installed(folder, world.programme, world.tokens, world.people, world.totp, chosen)


def verified(runtime: Runtime) -> Report:
    """Sign a checkpoint and verify the whole log against it and its anchor."""
    signed = runtime.log.checkpoint()
    verifier = Verifier.parse(runtime.log._checkpoints._signer.vkey)
    report = verify_log(runtime.log_engine, [verifier], anchor=runtime.settings.anchor_file)
    assert report.ok, report.findings
    assert signed.size == report.records
    return report


def records(runtime: Runtime, **wanted: Any) -> list[dict[str, Any]]:
    """Return the log's records whose fields are as `wanted`, oldest first."""
    found = (runtime.log.record(seq).fields for seq in range(runtime.log.size()))
    return [record for record in found if all(record.get(name) == value for name, value in wanted.items())]


@dataclass(frozen=True)
class Contents:
    """What an installation holds of documents, as its database, its counters and its blob folder say."""

    documents: int
    versions: int
    counted: int
    uploads: int
    blobs: tuple[str, ...]
    unfinished: int


def contents(runtime: Runtime) -> Contents:
    """Count what is there; folders of uploads that are gone count as blobs."""
    with runtime.database.read() as session:
        number = [
            session.scalar(select(func.count()).select_from(table)) or 0
            for table in (models.Document, models.Version, models.Upload)
        ]
        counted = session.scalar(select(func.sum(models.Counter.number))) or 0
    root = runtime.settings.blob_folder
    files = [path.relative_to(root).as_posix() for path in sorted(root.rglob("*")) if path.is_file()]
    blobs = tuple(name for name in files if not name.startswith("."))
    return Contents(number[0], number[1], int(counted), number[2], blobs, len(files) - len(blobs))
