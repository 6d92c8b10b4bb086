"""What the commands on people and grants have in common: naming a person, showing lists."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from portal.clock import rfc3339
from portal.errors import NotFound
from portal.services.actor import Actor
from portal.services.directory import PersonView, Wanted
from portal.services.pages import LIMIT, Page
from portal.services.runtime import Runtime

_Item = TypeVar("_Item")


def person_id(runtime: Runtime, actor: Actor, named: str) -> str:
    """Return the id of a person named by id or e-mail address, as an officer sees them; raises NotFound."""
    return _found(named, lambda wanted: runtime.grants.people(actor, wanted).items)


def account_id(runtime: Runtime, actor: Actor, named: str) -> str:
    """Return the id of a person named by id or e-mail address, as an administrator sees them; raises NotFound."""
    return _found(named, lambda wanted: runtime.people.people(actor, wanted).items)


def _found(named: str, look: Callable[[Wanted], Sequence[PersonView]]) -> str:
    if "@" not in named:
        return named
    people = look(Wanted(email=named))
    if not people:
        raise NotFound("There is no such person.", mend="Check the e-mail address.")
    return people[0].id


def every(page_at: Callable[[str | None], Page[_Item]]) -> Iterator[_Item]:
    """Yield the items of all pages."""
    cursor: str | None = None
    while True:
        page = page_at(cursor)
        yield from page.items
        if page.next is None:
            return
        cursor = page.next


def most() -> int:
    """Return how many items one page is asked for."""
    return LIMIT


def show(items: Iterable[Any], as_json: bool, columns: Mapping[str, Callable[[Any], object]]) -> None:
    """Print items as a table, or as JSON Lines with everything that is known of them."""
    if as_json:
        for item in items:
            click.echo(json.dumps(dataclasses.asdict(item), default=_plain, ensure_ascii=False))
        return
    table = Table(*columns)
    for item in items:
        table.add_row(*(str(cell(item)) for cell in columns.values()))
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(table, markup=False)
    else:
        # A pipe has no width: nothing is folded there.
        Console(highlight=False, width=400).print(table, markup=False)


def told(as_json: bool, words: str = "", **facts: object) -> None:
    """Print what an action did: its facts as JSON, or its words, nothing when there are none."""
    if as_json:
        click.echo(json.dumps(facts, default=_plain, ensure_ascii=False))
    elif words:
        click.echo(words)


def day(moment: datetime | None) -> str:
    """Return a time as a table shows it."""
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M")


def _plain(value: object) -> str:
    return rfc3339(value) if isinstance(value, datetime) else str(value)
