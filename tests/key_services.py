"""Real providers of root keys for tests: a SoftHSM2 token and an OpenBao server, each in a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import hvac
import pytest
import requests
from hvac import exceptions

from crypto.providers.token import TokenPlace
from crypto.providers.transit import TransitPlace
from tests.services import require_program

PIN = "271828"
_MODULES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")
_PATIENCE = 30.0
_POLICY = 'path "transit/*" { capabilities = ["create", "read", "update"] }'
_CONFIG = """
storage "raft" {{
  path = "{folder}/storage"
  node_id = "one"
  performance_multiplier = 1
}}
listener "tcp" {{
  address = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:0"
  tls_disable = true
}}
api_addr = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{port}"
"""


def softhsm(folder: Path, label: str) -> TokenPlace:
    """Initialise a token; the SoftHSM2 of this process keeps its tokens in the first `folder` that it was given."""
    util = require_program("softhsm2-util")
    module = next((Path(path) for path in _MODULES if Path(path).exists()), None)
    if module is None:
        pytest.skip("the library of SoftHSM2 is not where it is looked for")
    if "SOFTHSM2_CONF" not in os.environ:
        (folder / "tokens").mkdir()
        conf = folder / "softhsm2.conf"
        conf.write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n", "utf-8")
        os.environ["SOFTHSM2_CONF"] = str(conf)
    command = [util, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "31415926"]
    subprocess.run(command, check=True, capture_output=True)
    return TokenPlace(module, label, secret_file(folder / f"{label}.pin", PIN))


def secret_file(path: Path, secret: str) -> Path:
    """Write a secret for its owner alone."""
    path.touch(0o600)
    path.write_text(secret + "\n", "utf-8")
    return path


class Bao:
    """An OpenBao server with its storage in `folder`, which `stop` ends and `start` brings back, unsealed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = Path(sys.executable).with_name("bao")
        if not self._program.exists():
            require_program("bao")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "storage").mkdir()
        self._config = folder / "bao.hcl"
        self._config.write_text(_CONFIG.format(folder=folder, port=self.port), "utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._shares: list[str] = []
        self.admin = self._client()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and unseal it; the first time, make its Transit engine and the AppRole."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(self._folder)}
        with (self._folder / "bao.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._program), "server", f"-config={self._config}"],
                stdout=log, stderr=log, env=environment,
            )  # fmt: skip
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                initialized = self.admin.sys.is_initialized()
                break
            except (requests.RequestException, exceptions.VaultError):
                if time.monotonic() > end or self._process.poll() is not None:
                    self.stop()
                    pytest.fail((self._folder / "bao.log").read_text("utf-8"))
                time.sleep(0.05)
        if not initialized:
            found = self.admin.sys.initialize(secret_shares=1, secret_threshold=1)
            self._shares, self.admin.token = found["keys"], found["root_token"]
        self.admin.sys.submit_unseal_keys(self._shares)
        self._wait_until_active(end)
        if not initialized:
            self.admin.sys.enable_secrets_engine("transit")
            self.admin.sys.create_or_update_policy("strongroom", _POLICY)
            self.admin.sys.enable_auth_method("approle")
            self.admin.auth.approle.create_or_update_approle("strongroom", token_policies=["strongroom"])

    def _wait_until_active(self, end: float) -> None:
        # hvac returns the body as a dictionary when the server is active, else the response itself.
        while not isinstance(self.admin.sys.read_health_status(method="GET"), dict):
            if time.monotonic() > end:
                pytest.fail("the OpenBao server does not become active")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def place(self, key: str, *, timeout: float = 5.0) -> TransitPlace:
        """Return where a root key of this name is, with files for the AppRole."""
        role = self.admin.auth.approle.read_role_id("strongroom")["data"]["role_id"]
        secret = self.admin.auth.approle.generate_secret_id("strongroom")["data"]["secret_id"]
        return TransitPlace(
            self.url,
            secret_file(self._folder / f"{key}.role", role),
            secret_file(self._folder / f"{key}.secret", secret),
            key=key,
            timeout=timeout,
        )

    def revoke_tokens(self) -> None:
        """End every token that the AppRole was given."""
        self.admin.sys.revoke_prefix("auth/approle/login")

    def _client(self) -> hvac.Client:
        session = requests.Session()
        session.trust_env = False
        return hvac.Client(url=self.url, session=session, timeout=10)
