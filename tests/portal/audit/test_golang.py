"""Go's own packages (golang.org/x/mod/sumdb) accept what the log signs and exports, and refuse what was changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.audit import AuditLog
from tests.portal.audit.support import SIGNER, Place, outcome, read
from tests.services import require_program

SOURCE = Path(__file__).parents[2] / "crypto" / "translog" / "golang" / "verify.go"
LIBRARY = Path("/usr/share/gocode")
Verify = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def verify(tmp_path_factory: pytest.TempPathFactory) -> Verify:
    require_program("go")
    if not (LIBRARY / "src/golang.org/x/mod/sumdb").is_dir() and "CI" not in os.environ:
        pytest.skip("Go's sumdb is not installed: apt install golang-golang-x-mod-dev")
    folder = tmp_path_factory.mktemp("golang")
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(LIBRARY),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
    }
    program = folder / "verify"
    subprocess.run(["go", "build", "-o", str(program), str(SOURCE)], env=environment, check=True, cwd=folder)
    return lambda *arguments: subprocess.run(
        [program, SIGNER.vkey, *map(str, arguments)], capture_output=True, text=True, check=False
    )


@pytest.fixture
def exported(where: Place, log: AuditLog, tmp_path: Path) -> tuple[Path, Path]:
    """A checkpoint, and an export of everything that holds more records than it covers."""
    for number in range(150):
        intent = log.append(read(f"p{number % 3}", f"d{number % 7}")).seq
        log.append(outcome(intent, f"p{number % 3}", f"d{number % 7}"))
    log.checkpoint()
    log.append(read())
    out = tmp_path / "export.jsonl"
    out.write_bytes(b"".join(log.export("jsonl")))
    return where.anchor, out


def test_go_finds_every_record_and_every_earlier_log_in_the_checkpoint(
    verify: Verify, exported: tuple[Path, Path]
) -> None:
    done = verify(*exported)
    assert (done.returncode, done.stdout.strip()) == (0, "300"), done.stderr


@pytest.mark.parametrize("which", [0, 1])
def test_go_refuses_a_checkpoint_or_an_export_that_was_changed(
    verify: Verify, exported: tuple[Path, Path], which: int
) -> None:
    changed = bytearray(exported[which].read_bytes())
    changed[30] ^= 1
    exported[which].write_bytes(changed)
    assert verify(*exported).returncode == 1
