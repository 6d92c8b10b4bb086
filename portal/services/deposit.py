"""Deposit: a document comes in, whole and encrypted, with its record; or nothing of it stays.

Order (architecture.md, *One upload, one download*): identity, decision, limits, label, all before the body; then
digest, encryption and storage while it arrives; on the last byte inspection and a second decision; then intent,
database, outcome, receipt.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass

from policies import rules
from policies.requests import Action
from portal import models
from portal.errors import Conflict, Invalid, TooLarge
from portal.models.database import Database
from portal.scanning import clean_file_name, clean_title
from portal.services import standing
from portal.services.access import Access, Refusal
from portal.services.actor import Actor
from portal.services.filing import Target
from portal.services.intake import Intake
from portal.services.labels import LabelReader
from portal.services.receiving import DepositReceipt, Incoming, Receiving, Repeated, new_document
from portal.settings import Settings

__all__ = ["Declared", "Deposit", "DepositReceipt", "Repeated"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What a partner says of a deliverable before its bytes: `sha256` and `length` are checked when given.

    `key` is any text of the sender's; the same person sending with the same key again gets the first receipt, so that
    a second click or a lost answer makes no second document.
    """

    programme_id: str
    title: str
    label: str
    file_name: str
    length: int | None = None
    sha256: bytes | None = None
    key: str | None = None


class Deposit:
    """Takes deliverables and new versions."""

    def __init__(
        self,
        database: Database,
        access: Access,
        labels: LabelReader,
        receiving: Receiving,
        settings: Settings,
    ) -> None:
        self._database = database
        self._access = access
        self._labels = labels
        self.receiving = receiving
        self._settings = settings

    def begin(self, actor: Actor, declared: Declared) -> Intake:
        """Decide whether `actor` may deposit this new document; nothing of the body is read before.

        Raises Invalid (title, name, label), TooLarge, NotFound, NotPermitted, Repeated; a refusal is recorded first.
        """
        target = self.permit_new(actor, declared)
        incoming = self.receiving.open(actor, Action.DOCUMENT_UPLOAD, target, declared.key)
        return self._intake(incoming, declared.length, declared.sha256)

    def begin_version(
        self,
        actor: Actor,
        document_id: str,
        file_name: str | None,
        length: int | None = None,
        sha256: bytes | None = None,
        *,
        expected: int | None = None,
    ) -> Intake:
        """Decide whether `actor` may add a version to a document; label and title stay, and without one the file name.

        `expected` is the number that the sender thinks it gets. Raises Invalid, TooLarge, NotFound, NotPermitted, and
        where that number is taken Conflict, or Repeated when it is their own; a refusal is recorded first.
        """
        target = self.permit_version(actor, document_id, file_name, length, expected=expected)
        return self._intake(self.receiving.open(actor, Action.DOCUMENT_VERSION, target), length, sha256)

    def _intake(self, incoming: Incoming, length: int | None, sha256: bytes | None) -> Intake:
        return Intake(self.receiving, incoming, self.check_length, length, sha256)

    def check_new(self, actor: Actor, key: str) -> None:
        """Raise Repeated when this person has sent a document with this key already."""
        self.receiving.check_new(actor, _keyed_id(actor, key))

    def permit_new(self, actor: Actor, declared: Declared) -> Target:
        """Decide about a new document and return what is to be made; raises what `begin` does."""
        label = self._labels.read(declared.label)
        title = clean_title(declared.title)
        name = clean_file_name(declared.file_name)
        self._check_declared(declared.length)
        with self._database.read() as session:
            subject = self._access.subject(session, actor)
            programme = session.get(models.Programme, declared.programme_id)
            lead = programme.lead_organisation_id if programme is not None and programme.active else None
            target = Target(
                document_id=_keyed_id(actor, declared.key) if declared.key else models.new_id(),
                number=1,
                title=title,
                file_name=name,
                label=label,
                programme_id=declared.programme_id,
                originator_id=actor.organisation_id,
                addressee_id=lead or "",
            )
            request = self._access.request(actor, subject, Action.DOCUMENT_UPLOAD, new_document(target))
            decision = rules.decide(request) if lead is not None else None
            if decision is None or not decision.permitted:
                about = Refusal(
                    programme=declared.programme_id if programme is not None else None,
                    label=self._access.marking(label),
                    asked=None if programme is not None else declared.programme_id[:100],
                )
                raise self._access.refuse_upload(actor, request, decision, about)
        if declared.key:
            self.check_new(actor, declared.key)
        self.receiving.quotas.check(actor, declared.length or 0)
        return target

    def permit_version(
        self,
        actor: Actor,
        document_id: str,
        file_name: str | None,
        length: int | None = None,
        *,
        expected: int | None = None,
    ) -> Target:
        """Decide about a new version and return what is to be made; raises what `begin_version` does."""
        name = clean_file_name(file_name) if file_name is not None else None
        self._check_declared(length)
        with self._database.read() as session:
            subject = self._access.subject(session, actor)
            found = self._access.head(session, document_id)
            if found is None:
                request = self._access.request(actor, subject, Action.DOCUMENT_VERSION)
                raise self._access.refuse(actor, request, None, Refusal(asked=document_id[:100]))
            row, document = found
            request = self._access.request(actor, subject, Action.DOCUMENT_VERSION, document)
            decision = rules.decide(request)
            if not decision.permitted:
                about = Refusal(row.id, row.programme_id, None, self._access.marking(document.label))
                raise self._access.refuse(actor, request, decision, about)
            number = standing.highest(session, row.id) + 1
            taken = expected is not None and expected < number
            target = Target(
                document_id=row.id,
                number=number,
                title=row.title,
                file_name=name or session.get_one(models.Version, (row.id, row.current_version)).file_name,
                label=document.label,
                programme_id=row.programme_id,
                originator_id=row.originator_id,
                addressee_id=row.addressee_id,
            )
        if taken and expected is not None:
            self.receiving.check_new(actor, document_id, expected)
            raise Conflict(
                f"Version {expected} arrived meanwhile, so this one was not stored.",
                mend="Look at the newest version, then send yours again.",
            )
        self.receiving.quotas.check(actor, length or 0)
        return target

    @property
    def size_limit(self) -> int:
        """Largest document taken, in bytes."""
        return self._settings.size_limit

    def _check_declared(self, length: int | None) -> None:
        if length is not None:
            self.check_length(length)
            if length == 0:
                raise Invalid("The file is empty.", mend="Choose the file again; nothing was stored.")

    def check_length(self, length: int) -> None:
        """Raise TooLarge when `length` bytes are more than this installation takes."""
        if length > self.size_limit:
            raise TooLarge(
                f"The file is larger than the {self.size_limit:,} bytes that this portal takes.",
                mend="Split it, or ask your official for another way; nothing was stored.",
            )


def _keyed_id(actor: Actor, key: str) -> str:
    """Return the id of the document that this person sends with this key: the same each time, and nobody else's."""
    digest = hashlib.sha256(f"deposit\0{actor.person_id}\0{key}".encode()).digest()
    return str(uuid.UUID(bytes=digest[:16], version=4))
