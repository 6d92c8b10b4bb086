"""Finding and showing documents: lists, search, one document's page. What is shown is recorded; what is not, is not."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from policies import SecurityPolicy, rules
from policies import requests as rq
from policies.requests import Action
from portal import models
from portal.audit import AuditLog
from portal.errors import Invalid, NotFound
from portal.models.database import Database
from portal.models.listed import hidden
from portal.services import standing
from portal.services.access import NO_SUCH_PROGRAMME, Access, Refusal
from portal.services.actor import Actor
from portal.services.alarm import Alarm
from portal.services.counters import Counters, Within
from portal.services.document_counts import MOST_COUNTED, by_programme, originators, up_to
from portal.services.document_grants import released_to
from portal.services.document_paths import Narrowed, Path, choose, first_programmes, reached
from portal.services.document_rows import (
    SORTS,
    TABLE,
    DocumentRows,
    page_query,
    position_of,
    programme_names,
)
from portal.services.document_search import Found, TitleSearch, found_rows
from portal.services.document_views import (
    DocumentFilter,
    DocumentPage,
    DocumentView,
    LabelView,
    Overview,
    ProgrammeName,
    version_view,
)
from portal.services.labels import LabelReader
from portal.services.pages import Cursors, Page, check_limit
from portal.services.reach import Reach, Reaches
from portal.services.titles import Titles

__all__ = ["LONGEST_QUERY", "SORTS", "Documents"]
_MOST_OFFERED = 256
LONGEST_QUERY = 200
_FILTERS = ("programme", "label", "text", "since", "own", "received", "originator")


class Documents:
    """Lists, searches and shows documents to those who may see them."""

    def __init__(
        self,
        database: Database,
        log: AuditLog,
        access: Access,
        labels: LabelReader,
        titles: Titles,
        cursors: Cursors,
        alarm: Alarm,
    ) -> None:
        self._database = database
        self._log = log
        self._access = access
        self._labels = labels
        self._search = TitleSearch(titles)
        self._cursors = cursors
        self._alarm = alarm
        self._rows = DocumentRows(database.seals, access, alarm)
        self._counters = Counters()
        self._reaches = Reaches(access)
        self._numbers: dict[str, int] = {}
        self._offered: dict[int, tuple[Within, SecurityPolicy, Sequence[LabelView]]] = {}

    # Lists

    def find(
        self, actor: Actor, wanted: DocumentFilter, cursor: str | None = None, limit: int = 50
    ) -> Page[DocumentView]:
        """Return a page of what this person may see, newest first unless sorted otherwise; recorded as shown.

        Raises Invalid for an unknown sort, label or cursor, NotFound for a programme that is not open to them.
        """
        return self._list(actor, wanted, cursor, limit).page

    def overview(
        self,
        actor: Actor,
        wanted: DocumentFilter,
        cursor: str | None = None,
        limit: int = 50,
        *,
        last_visit: datetime | None = None,
    ) -> Overview:
        """Return a page as `find` does, with all that stands around a list: programmes, counts, labels, what is new.

        `fresh` counts, by programme, what others' organisations sent since `last_visit` (at most 1,000 in all).
        """
        return self._list(actor, wanted, cursor, limit, around=True, last_visit=last_visit)

    def _list(
        self,
        actor: Actor,
        wanted: DocumentFilter,
        cursor: str | None,
        limit: int,
        *,
        around: bool = False,
        last_visit: datetime | None = None,
    ) -> Overview:
        check_limit(limit)
        if wanted.text and len(wanted.text) > LONGEST_QUERY:
            raise Invalid(f"A search takes at most {LONGEST_QUERY} characters.", mend="Use fewer words.")
        action = Action.DOCUMENT_SEARCH if wanted.text else Action.DOCUMENT_LIST
        with self._database.read() as session, self._alarm.watching(actor):
            subject = self._access.require(session, actor, action)
            place = self._place(actor, wanted, cursor)
            reach = self._reach(session, actor, subject)
            within = self._within(session, reach)
            narrowed = self._narrow(actor, action, reach, within, wanted)
            programmes = programme_names(session, reach.programmes)
            beyond_counters = around and bool(wanted.text or wanted.since or wanted.received)
            page = self._page(
                session, reach, within, wanted, narrowed, programmes, place, limit, beyond_counters
            )
            rows = page.rows
            views = self._rows.views(actor, rows[:limit], reach, programmes)
            around_it = Overview(Page(views, None), programmes, {}, (), {})
            if around and wanted.own:
                tellable = self._tellable(actor, subject, reach, rows[:limit])
                around_it = replace(around_it, tellable=tellable)
            if around:
                around_it = replace(around_it, cleared_until=_cleared_until(subject))
                around_it = self._around(
                    session,
                    around_it,
                    reach,
                    within,
                    wanted,
                    narrowed,
                    page if beyond_counters else None,
                    last_visit,
                )
        self._record_shown(actor, action, wanted, [view.id for view in views])
        following = None
        if len(rows) > limit:
            position = position_of(rows[limit - 1], wanted)
            following = self._cursors.write("documents", actor.person_id, position)
        return replace(around_it, page=Page(views, following))

    def _tellable(
        self, actor: Actor, subject: rq.Subject, reach: Reach, rows: Sequence[Mapping[str, Any]]
    ) -> frozenset[str]:
        """Return the ids of the rows of which this person may be told who has opened them (see `Readership`)."""
        heads = {
            row["id"]: rq.Document(
                id=row["id"],
                programme_id=row["programme_id"],
                label=reach.digests[row["label_digest"]],
                originator_id=row["originator_id"],
                addressee_id=row["addressee_id"],
                state=rq.DocumentState(row["state"]),
                scan=rq.ScanState(row["scan"]),
                releases=(),
            )
            for row in rows
            if row["label_digest"] in reach.digests
        }
        requests = {
            key: self._access.request(actor, subject, Action.DOCUMENT_VERSION, head)
            for key, head in heads.items()
        }
        return frozenset(key for key, request in requests.items() if rules.decide(request).permitted)

    def _page(
        self,
        session: Session,
        reach: Reach,
        within: Within,
        wanted: DocumentFilter,
        narrowed: Narrowed,
        programmes: Sequence[ProgrammeName],
        place: Sequence[Any],
        limit: int,
        counting: bool,
    ) -> Found:
        """Return a page's rows and one more; `counting`: with how many there are, up to MOST_COUNTED."""
        if not narrowed.programmes or not narrowed.labels:
            return Found(())
        parts = _times(reach, wanted)
        if wanted.text:
            return self._search.page(
                session, reach, within, wanted, narrowed, parts, programmes, place, limit, counting=counting
            )
        path = choose(self._counters, within, wanted, narrowed, limit + 1)
        tried = [narrowed]
        if wanted.sort == "programme":
            # Only the programmes that come first are asked, as many as fill the page.
            path = Path.PROGRAMME
            tried = [
                replace(narrowed, programmes=some)
                for some in first_programmes(programmes, narrowed.programmes, place, within, limit + 1)
            ]
        rows: Sequence[Mapping[str, Any]] = []
        by_programme = wanted.sort == "programme"
        order = {item.id: number for number, item in enumerate(programmes)} if by_programme else {}
        for some in tried:
            places = {key: order[key] for key in some.programmes} if by_programme else {}
            condition = and_(reached(reach, some, path), *parts)
            query = page_query(condition, wanted.sort, places, place, limit)
            if counting:
                query = query.add_columns(up_to(and_(reached(reach, narrowed, path), *parts)).label("total"))
            rows = [dict(row) for row in session.execute(query).mappings()]
            if len(rows) > limit:
                break
        return found_rows(rows)

    def _around(
        self,
        session: Session,
        begun: Overview,
        reach: Reach,
        within: Within,
        wanted: DocumentFilter,
        narrowed: Narrowed,
        counted: Found | None,
        last_visit: datetime | None,
    ) -> Overview:
        fresh = self._fresh(session, reach, within, last_visit)
        if counted is None:
            labels = narrowed.labels if wanted.label else None
            counted = Found((), within.of(wanted.programme, labels, narrowed.originator))
        return replace(
            begun,
            counts=within.by_programme,
            labels=self._used(reach, within),
            fresh=fresh,
            total=counted.total,
            exact=counted.exact,
            own=within.by_originator.get(reach.organisation_id, 0),
            originators=() if wanted.own else originators(session, within),
        )

    def _fresh(
        self, session: Session, reach: Reach, within: Within, last_visit: datetime | None
    ) -> Mapping[str, int]:
        if last_visit is None or not reach.programmes or not reach.labels:
            return {}
        everything = self._narrow_to(reach, within)
        path = choose(self._counters, within, DocumentFilter(), everything, MOST_COUNTED)
        return by_programme(session, and_(reached(reach, everything, path), _since(reach, last_visit)))

    def number_fresh(self, actor: Actor, last_visit: datetime) -> int:
        """Return how much others sent since `last_visit`, as `overview` counts it; it records nothing."""
        with self._database.read() as session, self._alarm.watching(actor):
            reach = self._reach(session, actor, self._access.subject(session, actor))
            return sum(self._fresh(session, reach, self._within(session, reach), last_visit).values())

    def _used(self, reach: Reach, within: Within) -> Sequence[LabelView]:
        """Return the labels of documents within reach, in order: which ones others use is not this person's to know."""
        policy, kept = self._access.policy, self._offered.get(id(within))
        if kept is not None and kept[0] is within and kept[1] is policy:
            return kept[2]
        used = {self._rows.label_view(reach.labels[row_id]) for row_id in within.by_label}
        found = tuple(sorted(used, key=lambda view: (view.rank, view.marking)))
        if len(self._offered) >= _MOST_OFFERED:
            self._offered.clear()
        self._offered[id(within)] = within, policy, found
        return found

    def write_query(self, actor: Actor, text: str) -> str:
        """Return a sealed token for search words: an address that carries it tells nothing."""
        return self._cursors.write("query", actor.person_id, text[:LONGEST_QUERY])

    def read_query(self, actor: Actor, token: str) -> str:
        """Return the words of a token; raises Invalid for one that is not this person's."""
        return str(self._cursors.read("query", actor.person_id, token))

    def programmes(self, actor: Actor) -> Sequence[ProgrammeName]:
        """Return the programmes that are open to this person now, by name."""
        with self._database.read() as session, self._alarm.watching(actor):
            subject = self._access.subject(session, actor)
            return programme_names(session, self._reach(session, actor, subject).programmes)

    def _reach(self, session: Session, actor: Actor, subject: rq.Subject) -> Reach:
        compiled = self._reaches.of(session, actor, subject, lambda fault: self._alarm.report(fault, actor))
        released = {
            item.id: item
            for item in released_to(session, subject, compiled.programmes, self._access.now())
            if item.programme_id in compiled.programmes and item.label_id in compiled.labels
        }
        return replace(compiled, released=released) if released else compiled

    def _within(self, session: Session, reach: Reach) -> Within:
        counted = self._counters.within(session, reach.programmes, reach.label_ids, reach.organisation_id)
        more = [(one.programme_id, one.label_id, one.originator_id) for one in reach.released.values()]
        return counted.and_released(more)

    def _narrow_to(self, reach: Reach, within: Within) -> Narrowed:
        """Return what is within reach: what one's own organisation sent, when nothing is addressed to it."""
        return Narrowed(reach.programmes, reach.labels, None if within.addressed else reach.organisation_id)

    def _narrow(
        self, actor: Actor, action: Action, reach: Reach, within: Within, wanted: DocumentFilter
    ) -> Narrowed:
        """Return what is wanted and within reach."""
        narrowed = self._narrow_to(reach, within)
        if wanted.own:
            narrowed = replace(narrowed, originator=reach.organisation_id)
        elif wanted.originator:
            narrowed = replace(narrowed, originator=wanted.originator)
        if wanted.programme is not None:
            if wanted.programme not in reach.programmes:
                self._access.record_denial(actor, action, None, Refusal(asked=wanted.programme[:100]))
                error = NotFound(NO_SUCH_PROGRAMME)
                error.recorded = True
                raise error
            narrowed = replace(narrowed, programmes=[wanted.programme])
        if wanted.label:
            chosen = self._labels.read(wanted.label)
            found = [row_id for row_id, label in reach.labels.items() if label == chosen]
            narrowed = replace(narrowed, labels=found)
        return narrowed

    def _place(self, actor: Actor, wanted: DocumentFilter, cursor: str | None) -> Sequence[Any]:
        """Return where the page begins, nothing for the first; raises Invalid for a bad order or cursor."""
        if wanted.sort not in SORTS:
            raise Invalid(f"There is no order {wanted.sort!r}.", mend=f"Use one of {', '.join(SORTS)}.")
        if cursor is None:
            return ()
        position: Sequence[Any] = self._cursors.read("documents", actor.person_id, cursor)
        if position[0] != wanted.sort:
            raise Invalid(
                "This page reference belongs to another order.", mend="Start again from the first page."
            )
        return position[1:]

    # One document

    def show(self, actor: Actor, document_id: str, *, sent: bool = False) -> DocumentPage:
        """Return what a document's page shows; a denial is recorded, then NotFound or NotPermitted.

        `sent`: for the receipts of what this person sent themselves, versions that are kept back included.
        """
        with self._database.read() as session, self._alarm.watching(actor):
            subject = self._access.subject(session, actor)
            found = self._access.head(session, document_id)
            if found is None:
                request = self._access.request(actor, subject, Action.DOCUMENT_SHOW)
                raise self._access.refuse(actor, request, None, Refusal(asked=document_id[:100]))
            row, document = found
            if sent and standing.only_held(session, row, actor.person_id):
                document = replace(document, state=rq.DocumentState.RECEIVED, scan=rq.ScanState.CLEAN)
            marking = self._access.marking(document.label)
            request = self._access.request(actor, subject, Action.DOCUMENT_SHOW, document)
            decision = rules.decide(request)
            if not decision.permitted:
                about = Refusal(row.id, row.programme_id, None, marking)
                raise self._access.refuse(actor, request, decision, about)
            # After the decision: how long a refusal takes must not tell how many versions there are.
            rows = session.scalars(
                select(models.Version)
                .where(models.Version.document_id == document_id)
                .order_by(models.Version.number)
            )
            looked = {
                item.number: item
                for item in session.scalars(
                    select(models.Inspection).where(models.Inspection.document_id == document_id)
                )
            }
            versions = [
                version_view(version.__dict__, version.file_name, looked.get(version.number))
                for version in rows
                if not standing.is_kept_back(version, looked.get(version.number))
                or (sent and version.uploaded_by == actor.person_id)
            ]
            view = DocumentView(
                id=row.id,
                title=row.title,
                label=self._rows.label_view(document.label),
                programme=_programme_name(session, row.programme_id),
                originator=_organisation_name(session, row.originator_id),
                version=row.current_version,
                size=row.size,
                created=row.created,
                changed=row.changed,
                due=row.due,
                state=row.state,
                scan=row.scan,
                own=row.originator_id == actor.organisation_id,
                current=next(
                    (version for version in versions if version.number == row.current_version), None
                ),
            )

            def may(action: Action) -> bool:
                return rules.decide(self._access.request(actor, subject, action, document)).permitted

            page = DocumentPage(
                view,
                versions,
                may(Action.DOCUMENT_READ),
                may(Action.DOCUMENT_PREVIEW),
                may(Action.DOCUMENT_VERSION),
                rules.explain(request, decision, reader="person"),
                log_entry=0,
                checked=row.changed,
            )
        receipt = self._log.append(
            self._access.event(
                actor,
                Action.DOCUMENT_SHOW,
                decision="permit",
                document=row.id,
                programme=row.programme_id,
                label=marking,
            )
        )
        return replace(page, log_entry=receipt.seq, checked=receipt.time)

    def class_words(self, classification: str) -> str:
        """Return the marking of a classification alone, such as NATO RESTRICTED."""
        return self._rows.class_words(classification)

    def number_of(self, marking: str) -> int:
        """Return the number (lacv) of the classification in a marking; 0 when the policy does not know it."""
        number = self._numbers.get(marking)
        if number is None:
            try:
                known = self._access.policy.classification(self._labels.read(marking).classification)
            except Invalid:
                known = None
            number = self._numbers[marking] = known.lacv if known else 0
        return number

    def _record_shown(self, actor: Actor, action: Action, wanted: DocumentFilter, ids: Sequence[str]) -> None:
        filters = [name for name in _FILTERS if getattr(wanted, name)]
        self._log.append(
            self._access.event(
                actor,
                action,
                decision="permit",
                programme=wanted.programme,
                details={
                    "shown": len(ids),
                    "shown_digest": hashlib.sha256("\n".join(ids).encode()).hexdigest(),
                    "sort": wanted.sort.replace("-", "desc:"),
                    "filters": filters,
                },
                private={"query": wanted.text} if wanted.text else None,
            )
        )


def _programme_name(session: Session, programme_id: str) -> ProgrammeName:
    names = programme_names(session, {programme_id})
    if not names:
        raise models.TamperedRow("programmes", programme_id)
    return names[0]


def _organisation_name(session: Session, organisation_id: str) -> str:
    row = session.get(models.Organisation, organisation_id)
    if row is None:
        raise models.TamperedRow("organisations", organisation_id)
    return row.name


def _cleared_until(subject: rq.Subject) -> datetime | None:
    ends = [grant.period.end for grant in subject.clearances]
    return None if None in ends else max(filter(None, ends), default=None)


def _times(reach: Reach, wanted: DocumentFilter) -> Sequence[ColumnElement[bool]]:
    """Return the conditions beside reach: times."""
    parts: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        parts.append(_since(reach, wanted.since))
    if wanted.received is not None:
        parts.append(TABLE.c.created >= wanted.received)
    return parts


def _since(reach: Reach, since: datetime) -> ColumnElement[bool]:
    return and_(TABLE.c.created >= since, hidden(TABLE.c.originator_id) != reach.organisation_id)
