"""The page of a denial that the person may know of: what was checked, what is missing, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flask import Blueprint, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.errors import NotPermitted
from portal.http.problems import portal_error
from portal.web.words import moment

_ASK = "Tell your security officer the reference below, and nothing of what the document holds."
_AGAIN = "Then open the same address again: nothing has to be asked anew."
_STEPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "clearance-in-force": (
            _ASK,
            "The officer renews your clearance once the authority confirms it, or answers with a reason.",
            _AGAIN,
        ),
        "assurance": ("Sign out, and in again with what is asked for.", _AGAIN),
        "place-and-time": (
            "Open it from a place and at a time for which its level is permitted.",
            "Is it urgent? " + _ASK,
        ),
        "handling": ("Read it on its page in the portal: documents of its level are not handed out.",),
        "document-state": ("Ask the organisation that sent it what replaces it.",),
        "two-person": ("Ask another security officer to approve it.", _AGAIN),
    }
)
"""What somebody can do about each denial that they may know of, in order."""


def explain_in(blueprint: Blueprint) -> None:
    """Let denials about documents in `blueprint` be answered with this page instead of the plain error."""
    blueprint.register_error_handler(NotPermitted, _denied)


def steps_for(rules: Sequence[str]) -> list[str]:
    """Return what a person can do about a denial by these rules, each step once."""
    steps = dict.fromkeys(step for rule in rules for step in _STEPS.get(rule, (_ASK,)))
    if _AGAIN in steps:
        # It comes last, whatever else is to be done before.
        steps[_AGAIN] = steps.pop(_AGAIN)
    return list(steps)


def _denied(error: NotPermitted) -> ResponseReturnValue:
    denial = error.denial
    if denial is None or "HX-Request" in request.headers:
        return portal_error(error)
    asked = moment(denial.time)
    document_id = (request.view_args or {}).get("document_id", "")
    page = render_template(
        "documents/denied.html",
        reasons=[
            {"outcome": "refuses", "sentence": sentence, "rules": (rule,)}
            for sentence, rule in zip(denial.sentences, error.rules, strict=False)
        ],
        steps=steps_for(error.rules),
        document_id=document_id,
        page_url=_page_url(error.rules, document_id),
        asked=f"{asked.day}, {denial.time:%H:%M:%S} UTC",
        entry=denial.log_entry,
    )
    return page, error.status


def _page_url(rules: Sequence[str], document_id: Any) -> str:
    """Return the document's page where only handing it out is refused, else ""."""
    return url_for("documents.show", document_id=document_id) if set(rules) == {"handling"} else ""
