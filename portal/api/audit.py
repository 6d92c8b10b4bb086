"""The access log over the API: records, one record, export."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from portal.audit.reading import Record
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.queries import wanted_limit, wanted_records, wanted_text
from portal.http.routing import signed_in

_MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}


def register(blueprint: Blueprint) -> None:
    """Add the routes."""
    blueprint.add_url_rule("/audit/records", "records", records, methods=["GET"])
    blueprint.add_url_rule("/audit/records/<int:seq>", "record", record, methods=["GET"])
    blueprint.add_url_rule("/audit/export", "export", export, methods=["GET"])


@signed_in()
def records() -> Response:
    """List records, newest first."""
    page = runtime().auditing.search(
        current_actor(), wanted_records(), wanted_text(request.args, "cursor"), wanted_limit(request.args)
    )
    return jsonify({"items": [_shape(item) for item in page.items], "next": page.next})


@signed_in()
def record(seq: int) -> Response:
    """Show one record."""
    return jsonify(_shape(runtime().auditing.record(current_actor(), seq)))


@signed_in()
def export() -> Response:
    """Stream an export."""
    form = request.args.get("format", "jsonl")
    receipt, stream = runtime().auditing.export(current_actor(), wanted_records(), form)
    answer = Response(stream, mimetype=_MEDIA_TYPES[form], direct_passthrough=True)
    answer.headers["Content-Disposition"] = f'attachment; filename="access-log-{receipt.seq}.{form}"'
    answer.headers["Strongroom-Log-Entry"] = str(receipt.seq)
    return answer


def _shape(item: Record) -> dict[str, Any]:
    return dict(item.fields)
