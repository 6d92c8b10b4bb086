"""The part of a check that goes document by document: rows, manifests, parts, keys and deposits in the log."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from sqlalchemy import Table, and_, select
from sqlalchemy.orm import Session

from crypto import envelope
from crypto.errors import Damaged, UnknownKey
from crypto.inspection import PartFault, check_content
from crypto.keyring import DekContext, Domain, KeyRing
from crypto.manifest import Manifest, open_manifest
from crypto.parts import Part, parts_digest
from policies import Label
from policies.requests import DocumentState
from portal import models
from portal.audit import AuditLog
from portal.audit.reading import Record
from portal.errors import PortalError, Unavailable
from portal.models import Seals, sealing
from portal.models.database import Database
from portal.services.fsck_findings import Result
from portal.services.manifests import is_manifest, newest_manifest
from portal.storage import BlobStore

_DOCUMENTS = cast(Table, models.Document.__table__)
_VERSIONS = cast(Table, models.Version.__table__)
_DEPOSITS = frozenset({"document.upload", "document.version"})
_MOST_LOOKED_UP = 20
PREFIXES = tuple(f"{number:02x}" for number in range(256))


@dataclass(frozen=True, slots=True)
class _Unit:
    """The rows and blobs of one range of document ids, read in an order in which nothing new looks like damage."""

    documents: Mapping[str, dict[str, Any]]
    versions: Sequence[dict[str, Any]]
    uploads: Collection[str]
    blobs: frozenset[str]
    folders: Mapping[str, Sequence[str]]


class DocumentCheck:
    """Compares what database, blob store, key ring and log say of documents."""

    def __init__(self, database: Database, log: AuditLog, ring: KeyRing, blobs: BlobStore) -> None:
        self._database = database
        self._log = log
        self._ring = ring
        self._blobs = blobs
        self._labels: dict[bytes, Label] = {}

    def check(self, prefix: str) -> Result:
        """Check the documents whose ids begin with `prefix` (the last and first unit take in what has no place)."""
        result = Result(f"documents:{prefix}")
        unit = self._read(prefix)
        result.count("documents", len(unit.documents))
        self._check_unit(unit, result)
        self._check_orphans(unit, result)
        if result.findings:
            self._confirm(prefix, result)
        return result

    def _confirm(self, prefix: str, result: Result) -> None:
        """Look again at documents with findings: what changed while it was read looks like damage once, not twice."""
        again = Result(result.unit)
        concerned = {finding.document for finding in result.findings}
        unit = self._read(prefix, concerned)
        self._check_unit(unit, again)
        if "" in concerned:
            self._check_orphans(self._read(prefix), again)
        result.findings = again.findings

    def _check_unit(self, unit: _Unit, result: Result) -> None:
        whole = {document for document, row in unit.documents.items() if self._check_head(row, unit, result)}
        records = self._log.records({row["log_entry"] for row in unit.versions})
        for version in unit.versions:
            self._check_version(version, unit, records, whole, result)

    # Reading

    def _read(self, prefix: str, only: Collection[str] | None = None) -> _Unit:
        # Blobs first: whatever is stored after this belongs to rows that are read after it.
        blobs = frozenset(self._blobs.list(f"{prefix}/"))
        if prefix == PREFIXES[0]:
            blobs |= frozenset(self._stray())
        with self._database.read() as session:
            documents = self._rows(session, _DOCUMENTS, _DOCUMENTS.c.id, prefix, only)
            versions = self._rows(session, _VERSIONS, _VERSIONS.c.document_id, prefix, only)
            uploads = frozenset(session.scalars(select(models.Upload.blob)))
            uploads |= frozenset(session.scalars(select(models.ResumableUpload.__table__.c.blob)))
        folders: dict[str, list[str]] = {}
        for name in blobs:
            folders.setdefault(name.rpartition("/")[0], []).append(name)
        return _Unit({row["id"]: row for row in documents}, versions, uploads, blobs, folders)

    def _stray(self) -> Iterable[str]:
        known = frozenset(PREFIXES)
        return (name for name in self._blobs.list() if name.split("/", 1)[0] not in known)

    @staticmethod
    def _rows(
        session: Session, table: Table, column: Any, prefix: str, only: Collection[str] | None
    ) -> Sequence[dict[str, Any]]:
        place = PREFIXES.index(prefix)
        within = []
        if place > 0:
            within.append(column >= prefix)
        if place + 1 < len(PREFIXES):
            within.append(column < PREFIXES[place + 1])
        query = select(table).where(and_(*within)).order_by(*table.primary_key.columns)
        rows = [dict(row) for row in session.execute(query).mappings()]
        return rows if only is None else [row for row in rows if row[column.name] in only]

    # Heads

    def _check_head(self, row: dict[str, Any], unit: _Unit, result: Result) -> bool:
        """Check a document's row; tells whether its versions can be compared with it."""
        result.count("rows")
        document = row["id"]
        place = f"document {document}"
        try:
            row |= check_row(self._database.seals, models.Document, row)
        except PortalError:
            result.add("row", place, "its row was altered behind the portal's back", document)
            return False
        if self._label(row["label_digest"]) is None:
            result.add("row", place, "the row of its label is missing or was altered", document)
        there = {version["number"] for version in unit.versions if version["document_id"] == document}
        for number in range(1, row["current_version"] + 1):
            if number not in there:
                version = f"{place}, version {number}"
                result.add("row", version, "its row is missing from the database", document, number)
        return True

    def _label(self, digest: bytes) -> Label | None:
        known = self._labels.get(digest)
        if known is not None:
            return known
        table = cast(Table, models.LabelRecord.__table__)
        with self._database.read() as session:
            row = session.execute(select(table).where(table.c.digest == digest)).mappings().one_or_none()
        if row is None:
            return None
        try:
            sealing.verify_mapping(self._database.seals, table, dict(row))
        except PortalError:
            return None
        label = self._labels[digest] = Label.from_canonical(row["canonical"])
        return label

    # Versions

    def _check_version(
        self,
        row: dict[str, Any],
        unit: _Unit,
        records: Mapping[int, Record],
        whole: Collection[str],
        result: Result,
    ) -> None:
        document, number = row["document_id"], row["number"]
        place = f"document {document}, version {number}"
        result.count("rows")
        result.count("versions")
        try:
            row |= check_row(self._database.seals, models.Version, row)
        except PortalError:
            result.add("row", place, "its row was altered behind the portal's back", document, number)
            return
        head = unit.documents.get(document)
        if head is None:
            result.add("row", place, "its document's row is missing from the database", document, number)
            return
        if head["state"] == DocumentState.DESTROYED.value or not row["wrapped_dek"]:
            for name in sorted(unit.folders.get(row["blob"], ())):
                result.add("leftover", name, "a blob of a destroyed version is still there", document, number)
            return
        self._check_deposit(row, records, place, result)
        if document not in whole:
            return
        label = self._label(head["label_digest"])
        if label is None:
            return
        self._check_manifest(row, head, label, unit, place, result)
        self._check_parts(row, head, label, unit, place, result)

    def _check_deposit(
        self, row: Mapping[str, Any], records: Mapping[int, Record], place: str, result: Result
    ) -> None:
        """Compare the row with the log's record of what was deposited, where the row is still as deposited."""
        document, number = row["document_id"], row["number"]
        record = records.get(row["log_entry"])
        if record is None:
            result.add("unlogged", place, f"the log has no record {row['log_entry']}", document, number)
            return
        if record.action not in _DEPOSITS:
            return
        details = record.get("details") or {}
        if (record.get("document"), record.get("version")) != (document, number):
            problem = f"record {row['log_entry']} of the log is about something else"
        elif details.get("digest") != row["sha256"].hex() or details.get("size") != row["size"]:
            problem = f"record {row['log_entry']} of the log tells another digest or size"
        else:
            return
        result.add("unlogged", place, problem, document, number)

    def _check_manifest(
        self,
        row: Mapping[str, Any],
        head: Mapping[str, Any],
        label: Label,
        unit: _Unit,
        place: str,
        result: Result,
    ) -> None:
        document, number = row["document_id"], row["number"]
        name = newest_manifest(unit.folders.get(row["blob"], ()))
        if name is None:
            result.add("manifest", f"{place}, manifest", "it is missing", document, number)
            return
        try:
            manifest = open_manifest(self._ring, self._blobs.get(name))
        except Unavailable:
            result.add("manifest", name, "it cannot be read", document, number)
            return
        except UnknownKey:
            result.add("manifest", name, "its key is gone", document, number)
            return
        except Damaged as damage:
            result.add("manifest", name, str(damage), document, number)
            return
        wrong = _differences(manifest, row, head, label)
        if wrong == ["wrapped_dek"] and self._is_behind(manifest, row):
            behind = f"it is wrapped by version {manifest.kek_version} of its key, the row by a newer one"
            result.add("manifest-behind", name, behind, document, number)
        elif wrong:
            problem = f"it differs from the database in: {', '.join(wrong)}"
            result.add("manifest", name, problem, document, number)

    def _is_behind(self, manifest: Manifest, row: Mapping[str, Any]) -> bool:
        try:
            current = self._ring.by_id(envelope.key_id_of(row["wrapped_dek"], envelope.WRAPPED))
        except (Damaged, UnknownKey):
            return False
        return manifest.kek_id != current.id and manifest.kek_version < current.version

    def _check_parts(
        self,
        row: Mapping[str, Any],
        head: Mapping[str, Any],
        label: Label,
        unit: _Unit,
        place: str,
        result: Result,
    ) -> None:
        document, number = row["document_id"], row["number"]
        parts = read_parts(row["parts"])
        missing = [
            name
            for name in (f"{row['blob']}/part-{index}" for index in range(1, len(parts) + 1))
            if name not in unit.blobs
        ]
        for name in missing:
            result.add("missing", name, "it is missing from the blob store", document, number)
        context = DekContext(document, number, bytes.fromhex(label.digest), parts_digest(parts))
        domain = Domain(label.classification, head["programme_id"])
        result.count("parts", len(parts))
        result.count("size", sum(part.ciphertext_length for part in parts))

        def open_part(index: int) -> BinaryIO:
            return self._blobs.open(f"{row['blob']}/part-{index}")

        try:
            # Without its parts a version's key is still looked at.
            some = () if missing else parts
            faults = check_content(self._ring, row["wrapped_dek"], domain, context, some, open_part)
        except UnknownKey:
            result.add("wrapped-key", place, "the key that wrapped its key is gone", document, number)
        except Damaged as damage:
            result.add("wrapped-key", place, str(damage), document, number)
        except (Unavailable, OSError):
            result.add("part", place, "a part cannot be read from the blob store", document, number)
        else:
            for fault in faults:
                self._tell(fault, row, result)

    def _tell(self, fault: PartFault, row: Mapping[str, Any], result: Result) -> None:
        document, number = row["document_id"], row["number"]
        name = f"{row['blob']}/part-{fault.number}"
        lookups = sum(finding.kind in ("part", "exchanged") for finding in result.findings)
        owner = self._owner(fault.found) if fault.found and lookups < _MOST_LOOKED_UP else ""
        if owner:
            result.add("exchanged", name, f"it holds {owner}", document, number)
        else:
            result.add("part", name, fault.problem, document, number)

    def _owner(self, digest: bytes) -> str:
        """Say whose part has this digest: a part in the wrong place is told from one that is damaged."""
        columns = (_VERSIONS.c.document_id, _VERSIONS.c.number, _VERSIONS.c.parts)
        query = select(*columns).where(_VERSIONS.c.parts.contains(digest.hex())).limit(1)
        with self._database.read() as session:
            found = session.execute(query).first()
        if found is None:
            return ""
        digests = [part.sha256 for part in read_parts(found[2])]
        return f"part {digests.index(digest) + 1} of document {found[0]}, version {found[1]}"

    # Blobs without a row

    def _check_orphans(self, unit: _Unit, result: Result) -> None:
        places = {row["blob"]: row for row in unit.versions}
        for name in sorted(unit.blobs):
            folder, _, base = name.rpartition("/")
            row = places.get(folder)
            if row is not None:
                if is_manifest(base) or _is_part(base, row["parts"]):
                    continue
            elif any(name.startswith(f"{upload}/") for upload in unit.uploads):
                continue
            try:
                self._blobs.size(name)
            except Unavailable:
                # An upload that was given up meanwhile.
                continue
            result.add("orphan", name, "no row of the database names this blob")


def check_row(seals: Seals, model: type[models.SealedRow], row: Mapping[str, Any]) -> dict[str, str]:
    """Check a row's seal and return its sealed texts, opened; raises TamperedRow."""
    table = cast(Table, model.__table__)
    sealing.verify_mapping(seals, table, row)
    if not model.sealed_texts:
        return {}
    key = "/".join(str(row[column.key]) for column in table.primary_key.columns)
    # Without an instance of the model, which costs as much as all the rest of a check.
    context: tuple[str | int | bytes, ...] = (table.name, key)
    if model is models.Document:
        context = models.document_context(
            row["id"], row["label_digest"], row["programme_id"], row["row_version"]
        )
    elif model.context is not models.SealedRow.context:
        context = model(**row).context()
    found = {}
    for name in model.sealed_texts:
        column = model.__dict__[name].column
        found[name] = sealing.open_text(seals, context, column, row[column], table.name, key)
    return found


def read_parts(text: str) -> tuple[Part, ...]:
    """Read a version's column `parts`."""
    return tuple(Part(plain, cipher, bytes.fromhex(digest)) for plain, cipher, digest in json.loads(text))


def _is_part(name: str, parts: str) -> bool:
    kind, _, number = name.partition("-")
    return kind == "part" and number.isdecimal() and 1 <= int(number) <= len(read_parts(parts))


def _differences(
    manifest: Manifest, row: Mapping[str, Any], head: Mapping[str, Any], label: Label
) -> list[str]:
    expected = {
        "document_id": row["document_id"],
        "version": row["number"],
        "programme_id": head["programme_id"],
        "originator_id": head["originator_id"],
        "addressee_id": head["addressee_id"],
        "title": head["title"],
        "file_name": row["file_name"],
        "media_type": row["media_type"],
        "label": label.canonical(),
        "parts": read_parts(row["parts"]),
        "sha256": row["sha256"],
        "wrapped_dek": row["wrapped_dek"],
        "created": row["created"],
    }
    return [name for name, value in expected.items() if getattr(manifest, name) != value]
