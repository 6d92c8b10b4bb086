"""The page of a denial that the person may know of: what was checked, what is missing, what to do."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from portal.errors import NotPermitted
from portal.http.problems import portal_error
from portal.web.words import moment


def explain_in(blueprint: Blueprint) -> None:
    """Let denials about documents in `blueprint` be answered with this page instead of the plain error."""
    blueprint.register_error_handler(NotPermitted, _denied)


def _denied(error: NotPermitted) -> ResponseReturnValue:
    denial = error.denial
    if denial is None or "HX-Request" in request.headers:
        return portal_error(error)
    asked = moment(denial.time)
    page = render_template(
        "documents/denied.html",
        reasons=[
            {"outcome": "refuses", "sentence": sentence, "rules": (rule,)}
            for sentence, rule in zip(denial.sentences, error.rules, strict=False)
        ],
        first=denial.sentences[0] if denial.sentences else "",
        document_id=(request.view_args or {}).get("document_id", ""),
        asked=f"{asked.day}, {denial.time:%H:%M:%S} UTC",
        entry=denial.log_entry,
    )
    return page, error.status
