"""Clients that nobody here wrote, against a portal that is served as it is in production."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from tusclient.client import TusClient

from tests.demonstration import ROOT, Demo
from tests.services import require_program

CONTENT = os.urandom(5 << 20)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tus") / "soundings.bin"
    path.write_bytes(CONTENT)
    return path


def facts(demo: Demo, title: str) -> dict[str, str]:
    return {
        "programme": demo.programmes[0]["id"],
        "title": title,
        "label": "NATO RESTRICTED",
        "filename": "soundings.bin",
    }


def check_arrived(demo: Demo, url: str, tmp_path: Path) -> None:
    receipt = demo.ask("partner", "GET", url.rpartition("/api/v1")[2]).json()["receipt"]
    pulled = demo.run("pull", receipt["id"], "--out", str(tmp_path), role="official")
    assert pulled.returncode == 0, pulled.stderr
    assert (tmp_path / "soundings.bin").read_bytes() == CONTENT


def test_tuspy_sends_a_file_in_pieces_and_resumes(demo: Demo, file: Path, tmp_path: Path) -> None:
    client = TusClient(
        f"{demo.url}/api/v1/uploads", headers={"Authorization": f"Bearer {demo.token('partner')}"}
    )
    with file.open("rb") as content:
        first = client.uploader(
            file_stream=content, chunk_size=2 << 20, metadata=facts(demo, "tuspy"), upload_checksum=True
        )
        first.upload_chunk()
        client.uploader(file_stream=content, url=first.url, chunk_size=2 << 20).upload()
    check_arrived(demo, first.url, tmp_path)


_SCRIPT = """
const { Upload } = require("tus-js-client");
const fs = require("fs");
const [url, path, token, metadata] = process.argv.slice(1);
const options = {
  endpoint: url, chunkSize: 2 << 20, metadata: JSON.parse(metadata), uploadSize: fs.statSync(path).size,
  headers: { Authorization: token }, retryDelays: [0, 500], uploadDataDuringCreation: true,
  onError(error) { console.error(String(error)); process.exit(1); },
  onChunkComplete() { if (!paused) { paused = true; first.abort().then(go); } },
};
let paused = false;
const first = new Upload(fs.createReadStream(path), options);
function go() {
  const onSuccess = () => console.log(second.url);
  const second = new Upload(fs.createReadStream(path), { ...options, uploadUrl: first.url, onSuccess });
  second.start();
}
first.start();
"""


def test_tus_js_client_sends_a_file_in_pieces_and_resumes(demo: Demo, file: Path, tmp_path: Path) -> None:
    node = require_program("node")
    done = subprocess.run(
        [
            node,
            "-e",
            _SCRIPT,
            f"{demo.url}/api/v1/uploads",
            str(file),
            f"Bearer {demo.token('partner')}",
            json.dumps(facts(demo, "tus-js-client")),
        ],
        cwd=ROOT / "frontend",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    check_arrived(demo, done.stdout.strip(), tmp_path)


def test_push_sends_large_files_in_pieces(demo: Demo, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(os.urandom(17 << 20))
    arguments = ("push", "--json", "--programme", "Harbour Watch", "--label", "NATO RESTRICTED", str(large))
    pushed = demo.run(*arguments, role="partner")
    assert pushed.returncode == 0, pushed.stderr
    assert json.loads(pushed.stdout)["size"] == 17 << 20
