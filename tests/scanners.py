"""Real scanners for tests: clamd with signatures made here, spooling to memory, and c-icap before it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.services import missing, require_program

SIGNED = b"strongroom-test-signature-5f0e"
"""Content that the test's own signature finds, wherever in a file it stands."""
SIGNED_NAME = "Strongroom.Test"
LIMIT = 4 << 20


@dataclass
class ClamDaemon:
    """A running clamd: its Unix socket, TCP port, configuration and spool."""

    folder: Path
    socket: Path
    port: int
    config: Path
    spool: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        """What the setting `scanner` holds for it."""
        return f"clamd:{self.socket}"


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def clamd(
    folder: Path,
    *,
    spool: Path | None = None,
    alert: bool = True,
    limit: int = LIMIT,
    port: int | None = None,
) -> Iterator[ClamDaemon]:
    """Run clamd inside the block; `alert`: AlertExceedsMax; `spool`: a folder in memory unless given."""
    program = require_program("clamd")
    # A socket's path is at most 107 bytes long, which a test's own folder can pass.
    with tempfile.TemporaryDirectory() as near, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        database = folder / "signatures"
        database.mkdir(parents=True)
        (database / "own.ndb").write_text(f"{SIGNED_NAME}:0:*:{SIGNED.hex()}\n")
        place, config = Path(near, "clamd"), folder / "clamd.conf"
        port = port or free_port()
        spooled = spool or Path(memory)
        config.write_text(
            f"Foreground yes\nDatabaseDirectory {database}\nLocalSocket {place}\nTCPSocket {port}\n"
            f"TCPAddr 127.0.0.1\nTemporaryDirectory {spooled}\nStreamMaxLength {limit + (1 << 20)}\n"
            f"MaxFileSize {limit}\nMaxScanSize {4 * limit}\nAlertExceedsMax {'yes' if alert else 'no'}\n"
            "AlertEncrypted yes\nUser root\n"
        )
        with (folder / "clamd.out").open("wb") as sink:
            process = subprocess.Popen([program, "-c", str(config)], stdout=sink, stderr=sink)
        try:
            _wait(lambda: place.exists(), process, folder / "clamd.out")
            yield ClamDaemon(folder, place, port, config, spooled, process)
        finally:
            process.kill()
            process.wait()


@contextmanager
def c_icap(folder: Path, daemon: ClamDaemon) -> Iterator[str]:
    """Run c-icap with its virus_scan service over `daemon`; yields the address of the service."""
    program = require_program("c-icap")
    modules = _modules_of_virus_scan()
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "magic").write_text(Path("/etc/c-icap/c-icap.magic").read_text())
    config = folder / "c-icap.conf"
    config.write_text(
        f"PidFile {folder}/pid\nCommandsSocket {folder}/ctl\nPort 127.0.0.1:{port}\nStartServers 1\nMaxServers 1\n"
        f"TmpDir {daemon.spool}\nServerLog {folder}/log\nAccessLog {folder}/access\nLoadMagicFile {folder}/magic\n"
        f"ModulesDir {modules}\nServicesDir {modules}\nTemplateDir /usr/share/c_icap/templates/\n"
        "TemplateDefaultLanguage en\nModule common clamd_mod.so\n"
        f"clamd_mod.ClamdSocket {daemon.socket}\nService antivirus_module virus_scan.so\n"
        "virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE\n"
        "virus_scan.SendPercentData 0\n"
        f"virus_scan.MaxObjectSize {8 * LIMIT}\nvirus_scan.DefaultEngine clamd\n"
    )
    with (folder / "out").open("wb") as sink:
        process = subprocess.Popen([program, "-N", "-f", str(config)], stdout=sink, stderr=sink)

    def answers() -> bool:
        with socket.socket() as link:
            return link.connect_ex(("127.0.0.1", port)) == 0

    try:
        _wait(answers, process, folder / "log")
        yield f"icap://127.0.0.1:{port}/virus_scan?allow204=on&sizelimit=off&mode=simple"
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _modules_of_virus_scan() -> Path:
    found = next(Path("/usr/lib").glob("*/c_icap/virus_scan.so"), None)
    if found is None:
        missing("c-icap's virus_scan service")
    return found.parent


def _wait(true: object, process: subprocess.Popen[bytes], words: Path) -> None:
    assert callable(true)
    deadline = time.monotonic() + 30
    while not true():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(words.read_text() if words.exists() else "it did not start")
        time.sleep(0.02)
