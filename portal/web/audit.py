"""The auditor's pages: timeline with filters, entry, export."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import Record
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_records, wanted_text
from portal.http.routing import signed_in
from portal.services.auditing import FORMATS, Names
from portal.web.words import Chip

_MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}
_FILTERS = ("from", "to", "person", "document", "programme", "organisation", "action", "decision", "label")
_DEEDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "document.upload": ("sent a new document", "to send a document"),
        "document.version": ("sent a new version", "to send a new version"),
        "document.list": ("looked at the list of documents", "to look at the list of documents"),
        "document.search": ("searched titles", "to search titles"),
        "document.show": ("opened a document's page", "to open a document's page"),
        "document.read": ("downloaded a document", "to download a document"),
        "document.preview": ("viewed a document", "to view a document"),
        "log.search": ("looked at the access log", "to look at the access log"),
        "log.read": ("looked at one entry of the access log", "to look at an entry of the access log"),
        "log.export": ("exported the access log", "to export the access log"),
        "session.open": ("signed in", "to sign in"),
        "session.close": ("signed out", "to sign out"),
        "request.refused": ("sent a request that was refused", "a request that could not be carried out"),
    }
)
_OUTCOMES = MappingProxyType(
    {"complete": "done", "aborted": "broken off", "failed": "failed", "unknown": "end not recorded"}
)
_ICONS = {"document": "file", "session": "key", "log": "timeline", "grant": "certificate", "token": "key"}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("audit", __name__, url_prefix="/audit")
    add = blueprint.add_url_rule
    add("", "timeline", timeline, methods=["GET"])
    add("/entries/<int:seq>", "entry", entry, methods=["GET"])
    add("/export", "export_form", export_form, methods=["GET"])
    add("/export/download", "export", export, methods=["GET"])
    return blueprint


@signed_in(Role.AUDITOR)
def timeline() -> ResponseReturnValue:
    """Show records, newest first, under their days."""
    actor, auditing = current_actor(), runtime().auditing
    wanted = wanted_records()
    page = auditing.search(actor, wanted, wanted_text(request.args, "cursor"), wanted_limit(request.args))
    names = auditing.names(actor, page.items)
    kept = _kept()
    activity = auditing.activity(actor, wanted)
    daily = len(activity) > 1 and activity[1].start - activity[0].start > timedelta(hours=1)
    hours = [
        {
            "name": f"{one.start:%a} {one.start.day} {one.start:%b}" if daily else f"{one.start:%a %H:%M}",
            "accesses": one.accesses,
            "refusals": one.refusals,
        }
        for one in activity
    ]
    return render_template(
        "audit/timeline.html",
        days=_days(page.items, names),
        filters=[
            {"name": name, "value": value, "remove_url": url_for("audit.timeline", **_without(kept, name))}
            for name, value in kept.items()
        ],
        kept=kept,
        actions=sorted(CATALOGUE),
        shown=f"{len(page.items)} entries",
        older_url=url_for("audit.timeline", **kept, cursor=page.next) if page.next else "",
        newest_url=url_for("audit.timeline", **kept) if request.args.get("cursor") else "",
        hours=hours,
        top=max((one.accesses + one.refusals for one in activity), default=0) or 1,
        accesses=sum(one.accesses for one in activity),
        refusals=sum(one.refusals for one in activity),
        health=auditing.health(actor),
        export_url=url_for("audit.export_form", **kept),
    )


@signed_in(Role.AUDITOR)
def entry(seq: int) -> ResponseReturnValue:
    """Show one record: a plain sentence, and the raw record beside."""
    actor, auditing = current_actor(), runtime().auditing
    record = auditing.record(actor, seq)
    names = auditing.names(actor, [record])
    return render_template(
        "audit/entry.html",
        record=record,
        view=_entry(record, names),
        raw=json.dumps(record.fields, indent=2, ensure_ascii=False),
        meaning=CATALOGUE[record.action].meaning,
        person_url=_pivot("person", record),
        document_url=_pivot("document", record),
    )


@signed_in(Role.AUDITOR)
def export_form() -> ResponseReturnValue:
    """Offer the export of a selection."""
    return render_template("audit/export.html", kept=_kept(), formats=FORMATS, actions=sorted(CATALOGUE))


@signed_in(Role.AUDITOR)
def export() -> ResponseReturnValue:
    """Stream an export."""
    form = request.args.get("format", "jsonl")
    receipt, stream = runtime().auditing.export(current_actor(), wanted_records(), form)
    answer = Response(stream, mimetype=_MEDIA_TYPES[form], direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="access-log-{receipt.seq}.{form}"'
    answer.headers["Strongroom-Log-Entry"] = str(receipt.seq)
    return answer


def _kept() -> dict[str, Any]:
    return {name: request.args[name] for name in _FILTERS if request.args.get(name)}


def _without(kept: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in kept.items() if key != name}


def _pivot(name: str, record: Record) -> str:
    value = record.get("actor" if name == "person" else name)
    return url_for("audit.timeline", **{name: value}) if value else ""


def _days(records: Sequence[Record], names: Names) -> list[dict[str, Any]]:
    return [
        {"name": f"{day:%A} {day.day} {day:%B %Y}", "entries": [_entry(record, names) for record in found]}
        for day, found in groupby(records, key=lambda record: record.time.date())
    ]


def _entry(record: Record, names: Names) -> dict[str, Any]:
    person = names.people.get(record.get("actor") or "", "")
    refused = record.get("decision") == "deny" or record.action.endswith(".refused")
    marking = record.get("label")
    return {
        "time": f"{record.time:%H:%M:%S}",
        "iso": record.time.isoformat(),
        "icon": "x" if refused else _ICONS.get(record.action.partition(".")[0], "info-circle"),
        "sentence": sentence(record, person),
        "sub": " · ".join(_particulars(record, names)),
        "marking": Chip(marking, "", runtime().documents.number_of(marking)) if marking else None,
        "number": record.seq,
        "url": url_for("audit.entry", seq=record.seq),
        "kind": "refused" if refused else "unsure" if record.get("outcome") == "unknown" else "",
    }


def sentence(record: Record, person: str) -> str:
    """Return a record in one plain sentence."""
    who = person or ("The portal" if record.get("actor") is None else "Somebody whose name is gone")
    past, infinitive = _DEEDS.get(record.action, ("", ""))
    if record.get("decision") == "deny":
        return f"{who} was refused: {infinitive or record.action} ({record.get('rule') or 'see the entry'})"
    if not past:
        meaning = CATALOGUE[record.action].meaning.rstrip(".")
        past = f"· {meaning[0].lower()}{meaning[1:]}"
    outcome = record.get("outcome")
    return f"{who} {past}" + (f": {_OUTCOMES.get(outcome, outcome)}" if outcome else "")


def _particulars(record: Record, names: Names) -> list[str]:
    found = [record.action]
    if record.get("programme"):
        found.append(names.programmes.get(record.get("programme"), "programme"))
    if record.get("document"):
        found.append(f"document {record.get('document')[:8]}")
    if record.get("version"):
        found.append(f"version {record.get('version')}")
    if record.get("bytes_handed") is not None:
        found.append(f"{record.get('bytes_handed'):,} bytes")
    if record.get("completes") is not None:
        found.append(f"completes entry {record.get('completes'):,}")
    return found
