"""The auditor's pages: the timeline and its filter, an entry, export, and how the log stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask import Blueprint, Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies.requests import Role
from portal.audit.catalogue import CATALOGUE
from portal.audit.reading import Record
from portal.clock import rfc3339
from portal.errors import Invalid
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_records, wanted_text
from portal.http.routing import signed_in
from portal.services.auditing import FORMATS, MOST, MOST_EXPORTED, EntryPage, LogHealth, Offer
from portal.services.log_names import Names
from portal.web import audit_choices, audit_entries, audit_filters, audit_tracing, audit_words
from portal.web.audit_filters import Selection
from portal.web.forms import refused
from portal.web.words import ROLE_WORDS, moment_words, size_words

_MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}
_OUTCOMES: Mapping[str, str] = MappingProxyType(
    {
        "complete": "complete",
        "aborted": "broken off",
        "failed": "failed",
        "unknown": "not known: the portal stopped before it could say",
    }
)


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("audit", __name__, url_prefix="/audit")
    add = blueprint.add_url_rule
    add("", "timeline", timeline, methods=["GET"])
    add("/filter", "filter_form", filter_form, methods=["GET"])
    add("/filter", "choose_filter", choose_filter, methods=["POST"])
    add("/entries/<int:seq>", "entry", entry, methods=["GET"])
    add("/export", "export_form", export_form, methods=["GET"])
    add("/export/download", "export", export, methods=["GET"])
    add("/health", "health", health, methods=["GET"])
    audit_tracing.add_to(blueprint)
    return blueprint


@signed_in(Role.AUDITOR)
def timeline() -> ResponseReturnValue:
    """Show entries, newest first, under their days."""
    selection = audit_filters.read(request.args, runtime().clock())
    if selection.problems:
        return _mend(selection)
    auditing = runtime().auditing
    page = auditing.timeline(
        current_actor(), selection.asked, wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    names = page.names
    chart = audit_entries.chart(page.activity, page.step, routine=selection.asked.routine)
    for bar in chart["bars"]:
        bar["url"] = selection.url(
            "audit.timeline", last=None, **{"from": rfc3339(bar["start"]), "to": rfc3339(bar["end"])}
        )
    routine = "routine" in selection.kept
    return render_template(
        "audit/timeline.html",
        days=audit_entries.days(page.entries, names),
        chips=audit_filters.chips(selection, names, "audit.timeline"),
        periods=_periods(selection),
        period_words="Your period"
        if selection.period == "own"
        else audit_filters.PERIODS[selection.period][0],
        form=_form(selection, page.offer, names),
        clear_url=url_for("audit.timeline", last=selection.period if selection.period != "own" else None),
        count=f"more than {MOST:,}" if page.count >= MOST else f"{page.count:,}",
        one=page.count == 1,
        shown=f"{len(page.entries):,} shown",
        older_url=selection.url("audit.timeline", cursor=page.next) if page.next else "",
        newest_url=selection.url("audit.timeline") if request.args.get("cursor") else "",
        chart=chart,
        health=page.health,
        age=_age(page.health),
        routine=selection.asked.routine,
        routine_fixed=selection.asked.routine and not routine,
        routine_url=selection.url("audit.timeline", routine=None if routine else "1"),
        export_url=_export_url(selection),
    )


def _export_url(selection: Selection) -> str:
    """Return where this selection is exported: there a period that is not named means all time."""
    values = {name: value for name, value in selection.kept.items() if name != "routine"}
    if selection.period != "own":
        values["last"] = selection.period
    return url_for("audit.export_form", **values)  # type: ignore[arg-type]


def _periods(selection: Selection) -> list[dict[str, Any]]:
    return [
        {
            "words": words,
            "short": audit_filters.SHORT[key],
            "url": selection.url("audit.timeline", last=key, **{"from": None, "to": None}),
            "current": selection.period == key,
        }
        for key, (words, _) in audit_filters.PERIODS.items()
    ]


def _age(health: LogHealth) -> str:
    """Return in words how long ago the anchored checkpoint was signed."""
    if health.anchored is None:
        return ""
    seconds = max(0, round((runtime().clock() - health.anchored.written).total_seconds()))
    if seconds < 120:
        return f"{seconds} seconds ago"
    if seconds < 7200:
        return f"{seconds // 60} minutes ago"
    return f"on {moment_words(health.anchored.written)}"


def _form(selection: Selection, offer: Offer, names: Names) -> dict[str, Any]:
    """Return the filter form's fields; what is chosen is offered even where the log carried others since."""
    kept, problems = selection.kept, selection.problems

    def offered(field: str, ids: list[str], known: Mapping[str, str]) -> list[tuple[str, str]]:
        chosen = kept.get(field)
        listed = [*ids, chosen] if chosen and chosen not in ids else ids
        return sorted(
            ((one, known.get(one) or f"Number {one[:8]}") for one in listed),
            key=lambda one: one[1].casefold(),
        )

    labels = list(offer.labels)
    if kept.get("label") and kept["label"] not in labels:
        labels.append(kept["label"])
    return {
        "kept": kept,
        "problems": problems,
        "period": selection.period,
        "periods": [(key, words) for key, (words, _) in audit_filters.PERIODS.items()],
        "from": audit_filters.local(kept.get("from", "")),
        "to": audit_filters.local(kept.get("to", "")),
        "who": names.people.get(kept.get("person", ""), kept.get("person", "")),
        "what": kept.get("document", ""),
        "programmes": offered("programme", list(offer.programmes), names.programmes),
        "organisations": offered("organisation", list(offer.organisations), names.organisations),
        "actions": [
            (group, [(action, audit_choices.CHOICES[action]) for action in actions])
            for group, actions in audit_choices.GROUPS.items()
        ],
        "decisions": list(audit_filters.DECISIONS.items()),
        "labels": sorted(labels),
        "routine": selection.asked.routine,
    }


@signed_in(Role.AUDITOR)
def filter_form() -> ResponseReturnValue:
    """Show the filter's form alone."""
    return _filter_page(audit_filters.read(request.args, runtime().clock()), 200)


def _mend(selection: Selection) -> ResponseReturnValue:
    """Show the form again with what is wrong, and record that the request was refused."""
    first = next(iter(selection.problems.values()))
    _, status = refused(Invalid(first))
    return _filter_page(selection, status)


def _filter_page(selection: Selection, status: int) -> ResponseReturnValue:
    offer, names = runtime().auditing.offer(current_actor(), selection.asked.filter)
    return render_template(
        "audit/filter.html", form=_form(selection, offer, names), problems=list(selection.problems.values())
    ), status


@signed_in(Role.AUDITOR)
def choose_filter() -> ResponseReturnValue:
    """Turn the form into the address of a page: names that were typed become ids, or a choice among several."""
    values: dict[str, Any] = dict(request.form)
    if values.get("last") == "own":
        values["last"] = ""
    else:
        values["from"] = values["to"] = ""
    chosen, problems = audit_tracing.resolve(values)
    selection = audit_filters.read(values, runtime().clock())
    if chosen is not None and not selection.problems and not problems:
        fields = {
            name: selection.kept.get(name, "") for name in audit_filters.NAMES if name not in chosen.fields
        }
        fields |= chosen.others
        fields["last"] = values["last"] or "own"
        return render_template("audit/choose.html", chosen=chosen, fields=fields)
    if problems:
        typed = {**selection.kept, **problems.kept}
        return _mend(Selection(selection.asked, typed, {**selection.problems, **problems.words}))
    if selection.problems:
        return _mend(selection)
    return redirect(selection.url("audit.timeline"), 303)


@signed_in(Role.AUDITOR)
def entry(seq: int) -> ResponseReturnValue:
    """Show one record: a plain sentence, what it belongs to, and the exact record beside."""
    page = runtime().auditing.entry(current_actor(), seq)
    record, names = page.record, page.names
    return render_template(
        "audit/entry.html",
        page=page,
        record=record,
        view=audit_entries.view(page.entry, names),
        when=f"{audit_entries.day_name(record.time.date())}, {record.time:%H:%M:%S} UTC",
        facts=_facts(page),
        raw=record.leaf.decode("utf-8", "replace"),
        laid_out=json.dumps(record.fields, indent=2, ensure_ascii=False),
        neighbours=_neighbours(page),
        meaning=CATALOGUE[record.action].meaning if record.action in CATALOGUE else "",
    )


def _facts(page: EntryPage) -> list[tuple[str, Any]]:
    record, names = page.entry.record, page.names
    get = record.get
    rule = get("rule")
    role = get("role")
    end = page.entry.outcome
    words = {"permit": "permitted", "deny": "refused"}
    return [
        ("Who", audit_entries.person_link(get("actor"), names) if get("actor") else "The portal itself"),
        ("Organisation", names.organisations.get(get("organisation") or "", "")),
        ("Acting as", ROLE_WORDS[Role(role)] if role else ""),
        ("Signed in with", audit_words.ASSURANCE.get(get("assurance") or 0, "")),
        ("Session", get("session")),
        ("Request", get("request")),
        ("Decision", words.get(get("decision") or "", "")),
        ("Why", audit_words.why_refused(record.fields)),
        ("Rule", rule),
        ("About", audit_entries.person_link(get("target"), names) if get("target") in names.people else ""),
        ("Document", audit_entries.number_link(get("document")) if get("document") else ""),
        ("Version", get("version")),
        ("Programme", names.programmes.get(get("programme") or "", "")),
        ("Policy in force", (get("policy") or "")[:16]),
        ("End", _OUTCOMES.get(end.get("outcome"), "") if end else _end_of(page)),
        ("Handed over", _handed(end)),
    ]


def _handed(end: Record | None) -> str:
    handed = end.get("bytes_handed") if end else None
    return "" if handed is None else f"{handed:,} bytes"


def _end_of(page: EntryPage) -> str:
    return audit_words.how_it_ended(page.entry) if page.entry.unsure else ""


def _neighbours(page: EntryPage) -> list[dict[str, Any]]:
    words = {"person": "Of this person", "document": "Of this document"}
    return [
        {
            "words": words[kind],
            "place": f"record {one.number:,} of {one.count:,}",
            "before": url_for("audit.entry", seq=one.before) if one.before is not None else "",
            "after": url_for("audit.entry", seq=one.after) if one.after is not None else "",
        }
        for kind, one in sorted(page.neighbours.items(), reverse=True)
        if kind in words
    ]


@signed_in(Role.AUDITOR)
def export_form() -> ResponseReturnValue:
    """Say what an export would hold, and offer it."""
    selection = audit_filters.read({"last": "all", **request.args}, runtime().clock())
    if selection.problems:
        return _mend(selection)
    actor, now = current_actor(), runtime().clock()
    count, names = runtime().auditing.exported(actor, selection.asked.filter)
    return render_template(
        "audit/export.html",
        fixed=audit_filters.fixed(selection),
        parts=audit_filters.in_words(selection, names),
        count=count,
        counted=f"more than {MOST_EXPORTED:,}" if count >= MOST_EXPORTED else f"{count:,}",
        exact=count < MOST_EXPORTED,
        until=moment_words(now),
        unsure=selection.asked.unsure,
        change_url=selection.url("audit.filter_form"),
        everything_url=url_for("audit.export_form") if len(selection.kept) > 1 else "",
        formats=[
            ("jsonl", "JSON Lines", "Every line is one record, byte for byte: the form that proofs need."),
            (
                "csv",
                "CSV",
                "For spreadsheets. Cells that a spreadsheet would take for formulas are disarmed.",
            ),
        ],
    )


@signed_in(Role.AUDITOR)
def export() -> ResponseReturnValue:
    """Stream an export."""
    form = request.args.get("format", FORMATS[0])
    receipt, stream = runtime().auditing.export(current_actor(), wanted_records(), form)
    answer = Response(stream, mimetype=_MEDIA_TYPES[form], direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="access-log-{receipt.seq}.{form}"'
    answer.headers["Strongroom-Log-Entry"] = str(receipt.seq)
    return answer


@signed_in(Role.AUDITOR)
def health() -> ResponseReturnValue:
    """Show how the log stands."""
    found = runtime().auditing.health(current_actor())
    return render_template(
        "audit/health.html",
        health=found,
        age=_age(found),
        size=size_words(found.size),
        unsure_url=url_for("audit.timeline", last="all", decision="unsure"),
    )
