"""Why can, or why can't, this person open this document: every rule with its verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from policies import InvalidLabel
from policies.requests import Action, Role
from policies.verdicts import Outcome
from portal.errors import Invalid, NotFound
from portal.http.content import runtime
from portal.http.identify import current_actor
from portal.http.routing import signed_in
from portal.services.directory import Wanted
from portal.services.explain import Explanation
from portal.web.clearances import class_words
from portal.web.forms import id_in, refused
from portal.web.words import Chip

_ACTIONS: Mapping[Action, tuple[str, str]] = MappingProxyType(
    {
        Action.DOCUMENT_READ: ("Open or download it", "open or download it"),
        Action.DOCUMENT_PREVIEW: ("View it in the browser", "view it in the browser"),
        Action.DOCUMENT_SHOW: ("See its page", "see its page"),
        Action.DOCUMENT_LIST: ("See it in lists", "see it in lists"),
        Action.DOCUMENT_SEARCH: ("Find it by search", "find it by search"),
        Action.DOCUMENT_VERSION: ("Send a new version", "send a new version of it"),
    }
)
_SIGN_INS = (("1", "A password"), ("2", "A second factor"), ("3", "A passkey or certificate"))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the form holds: a person (id, or what was typed), a document, an action and an assurance."""

    person: str = ""
    typed: str = ""
    document: str = ""
    action: str = Action.DOCUMENT_READ.value
    assurance: str = "2"


@signed_in(Role.OFFICER)
def show() -> ResponseReturnValue:
    """Show the form and, where person and document are given, the decision."""
    actor, values = current_actor(), request.args
    token = values.get("who", "")
    asked = _Asked(
        person=values.get("person", ""),
        typed=runtime().documents.read_query(actor, token) if token else values.get("person", ""),
        document=values.get("document", ""),
        action=values.get("action", Action.DOCUMENT_READ.value),
        assurance=values.get("assurance", "2"),
    )
    if not asked.person or not asked.document:
        return _page(asked)
    try:
        found = runtime().explain.explain(
            actor, asked.person, asked.document, asked.action, _assurance(asked.assurance)
        )
    except (Invalid, NotFound) as error:
        return _page(asked, *refused(error))
    return _page(asked, found=found)


@signed_in(Role.OFFICER)
def ask() -> ResponseReturnValue:
    """Turn what was typed into ids, so that the page's address carries no e-mail address, and go to the answer."""
    actor, values = current_actor(), request.form
    typed = values.get("person", "").strip()
    asked = _Asked(
        typed=typed,
        document=values.get("document", "").strip(),
        action=values.get("action", ""),
        assurance=values.get("assurance", ""),
    )
    try:
        document = id_in(asked.document)
        if not document:
            raise Invalid(
                "This names no document.", mend="Write its number, or copy the address of its page."
            )
        person = id_in(typed) or _by_email(typed)
    except (Invalid, NotFound) as error:
        return _page(asked, *refused(error))
    known: dict[str, Any] = {"who": runtime().documents.write_query(actor, typed)} if "@" in typed else {}
    return redirect(
        url_for(
            "officer.why",
            person=person,
            document=document,
            action=asked.action,
            assurance=asked.assurance,
            **known,
        ),
        303,
    )


def _by_email(typed: str) -> str:
    if "@" not in typed:
        raise Invalid("This names no person.", mend="Write their e-mail address in full, or their number.")
    found = runtime().grants.people(current_actor(), Wanted(email=typed))
    if not found.items:
        raise NotFound("Nobody has an account with this e-mail address.", mend="Correct it.")
    return found.items[0].id


def _assurance(text: str) -> int:
    if not text.isdecimal():
        raise Invalid("There is no such sign-in.", mend="Choose one of the list.")
    return int(text)


def _page(
    asked: _Asked, problem: str = "", status: int = 200, *, found: Explanation | None = None
) -> ResponseReturnValue:
    return (
        render_template(
            "officer/why.html",
            asked=asked,
            problem=problem,
            actions=[(action.value, words) for action, (words, _) in _ACTIONS.items()],
            sign_ins=_SIGN_INS,
            found=found,
            **(_answer(found) if found else {}),
        ),
        status,
    )


def _answer(found: Explanation) -> dict[str, Any]:
    refusing = sum(verdict.outcome is Outcome.REFUSES for verdict in found.verdicts)
    return {
        "does": _ACTIONS[found.action][1],
        "refusing": refusing,
        "rules": len(found.verdicts),
        "sign_in": dict(_SIGN_INS)[str(found.assurance)].lower(),
        "chip": _chip(found.marking),
        "verdicts": [
            {
                "outcome": verdict.outcome.value,
                # The rules know ids alone; the programme's name is at hand here.
                "sentence": verdict.reason.replace(
                    found.programme.id, found.programme.name or found.programme.id
                ),
                "rules": [verdict.rule],
            }
            for verdict in found.verdicts
        ],
    }


def _chip(marking: str) -> Chip:
    policy = runtime().access.policy
    try:
        known = policy.classification(policy.parse_marking(marking).classification)
    except InvalidLabel:
        known = None
    if known is None:
        return Chip(marking, "", 0)
    words = class_words(policy, known.name)
    return Chip(words, marking.removeprefix(words).strip(" -"), known.lacv)
