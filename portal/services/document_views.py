"""Documents as people see them: values that pages and API render."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from portal.services.pages import Page


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """What a list is narrowed to; `label` is a marking, `text` words of titles.

    `since`: what other organisations sent from this time on; `own`: what one's own organisation sent; `received`: what
    anybody sent from this time on; `originator`: what the organisation with this id sent.
    """

    programme: str | None = None
    label: str | None = None
    text: str | None = None
    sort: str = "-created"
    since: datetime | None = None
    own: bool = False
    received: datetime | None = None
    originator: str | None = None


@dataclass(frozen=True, slots=True)
class Originator:
    """An organisation that sent documents, and how many of them are within reach."""

    id: str
    name: str
    count: int


@dataclass(frozen=True, slots=True)
class ProgrammeName:
    """A programme as people see it."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class LabelView:
    """A label as people see it: its marking, classification, policy name, and the classification's value (lacv).

    `class_words` is the marking of the classification alone.
    """

    marking: str
    class_words: str
    classification: str
    policy: str
    lacv: int
    rank: int


@dataclass(frozen=True, slots=True)
class VersionView:
    """One version as people see it; `sha256` in hexadecimal, `size` in bytes."""

    number: int
    file_name: str
    media_type: str
    notices: tuple[str, ...]
    size: int
    sha256: str
    created: datetime
    log_entry: int
    scan: str = "not-scanned"
    signatures: datetime | None = None
    standing: str = "open"


@dataclass(frozen=True, slots=True)
class DocumentView:
    """A document's head as people see it, with its current version."""

    id: str
    title: str
    label: LabelView
    programme: ProgrammeName
    originator: str
    version: int
    size: int
    created: datetime
    changed: datetime
    due: datetime | None
    state: str
    scan: str
    own: bool
    current: VersionView | None = None

    @property
    def signatures(self) -> datetime | None:
        """The date of the signatures with which the current version was scanned."""
        return self.current.signatures if self.current is not None else None


@dataclass(frozen=True, slots=True)
class Overview:
    """A page of documents with what stands around it; `counts` and `fresh` by programme id.

    `total` is the length of the list that the page is of, exact when no more than MOST_COUNTED or when counters tell;
    `own` is how many one's own organisation sent; `tellable` are the documents of the page of which the person may be
    told who has opened them; `cleared_until` is when the person's last clearance ends or ended (None: with nothing but
    a decision, or they never had one).
    """

    page: Page[DocumentView]
    programmes: Sequence[ProgrammeName]
    counts: Mapping[str, int]
    labels: Sequence[LabelView]
    fresh: Mapping[str, int]
    total: int = 0
    exact: bool = True
    own: int = 0
    originators: Sequence[Originator] = ()
    tellable: frozenset[str] = frozenset()
    cleared_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """Everything that a document's page shows; `log_entry` and `checked` are of the record that it was shown."""

    document: DocumentView
    versions: Sequence[VersionView]
    may_read: bool
    may_preview: bool
    may_add_version: bool
    reasons: Sequence[str]
    log_entry: int
    checked: datetime


class Inspected(Protocol):
    """What is shown of an inspection: `portal.models.Inspection`."""

    scan: Any
    signatures: Any
    standing: Any


def version_view(row: Mapping[str, Any], file_name: str, found: Inspected | None = None) -> VersionView:
    """Return the view of a version's row, whose file name is opened already, with what was found in it."""
    return VersionView(
        number=row["number"],
        file_name=file_name,
        media_type=row["media_type"],
        notices=tuple(json.loads(row["notices"])),
        size=row["size"],
        sha256=row["sha256"].hex(),
        created=row["created"],
        log_entry=row["log_entry"],
        scan=found.scan if found is not None else "not-scanned",
        signatures=found.signatures if found is not None else None,
        standing=found.standing if found is not None else "open",
    )
