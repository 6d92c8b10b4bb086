"""The label picker's choices and what was chosen, between a form's fields and the policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from policies import Label
from policies.offers import LabelOffer, OfferedValue
from portal.errors import Invalid
from portal.http.content import runtime

_FIELD = "tag:"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The marking of the choices made so far."""

    text: str
    lacv: int


def choices(offer: LabelOffer, values: MultiDict[str, str]) -> dict[str, Any]:
    """Return what the picker shows: only what may be used, with what `values` has chosen already."""
    groups = [("Which context does it belong to?", "Context", False, [value for _, value in offer.contexts])]
    groups += [(_legend(tag.name), tag.tag_set, tag.single, list(tag.values)) for tag in offer.tags]
    every = {item.name for item in offer.classifications}
    return {
        "hint": "Choices are those that your clearance and this system both allow.",
        "classifications": [
            {
                "value": item.name,
                "words": item.words,
                "hint": "",
                "lacv": item.lacv,
                "checked": values.get("classification") == item.name,
            }
            for item in offer.classifications
        ],
        "groups": [
            {
                "name": f"{_FIELD}{tag_set}",
                "legend": legend,
                "hint": "",
                "single": single,
                "values": _values(offered, values.getlist(f"{_FIELD}{tag_set}"), every),
            }
            for legend, tag_set, single, offered in groups
            if len(offered) > 1 or tag_set != "Context"
        ],
    }


def _values(offered: Sequence[OfferedValue], chosen: Sequence[str], every: set[str]) -> list[dict[str, Any]]:
    values = [
        {
            "value": value.name,
            "words": value.words,
            "checked": value.name in chosen,
            # The classifications that it may stand with, where that is not all of them.
            "stands_with": "" if every <= set(value.classifications) else " ".join(value.classifications),
        }
        for value in offered
    ]
    return sorted(values, key=lambda value: not value["checked"])


def _legend(name: str) -> str:
    return "Who outside may it go to?" if name == "Releasable To" else name


def label_of(values: MultiDict[str, str]) -> Label:
    """Return the label that a form's fields choose; raises Invalid for none, or one that does not hold together."""
    categories = {
        name.removeprefix(_FIELD): [value for value in values.getlist(name) if value]
        for name in values
        if name.startswith(_FIELD)
    }
    classification = values.get("classification", "")
    if not classification:
        raise Invalid("No classification was chosen.", mend="Choose how sensitive the content is.")
    return runtime().picker.compose(
        classification, {name: chosen for name, chosen in categories.items() if chosen}
    )


def chosen(values: MultiDict[str, str]) -> tuple[Chosen | None, Sequence[str]]:
    """Return the marking of what is chosen so far, or None, and what is wrong with it."""
    if not values.get("classification"):
        return None, ()
    try:
        label = label_of(values)
    except Invalid as error:
        return None, (f"{error.message} {error.mend}",)
    known = runtime().access.policy.classification(label.classification)
    return Chosen(runtime().picker.marking(label), known.lacv if known else 0), ()
