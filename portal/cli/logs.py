"""What the serving process says of itself: a line of JSON each, on standard error, without content.

An exception's own words may hold what somebody wrote (a title, a search), so only its kind and its places are told.
"""

from __future__ import annotations

import json
import logging
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flask import g, has_request_context

from portal.clock import rfc3339

_ROOM = Path(__file__).parents[2]
_MOST_CAUSES = 5


def install() -> None:
    """Let all loggers write such lines, from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


class JsonLines(logging.Formatter):
    """Writes `time, level, logger, message`, the request's id where there is one, and the places of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        line: dict[str, Any] = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if has_request_context() and "request_id" in g:
            line["request"] = g.request_id
        if record.exc_info and record.exc_info[1] is not None:
            line["errors"] = [_places(fault) for fault in _chain(record.exc_info[1])]
        return json.dumps(line, ensure_ascii=False)


def _chain(fault: BaseException) -> list[BaseException]:
    found = [fault]
    while len(found) < _MOST_CAUSES:
        following = found[-1].__cause__ or found[-1].__context__
        if following is None or following in found:
            break
        found.append(following)
    return found


def _places(fault: BaseException) -> dict[str, Any]:
    frames = traceback.extract_tb(fault.__traceback__)
    return {"kind": type(fault).__name__, "places": [_place(frame) for frame in frames]}


def _place(frame: traceback.FrameSummary) -> str:
    path = Path(frame.filename)
    shown = path.relative_to(_ROOM) if path.is_relative_to(_ROOM) else path
    return f"{shown}:{frame.lineno} {frame.name}"
