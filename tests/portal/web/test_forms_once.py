"""Every form that changes something is sent once, however often its button is clicked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[3] / "templates"
_FORM = re.compile(r"<form\b[^>]*?(?:\{\{.*?\}\}[^>]*?)*>", re.DOTALL)

HARMLESS = (
    "search_url",
    "role_url",
    "sign_out_url",
    "audit.choose_filter",
    "audit.search",
    "documents.narrow",
    "documents.archive",
    "officer.ask_why",
    "officer.chosen_organisation",
    "releases.choose",
    "theme-choice",
    'role="search"',
    "data-upload",
    'action="#f"',
)
"""What marks a form that may be sent twice: it looks for something, downloads, or says again what is so already; the
upload form carries a key, by which the server takes it once."""


@pytest.mark.parametrize(
    "template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: str(path.relative_to(TEMPLATES))
)
def test_each_posted_form_is_sent_once_or_does_no_harm_twice(template: Path) -> None:
    for tag in _FORM.findall(template.read_text("utf-8")):
        if 'method="post"' in tag:
            assert "data-once" in tag or any(mark in tag for mark in HARMLESS), tag
