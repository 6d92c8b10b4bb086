"""Why can, or why can't, this person open this document: every rule with its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from portal.services.actor import Actor
from portal.services.explain import Explanation
from portal.web import finders
from portal.web.clearances import class_words
from portal.web.forms import id_in, ids_in, refused, with_names
from portal.web.granting import sealed_name
from portal.web.people_lists import wanted_of
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
    """What the form holds: a person, a document, an action and an assurance."""

    person: finders.Field
    document: finders.Field
    action: str
    assurance: str


def _find_people(actor: Actor, typed: str) -> Sequence[finders.Option]:
    if number := id_in(typed):
        try:
            return [finders.person_option(runtime().grants.of_person(actor, number).person)]
        except NotFound:
            return ()
    page = runtime().grants.people(actor, wanted_of(typed), None, finders.MOST)
    return [finders.person_option(item) for item in page.items]


def _find_documents(actor: Actor, typed: str) -> Sequence[finders.Option]:
    return [finders.document_option(item) for item in runtime().finder.documents(actor, typed, finders.MOST)]


FINDERS: Mapping[str, finders.Finder] = MappingProxyType(
    {
        "person": finders.Finder("Nobody is called so.", _find_people),
        "document": finders.Finder(
            "No document has such a number, and no programme is called so.", _find_documents
        ),
    }
)


@signed_in(Role.OFFICER)
def show() -> ResponseReturnValue:
    """Show the form and, where person and document are given, the decision."""
    actor, values = current_actor(), request.args
    person, document = values.get("person", ""), values.get("document", "")
    action = values.get("action", Action.DOCUMENT_READ.value)
    assurance = values.get("assurance", "2")
    if not person or not document:
        known = sealed_name(actor, person, values.get("who", ""))
        chosen = (
            finders.Field("", [finders.Option(known.id, known.name)], known.id) if known else finders.Field()
        )
        return _page(_Asked(chosen, finders.Field(document), action, assurance))
    try:
        found = runtime().explain.explain(actor, person, document, action, _assurance(assurance))
    except (Invalid, NotFound) as error:
        asked = _Asked(finders.Field(person), finders.Field(document), action, assurance)
        return _page(asked, *refused(error))
    label = label_chip(found.marking)
    sub = " ".join(filter(None, (label.name, label.rest))) + f" · {found.programme.name}"
    asked = _Asked(
        finders.Field("", [finders.Option(found.person.id, found.person.name)], found.person.id),
        finders.Field("", [finders.Option(found.document, found.document, sub)], found.document),
        found.action.value,
        str(found.assurance),
    )
    return _page(asked, found=found)


@signed_in(Role.OFFICER)
def ask() -> ResponseReturnValue:
    """Turn what was typed or chosen into ids, so that the page's address carries no name, and go to the answer."""
    actor, values = current_actor(), request.form
    person, people = _chosen(actor, "person")
    document, documents = _chosen(actor, "document")
    if "find" in values or not person or not document:
        asked = _Asked(
            finders.Field(values.get("person_q", ""), people, person),
            finders.Field(values.get("document_q", ""), documents, document),
            values.get("action", ""),
            values.get("assurance", ""),
        )
        if "find" in values:
            return _page(asked)
        missing = "person" if not person else "document"
        several = bool(people if missing == "person" else documents)
        what = f"Several match: choose one {missing}." if several else f"This names no {missing}."
        how = "Type some of their name." if missing == "person" else "Type its number or its programme."
        return _page(asked, *refused(Invalid(what, mend="" if several else how)))
    return redirect(
        url_for(
            "officer.why",
            person=person,
            document=document,
            action=values.get("action", ""),
            assurance=values.get("assurance", ""),
        ),
        303,
    )


def _chosen(actor: Actor, name: str) -> tuple[str, Sequence[finders.Option] | None]:
    """Return the id that a field chooses ("" for none), and what is offered there: what was typed newly comes first."""
    values = request.form
    typed, chosen = values.get(f"{name}_q", "").strip(), id_in(values.get(name, ""))
    if not typed:
        kept = [finders.Option(chosen, values.get(f"{name}_words", chosen))] if chosen else None
        return chosen, kept
    options = FINDERS[name].find(actor, typed)
    if chosen not in [option.value for option in options]:
        chosen = options[0].value if len(options) == 1 else ""
    return chosen, options


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
            none_words={name: finder.none_words for name, finder in FINDERS.items()},
            actions=[(action.value, words) for action, (words, _) in _ACTIONS.items()],
            sign_ins=_SIGN_INS,
            found=found,
            **(_answer(found) if found else {}),
        ),
        status,
    )


def _answer(found: Explanation) -> dict[str, Any]:
    # The rules know ids alone: the names are put in here.
    named = ids_in(" ".join([item.reason for item in found.verdicts] + [item.text for item in found.mends]))
    names = {
        **runtime().finder.organisation_names(current_actor(), named),
        found.programme.id: found.programme.name,
    }
    refusing = sum(verdict.outcome is Outcome.REFUSES for verdict in found.verdicts)
    return {
        "does": _ACTIONS[found.action][1],
        "refusing": refusing,
        "rules": len(found.verdicts),
        "sign_in": dict(_SIGN_INS)[str(found.assurance)].lower(),
        "chip": label_chip(found.marking),
        "verdicts": [
            {
                "outcome": verdict.outcome.value,
                "sentence": with_names(verdict.reason, names),
                "rules": [verdict.rule],
            }
            for verdict in found.verdicts
        ],
        "mends": [{"text": with_names(mend.text, names), "rules": mend.rules} for mend in found.mends],
    }


def label_chip(marking: str) -> Chip:
    """Return the chip of a label that is known by its marking."""
    policy = runtime().access.policy
    try:
        known = policy.classification(policy.parse_marking(marking).classification)
    except InvalidLabel:
        known = None
    if known is None:
        return Chip(marking, "", 0)
    words = class_words(policy, known.name)
    return Chip(words, marking.removeprefix(words).strip(" -"), known.lacv)
