"""Choosing one of very many by typing: what was typed, what it finds, and what was chosen (parts/finder.html)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from flask import render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from portal.errors import NotFound
from portal.services.actor import Actor
from portal.services.directory import OrganisationView, PersonView, ProgrammeView
from portal.services.finder import FoundDocument
from portal.web.words import moment

MOST = 20
"""How many are offered at once."""


@dataclass(frozen=True, slots=True)
class Option:
    """Something to choose: its id, its words, and what tells it from its namesakes."""

    value: str
    words: str
    sub: str = ""


Find = Callable[[Actor, str], Sequence[Option]]
"""Returns what a text finds, at most `MOST`; the service behind it records that it was shown."""


@dataclass(frozen=True, slots=True)
class Finder:
    """What one field of a form looks for: the words for nothing found, and the service."""

    none_words: str
    find: Find


@dataclass(frozen=True, slots=True)
class Field:
    """A finder as its form shows it: what was typed, what that found (None: not looked), what is chosen."""

    typed: str = ""
    options: Sequence[Option] | None = None
    chosen: str = ""


def answer(finders: Mapping[str, Finder], name: str, actor: Actor) -> ResponseReturnValue:
    """Answer somebody who types into the field `name` with what that finds; raises NotFound for another field."""
    finder = finders.get(name)
    if finder is None:
        raise NotFound("There is no such page, or it is not open to you.")
    typed = request.form.get(f"{name}_q", "").strip()
    options = finder.find(actor, typed) if typed else None
    return render_template("parts/found.html", name=name, options=options, none_words=finder.none_words)


def field(finders: Mapping[str, Finder], name: str, actor: Actor, values: MultiDict[str, str]) -> Field:
    """Return the field `name` of a form that comes back: with what its Find button finds, and what was chosen."""
    typed, chosen = values.get(f"{name}_q", "").strip(), values.get(name, "")
    offered = finders[name].find(actor, typed) if typed and (chosen or values.get("find") == name) else None
    if chosen and chosen not in [option.value for option in offered or ()]:
        # Chosen before something else was typed, or without typing: its words came along.
        offered = [Option(chosen, values.get(f"{name}_words", "") or chosen)]
    return Field(typed, offered, chosen)


def person_option(person: PersonView) -> Option:
    """Return a person to choose."""
    return Option(person.id, person.name, f"{person.email} · {person.organisation.name}")


def organisation_option(organisation: OrganisationView) -> Option:
    """Return an organisation to choose."""
    return Option(organisation.id, organisation.name, organisation.nation)


def programme_option(programme: ProgrammeView) -> Option:
    """Return a programme to choose."""
    return Option(
        programme.id, programme.name, f"led by {programme.lead.name}" if programme.lead.name else ""
    )


def document_option(document: FoundDocument) -> Option:
    """Return a document to choose, by its number."""
    sub = f"{document.marking} · {document.programme} · received {moment(document.created).day}"
    return Option(document.id, document.id, sub)
