"""Rescue: documents, names and labels from the blob store and the keys alone, when the database is lost.

This opens content outside the portal's rules and without its log, for an operator who holds both the blobs and the key
backup. Nothing of the portal imports it but its command (import-linter). What it writes is in the clear, unless age
recipients are given: then nothing but their ciphertext is written.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

import pyrage

from crypto.errors import CryptoError, Damaged, KeyUnavailable
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.manifest import Manifest, open_manifest
from crypto.parts import PartsReader, parts_digest
from crypto.unwrapping import unwrap_dek
from policies import InvalidLabel, Label, SecurityPolicy, stanag4774
from portal.clock import rfc3339
from portal.errors import Conflict, Invalid, PortalError, Unavailable
from portal.scanning import clean_file_name
from portal.services.manifests import is_manifest
from portal.storage import BlobStore

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

INDEX = "index.json"
_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True)
class Rescued:
    """One version that was recovered; `file` and `label_file` are paths below the folder, `notes` what to know."""

    file: str
    label_file: str
    document: str
    version: int
    programme: str
    originator: str
    addressee: str
    title: str
    file_name: str
    media_type: str
    size: int
    sha256: str
    created: str
    label: dict[str, object]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Lost:
    """A version of which nothing was written: its blobs' folder, and its ids where a manifest told them."""

    blobs: str
    problem: str
    document: str = ""
    version: int = 0
    file_name: str = ""


@dataclass(slots=True)
class Outcome:
    """Everything that a rescue came to."""

    rescued: list[Rescued] = field(default_factory=list)
    lost: list[Lost] = field(default_factory=list)


class Rescue:
    """Recovers every version of a blob store into an empty folder.

    `policies` write the labels; one under another policy stands in the index alone. With `recipients` (age) every file
    is encrypted to them, under a number instead of its name. Raises Conflict when the folder is not empty, Invalid for
    a recipient that is none.
    """

    def __init__(
        self,
        ring: KeyRing,
        blobs: BlobStore,
        out: Path,
        policies: Sequence[SecurityPolicy],
        recipients: Sequence[str] = (),
    ) -> None:
        self._ring = ring
        self._blobs = blobs
        self._out = out
        self._policies = {policy.id: policy for policy in policies}
        try:
            self._recipients = [pyrage.x25519.Recipient.from_str(text) for text in recipients]
        except pyrage.RecipientError as fault:
            raise Invalid(
                f"This is no age recipient: {fault}", mend="Give one that begins with age1."
            ) from None
        if out.exists() and any(out.iterdir()):
            raise Conflict(f"{out} is not empty.", mend="Name a new folder.")
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._taken: set[str] = set()
        self._seen: set[tuple[str, int]] = set()
        self._number = 0

    def folders(self) -> list[tuple[str, list[str]]]:
        """Return each version's folder of blobs with the names in it."""
        names = sorted(self._blobs.list())
        return [
            (folder, [name.rpartition("/")[2] for name in some])
            for folder, some in groupby(names, lambda name: name.rpartition("/")[0])
        ]

    def run(self, on_folder: Callable[[Outcome], None] = lambda _outcome: None) -> Outcome:
        """Recover everything and write the index; calls `on_folder` after each version. Raises Unavailable."""
        outcome = Outcome()
        for folder, names in self.folders():
            try:
                outcome.rescued.append(self._rescue(folder, names))
            except _Unrecoverable as fault:
                outcome.lost.append(fault.lost)
            on_folder(outcome)
        self._write_index(outcome)
        return outcome

    def _rescue(self, folder: str, names: Sequence[str]) -> Rescued:
        manifest, notes = self._manifest(folder, names)
        try:
            return self._write(folder, manifest, notes)
        except KeyUnavailable as fault:
            raise Unavailable(
                f"The keys are out of reach: {fault}", mend="Give the newest key backup."
            ) from None
        except OutputFailed:
            raise
        except (CryptoError, InvalidLabel, Unavailable) as fault:
            problem = getattr(fault, "message", str(fault))
            lost = Lost(folder, problem, manifest.document_id, manifest.version, manifest.file_name)
            raise _Unrecoverable(lost) from fault

    def _manifest(self, folder: str, names: Sequence[str]) -> tuple[Manifest, list[str]]:
        """Return the newest manifest of a version that opens, and what to know of the others."""
        found: list[tuple[str, Manifest]] = []
        problems: list[str] = []
        there = sorted(
            filter(is_manifest, names), key=lambda name: int(name.partition("-")[2] or 0), reverse=True
        )
        for name in there:
            try:
                found.append((name, open_manifest(self._ring, self._blobs.get(f"{folder}/{name}"))))
            except (CryptoError, PortalError) as fault:
                problems.append(f"{name}: {getattr(fault, 'message', str(fault))}")
        if not found:
            raise _Unrecoverable(Lost(folder, "; ".join(problems) or "it has no manifest"))
        manifest = found[0][1]
        notes = [f"another manifest does not open: {problem}" for problem in problems]
        notes += [
            f"its label may be another: {name} says {_shown(other.label)}"
            for name, other in found[1:]
            if other.label != manifest.label
        ]
        place = manifest.document_id, manifest.version
        if place in self._seen:
            notes.append("another file claims to be this version: one of the two was never acknowledged")
        self._seen.add(place)
        return manifest, notes

    def _write(self, folder: str, manifest: Manifest, notes: list[str]) -> Rescued:
        label = Label.from_canonical(manifest.label)
        context = DekContext(
            manifest.document_id, manifest.version, bytes.fromhex(label.digest), parts_digest(manifest.parts)
        )
        domain = Domain(label.classification, manifest.programme_id)
        dek = unwrap_dek(self._ring, manifest.wrapped_dek, domain, context)

        def open_part(number: int) -> BinaryIO:
            return self._blobs.open(f"{folder}/part-{number}")

        name = self._name(manifest)
        with PartsReader(open_part, manifest.parts, dek, manifest.document_id, manifest.version) as reader:
            source = _Hashing(reader)
            with self._file(name) as target:
                try:
                    self._copy(cast(BinaryIO, source), target)
                except Exception:
                    # What encrypts to age tells every fault of its source as one of its own.
                    if source.fault is not None:
                        raise source.fault from None
                    raise
                if source.digest.digest() != manifest.sha256:
                    raise Damaged("what was decrypted is not what was deposited")
        label_file = self._write_label(name, label, manifest, notes)
        return Rescued(
            file=name,
            label_file=label_file,
            document=manifest.document_id,
            version=manifest.version,
            programme=manifest.programme_id,
            originator=manifest.originator_id,
            addressee=manifest.addressee_id,
            title=manifest.title,
            file_name=manifest.file_name,
            media_type=manifest.media_type,
            size=source.size,
            sha256=manifest.sha256.hex(),
            created=rfc3339(manifest.created),
            label=json.loads(manifest.label),
            notes=notes,
        )

    def _write_label(self, name: str, label: Label, manifest: Manifest, notes: list[str]) -> str:
        policy = self._policies.get(label.policy_id)
        if policy is None:
            notes.append(f"no label file: give the policy {label.policy_id} with --policy")
            return ""
        own = Label(label.policy_id, label.classification, label.categories)
        try:
            xml = stanag4774.serialise(own, created=manifest.created, policy=policy)
        except InvalidLabel as fault:
            notes.append(f"no label file: {fault}")
            return ""
        path = f"{name.removesuffix('.age')}.label.xml{'.age' if self._recipients else ''}"
        with self._file(path) as target:
            self._copy(io.BytesIO(xml), target)
        return path

    # Names and files

    def _name(self, manifest: Manifest) -> str:
        """Return a path below the folder that is taken by nothing, on no file system."""
        self._number += 1
        if self._recipients:
            return f"{self._number:06}.age"
        try:
            clean = clean_file_name(manifest.file_name)
        except Invalid:
            clean = f"document {manifest.document_id[:8]}"
        folder = "".join(c if c.isalnum() or c in "-_" else "_" for c in manifest.programme_id)[:64] or "_"
        stem, dot, ending = clean.rpartition(".")
        stem, ending = (stem, f".{ending}") if dot and stem else (clean, "")
        tried = [clean, f"{stem[:150]} (version {manifest.version}){ending[:40]}"]
        tried.append(f"{stem[:100]} ({manifest.document_id[:8]}, version {manifest.version}){ending[:40]}")
        tried.append(f"{manifest.document_id}-{manifest.version}-{self._number}{ending[:40]}")
        for some in tried:
            path = f"{folder}/{some}"
            # Its label's name must be free too; and folders of other systems do not tell capitals apart.
            names = {path.casefold(), f"{path}.label.xml".casefold()}
            if not names & self._taken and some != INDEX:
                self._taken |= names
                return path
        raise Conflict("No name is left for a file.")

    @contextmanager
    def _file(self, name: str) -> Iterator[BinaryIO]:
        """Write a file that has its name only once it is whole and on disk; it is its owner's alone."""
        path = self._out / name
        path.parent.mkdir(exist_ok=True, mode=0o700)
        draft = path.with_name(f".{secrets.token_hex(8)}")
        try:
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        except OSError as fault:
            raise OutputFailed(
                f"{path} cannot be written: {fault.strerror or fault}.", mend="Make room, then begin anew."
            ) from fault
        finally:
            with suppress(FileNotFoundError):
                draft.unlink()

    def _copy(self, source: BinaryIO, target: BinaryIO) -> None:
        if self._recipients:
            pyrage.encrypt_io(source, target, self._recipients)
            return
        while piece := source.read(_AT_ONCE):
            target.write(piece)

    def _write_index(self, outcome: Outcome) -> None:
        content = json.dumps(
            {
                "rescued": [asdict(found) for found in outcome.rescued],
                "lost": [asdict(found) for found in outcome.lost],
            },
            ensure_ascii=False,
            indent=1,
        )
        with self._file(f"{INDEX}{'.age' if self._recipients else ''}") as target:
            self._copy(io.BytesIO(content.encode()), target)


class OutputFailed(Unavailable):
    """The folder that a rescue writes to cannot be written."""


class _Unrecoverable(Exception):
    """A version that cannot be recovered; the others go on."""

    def __init__(self, lost: Lost) -> None:
        super().__init__(lost.problem)
        self.lost = lost


class _Hashing(io.RawIOBase):
    """Passes plaintext on, and counts and digests it."""

    def __init__(self, reader: PartsReader) -> None:
        super().__init__()
        self._reader = reader
        self.digest = hashlib.sha256()
        self.size = 0
        self.fault: CryptoError | Unavailable | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, target: WriteableBuffer, /) -> int:
        view = memoryview(target).cast("B")
        try:
            got = self._reader.readinto(view)
        except (CryptoError, Unavailable) as fault:
            self.fault = fault
            raise
        except OSError as fault:
            self.fault = Unavailable(f"a part cannot be read: {fault.strerror}")
            raise self.fault from fault
        self.digest.update(view[:got])
        self.size += got
        return got


def _shown(label: bytes) -> str:
    return label.decode(errors="replace")
