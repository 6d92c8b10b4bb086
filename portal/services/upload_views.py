"""What is said of an upload in pieces, to its owner and to what files it."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crypto.parts import Part
from policies import Label
from policies.requests import Action, Role
from portal.errors import Conflict, Invalid, TooLarge
from portal.models import ResumableUpload
from portal.services.actor import Actor
from portal.services.deposit import Declared
from portal.services.filing import Target
from portal.services.receiving import DepositReceipt


@dataclass(frozen=True, slots=True)
class Announced:
    """What is said of an upload before its bytes: a new document, or a version of `document_id`."""

    declared: Declared
    length: int
    document_id: str | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class UploadView:
    """An upload as its owner sees it: sizes in bytes; `receipt` once it is filed, `refusal` when it was refused."""

    id: str
    state: str
    length: int
    stored: int
    title: str
    file_name: str
    programme_id: str
    marking: str
    document_id: str | None
    key: str | None
    started: datetime
    expires: datetime
    receipt: DepositReceipt | None = None
    refusal: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Checksum:
    """What one request's bytes must come to."""

    algorithm: str
    digest: bytes


class Mismatch(Invalid):
    """The bytes of a request are not those whose checksum was sent (tus 1.0, *Checksum*)."""

    status = 460


def view_of(row: ResumableUpload, marking: str, receipt: DepositReceipt | None = None) -> UploadView:
    """Return a row as its owner sees it, under its label's marking."""
    details = json.loads(row.details)
    refusal = details.get("refusal")
    return UploadView(
        id=row.id,
        state="filed" if receipt is not None else row.state,
        length=row.length,
        stored=row.stored,
        title=details["title"],
        file_name=details["file_name"],
        programme_id=details["programme"],
        marking=marking,
        document_id=row.document_id if details["action"] == Action.DOCUMENT_VERSION.value else None,
        key=details["key"],
        started=row.started,
        expires=row.expires,
        receipt=receipt,
        refusal=(refusal[0], refusal[1]) if refusal else None,
    )


def details_of(actor: Actor, action: Action, target: Target, declared: Declared) -> str:
    """Return what an upload's row keeps sealed of what was said and decided when it began."""
    return json.dumps(
        {
            "action": action.value,
            "title": target.title,
            "file_name": target.file_name,
            "label": b64encode(target.label.canonical()).decode(),
            "programme": target.programme_id,
            "originator": target.originator_id,
            "addressee": target.addressee_id,
            "sha256": declared.sha256.hex() if declared.sha256 else None,
            "key": declared.key,
            "session": actor.session,
            "assurance": actor.assurance,
            "role": actor.role.value if actor.role else None,
        }
    )


def parts_of(row: ResumableUpload) -> tuple[Part, ...]:
    """Return the parts that are in store, in their order."""
    return tuple(
        Part(plain, cipher, bytes.fromhex(digest)) for plain, cipher, digest in json.loads(row.parts)
    )


def label_of(details: Mapping[str, Any]) -> Label:
    """Return the label that was declared."""
    return Label.from_canonical(b64decode(details["label"]))


def target_of(row: ResumableUpload) -> Target:
    """Return what an upload is to become."""
    details = json.loads(row.details)
    return Target(
        document_id=row.document_id,
        number=row.number,
        title=details["title"],
        file_name=details["file_name"],
        label=label_of(details),
        programme_id=details["programme"],
        originator_id=details["originator"],
        addressee_id=details["addressee"],
    )


def sender_of(row: ResumableUpload) -> Actor:
    """Return who began an upload, as they were then: for what is done while nobody asks."""
    details = json.loads(row.details)
    return Actor(
        person_id=row.person_id,
        organisation_id=row.organisation_id,
        assurance=details["assurance"],
        session=details["session"],
        role=Role(details["role"]) if details["role"] else None,
    )


def check_piece(row: ResumableUpload, offset: int, announced: int | None, most: int) -> None:
    """Raise Conflict, TooLarge or Invalid when a request may not bring `announced` bytes from `offset` on."""
    if row.state != "receiving" or offset != row.stored:
        raise Conflict(
            f"{row.stored:,} bytes of this upload are in store, not {offset:,}.",
            mend="Ask with HEAD how many there are, and go on from there.",
        )
    left = row.length - row.stored
    if announced is not None and announced > left:
        raise TooLarge(
            f"{announced:,} bytes were sent where {left:,} are missing.",
            mend="Send what is missing, no more.",
        )
    pieces = most - len(json.loads(row.parts))
    least = left if pieces <= 1 else -(-left // pieces)
    if announced is not None and announced < least:
        raise Invalid(
            f"An upload comes in at most {most:,} pieces, and this one is too small.",
            mend=f"Send at least {least:,} bytes in each request.",
        )
    if pieces < 1:
        raise Invalid("This upload came in too many pieces.", mend="Give it up, and send it anew.")
