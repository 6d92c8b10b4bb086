"""No plaintext reaches a disk: every file that any process of the portal opens for writing is looked at."""

from __future__ import annotations

import random
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from portal.identity import totp
from tests.faults.installed import Installed
from tests.faults.serving import Served, serving, wait_until
from tests.faults.watching import Secrets, in_memory, spellings, traced, windows, written
from tests.portal import factories
from tests.services import require_program
from tests.shared import DOCUMENTS

MIB = 1 << 20
PERSON = "Wilhelmina Oosterbaan-Žižka"
EMAIL = "w.oosterbaan@delfzijl.example"
SEARCHES = ["quarterdeckish", "Überwasserfahrt", "mizzenmasthead"]
TEMPORARY = re.compile(
    r"blobs/\.unfinished/[0-9a-f]{32}|anchor/checkpoint\.new|(portal|log)\.db-(wal|shm|journal)"
)
"""What the portal makes and removes again; what stands in it, is found in what it becomes, or was looked at."""


def real_files() -> dict[str, bytes]:
    if not DOCUMENTS.exists():
        return {}
    return {path.name: path.read_bytes() for path in sorted(DOCUMENTS.iterdir()) if path.name != "README.md"}


def prose() -> bytes:
    chance = random.Random(5)
    words = [
        "".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(4, 12))) for _ in range(3000)
    ]
    return " ".join(chance.choice(words) for _ in range(60_000)).encode()


@dataclass(frozen=True)
class Watched:
    """A traced installation: the tree that it lies in, with a TMPDIR, and strace's list."""

    served: Served
    tree: Path
    trace: Path
    contents: dict[str, bytes]
    secrets: Secrets

    def title(self, number: int) -> str:
        return f"Überwasserfahrt quarterdeckish {number:03} mizzenmasthead"

    def files(self) -> set[Path]:
        """Return every file that was written and is there now; fails for one that is gone without being known."""
        there = {path for path in self.tree.rglob("*") if path.is_file()} - {self.trace}
        for path in written(self.trace):
            if path.is_relative_to(self.tree):
                known = (
                    TEMPORARY.fullmatch(path.relative_to(self.served.installed.folder).as_posix())
                    if (path.is_relative_to(self.served.installed.folder))
                    else None
                )
                assert path.is_file() or known, f"written and gone, or without a name: {path}"
            elif not in_memory(path):
                assert path.is_file(), f"written and gone, or without a name: {path}"
                there.add(path)
        return there

    def check(self) -> int:
        """Check that nothing secret stands in any of them; returns how many bytes were looked at."""
        looked = 0
        for path in sorted(self.files()):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue
            looked += len(data)
            assert self.secrets.found_in(data) == [], path
        return looked


@pytest.fixture(scope="module")
def watched(template: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    strace = require_program("strace")
    tree = tmp_path_factory.mktemp("watched")
    (tree / "tmp").mkdir()
    installed = template.copy(tree / "data")
    with installed.opened() as runtime:
        home = factories.add_organisation(runtime.database, "Delfzijl")
        factories.add_person(runtime.database, home, name=PERSON, email=EMAIL)
        emails = [f"{name}@org.example" for name in installed.people]
    contents = {
        **real_files(),
        "quarterdeckish.bin": random.Random(7).randbytes(8 * MIB),
        "mizzenmasthead Überwasserfahrt.txt": prose(),
    }
    names = [PERSON, EMAIL, *emails, "Officer One", "Officer Two", *SEARCHES, *contents]
    known = [path.read_bytes() for path in template.folder.rglob("*") if path.is_file()]
    secrets = Secrets.of(contents, names).without(known)
    trace = tree / "trace"
    environment = {"TMPDIR": str(tree / "tmp"), "PYTHONDONTWRITEBYTECODE": "1"}
    with serving(installed, before=traced(strace, trace), environment=environment) as served:
        yield Watched(served, tree, trace, contents, secrets)
        served.kill()


def test_nothing_written_holds_plaintext(watched: Watched) -> None:
    """Uploads of each kind, one that breaks off, reads, a ZIP, searches, pages and exports: all files looked at."""
    assert len(watched.secrets.windows) > 2000
    with signed_in(watched, "partner") as browser:
        send_all(watched, browser)
    break_off(watched)
    assert watched.check() > 8 * MIB
    read_everything(watched)
    # Killed, so that nothing is put in order first.
    watched.served.kill()
    looked = watched.check()
    assert looked > sum(map(len, watched.contents.values()))
    errors = watched.served.errors.read_text()
    assert "Traceback" not in errors, errors
    assert '"errors"' not in errors, errors
    assert list((watched.tree / "tmp").iterdir()) == []
    assert not [path for path in written(watched.trace) if path.is_relative_to(watched.tree / "tmp")]


def send_all(watched: Watched, browser: requests.Session) -> None:
    """Send every content, in turn as a raw body, as a program's form and as a browser's."""
    for number, (name, content) in enumerate(watched.contents.items()):
        title = watched.title(number)
        if number % 3 == 0:
            assert send_raw(watched, title, name, content)
        elif number % 3 == 1:
            assert watched.served.deposit(content, title, name)
        else:
            assert send_from_browser(browser, watched, title, name, content)


def send_raw(watched: Watched, title: str, name: str, content: bytes) -> bool:
    headers = {
        "Content-Type": "application/octet-stream",
        "Strongroom-Title": quote(title),
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}",
    }
    wanted = {"programme": watched.served.installed.programme, "label": "NATO SECRET"}
    answer = watched.served.request(
        "POST", "/documents", "partner", params=wanted, data=content, headers=headers
    )
    return answer.status_code == 201


def send_from_browser(
    browser: requests.Session, watched: Watched, title: str, name: str, content: bytes
) -> bool:
    url = f"{watched.served.url}/send"
    fields = {
        "csrf_token": token_of(browser.get(url)),
        "programme": watched.served.installed.programme,
        "classification": "RESTRICTED",
        "title": title,
    }
    answer = browser.post(url, data=fields, files={"file": (name, content)}, timeout=60)
    return answer.status_code == 200 and "/receipt" in answer.url


def token_of(page: requests.Response) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, page.text[:500]
    return found[1]


def signed_in(watched: Watched, who: str) -> requests.Session:
    """Sign in as a browser does."""
    browser = requests.Session()
    url = f"{watched.served.url}/sign-in"
    fields = {
        "csrf_token": token_of(browser.get(url)),
        "email": f"{who}@org.example",
        "password": factories.PASSWORD,
        "code": totp.code_at(watched.served.installed.totp[who], datetime.now(UTC)),
    }
    answer = browser.post(url, data=fields, timeout=60)
    assert answer.status_code == 200, answer.text
    assert "/sign-in" not in answer.url
    return browser


def break_off(watched: Watched) -> None:
    """Begin an upload, look at everything while it hangs, then vanish."""
    document = watched.served.deposit(b"to be followed", watched.title(900), "Überwasserfahrt.txt")
    content = watched.contents["quarterdeckish.bin"]
    client = watched.served.connect()
    client.sendall(watched.served.put(f"/documents/{document}/content", len(content)) + content[: 6 * MIB])
    unfinished = watched.served.installed.settings.blob_folder / ".unfinished"
    wait_until(lambda: sum(path.stat().st_size for path in unfinished.iterdir()) >= 4 * MIB)
    watched.check()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    wait_until(lambda: not list(unfinished.iterdir()))


def read_everything(watched: Watched) -> None:
    """Lists, searches, contents, a ZIP, pages, exports, and requests that are refused or fail."""
    served = watched.served
    items = served.request("GET", "/documents", "official", params={"limit": 200}).json()["items"]
    assert len(items) == len(watched.contents) + 1
    for words in SEARCHES:
        found = served.request("POST", "/documents/search", "official", json={"q": words})
        assert len(found.json()["items"]) > 0
        assert served.request("GET", "/documents", "official", params={"q": words}).status_code == 400
    for item in items:
        path = f"/documents/{item['id']}/content"
        whole = served.request("GET", path, "official").content
        part = served.request("GET", path, "official", headers={"Range": "bytes=0-9"}).content
        assert part == whole[:10]
        assert served.request("GET", path, "restricted").status_code in (200, 403, 404)
    ids = [("id", item["id"]) for item in items]
    assert served.request("GET", "/documents.zip", "official", params=ids).content[:2] == b"PK"
    with signed_in(watched, "official") as browser:
        for item in items:
            assert browser.get(f"{served.url}/documents/{item['id']}", timeout=60).ok
        token = token_of(browser.get(f"{served.url}/documents"))
        for words in SEARCHES:
            fields = {"csrf_token": token, "q": words}
            assert browser.post(f"{served.url}/documents/search", data=fields, timeout=60).ok
    for form in ("jsonl", "csv"):
        assert served.request("GET", "/audit/export", "auditor", params={"format": form}).ok
    assert served.request("GET", "/audit/records", "auditor").ok
    with signed_in(watched, "auditor") as browser:
        assert browser.get(f"{served.url}/audit", timeout=60).ok
    title = {"title": watched.title(901), "programme": "none", "label": "NATO COSMIC"}
    refused = served.request("POST", "/documents", "partner", data=title, files={"file": ("a.txt", b"text")})
    assert 400 <= refused.status_code < 500
    lost = served.request("GET", f"/documents/{quote(watched.title(902))}", "official")
    assert lost.status_code == 404


def test_server_makes_no_core_dumps(template: Installed, tmp_path: Path) -> None:
    with serving(template.copy(tmp_path / "data")) as served:
        limits = Path(f"/proc/{served.worker}/limits").read_text()
        line = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"]


def test_process_that_holds_content_is_not_dumpable() -> None:
    """Where cores go to a program, a limit of nothing does not keep them: the process itself must not be dumped."""
    program = (
        "import ctypes; from portal.cli.memory import keep_from_dumps; keep_from_dumps(); "
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert told.stdout == "0\n"


@pytest.mark.parametrize("planted", ["kept", "removed", "nameless"])
def test_program_that_writes_plaintext_is_found(planted: str, tmp_path: Path) -> None:
    """The control: what looks for plaintext finds it, and misses no file that was there for a moment only."""
    strace = require_program("strace")
    secret = random.Random(3).randbytes(64 << 10)
    (tmp_path / "secret").write_bytes(secret)
    (tmp_path / "tmp").mkdir()
    program = {
        "kept": "import sys; open('tmp/kept', 'wb').write(b'x' * 13 + open('secret', 'rb').read()[5000:30000])",
        "removed": "import os; open('tmp/removed', 'wb').write(b'x'); os.remove('tmp/removed')",
        "nameless": "import os; os.open('tmp', os.O_TMPFILE | os.O_RDWR)",
    }[planted]
    trace = tmp_path / "trace"
    command = [*traced(strace, trace), sys.executable, "-c", program]
    subprocess.run(command, cwd=tmp_path, check=True)
    paths = {path for path in written(trace) if path.is_relative_to(tmp_path / "tmp")}
    if planted == "kept":
        (path,) = paths
        assert Secrets.of({"secret": secret}, []).found_in(path.read_bytes()) == ["content of secret"]
    else:
        assert len(paths) == 1
        assert not paths.pop().is_file()


@pytest.mark.parametrize("place", [0, 1, 7, MIB - 5, MIB + 64])
def test_window_and_names_are_found_wherever_they_stand(place: int) -> None:
    secret = random.Random(4).randbytes(8192)
    secrets = Secrets.of({"secret": secret}, ["Grünwald", "A title of some length"])
    noise = bytearray(random.Random(6).randbytes(MIB + 64))
    assert secrets.found_in(noise) == []
    short, long = "Grünwald", "A title of some length"
    for hidden in (sorted(secrets.windows)[0], short.encode(), long.encode(), long.encode("utf-16-le")):
        assert hidden in secrets.windows or hidden in spellings(short) | spellings(long)
        held = noise[:place] + hidden + noise[place:]
        assert len(secrets.found_in(bytes(held))) == 1, hidden


def test_windows_are_cut_each_4_kib_and_at_random() -> None:
    content = random.Random(8).randbytes(10 * 4096 + 16)
    cut = windows(content, 1)
    assert all(content[place : place + 16] in cut for place in range(0, len(content), 4096))
    assert 11 + 20 < len(cut) <= 11 + 32
    assert windows(bytes(100_000), 1) == windows(b"short", 1) == set()
