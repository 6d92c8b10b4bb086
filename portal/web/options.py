"""The options of a choice as HTML: long ones (a thousand labels) are on every page of a list, and are written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from markupsafe import Markup, escape


def options(pairs: Iterable[tuple[object, object]], chosen: object = "") -> Markup:
    """Return `<option>` elements for (value, words), that of the value `chosen` selected."""
    html, places = _written(tuple((str(value), str(words)) for value, words in pairs))
    place = places.get(str(chosen))
    # Every value and word in it was escaped when it was written.
    return Markup(html if place is None else f"{html[:place]} selected{html[place:]}")  # noqa: S704


@lru_cache(64)
def _written(pairs: tuple[tuple[str, str], ...]) -> tuple[str, Mapping[str, int]]:
    """Return the elements, none selected, and by value where the first of it would say that it is."""
    parts: list[str] = []
    places: dict[str, int] = {}
    length = 0
    for value, words in pairs:
        begin = f'<option value="{escape(value)}"'
        places.setdefault(value, length + len(begin))
        parts.append(f"{begin}>{escape(words)}</option>")
        length += len(parts[-1])
    return "".join(parts), places
