"""What was granted about documents: releases, originators' control and consents, as the rules read them.

A release rests on the originator's consent only as long as that consent is in force: when it ends, so does what was
passed on under it, wherever the originator controls the document.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias, cast

from sqlalchemy import Select, Subquery, Table, and_, literal, or_, select, true, union_all
from sqlalchemy.orm import Session

from policies import requests as rq
from policies.requests import Act, Period, ReleasedTo
from portal import models
from portal.models.listed import one_of

_Query: TypeAlias = Select[
    models.Document,
    models.LabelRecord,
    models.DocumentRelease,
    models.OriginatorControl,
    models.OriginatorConsent,
]
_RELEASES = cast(Table, models.DocumentRelease.__table__).c
_KINDS = (models.DocumentRelease, models.OriginatorControl, models.OriginatorConsent)


@dataclass(frozen=True, slots=True)
class DocumentGrants:
    """Every release, control and consent of one document, in force or not."""

    releases: tuple[models.DocumentRelease, ...] = ()
    controls: tuple[models.OriginatorControl, ...] = ()
    consents: tuple[models.OriginatorConsent, ...] = ()

    def put_into(self, document: rq.Document, now: datetime) -> rq.Document:
        """Return the document as the rules see it with these grants."""
        if not (self.releases or self.controls or self.consents):
            return document
        consents = {row.id: row for row in self.consents}
        return replace(
            document,
            releases=tuple(
                found
                for row in self.releases
                for found in _as_released(row, consents.get(row.consent_id or ""))
            ),
            originator_controlled=any(_period(row).contains(now) for row in self.controls),
            consents=tuple(
                rq.Consent(row.organisation_id, Act(row.act), _period(row)) for row in self.consents
            ),
        )


def beside(document_id: str) -> Subquery:
    """Return which grants a document has, by kind and id: one row for each, however many kinds there are."""
    return union_all(
        *(
            select(literal(kind.__tablename__).label("kind"), kind.id.label("id"))
            .where(kind.document_id == document_id)
            .correlate(None)
            for kind in _KINDS
        )
    ).subquery("granted")


def with_grants(document_id: str) -> _Query:
    """Return the query of a document, its label and its grants: a row for each grant, one where there is none."""
    granted = beside(document_id)
    query = (
        select(models.Document, models.LabelRecord, *_KINDS)
        .outerjoin(models.LabelRecord, models.LabelRecord.digest == models.Document.label_digest)
        .outerjoin(granted, true())
        .where(models.Document.id == document_id)
    )
    for kind in _KINDS:
        query = query.outerjoin(kind, and_(granted.c.kind == kind.__tablename__, kind.id == granted.c.id))
    return query


def grants_of(rows: Sequence[Any]) -> DocumentGrants:
    """Return the grants that the rows of `with_grants` hold."""
    columns = [[row[place] for row in rows if row[place] is not None] for place in (2, 3, 4)]
    return DocumentGrants(*(tuple(dict.fromkeys(found)) for found in columns))


@dataclass(frozen=True, slots=True)
class Released:
    """A document that was released to somebody, by what a list asks of it."""

    id: str
    programme_id: str
    label_id: int
    originator_id: str


def released_to(
    session: Session, subject: rq.Subject, programmes: Collection[str], now: datetime
) -> Sequence[Released]:
    """Return the documents that are released to somebody now, and not of or delivered to their own organisation.

    The same as the rules `releasable` and `originator-consent` say of each; `programmes`: those of which they are a
    member now. One query, however many there are. Raises TamperedRow.
    """
    table, document = models.DocumentRelease, models.Document
    consent, control = models.OriginatorConsent, models.OriginatorControl
    head = (document.programme_id, document.label_id, document.originator_id, document.addressee_id)
    # Outer joins, so that the releases are looked at first, and not every document.
    query = (
        select(table, consent, control, document.state, *head)
        .outerjoin(document, document.id == table.document_id)
        .outerjoin(consent, consent.id == table.consent_id)
        .outerjoin(control, control.document_id == table.document_id)
        .where(
            or_(
                and_(table.to_kind == ReleasedTo.PERSON.value, table.to_id == subject.person_id),
                and_(table.to_kind == ReleasedTo.ORGANISATION.value, table.to_id == subject.organisation_id),
                and_(table.to_kind == ReleasedTo.PROGRAMME.value, one_of(_RELEASES.to_id, programmes)),
            )
        )
    )
    standing: dict[str, Released] = {}
    controlled: set[str] = set()
    agreed: set[tuple[str, str]] = set()
    for row in session.execute(query):
        release, agreement, controls, state, *_ = row
        own = subject.organisation_id in row[6:]
        if state != rq.DocumentState.RECEIVED.value or own:
            continue
        if controls is not None and _period(controls).contains(now):
            controlled.add(release.document_id)
        if _period(release).contains(now):
            standing[release.document_id] = Released(release.document_id, *row[4:7])
            in_force = agreement if agreement is not None and _period(agreement).contains(now) else None
            agreed.update((release.document_id, organisation) for organisation in _agreed(release, in_force))
    return [
        item
        for item in standing.values()
        if item.id not in controlled or (item.id, item.originator_id) in agreed
    ]


def _as_released(
    row: models.DocumentRelease, consent: models.OriginatorConsent | None
) -> Iterable[rq.Release]:
    """Yield a release as it stands without the consent on which it rests, and for that consent's time with it."""
    kind, period = ReleasedTo(row.to_kind), _period(row)
    yield rq.Release(kind, row.to_id, period, row.made_by)
    if consent is not None:
        start = max(period.start, consent.valid_from)
        end = min(filter(None, (period.end, consent.valid_until)), default=None)
        if end is None or start < end:
            yield rq.Release(kind, row.to_id, Period(start, end), consent.organisation_id)


def _agreed(row: models.DocumentRelease, consent: models.OriginatorConsent | None) -> tuple[str, ...]:
    return (row.made_by,) if consent is None else (row.made_by, consent.organisation_id)


def _period(row: models.Dated) -> Period:
    return Period(row.valid_from, row.valid_until)
