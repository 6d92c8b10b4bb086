"""`fsck` names exactly what is damaged in database, manifests, blobs, keys and log, and says what to do."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.app import create_app
from portal.jobs.checking import STATE_FILE, Run, check
from portal.services.fsck_findings import MENDS, Result
from portal.services.runtime import Runtime
from tests.faults.dying import version
from tests.faults.installed import Installed, records, verified
from tests.faults.serving import Served

ONE, OTHER, LONG = b"one deliverable", b"other document!", random.Random(1).randbytes(5 << 20)


@dataclass(frozen=True)
class Filled:
    """An installation with three documents: `one` has two versions, `other` one of equal length, `long` five MiB."""

    installed: Installed
    one: str
    other: str
    long: str

    @property
    def folder(self) -> Path:
        return self.installed.folder

    def sql(self, statement: str, *values: object, log: bool = False) -> list[tuple[object, ...]]:
        """Write to a database behind the portal's back."""
        with closing(sqlite3.connect(self.folder / ("log.db" if log else "portal.db"))) as connection:
            found = connection.execute(statement, values).fetchall()
            connection.commit()
        return found

    def blob(self, document: str, name: str, number: int = 1) -> Path:
        """Return the file of a version's blob."""
        found = self.sql("SELECT blob FROM versions WHERE document_id = ? AND number = ?", document, number)
        return self.folder / "blobs" / str(found[0][0]) / name


def send(installed: Installed, runtime: Runtime, content: bytes) -> str:
    """Send a document as a raw body and return its id."""
    headers = installed.headers("partner", **{"Content-Type": "application/octet-stream"})
    headers |= {"Strongroom-Title": "Title", "Content-Disposition": "attachment; filename=deliverable.bin"}
    wanted = {"programme": installed.programme, "label": "NATO SECRET"}
    client = create_app(runtime).test_client()
    answer = client.post("/api/v1/documents", query_string=wanted, data=content, headers=headers)
    assert answer.status_code == 201, answer.json
    return str(answer.json["id"])


def fill(installed: Installed, folder: Path) -> Filled:
    (folder / "second").write_bytes(OTHER)
    with installed.opened(start=True) as runtime:
        ids = [send(installed, runtime, content) for content in (ONE, OTHER, LONG)]
        job = {"document": ids[0], "content": str(folder / "second")}
        assert version(installed, runtime, job) in (200, 201)
        runtime.log.checkpoint()
    return Filled(installed, *ids)


@pytest.fixture(scope="module")
def original(template: Installed, tmp_path_factory: pytest.TempPathFactory) -> Filled:
    folder = tmp_path_factory.mktemp("fsck")
    return fill(template.copy(folder / "data"), folder)


@pytest.fixture
def filled(original: Filled, tmp_path: Path) -> Filled:
    copy = original.installed.copy(tmp_path / "data")
    return Filled(copy, original.one, original.other, original.long)


def found_in(filled: Filled, *units: str) -> set[tuple[str, str]]:
    """Make these units of a check, or those of the three documents; return kind and place of everything found."""
    chosen = units or {f"documents:{document[:2]}" for document in (filled.one, filled.other, filled.long)}
    with filled.installed.opened() as runtime:
        findings = [found for unit in chosen for found in runtime.fsck.check(unit).findings]
    assert all(found.mend for found in findings)
    return {(found.kind, found.place) for found in findings}


def place(path: Path, filled: Filled) -> str:
    return path.relative_to(filled.folder / "blobs").as_posix()


def test_whole_installation_holds_and_the_check_is_recorded(filled: Filled) -> None:
    with filled.installed.opened() as runtime:
        run = check(runtime, jobs=1)
        assert run.findings == []
        counts = run.counts
        assert (counts["documents"], counts["versions"], counts["parts"]) == (3, 4, 4)
        assert counts["size"] == sum(
            path.stat().st_size for path in (filled.folder / "blobs").rglob("part-*")
        )
        (record,) = records(runtime, action="storage.verify")
        assert record["details"]["documents"] == 3
        assert (record["details"]["faults"], record["details"]["unchecked"]) == (0, 0)
        last = runtime.fsck.last()
        assert last is not None
        assert (last.documents, last.faults, last.log_entry) == (3, 0, record["seq"])
        verified(runtime)


# Blobs


def flip(path: Path, where: int) -> None:
    data = bytearray(path.read_bytes())
    data[where] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("where", [0, 41, 1 << 20, (4 << 20) + 77, -1])
def test_bit_flipped_blob_part_is_named(filled: Filled, where: int) -> None:
    path = filled.blob(filled.long, "part-1")
    flip(path, where)
    assert found_in(filled) == {("part", place(path, filled))}


@pytest.mark.parametrize("left", [0, 39, 1 << 20, -1])
def test_torn_blob_part_is_named(filled: Filled, left: int) -> None:
    path = filled.blob(filled.long, "part-1")
    path.write_bytes(path.read_bytes()[:left])
    assert found_in(filled) == {("part", place(path, filled))}


def test_bytes_after_the_end_of_a_part_are_named(filled: Filled) -> None:
    path = filled.blob(filled.one, "part-1")
    path.write_bytes(path.read_bytes() + b"\0")
    assert found_in(filled) == {("part", place(path, filled))}


def test_missing_part_is_named(filled: Filled) -> None:
    path = filled.blob(filled.one, "part-1", 2)
    path.unlink()
    assert found_in(filled) == {("missing", place(path, filled))}


def test_part_swapped_for_another_documents_is_named_with_its_owner(filled: Filled) -> None:
    paths = filled.blob(filled.one, "part-1"), filled.blob(filled.other, "part-1")
    contents = [path.read_bytes() for path in paths]
    assert len(contents[0]) == len(contents[1])
    for path, content in zip(paths, reversed(contents), strict=True):
        path.write_bytes(content)
    assert found_in(filled) == {("exchanged", place(path, filled)) for path in paths}
    with filled.installed.opened() as runtime:
        (finding,) = runtime.fsck.check(f"documents:{filled.one[:2]}").findings
    assert finding.problem == f"it holds part 1 of document {filled.other}, version 1"


def test_blob_that_nobody_needs_is_named(filled: Filled) -> None:
    inside = filled.blob(filled.one, "part-2")
    stray, foreign = filled.folder / "blobs" / "stray", filled.folder / "blobs" / "ab" / "cd" / "part-1"
    foreign.parent.mkdir(parents=True, exist_ok=True)
    for path in (inside, stray, foreign):
        path.write_bytes(b"left over")
    expected = {("orphan", place(path, filled)) for path in (inside, stray, foreign)}
    assert found_in(filled, "documents:00", "documents:ab", f"documents:{filled.one[:2]}") == expected


# Manifests


def remove(path: Path, _filled: Filled) -> None:
    path.unlink()


def alter(path: Path, _filled: Filled) -> None:
    flip(path, 40)


def replace(path: Path, filled: Filled) -> None:
    path.write_bytes(filled.blob(filled.other, "manifest").read_bytes())


@pytest.mark.parametrize("damage", [remove, alter, replace])
def test_manifest_that_does_not_hold_is_named_and_written_anew(
    filled: Filled, damage: Callable[[Path, Filled], None]
) -> None:
    path = filled.blob(filled.one, "manifest")
    damage(path, filled)
    with filled.installed.opened() as runtime:
        (finding,) = runtime.fsck.check(f"documents:{filled.one[:2]}").findings
        assert (finding.kind, finding.document, finding.version) == ("manifest", filled.one, 1)
        assert runtime.fsck.repair([finding]) == 1
        assert runtime.fsck.check(f"documents:{filled.one[:2]}").findings == []
        assert len(records(runtime, action="storage.repair")) == 1


# Rows


@pytest.mark.parametrize(
    ("statement", "kind", "where"),
    [
        ("UPDATE documents SET size = size + 1 WHERE id = :one", "row", "document {one}"),
        ("UPDATE documents SET title_sealed = zeroblob(60) WHERE id = :one", "row", "document {one}"),
        ("UPDATE versions SET media_type = 'a/b' WHERE document_id = :one AND number = 2", "row",
         "document {one}, version 2"),
        ("DELETE FROM versions WHERE document_id = :other", "row", "document {other}, version 1"),
        ("UPDATE people SET active = 0 WHERE id = :person", "row", "people {person}"),
        ("UPDATE memberships SET valid_until = 1 WHERE person_id = :person", "row", "memberships "),
        ("UPDATE labels SET digest = zeroblob(32)", "row", "labels "),
        ("UPDATE counters SET number = number + 3", "counter", "counter "),
        ("UPDATE title_pieces SET piece = zeroblob(80)", "titles", "programme {programme}"),
        ("DELETE FROM title_pieces WHERE number = 1", "titles", "programme {programme}"),
    ],
)  # fmt: skip
def test_row_changed_behind_the_portals_back_is_named(
    filled: Filled, statement: str, kind: str, where: str
) -> None:
    ids = {
        "one": filled.one,
        "other": filled.other,
        "person": filled.installed.people["official"],
        "programme": filled.installed.programme,
    }
    with closing(sqlite3.connect(filled.folder / "portal.db")) as connection:
        assert connection.execute(statement, ids).rowcount > 0
        connection.commit()
    units = {f"documents:{filled.one[:2]}", f"documents:{filled.other[:2]}", "counters", "titles"}
    found = found_in(filled, *units, "rows:people", "rows:memberships", "rows:labels")
    assert any(at.startswith(where.format(**ids)) for what, at in found if what == kind), found


def test_counters_and_title_packs_are_written_anew(filled: Filled) -> None:
    filled.sql("UPDATE counters SET number = number + 3")
    filled.sql("UPDATE title_pieces SET piece = zeroblob(80)")
    with filled.installed.opened() as runtime:
        units = ("counters", "titles")
        findings = [found for unit in units for found in runtime.fsck.check(unit).findings]
        assert {found.kind for found in findings} == {"counter", "titles"}
        runtime.fsck.repair(findings)
        assert [found for unit in units for found in runtime.fsck.check(unit).findings] == []


def test_key_that_was_altered_or_is_gone_is_named_with_what_it_kept(filled: Filled) -> None:
    key = filled.sql("SELECT id FROM keys WHERE kind = 'kek'")[0][0]
    filled.sql("UPDATE keys SET wrapped = zeroblob(69) WHERE id = ?", key)
    assert ("key", f"key {key}") in found_in(filled, "keys")
    filled.sql("DELETE FROM keys WHERE id = ?", key)
    kinds = {kind for kind, _ in found_in(filled)}
    assert {"wrapped-key", "manifest"} <= kinds


# The log, and time


def test_altered_record_of_the_log_is_named(filled: Filled) -> None:
    for (name,) in filled.sql("SELECT name FROM sqlite_master WHERE type = 'trigger'", log=True):
        filled.sql(f"DROP TRIGGER {name}", log=True)
    changed = "CAST(replace(CAST(leaf AS TEXT), '\"v\":1', '\"v\":2') AS BLOB)"
    filled.sql(f"UPDATE leaves SET leaf = {changed} WHERE seq = 5", log=True)
    assert ("log", "leaf 5") in found_in(filled, "log")


def test_restored_old_database_is_told_from_a_damaged_one(filled: Filled, tmp_path: Path) -> None:
    """What the log knows and the database does not: a deposit that was acknowledged, and a grant that was ended."""
    installed = filled.installed
    with closing(sqlite3.connect(filled.folder / "portal.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(tmp_path / "old.db"),))
    with installed.opened() as runtime:
        document = send(installed, runtime, b"sent after the backup")
    for name in ("portal.db-wal", "portal.db-shm"):
        (filled.folder / name).unlink(missing_ok=True)
    (filled.folder / "portal.db").write_bytes((tmp_path / "old.db").read_bytes())
    found = found_in(filled, "log", f"documents:{document[:2]}")
    assert ("lost", f"document {document}, version 1") in found
    assert {kind for kind, _ in found} == {"lost", "orphan"}


# How it runs


def test_check_that_was_stopped_goes_on_where_it_was(filled: Filled) -> None:
    path = filled.blob(filled.one, "part-1")
    path.unlink()

    class Stopped(BaseException):
        pass

    def stop(run: Run, _result: Result) -> None:
        if len(run.results) == 200:
            raise Stopped

    with filled.installed.opened() as runtime:
        with pytest.raises(Stopped):
            check(runtime, jobs=1, on_unit=stop)
        assert b"Title" not in (filled.folder / STATE_FILE).read_bytes()
        made: list[str] = []
        run = check(runtime, jobs=1, resume=True, on_unit=lambda _run, result: made.append(result.unit))
        assert len(made) == len(run.plan) - 200
        assert [found.kind for found in run.findings] == ["missing"]
        assert not (filled.folder / STATE_FILE).exists()
        assert len(records(runtime, action="storage.verify")) == 1


def test_command_with_several_processes_tells_what_it_found(filled: Filled) -> None:
    path = filled.blob(filled.one, "part-1")
    path.unlink()
    command = [sys.executable, "-m", "portal.cli.main", "fsck", "--data", str(filled.folder), "--jobs", "2"]
    program = "import sys; from portal.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, *command[3:], "--json"]
    (filled.folder / "settings.toml").write_text('demonstration = true\nname = "strongroom.test"\n', "utf-8")
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 1, answer.stderr
    told = json.loads(answer.stdout)
    assert not told["ok"]
    (finding,) = told["findings"]
    assert (finding["kind"], finding["document"], finding["version"]) == ("missing", filled.one, 1)
    assert finding["mend"] == MENDS["missing"]
    assert "1 thing does not hold" in answer.stderr


def test_check_beside_a_portal_that_takes_uploads_finds_nothing(served: Served) -> None:
    """Documents come in while they are counted: nothing that is under way looks like damage."""
    ended = threading.Event()
    sent: list[str] = []

    def send() -> None:
        while not ended.is_set():
            sent.append(served.deposit(b"content" * 1000, f"Title {len(sent)}", "a.txt"))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        with served.installed.opened() as runtime:
            kinds = [found for _ in range(2) for found in check(runtime, jobs=1).findings]
    finally:
        ended.set()
        thread.join()
    assert sent
    assert kinds == []
