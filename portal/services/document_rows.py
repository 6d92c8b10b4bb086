"""Documents' rows for lists: one query for heads, current versions and originators, opened into views."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    literal,
    select,
    tuple_,
    type_coerce,
)
from sqlalchemy.orm import Session

from policies import InvalidLabel, Label
from portal import models
from portal.errors import Tampered
from portal.models import Seals, sealing
from portal.models.listed import hidden
from portal.services.access import Access
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.document_views import (
    DocumentFilter,
    DocumentView,
    Inspected,
    LabelView,
    ProgrammeName,
    VersionView,
    version_view,
)
from portal.services.reach import Reach

TABLE = cast(Table, models.Document.__table__)
_VERSIONS = cast(Table, models.Version.__table__)
_INSPECTIONS = cast(Table, models.Inspection.__table__)
_ORGANISATIONS = cast(Table, models.Organisation.__table__)
SORTS = ("created", "-created", "due", "size", "-size", "label", "-label", "programme")


class DocumentRows:
    """Opens rows; one that fails its seal is left out, reported and recorded."""

    def __init__(self, seals: Seals, access: Access, alarm: Alarm) -> None:
        self._seals = seals
        self._access = access
        self._alarm = alarm
        self._labels: dict[tuple[str, Label], LabelView] = {}

    def views(
        self,
        actor: Actor,
        rows: Sequence[Mapping[str, Any]],
        reach: Reach,
        programmes: Sequence[ProgrammeName],
    ) -> Sequence[DocumentView]:
        """Open the rows of a page that `page` asked for; `programmes` holds at least those that they are of."""
        names = {item.id: item for item in programmes}
        views: list[DocumentView] = []
        for row in rows:
            try:
                view = self._view(actor, row, reach, names)
            except Tampered as fault:
                self._alarm.report(fault, actor)
                continue
            if view is not None:
                views.append(view)
        return views

    def _view(
        self, actor: Actor, row: Mapping[str, Any], reach: Reach, names: Mapping[str, ProgrammeName]
    ) -> DocumentView | None:
        head = {column.key: row[column.key] for column in TABLE.columns}
        sealing.verify_mapping(self._seals, TABLE, head)
        context = models.document_context(
            row["id"], row["label_digest"], row["programme_id"], row["row_version"]
        )
        title = sealing.open_text(
            self._seals, context, "title_sealed", row["title_sealed"], "documents", row["id"]
        )
        label = reach.digests.get(row["label_digest"])
        if label is None:
            return None
        programme = names.get(row["programme_id"])
        if programme is None:
            raise models.TamperedRow("programmes", row["programme_id"])
        return DocumentView(
            id=row["id"],
            title=title,
            label=self.label_view(label),
            programme=programme,
            originator=self._originator(row),
            version=row["current_version"],
            size=row["size"],
            created=row["created"],
            changed=row["changed"],
            due=row["due"],
            state=row["state"],
            scan=row["scan"],
            own=row["originator_id"] == actor.organisation_id,
            current=self._version(actor, row),
        )

    def _originator(self, row: Mapping[str, Any]) -> str:
        found = {column.key: row[f"o_{column.key}"] for column in _ORGANISATIONS.columns}
        if found["id"] is None:
            raise models.TamperedRow("organisations", row["originator_id"])
        sealing.verify_mapping(self._seals, _ORGANISATIONS, found)
        return sealing.open_text(
            self._seals,
            ("organisations", found["id"]),
            "name_sealed",
            found["name_sealed"],
            "organisations",
            found["id"],
        )

    def _version(self, actor: Actor, row: Mapping[str, Any]) -> VersionView | None:
        found = {column.key: row[f"v_{column.key}"] for column in _VERSIONS.columns}
        if found["document_id"] is None:
            return None
        key = f"{found['document_id']}/{found['number']}"
        try:
            sealing.verify_mapping(self._seals, _VERSIONS, found)
            name = sealing.open_text(
                self._seals, ("versions", key), "file_name_sealed", found["file_name_sealed"], "versions", key
            )
        except Tampered as fault:
            self._alarm.report(fault, actor)
            return None
        return version_view(found, name, self._inspection(actor, row))

    def _inspection(self, actor: Actor, row: Mapping[str, Any]) -> Inspected | None:
        found = {column.key: row[f"i_{column.key}"] for column in _INSPECTIONS.columns}
        if found["document_id"] is None:
            return None
        try:
            sealing.verify_mapping(self._seals, _INSPECTIONS, found)
        except Tampered as fault:
            self._alarm.report(fault, actor)
            return None
        return SimpleNamespace(scan=found["scan"], signatures=found["signatures"], standing=found["standing"])

    def class_words(self, classification: str) -> str:
        """Return the marking of a classification alone, such as NATO RESTRICTED."""
        policy = self._access.policy
        try:
            return policy.marking(policy.compose(classification))
        except InvalidLabel:
            return f"{policy.name} {classification}"

    def label_view(self, label: Label) -> LabelView:
        """Return a label as people see it; its words are composed once for each policy."""
        policy = self._access.policy
        key = policy.digest, label
        view = self._labels.get(key)
        if view is None:
            own = label.under(policy.id) or label
            known = policy.classification(own.classification)
            view = self._labels[key] = LabelView(
                self._access.marking(label),
                self.class_words(own.classification),
                own.classification,
                policy.name,
                known.lacv if known else 0,
                known.hierarchy if known else 0,
            )
        return view


_PROGRAMMES = models.VerifiedRows(models.Programme, models.Programme.id)
_NAMED: OrderedDict[int, tuple[Sequence[Any], tuple[ProgrammeName, ...]]] = OrderedDict()
_MOST_NAMED = 64


def programme_names(session: Session, ids: Collection[str]) -> Sequence[ProgrammeName]:
    """Return programmes by name, the same sequence as before when their rows are; raises TamperedRow for one that fails
    its seal.
    """
    rows = _PROGRAMMES.read(session, ids)
    kept = _NAMED.get(id(rows))
    if kept is not None and kept[0] is rows:
        return kept[1]
    names = (ProgrammeName(row.id, _PROGRAMMES.text(session, row, "name_sealed")) for row in rows)
    found = tuple(sorted(names, key=lambda item: item.name.casefold()))
    _NAMED[id(rows)] = rows, found
    while len(_NAMED) > _MOST_NAMED:
        _NAMED.popitem(last=False)
    return found


def page_query(
    condition: ColumnElement[bool],
    sort: str,
    programmes: Mapping[str, int],
    begin: Sequence[Any],
    limit: int,
    *,
    gathered: bool = False,
) -> Select[Any]:
    """Return the query of one page and one row more, from the place `begin` on (empty: from the first).

    `programmes` says where each that can be met stands in the order by programme. `gathered`: few rows meet the
    condition, so that they are gathered and sorted, and nothing is looked through in order.

    The rows hold a head's columns, its place in the order (`place_0`, …), and what belongs to it: its current
    version's columns (`v_…`), what was found in it (`i_…`) and its originator's (`o_…`).
    """
    key, descending = _order(sort, programmes)
    if begin:
        here, there = tuple_(*key), tuple_(*(literal(value) for value in begin))
        condition = and_(condition, here < there if descending else here > there)
    sorted_by = [hidden(part) for part in key] if gathered else key
    order = [part.desc() for part in sorted_by] if descending else sorted_by
    place = [part.label(f"place_{number}") for number, part in enumerate(key)]
    # Cut to the page first: what belongs to the rows is looked up for these rows alone.
    page = select(TABLE, *place).where(condition).order_by(*order).limit(limit + 1).subquery("page")
    places = [page.c[f"place_{number}"] for number in range(len(key))]
    return (
        select(
            page,
            *(column.label(f"v_{column.key}") for column in _VERSIONS.columns),
            *(column.label(f"i_{column.key}") for column in _INSPECTIONS.columns),
            *(column.label(f"o_{column.key}") for column in _ORGANISATIONS.columns),
        )
        .outerjoin(
            _VERSIONS,
            and_(_VERSIONS.c.document_id == page.c.id, _VERSIONS.c.number == page.c.current_version),
        )
        .outerjoin(
            _INSPECTIONS,
            and_(_INSPECTIONS.c.document_id == page.c.id, _INSPECTIONS.c.number == page.c.current_version),
        )
        .outerjoin(_ORGANISATIONS, _ORGANISATIONS.c.id == page.c.originator_id)
        .order_by(*([part.desc() for part in places] if descending else places))
    )


def position_of(row: Mapping[str, Any], wanted: DocumentFilter) -> list[Any]:
    """Return where a row stands in the list, as a cursor keeps it."""
    places = sorted(name for name in row if name.startswith("place_"))
    return [wanted.sort, *(row[name] for name in places)]


def _order(sort: str, programmes: Mapping[str, int]) -> tuple[list[ColumnElement[Any]], bool]:
    """Return the columns of an order, the last unique, and whether it descends; times as whole microseconds."""
    created = type_coerce(TABLE.c.created, BigInteger)
    unique = [created, TABLE.c.id]
    match sort.removeprefix("-"):
        case "size":
            unique = [TABLE.c.size, TABLE.c.id]
        case "label":
            unique = [TABLE.c.label_rank, TABLE.c.id]
        case "due":
            unique = [type_coerce(models.DUE_LAST, BigInteger), TABLE.c.id]
        case "programme":
            place = case(programmes, value=TABLE.c.programme_id) if programmes else literal(0)
            unique = [place, created, TABLE.c.id]
    return unique, sort.startswith("-")
