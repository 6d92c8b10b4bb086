"""Documents, names and labels come back from the blob store and the keys alone, with the database lost."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pyrage
import pytest

from crypto.backup import write_backup
from crypto.keyring import KeyRing, WrappedKey
from crypto.providers.file import FileRootKey
from policies import SHIPPED, load_policy, stanag4774
from portal.clock import system_clock
from portal.errors import Conflict, Invalid
from portal.models.database import make_engine
from portal.models.keystore import DatabaseKeyStore
from portal.services.rescue import INDEX, Outcome, Rescue
from portal.services.root_keys import ROOT_KEY_FILE
from portal.storage.files import FileBlobStore
from tests.crypto.support import MemoryStore
from tests.faults.installed import Installed
from tests.faults.serving import Served, serving

CONTENTS = {
    "first": (b"the first deliverable", "report.txt", "NATO SECRET"),
    "second": (random.Random(2).randbytes(3 << 20), "Überwachung № 7.bin", "NATO RESTRICTED"),
    "third": (b"another report of the same name", "report.txt", "NATO CONFIDENTIAL"),
    "capital": (b"and one in capitals", "REPORT.TXT", "NATO SECRET"),
}


class Saved:
    """What is left of an installation: blobs, and the keys as a key backup has them."""

    def __init__(
        self, blobs: Path, root: FileRootKey, keys: Sequence[WrappedKey], ids: dict[str, str]
    ) -> None:
        self.blobs = blobs
        self.root = root
        self.keys = keys
        self.ids = ids

    def rescue(self, out: Path, recipients: Sequence[str] = ()) -> tuple[Outcome, dict[str, object]]:
        ring = KeyRing(self.root, MemoryStore(self.keys), now=system_clock)
        rescue = Rescue(ring, FileBlobStore(self.blobs), out, [load_policy(SHIPPED)], recipients)
        outcome = rescue.run()
        index = {} if recipients else json.loads((out / INDEX).read_text("utf-8"))
        return outcome, index

    def folder(self, name: str) -> Path:
        """Return the folder of a document's only version."""
        (folder,) = (self.blobs / self.ids[name][:2] / self.ids[name]).iterdir()
        return folder


@pytest.fixture(scope="module")
def deposited(
    template: Installed, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installed, dict[str, str]]:
    """An installation to which a served portal took documents; what comes after works on copies."""
    folder = tmp_path_factory.mktemp("rescue")
    installed = template.copy(folder / "data")
    with serving(installed) as served:
        ids = {
            name: send(served, content, f"Title of {name}: Zürich", file_name, label)
            for name, (content, file_name, label) in CONTENTS.items()
        }
    return installed, ids


def send(served: Served, content: bytes, title: str, file_name: str, label: str) -> str:
    form = {"programme": served.installed.programme, "title": title, "label": label}
    answer = served.request(
        "POST", "/documents", "partner", data=form, files={"file": (file_name, io.BytesIO(content))}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture
def saved(deposited: tuple[Installed, dict[str, str]], tmp_path: Path) -> Saved:
    """The database and the log are deleted; blobs, root key and wrapped keys are left."""
    installed = deposited[0].copy(tmp_path / "data")
    engine = make_engine(installed.settings.portal_database)
    keys = list(DatabaseKeyStore(engine).load())
    engine.dispose()
    root = FileRootKey(installed.settings.key_folder / ROOT_KEY_FILE)
    for path in installed.folder.glob("*.db*"):
        path.unlink()
    return Saved(installed.settings.blob_folder, root, keys, deposited[1])


def test_every_document_comes_back_byte_for_byte_with_name_and_label(saved: Saved, tmp_path: Path) -> None:
    outcome, index = saved.rescue(tmp_path / "out")
    assert outcome.lost == []
    assert len(outcome.rescued) == len(CONTENTS)
    policy = load_policy(SHIPPED)
    by_id = {found.document: found for found in outcome.rescued}
    for name, (content, file_name, label) in CONTENTS.items():
        found = by_id[saved.ids[name]]
        path = tmp_path / "out" / found.file
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o077 == 0
        assert (found.title, found.file_name) == (f"Title of {name}: Zürich", file_name)
        record = stanag4774.read((tmp_path / "out" / found.label_file).read_bytes(), policy)
        assert policy.marking(record.label) == label
    assert [item["document"] for item in index["rescued"]] == [found.document for found in outcome.rescued]  # type: ignore[attr-defined]
    assert index["lost"] == []


def test_names_that_would_meet_on_any_file_system_are_kept_apart(saved: Saved, tmp_path: Path) -> None:
    outcome, _ = saved.rescue(tmp_path / "out")
    files = [name.casefold() for found in outcome.rescued for name in (found.file, found.label_file)]
    assert len(set(files)) == len(files) == 2 * len(CONTENTS)


def test_damaged_documents_are_named_and_the_others_come_back(saved: Saved, tmp_path: Path) -> None:
    part, manifest = saved.folder("second") / "part-1", saved.folder("third") / "manifest"
    data = bytearray(part.read_bytes())
    data[2 << 20] ^= 1
    part.write_bytes(data)
    manifest.write_bytes(manifest.read_bytes()[:-1])
    (saved.folder("first") / "part-1").unlink()
    outcome, index = saved.rescue(tmp_path / "out")
    assert [found.document for found in outcome.rescued] == [saved.ids["capital"]]
    lost = {found.blobs: found for found in outcome.lost}
    for name in ("first", "second"):
        found = lost[saved.folder(name).relative_to(saved.blobs).as_posix()]
        assert (found.document, found.version, found.file_name) == (saved.ids[name], 1, CONTENTS[name][1])
    assert lost[saved.folder("third").relative_to(saved.blobs).as_posix()].document == ""
    assert len(index["lost"]) == 3  # type: ignore[arg-type]
    there = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(there) == 3, "nothing of a damaged document is written"


def test_without_its_keys_nothing_comes_back(saved: Saved, tmp_path: Path) -> None:
    saved.keys = [key for key in saved.keys if key.kind != "kek"]
    outcome, _ = saved.rescue(tmp_path / "out")
    assert outcome.rescued == []
    assert len(outcome.lost) == len(CONTENTS)


def test_rescue_to_age_writes_nothing_in_the_clear(saved: Saved, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    out = tmp_path / "out"
    outcome, _ = saved.rescue(out, [str(identity.to_public())])
    assert len(outcome.rescued) == len(CONTENTS)
    for path in out.rglob("*"):
        assert path.suffix == ".age"
        assert path.read_bytes().startswith(b"age-encryption.org/v1")
    index = json.loads(pyrage.decrypt((out / f"{INDEX}.age").read_bytes(), [identity]))
    for item in index["rescued"]:
        name = next(name for name, document in saved.ids.items() if document == item["document"])
        assert pyrage.decrypt((out / item["file"]).read_bytes(), [identity]) == CONTENTS[name][0]


def test_damage_is_met_on_the_way_to_age_too(saved: Saved, tmp_path: Path) -> None:
    part = saved.folder("second") / "part-1"
    part.write_bytes(part.read_bytes()[: 2 << 20])
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    outcome, _ = saved.rescue(tmp_path / "out", [recipient])
    assert [found.document for found in outcome.lost] == [saved.ids["second"]]


def test_folder_that_is_not_empty_and_recipient_that_is_none_are_refused(
    saved: Saved, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(Invalid):
        saved.rescue(tmp_path / "out", ["age1nonsense"])
    (tmp_path / "out" / "a").touch()
    with pytest.raises(Conflict):
        saved.rescue(tmp_path / "out")


# The command


def run(*arguments: object) -> tuple[int, str]:
    program = "import sys; from portal.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", program, "rescue", *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return answer.returncode, answer.stdout + answer.stderr


def test_command_recovers_from_blobs_and_key_backup_alone(saved: Saved, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    backup = write_backup(
        saved.root,
        saved.keys,
        installation="strongroom.test",
        created=system_clock(),
        recipients=[str(identity.to_public())],
    )
    (tmp_path / "backup.age").write_bytes(backup)
    (tmp_path / "identity").write_text(str(identity), "utf-8")
    given = ("--blobs", saved.blobs, "--keys", tmp_path / "backup.age", "--identity", tmp_path / "identity")
    status, told = run(*given, "--out", tmp_path / "data" / "out", "--yes")
    assert status == 1
    assert "inside an installation" in told
    status, told = run(*given, "--out", tmp_path / "out")
    assert status != 0
    assert "IN THE CLEAR" in told
    assert not (tmp_path / "out").exists()
    (saved.folder("first") / "part-1").unlink()
    status, told = run(*given, "--out", tmp_path / "out", "--yes")
    assert status == 1
    assert f"not recovered: document {saved.ids['first']}, version 1" in told
    index = json.loads((tmp_path / "out" / INDEX).read_text("utf-8"))
    found = {item["document"]: (tmp_path / "out" / item["file"]).read_bytes() for item in index["rescued"]}
    assert found == {saved.ids[name]: CONTENTS[name][0] for name in CONTENTS if name != "first"}
