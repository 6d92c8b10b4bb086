"""Doing what the people of the demonstration do: each deed is a use case of the portal, each refusal part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta

from policies.requests import Action
from portal.audit import RecordFilter
from portal.cli.demonstration.clock import HistoryClock
from portal.cli.demonstration.habits import Act, Deed
from portal.errors import NotFound, NotPermitted
from portal.services.actor import Actor
from portal.services.document_views import DocumentFilter
from portal.services.runtime import Runtime

_LOOKED_BACK = timedelta(days=7)


class Doing:
    """Does deeds for whoever is signed in; `documents` holds ids by title, `people` by part."""

    def __init__(
        self, runtime: Runtime, clock: HistoryClock, documents: Mapping[str, str], people: Mapping[str, str]
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._documents = documents
        self._people = people
        self._does: Mapping[Act, Callable[[Actor, tuple[str, ...]], None]] = {
            Act.LIST: lambda actor, _: self._find(actor, DocumentFilter()),
            Act.SEARCH: lambda actor, words: self._find(actor, DocumentFilter(text=" ".join(words))),
            Act.SHOW: lambda actor, titles: self._show(actor, *titles),
            Act.VIEW: lambda actor, titles: self._open(actor, Action.DOCUMENT_PREVIEW, titles),
            Act.READ: lambda actor, titles: self._open(actor, Action.DOCUMENT_READ, titles),
            Act.GIVE_UP: lambda actor, titles: self._open(actor, Action.DOCUMENT_READ, titles, whole=False),
            Act.ZIP: self._zip,
            Act.LOOK: lambda actor, _: self._look(actor),
            Act.EXPORT: lambda actor, _: self._export(actor),
            Act.ASK_WHY: self._ask_why,
            Act.STATUS: lambda actor, _: self._status(actor),
        }

    def do(self, actor: Actor, deed: Deed) -> None:
        """Do it; what the rules refuse stays undone, and recorded."""
        with suppress(NotFound, NotPermitted):
            self._does[deed.act](actor, deed.titles)

    def _find(self, actor: Actor, wanted: DocumentFilter) -> None:
        self._runtime.documents.find(actor, wanted)

    def _show(self, actor: Actor, title: str) -> None:
        self._runtime.documents.show(actor, self._documents[title])

    def _open(self, actor: Actor, action: Action, titles: tuple[str, ...], *, whole: bool = True) -> None:
        for title in titles:
            permission = self._runtime.release.permit(actor, action, self._documents[title])
            transfer = self._runtime.release.open(permission)
            try:
                if whole:
                    for _ in transfer:
                        pass
            finally:
                transfer.close()

    def _zip(self, actor: Actor, titles: tuple[str, ...]) -> None:
        for _ in self._runtime.archive.open(actor, [self._documents[title] for title in titles]):
            pass

    def _last_week(self, decision: str | None = None) -> RecordFilter:
        return RecordFilter(time_from=self._clock() - _LOOKED_BACK, decision=decision)

    def _look(self, actor: Actor) -> None:
        self._runtime.auditing.search(actor, self._last_week("deny"))

    def _export(self, actor: Actor) -> None:
        _, stream = self._runtime.auditing.export(actor, self._last_week(), "csv")
        for _ in stream:
            pass

    def _ask_why(self, actor: Actor, titles: tuple[str, ...]) -> None:
        for title in titles:
            self._runtime.explain.explain(actor, self._people["official-restricted"], self._documents[title])

    def _status(self, actor: Actor) -> None:
        self._runtime.status.show(actor)
