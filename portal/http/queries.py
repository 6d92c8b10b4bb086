"""Reading what a request asks for: limits, texts, times, filters, JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask import request
from werkzeug.exceptions import BadRequest

from portal.audit.catalogue import CATALOGUE
from portal.audit.kinds import is_marking
from portal.audit.search import RecordFilter
from portal.clock import parse_rfc3339
from portal.errors import Invalid
from portal.services.pages import check_limit

DEFAULT_LIMIT = 50
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


def wanted_limit(values: Mapping[str, Any], absent: int = DEFAULT_LIMIT) -> int:
    """Read `limit` (1 to 200, `absent` when absent); raises Invalid."""
    text = values.get("limit")
    if text is None or text == "":
        return absent
    decimal = isinstance(text, str) and text.isdecimal() and len(text) < 10
    if isinstance(text, bool) or not (isinstance(text, int) or decimal):
        raise Invalid("`limit` is not a whole number.", mend="Leave it out, or write 1 to 200.")
    return check_limit(int(text))


def wanted_flag(values: Mapping[str, Any], name: str) -> bool:
    """Read `true` or `false` (when absent); raises Invalid for anything else."""
    text = values.get(name, "false")
    if text not in ("true", "false"):
        raise Invalid(
            f"`{name}` is neither `true` nor `false`.", mend="Leave it out, or write one of the two."
        )
    return bool(text == "true")


def wanted_text(values: Mapping[str, Any], name: str) -> str | None:
    """Read a text that may be absent or empty; raises Invalid when it is something else.

    What no database keeps (NUL, halves of surrogate pairs) is replaced, so that it is looked for and not found.
    """
    value = values.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise Invalid(f"`{name}` is not a text.", mend="Correct it.")
    return value.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def wanted_time(values: Mapping[str, Any], name: str) -> datetime | None:
    """Read an RFC 3339 time that may be absent; raises Invalid."""
    value = wanted_text(values, name)
    if value is None:
        return None
    try:
        return parse_rfc3339(value.replace(" ", "+"))
    except (ValueError, OverflowError):
        raise Invalid(
            f"`{name}` is not a time.", mend="Write it with its offset, as 2026-11-24T12:00:00Z."
        ) from None


def json_body() -> Mapping[str, Any]:
    """Return the body as a JSON object; raises Invalid when it is anything else."""
    try:
        body = request.get_json(force=True)
    except (BadRequest, RecursionError):
        raise Invalid("The body is not JSON.", mend="Send a JSON object.") from None
    if not isinstance(body, dict):
        raise Invalid("The body is not a JSON object.", mend="Send a JSON object.")
    return body


def wanted_records() -> RecordFilter:
    """Read the query's filter; raises Invalid for times, actions and decisions that are none."""
    values = request.args
    action, decision = wanted_text(values, "action"), wanted_text(values, "decision")
    if action is not None and action not in CATALOGUE:
        raise Invalid(f"There is no action {action[:60]!r}.", mend="Use one of the log's catalogue.")
    if decision not in (None, "permit", "deny"):
        raise Invalid("`decision` is permit or deny.", mend="Correct it.")
    ids = {name: wanted_text(values, name) for name in ("person", "document", "programme", "organisation")}
    for name, value in ids.items():
        if value is not None and _ID.fullmatch(value) is None:
            raise Invalid(f"`{name}` is not an id.", mend="Copy it from a record.")
    label = wanted_text(values, "label")
    if label is not None and not is_marking(label):
        raise Invalid(
            "`label` is not a marking.", mend="Write it as records carry it, such as NATO RESTRICTED."
        )
    return RecordFilter(
        time_from=wanted_time(values, "from"),
        time_to=wanted_time(values, "to"),
        action=action,
        decision=decision,
        label=label,
        **ids,
    )
