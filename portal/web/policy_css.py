"""The style sheet with the classification colours of the policy in force: /policy.css.

A colour is one of the policy file's: `#rrggbb`, or one of the sixteen names that Open XML SPIF takes. For
each classification the sheet sets `--cls` (the colour), `--cls-ink` (black or white, whichever reads better
on it) and `--cls-text` (the colour, darkened until it reads on white paper). Contrast is that of WCAG 2.2,
success criterion 1.4.3.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import lru_cache

from flask import Flask, Response, request

from portal.errors import Invalid
from portal.http.security_headers import asset_headers

ENDPOINT = "policy_css"
"""The endpoint of the style sheet: open to everybody, signed in or not."""

LEAST_CONTRAST = 4.5
"""What WCAG 2.2 level AA asks of text of ordinary size."""

_NAMED = {
    "aqua": "#00ffff",
    "black": "#000000",
    "blue": "#0000ff",
    "fuchsia": "#ff00ff",
    "fuschia": "#ff00ff",  # as spif.xsd spells it
    "gray": "#808080",
    "green": "#008000",
    "lime": "#00ff00",
    "maroon": "#800000",
    "navy": "#000080",
    "olive": "#808000",
    "purple": "#800080",
    "red": "#ff0000",
    "silver": "#c0c0c0",
    "teal": "#008080",
    "white": "#ffffff",
    "yellow": "#ffff00",
}
_HEX = re.compile(r"#[0-9a-f]{6}")
_INKS = ("#ffffff", "#000000")

Colour = tuple[int, int, int]


def parse_colour(text: str) -> Colour:
    """Read a colour of a policy file as (red, green, blue), 0 to 255; raises Invalid for anything else."""
    written = _NAMED.get(text.strip().lower(), text.strip().lower())
    if not _HEX.fullmatch(written):
        raise Invalid(f"The policy has a colour that cannot be used: {text!r}.", mend="Write it as #rrggbb.")
    return (int(written[1:3], 16), int(written[3:5], 16), int(written[5:7], 16))


def contrast(one: Colour, other: Colour) -> float:
    """Return the WCAG 2.2 contrast ratio of two colours, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink_for(colour: Colour) -> str:
    """Return the text colour for a background: `#ffffff` or `#000000`, whichever contrasts more.

    Raises Invalid below 4.5:1. (The better of pure black and pure white never falls below √21 ≈ 4.58; the
    check stands for the day when the inks change.)
    """
    ink, ratio = max(
        ((ink, contrast(colour, parse_colour(ink))) for ink in _INKS), key=lambda candidate: candidate[1]
    )
    if ratio < LEAST_CONTRAST:
        raise Invalid(
            f"No text reads on the colour {_written(colour)}.", mend="Choose a darker or a lighter one."
        )
    return ink


def text_for(colour: Colour) -> str:
    """Return `colour`, darkened as little as needed to read on white paper at 4.5:1."""
    white = parse_colour("white")
    for share in range(100, -1, -1):
        red, green, blue = colour
        darkened = (red * share // 100, green * share // 100, blue * share // 100)
        if contrast(darkened, white) >= LEAST_CONTRAST:
            return _written(darkened)
    raise AssertionError("black reads on white")


def stylesheet(classifications: Iterable[tuple[int, str | None]]) -> str:
    """Return the style sheet for (lacv, colour) pairs; one without a colour keeps the theme's.

    Raises Invalid for an unusable colour and for an lacv that stands twice.
    """
    rules: dict[int, str] = {}
    for lacv, written in classifications:
        if lacv in rules:
            raise Invalid(
                f"The policy gives the classification number {lacv} twice.", mend="Give each its own."
            )
        rules[lacv] = ""
        if written is not None:
            colour = parse_colour(written)
            rules[lacv] = (
                f'[data-cls="{lacv:d}"]{{--cls:{_written(colour)};'
                f"--cls-ink:{ink_for(colour)};--cls-text:{text_for(colour)}}}\n"
            )
    return "".join(rules.values())


Colours = Iterable[tuple[int, "str | None"]]


def install(app: Flask, classifications: Callable[[], Colours], *, https: bool = False) -> None:
    """Serve the style sheet of the classifications of now at /policy.css, and tell templates its `policy_css_url`.

    The address carries the sheet's digest, so that it may be kept for ever and a new policy shows at once.
    """
    made = lru_cache(4)(lambda colours: _sheet(stylesheet(colours)))

    def current() -> tuple[str, str]:
        found: tuple[str, str] = made(tuple(classifications()))
        return found

    def policy_css() -> Response:
        css, digest = current()
        response = Response(css, mimetype="text/css")
        response.headers.update(asset_headers(https=https))
        if request.args.get("v") != digest:
            response.headers["Cache-Control"] = "no-cache"
        return response

    current()
    app.add_url_rule("/policy.css", ENDPOINT, policy_css, methods=["GET"])
    app.context_processor(lambda: {"policy_css_url": f"/policy.css?v={current()[1]}"})


def _sheet(css: str) -> tuple[str, str]:
    return css, hashlib.sha256(css.encode()).hexdigest()[:12]


def _luminance(colour: Colour) -> float:
    def linear(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue = (linear(channel) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _written(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
